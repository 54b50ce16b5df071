//! The hooks of a runtime: which events they are told, in which order, and what they may do.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fibra::{FiberId, Hooks, Runtime, Spawned, sleep, spawn, yield_now};

use crate::support::ms;

/// Hooks that write down what they are told. Fibers have their numbers.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> String {
        self.0.lock().unwrap().drain(..).collect::<Vec<_>>().join(" ")
    }
}

fn number(fiber: FiberId) -> String {
    fiber.to_string().rsplit('#').next().unwrap().to_owned()
}

fn by(fiber: Option<FiberId>) -> String {
    fiber.map_or_else(String::new, |fiber| format!("<{}", number(fiber)))
}

impl Hooks for Notes {
    fn spawned(&self, _: Instant, fiber: FiberId, spawned: &Spawned) {
        assert!(spawned.location.file().ends_with("hooks.rs"), "{}", spawned.location);
        let name = spawned.name.as_deref().unwrap_or_default();
        self.add(format!("spawn{}{name}{}", number(fiber), by(spawned.by)));
    }

    fn entered(&self, _: Instant, fiber: FiberId) {
        self.add(format!("+{}", number(fiber)));
    }

    fn waits(&self, _: Instant, fiber: FiberId, reason: &'static str, at: &'static Location<'_>) {
        assert!(at.file().ends_with("hooks.rs"), "{at}");
        self.add(format!("wait{}({reason})", number(fiber)));
    }

    fn left(&self, _: Instant, fiber: FiberId) {
        self.add(format!("-{}", number(fiber)));
    }

    fn woken(&self, _: Instant, fiber: FiberId, waker: Option<FiberId>) {
        self.add(format!("wake{}{}", number(fiber), by(waker)));
    }

    fn ended(&self, _: Instant, fiber: FiberId) {
        self.add(format!("end{}", number(fiber)));
    }
}

/// Returns what hooks are told of `f` in a runtime with a virtual clock.
fn noted(f: impl FnOnce()) -> String {
    let notes = Notes::default();
    Runtime::builder().hooks(notes.clone()).virtual_clock().build().unwrap().run(f);
    notes.take()
}

#[test]
fn yields_are_left_and_entered() {
    let notes = noted(|| {
        spawn(|| ());
        yield_now();
    });
    assert_eq!(notes, "spawn1main +1 spawn2<1 -1 +2 -2 end2 +1 -1 end1");
}

#[test]
fn waits_and_wakes() {
    let notes = noted(|| {
        let parked = fibra::Builder::new().name("p").spawn(|| fibra::park());
        sleep(ms(1));
        parked.fiber().unpark();
        parked.join().unwrap();
    });
    assert_eq!(
        notes,
        "spawn1main +1 spawn2p<1 wait1(asleep) -1 +2 wait2(parked) -2 wake1 +1 wake2<1 \
         wait1(waiting for a fiber to end) -1 +2 -2 end2 wake1<2 +1 -1 end1"
    );
}

#[test]
fn kills_and_fibers_that_never_run() {
    let notes = noted(|| {
        let parked = spawn(|| fibra::park());
        yield_now();
        parked.kill();
        let new = spawn(|| unreachable!());
        new.kill();
        let _ = (parked.join(), new.join());
    });
    assert_eq!(
        notes,
        "spawn1main +1 spawn2<1 -1 +2 wait2(parked) -2 +1 wake2<1 spawn3<1 \
         wait1(waiting for a fiber to end) -1 +2 -2 end2 wake1<2 end3 +1 -1 end1"
    );
}

#[test]
fn hooks_are_called_around_contexts() {
    let notes = Notes::default();
    let runtime = Runtime::builder().hooks(notes.clone()).build().unwrap();
    runtime.run(|| crate::named("a", || crate::named("b", yield_now)));
    crate::support::check("+a +b -b -a +a +b -b -a");
    assert_eq!(notes.take(), "spawn1main +1 -1 +1 -1 end1");
}

