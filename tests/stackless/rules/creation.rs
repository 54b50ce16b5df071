//! Making, binding and un-binding tasklets: S-009, S-013 to S-031.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, Tasklet, TaskletError};

use crate::support::stackless::{floating, logs, paused, raised, receiving, refused, ring, state};
use crate::support::{Noisy, check, log};

/// Returns a tasklet that was bound and whose [`stackless::Bound`] was dropped again.
fn unbound() -> Tasklet {
    (*stackless::tasklet(|()| log("never"))).clone()
}

#[test]
fn s_013_a_new_tasklet_is_empty_bound_or_paused_and_never_scheduled() {
    fibra::run(|| {
        let empty = Tasklet::new();
        assert_eq!(state(&empty), "dead");
        let bound = stackless::tasklet(|()| log("A"));
        assert_eq!(state(&bound), "dead");
        let paused = bound.bind(());
        assert_eq!(state(&paused), "alive paused");
        assert_eq!(stackless::getruncount(), 1);
        stackless::schedule();
    });
    check("");
}

#[test]
fn s_014_setup_and_spawn_append_to_the_ring_and_run_nothing_yet() {
    fibra::run(|| {
        let a = stackless::tasklet(|name: &str| log(name)).setup("A");
        let b = logs("B");
        let c = stackless::tasklet(|name: &str| log(name)).try_setup("C").unwrap();
        assert_eq!(state(&a), "alive scheduled");
        assert_eq!(ring(&[("A", &a), ("B", &b), ("C", &c)]), "m A B C");
        log("m");
        stackless::schedule();
    });
    check("m A B C");
}

#[test]
fn s_014_setup_returns_the_tasklet_that_was_bound() {
    fibra::run(|| {
        let bound = stackless::tasklet(|(): ()| {});
        let same = (*bound).clone();
        assert!(bound.setup(()) == same);
        let again = Tasklet::new();
        assert!(again.bind(|(): ()| {}).unwrap().bind(()) == again);
        assert!(again != same);
    });
}

#[test]
fn s_014_several_arguments_are_a_tuple_and_need_not_be_send() {
    fibra::run(|| {
        let sum = Rc::new(RefCell::new(0));
        let add = |(sum, a, b): (Rc<RefCell<i32>>, i32, i32)| *sum.borrow_mut() = a + b;
        stackless::tasklet(add).setup((sum.clone(), 20, 22));
        stackless::run();
        assert_eq!(*sum.borrow(), 42);
    });
}

#[test]
fn s_015_setup_of_a_tasklet_that_is_alive_is_refused() {
    fibra::run(|| {
        let stale = stackless::tasklet(|()| log("stale"));
        let a = Tasklet::bind(&stale, |()| log("A")).unwrap().setup(());
        refused(stale.try_setup(()), "tasklet is alive");
        assert_eq!(state(&a), "alive scheduled");
        stackless::schedule();

        let stale = a.bind(|()| log("stale")).unwrap();
        let _paused = a.bind(|()| log("B")).unwrap().bind(());
        assert!(raised(|| stale.setup(())).contains("tasklet is alive"));
        a.run().unwrap();
    });
    check("A B");
}

#[test]
fn s_016_setup_of_a_tasklet_without_a_function_is_refused() {
    fibra::run(|| {
        let stale = stackless::tasklet(|()| log("stale"));
        stale.unbind().unwrap();
        let error = refused(stale.try_setup(()), "the tasklet was not bound to a function");
        assert!(matches!(error, TaskletError::NotBound { .. }), "{error:?}");
        stackless::schedule();
    });
    check("");
}

#[test]
fn s_016_a_stale_bound_does_not_touch_the_new_life_of_its_tasklet_when_it_is_dropped() {
    fibra::run(|| {
        let stale = stackless::tasklet(|()| log("stale"));
        let fresh = Tasklet::bind(&stale, |()| log("fresh")).unwrap();
        drop(stale);
        fresh.setup(());
        stackless::schedule();
    });
    check("fresh");
}

#[test]
fn s_017_bind_stores_the_function_and_a_second_bind_replaces_it() {
    fibra::run(|| {
        let t = Tasklet::new();
        let (first, second) = (Noisy("first"), Noisy("second"));
        let stale = t.bind(move |()| drop(first)).unwrap();
        let bound = t.bind(move |()| drop(second)).unwrap();
        drop(stale);
        log("-");
        assert_eq!(state(&t), "dead");
        bound.setup(());
        stackless::schedule();
    });
    check("first - second");
}

