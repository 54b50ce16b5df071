//! Random programs of greenlets that use all operations on each other: nothing is lost, nothing
//! is dropped twice, and the process survives.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use fibra::greenlet::{self, Greenlet, settrace};
use fibra::{frame, run, spawn};

use crate::support::greenlet::{KeyError, raise};
use crate::support::{DONE_LINE, in_child, name_of, stderr};

type Thing = Greenlet<Token>;

const PLACES: u64 = 8;

/// The state that the greenlets share.
struct Table {
    seed: Cell<u64>,
    /// The actions that are left.
    budget: Cell<u32>,
    places: RefCell<Vec<Option<Thing>>>,
    tokens: Cell<i64>,
    guards: Cell<i64>,
    /// Whether destructors may switch, so that some cannot be unwound.
    wild: bool,
}

/// A value that is counted.
struct Token(Rc<Table>);

impl Token {
    fn new(table: &Rc<Table>) -> Token {
        table.tokens.set(table.tokens.get() + 1);
        Token(table.clone())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.tokens.set(self.0.tokens.get() - 1);
    }
}

/// A value on a stack that is counted; with `wild`, some act when they are dropped.
struct Guard(Rc<Table>);

impl Guard {
    fn new(table: &Rc<Table>) -> Guard {
        table.guards.set(table.guards.get() + 1);
        Guard(table.clone())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.guards.set(self.0.guards.get() - 1);
        if self.0.wild && self.0.below(4) == 0 {
            // A panic out of a destructor would abort.
            let _ = catch_unwind(AssertUnwindSafe(|| self.0.act()));
        }
    }
}

impl Table {
    fn below(&self, n: u64) -> u64 {
        let next =
            self.seed.get().wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.seed.set(next);
        (next >> 33) % n
    }

    fn any(&self) -> Option<Thing> {
        let at = self.below(PLACES + 1);
        if at == PLACES {
            return Some(greenlet::main());
        }
        self.places.borrow()[at as usize].clone()
    }

    fn put(&self, thing: Option<Thing>) {
        let at = self.below(PLACES) as usize;
        let before = std::mem::replace(&mut self.places.borrow_mut()[at], thing);
        drop(before);
    }

    /// Does one random action. May unwind.
    fn act(self: &Rc<Self>) {
        if self.budget.get() == 0 {
            return;
        }
        self.budget.set(self.budget.get() - 1);
        match self.below(17) {
            0..=6 => self.with_any(|thing| thing.switch(Token::new(self))),
            7 | 8 => self.put(Some(make(self))),
            9 => self.put(None),
            10 => self.put(self.any()),
            11 => self.with_any(|thing| thing.throw(KeyError("thrown"))),
            12 => self.with_any(Greenlet::kill),
            13 => self.with_any(|a| self.with_any(|b| a.set_parent(b))),
            14 => drop(settrace(self.tracer())),
            15 if fibra::in_fiber() => fibra::yield_now(),
            _ => raise(KeyError("raised")),
        }
    }

    /// Does something with a random greenlet, and drops the handle while nothing unwinds.
    ///
    /// A greenlet that a destructor kills during an unwind, and that goes on, is abandoned if it
    /// must be killed again before that unwind is over. Also, the compiler leaks a result that is
    /// about to be returned when the destructor of a local unwinds.
    fn with_any<T>(&self, f: impl FnOnce(&Thing) -> T) {
        let Some(thing) = self.any() else { return };
        let result = catch_unwind(AssertUnwindSafe(|| f(&thing)));
        drop(thing);
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    }

    fn tracer(self: &Rc<Self>) -> Option<Rc<greenlet::Tracer>> {
        let table = Rc::downgrade(self);
        match self.below(4) {
            0 => Some(Rc::new(move |_, _, _| {
                let Some(table) = table.upgrade() else { return };
                if table.below(20) == 0 {
                    raise(KeyError("tracer"))
                }
                let place = table.below(PLACES) as usize;
                let dropped = table.places.borrow_mut()[place].take();
                drop(dropped);
            })),
            _ => None,
        }
    }
}

/// Makes a greenlet that acts for a while, and catches some of the errors raised in it.
fn make(table: &Rc<Table>) -> Thing {
    let (shared, captured) = (table.clone(), Guard::new(table));
    let life = table.below(12);
    let catches = table.below(2) == 0;
    Greenlet::new(move |token: Token| {
        let _captured = captured;
        let _local = Guard::new(&shared);
        for _ in 0..life {
            if catches {
                let _ = catch_unwind(AssertUnwindSafe(|| shared.act()));
            } else {
                shared.act();
            }
        }
        token
    })
}

fn new_table(seed: u64, wild: bool) -> Rc<Table> {
    Rc::new(Table {
        seed: Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        budget: Cell::new(300),
        places: RefCell::new((0..PLACES).map(|_| None).collect()),
        tokens: Cell::new(0),
        guards: Cell::new(0),
        wild,
    })
}

fn act_until_the_end(table: &Rc<Table>) {
    while table.budget.get() != 0 {
        let _ = catch_unwind(AssertUnwindSafe(|| table.act()));
    }
}

/// Checks, after all frames have ended, that nothing is left.
fn check_the_end(seed: u64, table: &Table) {
    let left = table.places.take();
    assert!(left.iter().flatten().all(|thing| !thing.is_active()), "seed {seed}");
    drop(left);
    if !table.wild {
        let counts = (table.tokens.get(), table.guards.get());
        assert_eq!(counts, (0, 0), "seed {seed}: tokens and guards that were not dropped");
    }
}

fn program(seed: u64, wild: bool) {
    let table = new_table(seed, wild);
    frame(|| act_until_the_end(&table));
    check_the_end(seed, &table);
}

/// Runs fibers that drop each other's greenlets and switch to them.
fn program_of_fibers(seed: u64, wild: bool) {
    let table = new_table(seed, wild);
    run(|| {
        let fibers = [(); 3].map(|()| {
            let table = table.clone();
            spawn(move || act_until_the_end(&table))
        });
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
    check_the_end(seed, &table);
}

/// The number of programs per test. With a sanitizer each takes ten times as long.
const PROGRAMS: u64 = if cfg!(sanitized) { 200 } else { 2_500 };

#[test]
fn random_programs_lose_nothing() {
    let output = in_child(name_of!(random_programs_lose_nothing), &[], || {
        (0..PROGRAMS).for_each(|seed| program(seed, false));
        (0..PROGRAMS).for_each(|seed| program_of_fibers(seed, false));
    });
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
}

#[test]
fn random_programs_whose_destructors_switch_survive() {
    let output = in_child(name_of!(random_programs_whose_destructors_switch_survive), &[], || {
        (0..PROGRAMS).for_each(|seed| program(seed, true));
        (0..PROGRAMS).for_each(|seed| program_of_fibers(seed, true));
    });
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
}
