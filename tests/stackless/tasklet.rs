//! Tests that tasklets and plain fibers are the same: order, states, and what is refused for a
//! fiber that something else waits for.

use fibra::stackless::{self, Tasklet, TaskletError};

use crate::support::{Noisy, check, go, log, run_virtually};

/// T01.
#[test]
fn tasklets_and_fibers_run_in_the_order_in_which_they_were_made() {
    fibra::run(|| {
        stackless::tasklet(log).setup("A");
        go(|| log("B"));
        stackless::spawn(|| log("C"));
        stackless::schedule();
        log("m");
    });
    check("A B C m");
}

/// S-037: T02, with a fiber that was taken out of the ring in between.
#[test]
fn a_rotation_skips_what_was_removed() {
    fibra::run(|| {
        let [a, b, c, d] = ["A", "B", "C", "D"].map(|name| stackless::spawn(move || log(name)));
        a.remove().unwrap();
        c.remove().unwrap();
        d.run().unwrap();
        log("m");
        assert!(c.next().is_none() && c.prev().is_none());
        assert_eq!(b.next(), Some(stackless::getmain()));
        a.run().unwrap();
        stackless::schedule();
    });
    check("D m A B");
}

/// S-008: a rotation over a long distance, past many void entries.
#[test]
fn a_rotation_reaches_the_last_of_a_long_ring() {
    fibra::run(|| {
        let tasklets: Vec<_> = (0..200).map(|n| stackless::spawn(move || log(n))).collect();
        tasklets.iter().take(199).filter(|_| true).for_each(|t| t.remove().unwrap());
        let last = stackless::spawn(|| log("last"));
        last.run().unwrap();
        log("m");
        assert_eq!(stackless::getruncount(), 2);
    });
    check("last m");
}

/// S-077, S-118: a plain fiber becomes a tasklet on demand, and the same one each time.
#[test]
fn every_fiber_is_a_tasklet() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| {
            let me = stackless::getcurrent();
            assert_eq!(me, stackless::getcurrent());
            assert!(me.is_current() && !me.is_main() && !me.is_restorable());
            assert_eq!(me.fiber(), Some(fibra::current()));
            fibra::park();
            me
        });
        let seen = stackless::getcurrent().next().unwrap();
        assert!(seen.is_alive() && seen.is_scheduled() && seen.is_restorable());
        fibra::yield_now();
        assert!(seen.is_blocked() && seen.is_scheduled() && !seen.is_paused());
        assert!(matches!(seen.insert(), Err(TaskletError::Blocked(_))));
        assert!(matches!(seen.remove(), Err(TaskletError::CannotRemoveBlocked(_))));
        fiber.fiber().unpark();
        assert_eq!(fiber.join().unwrap(), seen);
        assert!(!seen.is_alive() && seen.fiber().is_none());
    });
}

/// S-028 does not hold for a fiber that a scope waits for, or a handle that takes its output.
#[test]
fn a_fiber_that_another_part_waits_for_is_not_thrown_away() {
    fibra::run(|| {
        fibra::scope(|s| {
            let child = s.spawn(|| 7);
            let seen = stackless::getcurrent().next().unwrap();
            seen.remove().unwrap();
            assert!(seen.is_paused() && seen.is_restorable());
            assert!(matches!(seen.unbind(), Err(TaskletError::CState(_))));
            assert!(seen.bind(|()| log("never")).is_err());
            drop(seen.clone());
            seen.insert().unwrap();
            drop(seen);
            assert_eq!(child.join().unwrap(), 7);
        });
    });
}

/// S-027, S-029: a record belongs to the `run` in which it was made.
#[test]
fn a_tasklet_of_a_run_that_is_over_can_be_bound_and_not_set_up() {
    let t = fibra::run(|| {
        let t = stackless::spawn(|| log("A"));
        stackless::run();
        t
    });
    fibra::run(|| {
        assert_eq!((t.thread_id(), t.is_alive()), (None, false));
        let bound = t.bind(|()| log("never")).unwrap();
        assert!(matches!(bound.try_setup(()), Err(TaskletError::NoThread(_))));
        assert!(matches!(t.run(), Err(TaskletError::NoThread(_))));
    });
    check("A");
}

/// S-019, S-028, S-209: an un-bound function is dropped immediately, and its handles still work.
#[test]
fn an_unbound_tasklet_may_hold_the_last_handle_to_itself() {
    fibra::run(|| {
        let t = Tasklet::new();
        let (own, noisy) = (t.clone(), Noisy("dropped"));
        t.bind(move |()| drop((own, noisy))).unwrap().bind(());
        let stats = fibra::stats();
        assert_eq!((stats.fibers, stats.runnable), (2, 1));
        t.unbind().unwrap();
        log("m");
        assert_eq!(fibra::stats().fibers, 1);
    });
    check("dropped m");
}

/// S-014: the arguments of a tasklet that never ran are dropped at the end of the run, in a fiber.
#[test]
fn paused_and_scheduled_tasklets_are_dropped_at_the_end_of_the_run() {
    struct OnFiber;
    impl Drop for OnFiber {
        fn drop(&mut self) {
            log(if fibra::in_fiber() { "fiber" } else { "thread" });
        }
    }
    let kept = fibra::run(|| {
        stackless::tasklet(drop).setup(OnFiber);
        stackless::tasklet(drop).bind(OnFiber)
    });
    assert!(!kept.is_alive());
    check("fiber fiber");
}

/// S-087: the tempval of a fiber that has ended is gone with it.
#[test]
fn a_tempval_is_dropped_when_its_tasklet_ends() {
    fibra::run(|| {
        let t = stackless::spawn(|| log("T"));
        t.set_tempval(Some(Box::new(Noisy("tempval"))));
        stackless::run();
        assert!(t.take_tempval().is_none());
        log("m");
    });
    check("T tempval m");
}

/// S-104: when it is alone in the ring, `schedule` still lets timers fire.
#[test]
fn schedule_alone_looks_at_timers() {
    run_virtually(|| {
        let sleeper = fibra::spawn(|| fibra::sleep(crate::support::ms(5)));
        stackless::schedule();
        stackless::schedule();
        assert!(!sleeper.is_finished());
        fibra::sleep(crate::support::ms(5));
        stackless::schedule();
        assert!(sleeper.is_finished());
    });
}