#[test]
fn s_018_bind_with_arguments_pauses_the_tasklet_and_schedules_nothing() {
    fibra::run(|| {
        let t = stackless::tasklet(|n: i32| log(n)).bind(7);
        assert_eq!(state(&t), "alive paused");
        assert_eq!(stackless::getruncount(), 1);
        assert!(t.take_tempval().is_none());
        stackless::schedule();
        log("m");
        t.insert().unwrap();
        stackless::schedule();
    });
    check("m 7");
}

#[test]
fn s_019_unbind_empties_the_tasklet_and_drops_the_function_unrun() {
    fibra::run(|| {
        let captured = Noisy("dropped");
        let bound = stackless::tasklet(move |()| drop(captured));
        bound.unbind().unwrap();
        log("-");
        assert_eq!(state(&bound), "dead");
        refused(bound.insert(), "You cannot run an unbound(dead) tasklet");
        bound.unbind().unwrap();
    });
    check("dropped -");
}

#[test]
fn s_019_dropping_a_bound_empties_the_tasklet() {
    fibra::run(|| {
        let captured = Noisy("dropped");
        let bound = stackless::tasklet(move |()| drop(captured));
        let t = (*bound).clone();
        drop(bound);
        log("-");
        assert_eq!(state(&t), "dead");
        refused(t.run(), "You cannot run an unbound(dead) tasklet");
        t.bind(|()| log("again")).unwrap().setup(());
        stackless::schedule();
    });
    check("dropped - again");
}

#[test]
fn s_021_a_started_unfinished_tasklet_cannot_be_bound_or_unbound() {
    fibra::run(|| {
        let t = floating("T");
        let error = refused(t.bind(|()| log("never")), "tasklet has C state on its stack");
        assert!(matches!(error, TaskletError::CState { .. }), "{error:?}");
        refused(t.unbind(), "tasklet has C state on its stack");
        assert_eq!(state(&t), "alive paused");
        t.run().unwrap();
    });
    check("T2");
}

#[test]
fn s_022_the_current_tasklet_cannot_be_bound() {
    fibra::run(|| {
        let text = "can't (re)bind the current tasklet";
        let main = stackless::getcurrent();
        refused(main.bind(|()| log("never")), text);
        refused(main.unbind(), text);
        stackless::spawn(move || {
            let error = refused(stackless::getcurrent().bind(|()| log("never")), text);
            assert!(matches!(error, TaskletError::Current { .. }), "{error:?}");
            log("A");
        });
        stackless::run();
    });
    check("A");
}

#[test]
fn s_023_a_scheduled_or_blocked_tasklet_cannot_be_bound() {
    fibra::run(|| {
        let a = logs("A");
        let error = refused(a.bind(|()| log("never")), "tasklet is scheduled");
        assert!(matches!(error, TaskletError::Scheduled { .. }), "{error:?}");
        refused(a.unbind(), "tasklet is scheduled");
        let channel = Channel::new();
        let r = receiving("R", &channel);
        refused(r.bind(|()| log("never")), "tasklet is scheduled");
        refused(r.unbind(), "tasklet is scheduled");
        channel.send(1).unwrap();
    });
    // The preference for the receiver puts the sender behind all others.
    check("R1 A");
}

/// Main can never be bound, also where Stackless would allow it because main has no C state.
#[test]
fn s_024_main_is_never_bindable() {
    fibra::run(|| {
        stackless::spawn(|| {
            let main = stackless::getmain();
            assert_eq!(state(&main), "alive paused");
            assert!(main.bind(|()| log("never")).is_err());
            assert!(main.unbind().is_err());
            log("A");
        });
        stackless::run();
        log("m");
    });
    check("A m");
}

#[test]
fn s_026_the_checks_of_bind_have_an_order() {
    fibra::run(|| {
        // Current, scheduled and started.
        refused(stackless::getcurrent().unbind(), "can't (re)bind the current tasklet");
        // Scheduled and started.
        let t = floating("T");
        t.insert().unwrap();
        refused(t.unbind(), "tasklet is scheduled");
        stackless::schedule();
        // Main, scheduled and started.
        stackless::spawn(|| drop(refused(stackless::getmain().unbind(), "tasklet is scheduled")));
        stackless::schedule();
    });
    check("T2");
}

