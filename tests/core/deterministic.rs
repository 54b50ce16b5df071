//! Tests that a program runs the same way each time: in one process, in two threads, in another
//! process.
//!
//! The program makes its choices with its own generator of numbers, so only the order in which
//! its fibers run could make two runs differ.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use fibra::channel::{Channel, Preference, Receiver, Sender, bounded};
use fibra::{Fiber, JoinHandle};

use crate::support::{in_child, name_of, stderr};

/// The state that the fibers of a program share.
struct World {
    trace: RefCell<Vec<String>>,
    state: Cell<u64>,
    channel: Channel<u64>,
    buffered: (Sender<u64>, Receiver<u64>),
    fibers: RefCell<Vec<Fiber>>,
}

impl World {
    /// Returns the next pseudo-random number below `end`.
    fn below(&self, end: u64) -> u64 {
        let mut x = self.state.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.state.set(x);
        (x >> 16) % end
    }

    fn say(&self, what: impl std::fmt::Debug) {
        let id = fibra::current().id();
        self.trace.borrow_mut().push(format!("{id}:{what:?}"));
    }

    fn pick(&self) -> Fiber {
        let fibers = self.fibers.borrow();
        let at = self.below(fibers.len() as u64);
        fibers[usize::try_from(at).unwrap()].clone()
    }

    fn millis(&self) -> Duration {
        Duration::from_millis(1 + self.below(5))
    }
}

/// Runs the program that `seed` selects. Returns its trace.
fn trace(seed: u64) -> Vec<String> {
    let runtime = fibra::Runtime::builder().virtual_clock().build().unwrap();
    runtime.run(|| {
        let world = Rc::new(World {
            trace: RefCell::default(),
            state: Cell::new(seed),
            channel: Channel::new(),
            buffered: bounded(2),
            fibers: RefCell::new(vec![fibra::current()]),
        });
        let fibers: Vec<_> = (0..20).map(|_| spawn(&world, 2)).collect();
        // The program includes killed fibers, and fibers that fail in a deadlock.
        for fiber in fibers {
            world.say(fiber.join().map_err(|error| error.is_killed()));
        }
        world.trace.take()
    })
}

fn spawn(world: &Rc<World>, depth: u32) -> JoinHandle<()> {
    let inside = world.clone();
    let body = move || (0..20).for_each(|_| act(&inside, depth));
    let child = if world.below(4) == 0 { fibra::spawn_now(body) } else { fibra::spawn(body) };
    world.fibers.borrow_mut().push(child.fiber().clone());
    child
}

fn act(world: &Rc<World>, depth: u32) {
    match world.below(14) {
        0 | 1 => fibra::yield_now(),
        2 | 3 => {
            let sent = world.channel.send_timeout(world.below(1000), world.millis());
            world.say(sent.map_err(|error| error.to_string()));
        }
        4 | 5 => world.say(world.channel.recv_timeout(world.millis())),
        6 => {
            let sent = world.buffered.0.send_timeout(world.below(1000), world.millis());
            world.say(sent.is_ok());
        }
        7 => world.say(world.buffered.1.recv_timeout(world.millis())),
        8 => {
            fibra::sleep(world.millis());
            world.say("slept");
        }
        9 => fibra::park_timeout(world.millis()),
        10 => world.pick().unpark(),
        11 if world.below(4) == 0 && fibra::current().id().number() != 1 => {
            let victim = world.pick();
            world.say(("kills", victim.id().number()));
            // Not the main fiber: that would end the program.
            if victim.id().number() != 1 {
                victim.kill();
            }
        }
        12 => {
            let all = [Preference::Receiver, Preference::Neither, Preference::Sender];
            world.channel.set_preference(all[usize::try_from(world.below(3)).unwrap()]);
            world.channel.set_schedule_all(world.below(3) == 0);
        }
        13 if depth != 0 => drop(spawn(world, depth - 1)),
        _ => world.say(world.channel.balance()),
    }
}

const SEEDS: [u64; 3] = [1, 0x1234_5678, 0xdead_beef_cafe];

fn digest(trace: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    trace.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn a_program_runs_the_same_way_twice() {
    for seed in SEEDS {
        let first = trace(seed);
        assert!(300 < first.len(), "the program does something: {}", first.len());
        assert!(first.iter().any(|event| event.contains("kills")));
        assert!(first.iter().any(|event| event.contains("Timeout")));
        assert_eq!(first, trace(seed));
    }
}

#[test]
fn different_programs_run_differently() {
    assert_ne!(trace(SEEDS[0]), trace(SEEDS[1]));
}

#[test]
fn a_program_runs_the_same_way_in_two_threads() {
    for seed in SEEDS {
        let [first, second] = thread::scope(|scope| {
            [scope.spawn(|| trace(seed)), scope.spawn(|| trace(seed))].map(|t| t.join().unwrap())
        });
        assert_eq!(first, second);
        assert_eq!(first, trace(seed), "nor does it matter what the thread did before");
    }
}

#[test]
fn a_program_runs_the_same_way_in_another_process() {
    let digests = SEEDS.map(|seed| digest(&trace(seed)).to_string()).join(" ");
    let name = name_of!(a_program_runs_the_same_way_in_another_process);
    let output = in_child(name, &[], || eprintln!("digests: {digests}"));
    let printed = stderr(&output);
    assert!(printed.contains(&format!("digests: {digests}")), "{printed}");
}
