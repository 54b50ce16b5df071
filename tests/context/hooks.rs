//! The hooks of a runtime: which events they are told, in which order, and what they may do.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fibra::{FiberId, Hooks, Runtime, Spawned, sleep, spawn, yield_now};

use crate::support::{DONE_LINE, PanicsOnDrop, apart, in_child, ms, name_of, stderr};

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

/// Catches every kill and goes on waiting.
fn never_end() {
    loop {
        let _ = std::panic::catch_unwind(|| fibra::park());
    }
}

#[test]
fn a_fiber_that_is_abandoned_has_ended_once() {
    let notes = apart(|| {
        noted(|| {
            spawn(never_end);
            yield_now();
        })
    });
    assert_eq!(notes.matches("end2").count(), 1, "{notes}");
    assert!(notes.ends_with("end2"), "{notes}");
    // In the middle of a destructor of a fiber-local, when its closure has ended.
    struct Parks;
    impl Drop for Parks {
        fn drop(&mut self) {
            fibra::park();
        }
    }
    fibra::local! { static PARKS: Parks = Parks }
    let notes = apart(|| {
        noted(|| {
            spawn(|| PARKS.with(|_| ()));
            yield_now();
        })
    });
    assert_eq!(notes.matches("end2").count(), 1, "{notes}");
}

#[test]
fn a_fiber_whose_closure_has_ended_makes_no_events() {
    struct Sleeps;
    impl Drop for Sleeps {
        fn drop(&mut self) {
            sleep(ms(1));
            yield_now();
        }
    }
    fibra::local! { static SLEEPS: Sleeps = Sleeps }
    let notes = noted(|| {
        SLEEPS.with(|_| ());
        spawn(|| SLEEPS.with(|_| ())).join().unwrap();
    });
    for number in [1, 2] {
        let (_, after) = notes.split_once(&format!("end{number}")).unwrap();
        for event in ["+", "-", "wait", "wake"] {
            let event = format!("{event}{number}");
            assert!(!after.split([' ', '<', '(']).any(|told| told == event), "{notes}");
        }
    }
}

/// Hooks that call a function at each event.
struct Acts<F>(F);

impl<F: Fn(FiberId) + Send + Sync + 'static> Hooks for Acts<F> {
    fn spawned(&self, _: Instant, fiber: FiberId, _: &Spawned) {
        (self.0)(fiber);
    }

    fn entered(&self, _: Instant, fiber: FiberId) {
        (self.0)(fiber);
    }

    fn waits(&self, _: Instant, fiber: FiberId, _: &'static str, _: &'static Location<'static>) {
        (self.0)(fiber);
    }

    fn left(&self, _: Instant, fiber: FiberId) {
        (self.0)(fiber);
    }

    fn woken(&self, _: Instant, fiber: FiberId, _: Option<FiberId>) {
        (self.0)(fiber);
    }

    fn ended(&self, _: Instant, fiber: FiberId) {
        (self.0)(fiber);
    }
}

/// Runs fibers of all kinds with hooks that call `act`.
fn attacked(act: impl Fn(FiberId) + Send + Sync + 'static) -> Result<u32, fibra::Panic> {
    let runtime = Runtime::builder().hooks(Acts(act)).virtual_clock().build().unwrap();
    let run = std::panic::AssertUnwindSafe(|| {
        runtime.run(|| {
            let (tx, rx) = fibra::channel::bounded(1);
            let sender = spawn(move || (0..3).all(|n| tx.send(n).is_ok()));
            let sum = rx.iter().sum();
            let _ = sender.join();
            sleep(ms(1));
            spawn(|| fibra::park());
            fibra::scope(|s| drop(s.spawn(|| sleep(ms(1)))));
            let generates = || {
                let numbers = fibra::generator::iter(|y| {
                    yield_now();
                    y.yield_(1);
                });
                numbers.count()
            };
            let _ = spawn(generates).join();
            let _ = spawn(|| std::panic::panic_any("on purpose")).join();
            sum
        })
    });
    std::panic::catch_unwind(run).map_err(fibra::Panic::new)
}

#[test]
fn hooks_that_kill_their_fiber_at_each_event_end_the_run() {
    assert!(attacked(|_| fibra::current().kill()).is_err());
    assert_eq!(fibra::run(|| 1), 1);
}

#[test]
fn hooks_that_throw_payloads_with_bad_destructors_change_nothing() {
    let throws = |_| std::panic::resume_unwind(Box::new(PanicsOnDrop("in a hook")));
    assert_eq!(attacked(throws).unwrap(), 3);
}

#[test]
fn hooks_that_spawn_dump_and_resume_generators_change_nothing() {
    let left = Mutex::new(200);
    let acts = move |_| {
        let mut left = left.lock().unwrap();
        if 0 < *left {
            *left -= 1;
            drop(left);
            drop(fibra::dump());
            fibra::current().unpark();
            drop(spawn(|| fibra::park()));
            let mut numbers = fibra::generator::iter(|y| y.yield_(1));
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| numbers.next()));
            let _ = std::panic::catch_unwind(|| fibra::run(|| ()));
            assert!(std::panic::catch_unwind(|| fibra::frame(|| sleep(ms(1)))).is_err());
        }
    };
    assert_eq!(attacked(acts).unwrap(), 3);
}

#[test]
fn hooks_that_exit_end_the_process_after_all_fibers() {
    for event in 0..8 {
        let test = name_of!(hooks_that_exit_end_the_process_after_all_fibers);
        let number = event.to_string();
        let wanted = std::env::var("FIBRA_TEST_EVENT").unwrap_or(number.clone());
        let output = in_child(test, &[("FIBRA_TEST_EVENT", &number)], || {
            let count = Mutex::new(0);
            let _ = attacked(move |_| {
                let mut count = count.lock().unwrap();
                *count += 1;
                if *count - 1 == wanted.parse::<u32>().unwrap() {
                    drop(count);
                    fibra::exit(7);
                }
            });
        });
        let text = stderr(&output);
        assert!(output.status.code() == Some(7) && !text.contains(DONE_LINE), "{event}: {text}");
    }
}