#[test]
fn s_027_a_finished_or_killed_tasklet_may_be_bound_again_and_again() {
    fibra::run(|| {
        let t = Tasklet::new();
        for n in 0..3 {
            t.bind(log).unwrap().setup(n);
            stackless::schedule();
            assert_eq!(state(&t), "dead");
        }
        let forever = |()| {
            let _unwound = Noisy("killed");
            stackless::schedule_remove();
        };
        t.bind(forever).unwrap().bind(());
        t.run().unwrap();
        t.kill().unwrap();
        assert_eq!(state(&t), "dead");
        t.bind(log).unwrap().setup("again");
        stackless::schedule();
    });
    check("0 1 2 killed again");
}

#[test]
fn s_027_a_new_life_starts_with_the_flags_at_rest() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            stackless::getcurrent().set_atomic(true);
        })
        .bind(());
        t.run().unwrap();
        t.bind(|()| log(stackless::getcurrent().atomic())).unwrap().setup(());
        stackless::schedule();
    });
    check("false");
}

#[test]
fn s_027_a_tasklet_that_ended_by_an_error_may_be_bound_again() {
    fibra::run(|| {
        let t = crate::support::stackless::raises("T", "E");
        assert_eq!(raised(stackless::run), "E");
        t.bind(log).unwrap().setup("again");
        stackless::run();
    });
    check("T again");
}

#[test]
fn s_028_a_paused_tasklet_that_never_started_may_be_bound_again_or_unbound() {
    fibra::run(|| {
        let argument = Noisy("argument");
        let t = stackless::tasklet(|argument: Noisy<&str>| log(argument.0)).bind(argument);
        let bound = t.bind(|()| log("second")).unwrap();
        log("-");
        assert_eq!(state(&t), "dead");
        bound.bind(());
        assert_eq!(state(&t), "alive paused");
        t.unbind().unwrap();
        assert_eq!(state(&t), "dead");
        t.bind(|()| log("third")).unwrap().setup(());
        stackless::schedule();
    });
    check("argument - third");
}

#[test]
fn s_028_a_removed_tasklet_that_never_started_may_be_bound_again() {
    fibra::run(|| {
        let t = logs("first");
        t.remove().unwrap();
        t.bind(|()| log("second")).unwrap().setup(());
        stackless::schedule();
    });
    check("second");
}

#[test]
fn s_029_a_tasklet_belongs_to_the_thread_that_made_it() {
    let after = fibra::run(|| {
        let here = Some(std::thread::current().id());
        let t = paused("T");
        assert_eq!(t.thread_id(), here);
        assert_eq!(stackless::getcurrent().thread_id(), here);
        assert_eq!(Tasklet::new().thread_id(), here);
        t
    });
    assert_eq!(after.thread_id(), None);
    check("");
}

#[test]
fn s_031_a_finished_tasklet_has_no_tempval_and_run_returns_none() {
    fibra::run(|| {
        let t = paused("T");
        assert!(t.run().unwrap().is_none());
        assert!(t.take_tempval().is_none());
        assert!(t.fiber().is_none());
    });
    check("T");
}

#[test]
fn s_009_the_run_count_is_that_of_the_ring_with_the_current_one() {
    fibra::run(|| {
        assert_eq!(stackless::getruncount(), 1);
        let a = logs("A");
        let b = logs("B");
        assert_eq!(stackless::getruncount(), 3);
        b.remove().unwrap();
        assert_eq!(stackless::getruncount(), 2);
        let _bound = stackless::tasklet(|()| {});
        let _paused = paused("P");
        let channel = Channel::<i32>::new();
        let r = receiving("R", &channel);
        assert_eq!(stackless::getruncount(), 2);
        assert_eq!(
            (state(&a), state(&r)),
            ("alive scheduled".into(), "alive blocked scheduled".into())
        );
        r.kill().unwrap();
    });
    check("R!");
}

/// T40: a tasklet or main in `run` is not counted.
#[test]
fn s_009_one_that_waits_in_run_is_not_counted() {
    fibra::run(|| {
        for _ in 0..2 {
            stackless::spawn(|| {
                log(stackless::getruncount());
                stackless::schedule();
                log(stackless::getruncount());
            });
        }
        log(stackless::getruncount());
        stackless::run();
        log(stackless::getruncount());
    });
    check("3 2 2 2 1 1");
}

#[test]
fn unbound_tasklets_stay_dead_after_every_call() {
    fibra::run(|| {
        let t = unbound();
        assert_eq!(state(&t), "dead");
        t.kill().unwrap();
        t.kill_pending().unwrap();
        t.remove().unwrap();
        refused(t.switch(), "You cannot run an unbound(dead) tasklet");
    });
    check("");
}
