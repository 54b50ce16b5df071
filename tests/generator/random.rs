//! Random programs of generators on generators, in fibers that are killed: each value is dropped
//! once, and every program ends.
//!
//! A program is a random walk from a given seed, so it is the same each time. Bodies do
//! nothing while the thread unwinds: other tests cover generators that are used in an unwind.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread::panicking;
use std::time::Duration;

use fibra::generator::{self, Generator, GeneratorState, Yielder};

type Y = Yielder<Mark, u32>;
type Shared = Generator<Mark, u32, Mark>;

/// The state that all bodies of one program share.
#[derive(Clone)]
struct World(Rc<Inner>);

struct Inner {
    random: Cell<u64>,
    /// The number of marks that are alive.
    live: Cell<i64>,
    /// The steps that are left: without a limit, a program that starts programs would never end.
    fuel: Cell<u32>,
    /// Generators that any fiber may take out and use.
    shared: RefCell<Vec<Shared>>,
    in_fibers: bool,
}

/// A value that must be dropped once.
struct Mark(World, Cell<bool>);

impl Drop for Mark {
    fn drop(&mut self) {
        assert!(!self.1.replace(true), "dropped twice");
        let live = &self.0.0.live;
        live.set(live.get() - 1);
    }
}

impl World {
    fn new(seed: u64, in_fibers: bool) -> World {
        World(Rc::new(Inner {
            random: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            live: Cell::new(0),
            fuel: Cell::new(400),
            shared: RefCell::new(Vec::new()),
            in_fibers,
        }))
    }

    fn mark(&self) -> Mark {
        self.0.live.set(self.0.live.get() + 1);
        Mark(self.clone(), Cell::new(false))
    }

    fn random(&self, below: u64) -> u64 {
        let mut x = self.0.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.random.set(x);
        (x >> 11) % below
    }

    /// Takes one step from the fuel. Returns whether a body may do one more thing.
    fn burn(&self) -> bool {
        let left = self.0.fuel.get();
        self.0.fuel.set(left.saturating_sub(1));
        left != 0 && !panicking()
    }

    fn take_shared(&self) -> Option<Shared> {
        let mut shared = self.0.shared.borrow_mut();
        if shared.is_empty() {
            return None;
        }
        let at = self.random(shared.len() as u64);
        Some(shared.swap_remove(usize::try_from(at).unwrap()))
    }
}

/// A value that uses generators when it is dropped, also by an unwind, and leaves them suspended.
struct Late<'a>(&'a World);

impl Drop for Late<'_> {
    fn drop(&mut self) {
        let w = self.0;
        let (kept, made) = (w.mark(), w.clone());
        let mut one = generator::iter(move |y| {
            let _kept = (kept, made.mark());
            (0..3).for_each(|_| y.yield_(()));
        });
        one.next();
        generator::scope(|s| {
            let mut other = s.iter(|y| {
                let _mark = w.mark();
                y.yield_(one.next());
            });
            other.next();
            if w.random(2) == 0 {
                std::mem::forget(other);
            }
        });
    }
}

/// The yielders of the generators around a body, the innermost first.
struct Chain<'a> {
    y: &'a Y,
    around: Option<&'a Chain<'a>>,
}

impl<'a> Chain<'a> {
    fn at(&'a self, depth: u64) -> &'a Y {
        match self.around {
            Some(around) if depth != 0 => around.at(depth - 1),
            _ => self.y,
        }
    }
}

fn body(w: &World, chain: Option<&Chain<'_>>, depth: u32) {
    let _mine = w.mark();
    // Other fibers may unwind meanwhile, and then a suspended generator may have to be abandoned.
    let _late = (!w.0.in_fibers && w.random(3) == 0).then(|| Late(w));
    for _ in 0..w.random(6) {
        if !w.burn() {
            return;
        }
        step(w, chain, depth);
    }
}

fn step(w: &World, chain: Option<&Chain<'_>>, depth: u32) {
    let deeper = |chain: Option<&Chain<'_>>| {
        if depth < 6 {
            body(w, chain, depth + 1);
        }
    };
    match w.random(18) {
        0..=4 => {
            if let Some(chain) = chain {
                let _ = chain.at(w.random(4)).yield_(w.mark());
            }
        }
        5 | 6 => nested(w, chain, depth),
        7 => {
            let _kept = w.mark();
            let made = make_shared(w, depth);
            w.0.shared.borrow_mut().push(made);
        }
        8 | 9 => {
            if let Some(mut taken) = w.take_shared() {
                if use_one(w, &mut taken) {
                    w.0.shared.borrow_mut().push(taken);
                } else if w.random(4) == 0 {
                    forget(taken);
                }
            }
        }
        10 | 11 => drop(catch_unwind(AssertUnwindSafe(|| deeper(chain)))),
        12 => panic::resume_unwind(Box::new("thrown by a body")),
        13 => fibra::finally(|| deeper(chain), || deeper(chain)),
        _ if !w.0.in_fibers => deeper(chain),
        14 => fibra::sleep(Duration::from_millis(w.random(3))),
        15 => fibra::shield(|| deeper(chain)),
        16 => {
            let child = |w: World| move || body(&w, None, depth + 1);
            let _ = w.mark();
            if w.random(2) == 0 {
                fibra::nursery(|n| {
                    n.spawn(child(w.clone()));
                    deeper(chain);
                });
            } else {
                fibra::scope(|s| {
                    let joined = s.spawn(|| {
                        // A yielder that another fiber borrows refuses to yield.
                        if let Some(chain) = chain {
                            assert!(
                                catch_unwind(AssertUnwindSafe(|| chain.y.yield_(w.mark())))
                                    .is_err()
                            );
                        }
                    });
                    deeper(chain);
                    drop(joined.join());
                });
            }
        }
        _ => fibra::yield_now(),
    }
}