#[test]
fn hooks_may_spawn_and_must_not_wait() {
    struct Spawns(Mutex<u32>, Notes);
    impl Hooks for Spawns {
        fn left(&self, _: Instant, _: FiberId) {
            if *self.0.lock().unwrap() < 3 {
                *self.0.lock().unwrap() += 1;
                let notes = self.1.clone();
                spawn(move || notes.add("ran".to_owned()));
            }
        }
        fn entered(&self, _: Instant, _: FiberId) {
            let waits: [fn(); 3] = [yield_now, || fibra::park(), || fibra::scope(|_| ())];
            for wait in waits {
                let text = match std::panic::catch_unwind(wait) {
                    Ok(()) => "fine".to_owned(),
                    Err(payload) => fibra::Panic::new(payload).to_string(),
                };
                self.1.add(text.contains("would wait").to_string());
            }
        }
        fn ended(&self, _: Instant, _: FiberId) {
            panic!("a hook fails");
        }
    }
    let notes = Notes::default();
    let hooks = Spawns(Mutex::new(0), notes.clone());
    Runtime::builder().hooks(hooks).build().unwrap().run(|| {
        (0..4).for_each(|_| yield_now());
    });
    let notes = notes.take();
    assert_eq!(notes.matches("ran").count(), 3, "{notes}");
    assert!(notes.contains("true") && !notes.contains("false"), "{notes}");
}

#[test]
fn a_hook_may_make_fiber_locals() {
    struct Makes;
    fibra::local! { static LOCAL: crate::support::Noisy<&'static str> = crate::support::Noisy("dropped") }
    impl Hooks for Makes {
        fn ended(&self, _: Instant, _: FiberId) {
            LOCAL.with(|_| ());
        }
    }
    Runtime::builder().hooks(Makes).build().unwrap().run(|| spawn(|| ()).join().unwrap());
    crate::support::check("dropped dropped");
}

#[test]
fn each_event_of_a_busy_runtime_has_its_counterpart() {
    #[derive(Default)]
    struct Life {
        spawned: u32,
        inside: bool,
        ended: u32,
    }
    #[derive(Clone, Default)]
    struct Lives(Arc<Mutex<BTreeMap<FiberId, Life>>>);
    impl Lives {
        fn of(&self, fiber: FiberId, f: impl FnOnce(&mut Life)) {
            f(self.0.lock().unwrap().entry(fiber).or_default());
        }
    }
    impl Hooks for Lives {
        fn spawned(&self, _: Instant, fiber: FiberId, _: &Spawned) {
            self.of(fiber, |life| life.spawned += 1);
        }
        fn entered(&self, _: Instant, fiber: FiberId) {
            self.of(fiber, |life| assert!(!std::mem::replace(&mut life.inside, true)));
        }
        fn left(&self, _: Instant, fiber: FiberId) {
            self.of(fiber, |life| assert!(std::mem::take(&mut life.inside)));
        }
        fn ended(&self, _: Instant, fiber: FiberId) {
            self.of(fiber, |life| life.ended += 1);
        }
    }
    let lives = Lives::default();
    let runtime = Runtime::builder().threads(2).hooks(lives.clone()).build().unwrap();
    runtime.run(|| {
        let (tx, rx) = fibra::sync::mpmc::bounded(2);
        let senders: Vec<_> = (0..20)
            .map(|n| {
                let tx = tx.clone();
                fibra::Handle::current().spawn(move || {
                    yield_now();
                    tx.send(n).unwrap();
                    sleep(ms(1));
                })
            })
            .collect();
        drop(tx);
        assert_eq!(rx.into_iter().sum::<u32>(), 190);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
    let lives = lives.0.lock().unwrap();
    assert!(21 <= lives.len());
    for (id, life) in lives.iter() {
        assert_eq!((life.spawned, life.inside, life.ended), (1, false, 1), "{id}");
    }
}
