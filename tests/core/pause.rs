//! Tests `Fiber::pause` and `Fiber::resume`: a paused fiber leaves the ring, and a resumed one
//! enters it again at its end (S-032, S-035).

use fibra::{JoinHandle, spawn, yield_now};

use crate::support::{Noisy, check, log, run_virtually};

/// Spawns a fiber that logs its name each time that it runs.
fn looping(name: &'static str) -> JoinHandle<()> {
    spawn(move || {
        let _unwound = Noisy(format!("{name}!"));
        loop {
            log(name);
            yield_now();
        }
    })
}

#[test]
fn a_paused_fiber_does_not_run_until_it_is_resumed_at_the_end_of_the_ring() {
    fibra::run(|| {
        let [a, _b, _c] = ["a", "b", "c"].map(looping);
        yield_now();
        assert!(a.fiber().pause());
        yield_now();
        yield_now();
        check("a b c b c b c");
        assert!(a.fiber().resume());
        yield_now();
        check("b c a");
    });
}

/// T14: A and B are spawned; P, which was paused, is inserted; then C is spawned.
#[test]
fn a_fiber_that_has_not_started_can_be_paused_and_starts_when_it_is_resumed() {
    fibra::run(|| {
        let p = spawn(|| log("P"));
        assert!(p.fiber().pause());
        let [_a, _b] = ["A", "B"].map(|name| spawn(move || log(name)));
        assert!(p.fiber().resume());
        let _c = spawn(|| log("C"));
        yield_now();
    });
    check("A B P C");
}

#[test]
fn what_is_not_in_the_ring_cannot_be_paused_and_what_is_not_paused_cannot_be_resumed() {
    fibra::run(|| {
        let me = fibra::current();
        assert!(!me.pause() && !me.resume());
        let child = spawn(fibra::park);
        assert!(!child.fiber().resume());
        yield_now();
        assert!(!child.fiber().pause() && !child.fiber().resume());
        child.fiber().unpark();
        assert!(child.fiber().pause());
        assert!(!child.fiber().pause());
        assert!(child.fiber().resume());
        assert!(!child.fiber().resume());
        let fiber = child.fiber().clone();
        child.join().unwrap();
        assert!(!fiber.pause() && !fiber.resume());
    });
}

#[test]
fn an_unpark_does_not_resume() {
    fibra::run(|| {
        let child = spawn(|| {
            fibra::park();
            log("went through");
        });
        yield_now();
        child.fiber().unpark();
        assert!(child.fiber().pause());
        child.fiber().unpark();
        yield_now();
        yield_now();
        check("");
        assert!(child.fiber().resume());
        child.join().unwrap();
    });
    check("went through");
}

#[test]
fn a_paused_fiber_can_be_killed() {
    fibra::run(|| {
        let a = looping("a");
        let owned = Noisy("closure");
        let unstarted = spawn(move || drop(owned));
        assert!(unstarted.fiber().pause());
        yield_now();
        assert!(a.fiber().pause());
        for handle in [a, unstarted] {
            handle.kill();
            assert!(handle.join().unwrap_err().is_killed());
        }
    });
    check("a a! closure");
}

#[test]
fn paused_fibers_are_unwound_or_dropped_at_the_end_of_run() {
    fibra::run(|| {
        let a = looping("a");
        yield_now();
        assert!(a.fiber().pause());
        let owned = Noisy("closure");
        let unstarted = spawn(move || drop(owned));
        assert!(unstarted.fiber().pause());
    });
    check("a a! closure");
}

#[test]
fn a_fiber_that_nothing_can_resume_is_no_obstacle_to_a_deadlock_report() {
    run_virtually(|| {
        let paused = fibra::Builder::new().name("paused").spawn(|| log("unreachable"));
        assert!(paused.fiber().pause());
        let error = paused.join().unwrap_err();
        assert!(matches!(error, fibra::JoinError::Deadlock(_)), "{error}");
    });
    check("");
}
