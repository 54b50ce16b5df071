//! Tasklets whose last handle is dropped: S-011, S-207 to S-210, and the cases of
//! Stackless' test_defects.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{
    floating, logs, logs_end, paused, payload_of, raise, raised, receiving, ring, state,
};
use crate::support::{Noisy, OnDrop, check, log};

#[test]
fn s_207_a_started_paused_tasklet_is_killed_with_its_last_handle() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            let _unwound = Noisy("unwound");
            logs_end("T", || drop(stackless::schedule_remove()));
        });
        let t = t.bind(());
        t.run().unwrap();
        let second = t.clone();
        drop(t);
        log("m1");
        drop(second);
        log("m2");
    });
    check("m1 T! unwound m2");
}

#[test]
fn s_207_the_ring_keeps_its_order_when_a_tasklet_dies_by_its_handle() {
    fibra::run(|| {
        let f = floating("F");
        let [a, b] = ["A", "B"].map(logs);
        drop(f);
        assert_eq!(ring(&[("A", &a), ("B", &b)]), "m A B");
    });
    check("F!");
}

#[test]
fn s_011_scheduled_blocked_and_running_tasklets_need_no_handle() {
    fibra::run(|| {
        let f = floating("F");
        f.insert().unwrap();
        drop(f);
        let channel = Channel::new();
        drop(receiving("R", &channel));
        let kept = Rc::new(RefCell::new(None));
        let own = kept.clone();
        let t = stackless::spawn(move || {
            drop(own.take());
            log("T");
        });
        *kept.borrow_mut() = Some(t);
        stackless::run();
        channel.send(1).unwrap();
    });
    check("F2 T R1");
}

#[test]
fn s_207_a_tasklet_that_pauses_itself_without_a_handle_is_killed() {
    fibra::run(|| {
        drop(stackless::spawn(|| logs_end("T", || drop(stackless::schedule_remove()))));
        stackless::run();
        log("m");
    });
    check("T! m");
}

#[test]
fn s_207_removing_the_last_tasklet_of_the_ring_without_a_handle_kills_it() {
    fibra::run(|| {
        let f = floating("F");
        f.insert().unwrap();
        f.remove().unwrap();
        log("m1");
        drop(f);
        log("m2");
    });
    check("m1 F! m2");
}

#[test]
fn s_207_an_error_during_that_kill_goes_where_errors_go() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            let _ = payload_of(stackless::schedule_remove);
            raise("E");
        });
        let t = t.bind(());
        t.run().unwrap();
        // A destructor should not raise the error: it is raised at main's next wait.
        drop(t);
        log("m");
        logs("A");
        log(raised(stackless::run));
    });
    check("m E");
}

#[test]
fn s_209_an_unstarted_tasklet_is_dropped_and_nothing_runs() {
    fibra::run(|| {
        let captured = Noisy("captured");
        drop(stackless::tasklet(move |()| drop(captured)).bind(()));
        log("m");
        drop(stackless::tasklet(drop).bind(Noisy("argument")));
        log("m");
        let captured = Noisy("bound");
        drop(stackless::tasklet(move |()| drop(captured)));
        log("m");
    });
    check("captured m argument m bound m");
}

#[test]
fn s_210_a_tasklet_that_refuses_to_die_does_no_harm() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            // It catches the kill once: then it pauses again, with no handle left.
            let _ = payload_of(stackless::schedule_remove);
            log("refused");
            stackless::schedule_remove();
            log("never");
        });
        let t = t.bind(());
        t.run().unwrap();
        drop(t);
        log("m");
        logs("A");
        stackless::run();
    });
    check("refused m A");
}

#[test]
fn s_210_a_tasklet_that_yields_while_it_dies_goes_on_in_the_ring() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            logs_end("T", || {
                let _yields = OnDrop(|| {
                    log("yields");
                    stackless::schedule();
                    log("again");
                });
                stackless::schedule_remove();
            });
        });
        let t = t.bind(());
        t.run().unwrap();
        drop(t);
        log("m");
        stackless::run();
    });
    check("yields m again T!");
}

