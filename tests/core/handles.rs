//! Tests dropping, keeping and using handles in every state of their fiber.

use std::rc::Rc;

use fibra::{Activity, Fiber, JoinHandle, spawn, yield_now};

use crate::support::{Noisy, check, go, log, run_virtually};

/// A function that creates a fiber and brings it into a state.
type State = fn() -> JoinHandle<Noisy<&'static str>>;

fn parked() -> JoinHandle<Noisy<&'static str>> {
    let child = spawn(|| {
        let _unwound = Noisy("unwound");
        fibra::park();
        Noisy("output")
    });
    yield_now();
    child
}

const STATES: [(&str, State, &str); 7] = [
    ("not started", || spawn(|| Noisy("output")), "output"),
    (
        "runnable",
        || {
            let child = parked();
            child.fiber().unpark();
            child
        },
        "unwound output",
    ),
    ("parked", parked, "unwound"),
    (
        "killed",
        || {
            let child = parked();
            child.kill();
            child
        },
        "unwound",
    ),
    (
        "ended",
        || {
            let child = spawn(|| Noisy("output"));
            yield_now();
            child
        },
        "output",
    ),
    (
        "killed and ended",
        || {
            let child = parked();
            child.kill();
            yield_now();
            child
        },
        "unwound",
    ),
    (
        "panicked",
        || {
            let child = spawn(|| panic!("expected noise"));
            yield_now();
            child
        },
        "",
    ),
];

#[test]
fn a_join_handle_may_be_dropped_in_every_state() {
    for (name, state, expected) in STATES {
        fibra::run(|| {
            drop(state());
            yield_now();
            yield_now();
            log(name);
        });
        // A parked fiber is unwound by the end of `run`.
        match name {
            "parked" => check("parked unwound"),
            _ => check(format!("{expected} {name}").trim_start()),
        }
    }
}

#[test]
fn a_fiber_handle_may_outlive_its_fiber_in_every_state() {
    for (name, state, _) in STATES {
        let fiber: Fiber = fibra::run(|| {
            let child = state();
            let fiber = child.fiber().clone();
            drop(child);
            fiber
        });
        assert!(fiber.is_finished(), "{name}");
        assert_eq!((fiber.activity(), fiber.name()), (None, None), "{name}");
        fiber.kill();
        fiber.unpark();
        assert_eq!(fiber.clone(), fiber);
        drop(fiber);
        // The other test checks what is dropped, and when.
        crate::support::forget_trace();
    }
}

#[test]
fn a_forgotten_handle_leaks_its_output_and_nothing_else() {
    fibra::run(|| {
        std::mem::forget(spawn(|| Noisy("never dropped")));
        yield_now();
        assert_eq!(fibra::stats().fibers, 1);
    });
    check("");
}

#[test]
fn a_handle_may_live_in_the_closure_or_the_output_of_another_fiber() {
    fibra::run(|| {
        let inner = spawn(|| Noisy("inner"));
        let outer = spawn(move || {
            yield_now();
            inner
        });
        let inner = outer.join().unwrap();
        drop(inner.join().unwrap());
        // `inner` is dropped with a closure that is never called.
        let inner = spawn(|| Noisy("inner"));
        let unstarted = spawn(move || inner.join());
        unstarted.kill();
        assert!(unstarted.join().is_err());
        yield_now();
    });
    check("inner inner");
}

#[test]
fn a_cycle_of_handles_is_harmless() {
    fibra::run(|| {
        let slots: [Rc<std::cell::RefCell<Option<JoinHandle<()>>>>; 2] = Default::default();
        for i in 0..2 {
            let keep = slots.clone();
            let child = spawn(move || {
                fibra::park();
                drop(keep);
            });
            *slots[i].borrow_mut() = Some(child);
        }
        yield_now();
    });
}

#[test]
fn equality_and_ids_distinguish_fibers() {
    fibra::run(|| {
        let child = spawn(|| fibra::current());
        let fiber = child.fiber().clone();
        assert_ne!(fiber, fibra::current());
        assert_eq!(child.join().unwrap(), fiber);
        let next = spawn(|| ());
        assert_ne!(*next.fiber(), fiber);
        assert_eq!(format!("{fiber}"), "fiber #2");
    });
}

#[test]
fn the_state_follows_the_life_of_a_fiber() {
    run_virtually(|| {
        let child = spawn(|| {
            let me = fibra::current();
            log(format!("{:?}", me.activity().unwrap()));
            fibra::sleep(crate::support::ms(1));
        });
        let fiber = child.fiber().clone();
        assert_eq!(fiber.activity(), Some(Activity::NotStarted));
        yield_now();
        assert_eq!(fiber.activity(), Some(Activity::Waiting("asleep")));
        child.kill();
        assert_eq!(fiber.activity(), Some(Activity::Runnable));
        assert!(!fiber.is_finished());
        go(|| ());
        assert!(child.join().is_err());
        assert_eq!(fiber.activity(), None);
    });
    check("Running");
}