fn make_shared(w: &World, depth: u32) -> Shared {
    let (world, captured) = (w.clone(), w.mark());
    Generator::new(move |y: &Y, _first| {
        let _captured = captured;
        body(&world, Some(&Chain { y, around: None }), depth + 1);
        world.mark()
    })
}

/// Makes some generators that borrow from this body, and uses them in any order.
fn nested(w: &World, chain: Option<&Chain<'_>>, depth: u32) {
    if 4 < depth {
        return;
    }
    generator::scope(|s| {
        let make = || {
            let captured = w.mark();
            s.generator(move |y: &Y, _first| {
                let _captured = captured;
                body(w, Some(&Chain { y, around: chain }), depth + 1);
                w.mark()
            })
        };
        let mut all: Vec<_> = (0..=w.random(3)).map(|_| make()).collect();
        while let Some(at) = w.random(8).checked_sub(1) {
            if all.is_empty() || !w.burn() {
                break;
            }
            let at = usize::try_from(at).unwrap() % all.len();
            if !use_one(w, &mut all[at]) {
                let ended = all.swap_remove(at);
                if w.random(4) == 0 {
                    forget(ended);
                }
            } else if w.random(5) == 0 {
                // A suspended generator whose handle is forgotten, or which is closed by the drop.
                let other = all.swap_remove(at);
                if w.random(2) == 0 {
                    forget(other);
                }
            }
        }
    });
}

/// Uses a generator in a random way. Returns whether it is kept.
fn use_one<B>(w: &World, one: &mut Generator<Mark, u32, Mark, B>) -> bool {
    let thrown = catch_unwind(AssertUnwindSafe(|| match w.random(8) {
        0 => one.close().is_err(),
        1 => matches!(one.throw("thrown"), GeneratorState::Yielded(_)),
        2 => false,
        _ => matches!(one.try_resume(1), Ok(GeneratorState::Yielded(_))),
    }));
    match thrown {
        Ok(kept) => kept,
        // Half of the panics that come out of a generator go on.
        Err(payload) if w.random(2) == 0 => panic::resume_unwind(payload),
        Err(_) => false,
    }
}

/// Forgets a handle, unless its generator never ran: its captured values would never be dropped.
fn forget<B>(one: Generator<Mark, u32, Mark, B>) {
    if !format!("{one:?}").contains("Fresh") {
        std::mem::forget(one);
    }
}

fn in_a_frame(seed: u64) {
    let w = World::new(seed, false);
    fibra::frame(|| {
        drop(catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..4 {
                let _ = catch_unwind(AssertUnwindSafe(|| body(&w, None, 0)));
            }
        })));
    });
    check(&w, seed);
}

fn in_fibers(seed: u64) {
    let w = World::new(seed, true);
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(|| {
        let fibers: Vec<_> = (0..5)
            .map(|_| {
                let w = w.clone();
                fibra::spawn(move || {
                    for _ in 0..3 {
                        body(&w, None, 0);
                    }
                })
            })
            .collect();
        for fiber in &fibers {
            fibra::sleep(Duration::from_millis(w.random(3)));
            if w.random(2) == 0 {
                fiber.kill();
            }
        }
        for fiber in fibers {
            if w.random(3) != 0 {
                drop(fiber.join());
            }
        }
    });
    check(&w, seed);
}

/// Drops the generators that are left, unstarted or ended, and checks that no mark is alive.
fn check(w: &World, seed: u64) {
    let left = w.0.shared.take();
    drop(left);
    assert_eq!(w.0.live.get(), 0, "seed {seed}");
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("FIBRA_SEED").unwrap_or(1);
    first..first + number("FIBRA_SEEDS").unwrap_or(300)
}

#[test]
fn random_programs_in_a_frame_drop_everything_once() {
    seeds().for_each(in_a_frame);
}

#[test]
fn random_programs_in_fibers_drop_everything_once() {
    seeds().for_each(in_fibers);
}