#[test]
fn s_207_under_a_switch_trap_the_kill_is_put_off() {
    fibra::run(|| {
        let f = floating("F");
        {
            let _trapped = stackless::switch_trapped();
            drop(f);
            log("m1");
        }
        stackless::run();
        log("m2");
    });
    check("m1 F! m2");
}

#[test]
fn s_207_while_the_thread_unwinds_the_kill_is_put_off() {
    fibra::run(|| {
        let f = floating("F");
        log(raised(move || {
            let _last = OnDrop({
                let mut f = Some(f);
                move || {
                    f.take();
                    log("dropped");
                }
            });
            raise("E");
        }));
        stackless::run();
        log("m");
    });
    check("dropped E F! m");
}

#[test]
fn s_207_at_the_end_of_the_run_handles_in_the_frames_of_main_are_dropped_in_order() {
    fibra::run(|| {
        let _first = floating("F");
        let _second = floating("G");
        log("m");
    });
    check("m G! F!");
}

#[test]
fn s_199_handles_that_outlive_their_run_are_dead_and_refuse() {
    let (started, unstarted, bound) =
        fibra::run(|| (floating("F"), paused("P"), stackless::tasklet(|()| log("never"))));
    for t in [&started, &unstarted, &*bound] {
        assert_eq!(state(t), "dead");
        assert!(t.next().is_none() && t.thread_id().is_none() && t.fiber().is_none());
    }
    fibra::run(|| {
        for t in [&started, &unstarted, &*bound] {
            assert_eq!(state(t), "dead");
            assert!(t.insert().is_err() && t.run().is_err() && t.switch().is_err());
            assert!(t.throw("E").is_err());
            t.remove().unwrap();
            assert_eq!(stackless::getruncount(), 1);
        }
    });
    drop((started, unstarted, bound));
    check("");
}

/// test_defects, testTasklet: a destructor at the end of a tasklet re-enters the scheduler.
#[test]
fn a_destructor_of_a_capture_may_drop_other_tasklets() {
    fibra::run(|| {
        let inner = floating("F");
        let t = stackless::spawn(move || {
            let _inner = inner;
            log("T");
        });
        stackless::run();
        assert_eq!(state(&t), "dead");
        let inner = floating("G");
        let t = stackless::tasklet(move |()| drop(inner));
        drop(t.bind(()));
        log("m");
    });
    check("T F! G! m");
}

/// test_defects, testTemporaryChannel.
#[test]
fn s_150_a_tasklet_blocked_on_a_temporary_channel_keeps_it() {
    fibra::run(|| {
        let t = stackless::spawn(|| logs_end("T", || drop(Channel::<()>::new().receive())));
        stackless::run();
        assert_eq!(state(&t), "alive blocked scheduled");
        t.kill().unwrap();
        assert_eq!(state(&t), "dead");
    });
    check("T!");
}

#[test]
fn cycles_of_tasklets_that_hold_each_other_end_with_the_run() {
    fibra::run(|| {
        let slots: [Rc<RefCell<Option<Tasklet>>>; 2] = Default::default();
        for (own, name) in [(0, "A"), (1, "B")] {
            let other = slots[1 - own].clone();
            let t = stackless::tasklet(move |()| {
                let _unwound = Noisy(name);
                let _other = other;
                stackless::schedule_remove();
            });
            let t = t.bind(());
            t.run().unwrap();
            *slots[own].borrow_mut() = Some(t);
        }
        drop(slots);
        log("m");
    });
    check("m A B");
}

#[test]
fn many_tasklets_die_by_their_handles() {
    fibra::run(|| {
        for _ in 0..1000 {
            let t = stackless::tasklet(|()| drop(stackless::schedule_remove())).bind(());
            t.run().unwrap();
        }
        assert_eq!(stackless::getruncount(), 1);
        assert_eq!(fibra::stats().fibers, 1);
    });
}
