//! The states of a tasklet and its attributes: S-077 to S-092.

use std::rc::Rc;

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{
    floating, logs, paused, receiving, ring, sending, some, state, value_of,
};
use crate::support::{check, log};

#[test]
fn s_077_every_state_has_its_flags() {
    fibra::run(|| {
        assert_eq!(state(&Tasklet::new()), "dead");
        assert_eq!(state(&stackless::tasklet(|()| {})), "dead");
        assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
        let p = paused("P");
        assert_eq!(state(&p), "alive paused");
        p.insert().unwrap();
        assert_eq!(state(&p), "alive scheduled");
        stackless::run();
        assert_eq!(state(&p), "dead");
        let (numbers, texts) = (Channel::<i32>::new(), Channel::new());
        assert_eq!(state(&receiving("R", &numbers)), "alive blocked scheduled");
        assert_eq!(state(&sending("S", &texts, "text")), "alive blocked scheduled");
        assert_eq!(state(&floating("F")), "alive paused");
    });
    check("P F!");
}

#[test]
fn s_077_bound_scheduled_paused_and_dead_follow_each_other() {
    fibra::run(|| {
        let t = Tasklet::new();
        let bound = t.bind(|()| log("T")).unwrap();
        assert_eq!(state(&t), "dead");
        let t = bound.setup(());
        assert_eq!(state(&t), "alive scheduled");
        t.remove().unwrap();
        assert_eq!(state(&t), "alive paused");
        t.insert().unwrap();
        assert_eq!(state(&t), "alive scheduled");
        t.kill().unwrap();
        assert_eq!(state(&t), "dead");
        let t = t.bind(|()| log("T")).unwrap().bind(());
        t.kill_pending().unwrap();
        assert_eq!(state(&t), "alive scheduled");
        stackless::run();
        assert_eq!(state(&t), "dead");
    });
    check("");
}

/// The states of a tasklet and of its caller, while the caller runs the tasklet.
#[test]
fn s_077_a_tasklet_that_runs_is_current_and_its_caller_scheduled_or_paused() {
    let states = |start: fn(&Tasklet)| {
        let main = stackless::getcurrent();
        let t = stackless::tasklet(move |()| {
            log(format!("{}, main {};", state(&stackless::getcurrent()), state(&main)));
        });
        let t = t.bind(());
        start(&t);
        assert_eq!(state(&t), "dead");
        assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
    };
    fibra::run(|| {
        states(|t| drop(t.run().unwrap()));
        states(|t| drop(t.switch().unwrap()));
    });
    check(
        "alive current scheduled, main alive scheduled; \
         alive current scheduled, main alive paused;",
    );
    fibra::run(|| {
        states(|t| {
            t.insert().unwrap();
            drop(t.run().unwrap());
        });
        states(|t| {
            t.insert().unwrap();
            drop(t.switch().unwrap());
        });
        states(|t| {
            t.insert().unwrap();
            stackless::run();
        });
    });
    check(
        "alive current scheduled, main alive scheduled; \
         alive current scheduled, main alive paused; \
         alive current scheduled, main alive paused;",
    );
}

#[test]
fn s_077_blocked_then_scheduled_then_dead() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        let r = receiving("R", &channel);
        channel.send(1).unwrap();
        assert_eq!(state(&r), "alive scheduled");
        stackless::run();
        let s = sending("S", &channel, 2);
        assert_eq!(channel.receive().unwrap(), 2);
        assert_eq!(state(&s), "alive scheduled");
        stackless::run();
        assert_eq!((state(&r), state(&s)), ("dead".into(), "dead".into()));
    });
    check("R1 S");
}

#[test]
fn s_077_a_preferred_partner_is_resumed_immediately() {
    fibra::run(|| {
        let channel = Channel::new();
        let r = receiving("R", &channel);
        channel.send(1).unwrap();
        assert_eq!(state(&r), "dead");
        channel.set_preference(Preference::Sender);
        let s = sending("S", &channel, 2);
        assert_eq!(channel.receive().unwrap(), 2);
        assert_eq!(state(&s), "dead");
    });
    check("R1 S");
}

#[test]
fn s_078_main_is_alive_while_its_run_lasts() {
    let main = fibra::run(|| {
        let main = stackless::getmain();
        assert!(main.is_alive() && main.is_main() && main.is_current());
        main
    });
    assert!(!main.is_alive() && !main.is_current());
}

#[test]
fn s_079_a_tasklet_that_waits_in_run_is_paused() {
    fibra::run(|| {
        let main = stackless::getmain();
        stackless::spawn(move || log(state(&main)));
        stackless::run();
        let t = stackless::spawn(stackless::run);
        stackless::schedule();
        assert_eq!(state(&t), "alive paused");
        t.insert().unwrap();
        stackless::run();
        assert_eq!(state(&t), "dead");
    });
    check("alive paused");
}

#[test]
fn s_082_only_what_has_not_started_or_has_finished_is_restorable() {
    fibra::run(|| {
        let p = paused("P");
        assert!(p.is_restorable() && Tasklet::new().is_restorable());
        assert!(stackless::tasklet(|()| {}).is_restorable());
        let f = floating("F");
        assert!(!f.is_restorable() && !stackless::getcurrent().is_restorable());
        p.run().unwrap();
        f.run().unwrap();
        assert!(p.is_restorable() && f.is_restorable());
    });
    check("P F2");
}

#[test]
fn s_083_there_is_one_main_and_one_current_tasklet() {
    fibra::run(|| {
        let main = stackless::getmain();
        assert!(main == stackless::getcurrent());
        let other = main.clone();
        let t = stackless::spawn(move || {
            let me = stackless::getcurrent();
            assert!(me.is_current() && !me.is_main());
            assert!(other.is_main() && !other.is_current());
            assert!(stackless::getmain() == other);
            log("T");
        });
        assert!(!t.is_current());
        stackless::run();
        assert!(main.is_current());
    });
    check("T");
}

#[test]
fn s_084_the_thread_is_known_until_its_run_is_over() {
    let here = Some(std::thread::current().id());
    let [scheduled, paused, main] = fibra::run(|| {
        let all = [logs("A"), paused("P"), stackless::getmain()];
        assert!(all.iter().all(|t| t.thread_id() == here));
        all
    });
    for t in [scheduled, paused, main] {
        assert_eq!(t.thread_id(), None);
        assert!(!t.is_scheduled() && !t.is_paused() && !t.is_blocked() && !t.is_alive());
        assert!(t.next().is_none() && t.prev().is_none());
    }
    check("");
}

#[test]
fn s_087_the_tempval_of_a_paused_tasklet_is_what_its_call_returns() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            log(value_of::<&str>(stackless::schedule_remove()).unwrap());
            log(stackless::schedule_remove().is_none());
            log(value_of::<i32>(stackless::getmain().switch().unwrap()).unwrap());
        });
        let t = t.bind(());
        t.run().unwrap();
        t.set_tempval(some("first"));
        t.run().unwrap();
        t.run().unwrap();
        t.set_tempval(some(1));
        assert_eq!(value_of::<i32>(t.take_tempval()), Some(1));
        t.set_tempval(some(3));
        t.run().unwrap();
    });
    check("first true 3");
}

#[test]
fn s_087_a_tempval_that_is_replaced_is_dropped_where_that_is_done() {
    fibra::run(|| {
        let t = floating("T");
        t.set_tempval(some(crate::support::Noisy("first")));
        t.set_tempval(some(crate::support::Noisy("second")));
        log("m");
        t.set_tempval(None);
        log("m");
        t.run().unwrap();
    });
    check("first m second m T2");
}

/// T36.
#[test]
fn s_087_the_message_of_a_blocked_sender_can_be_replaced() {
    fibra::run(|| {
        let channel = Channel::new();
        let s = sending("S", &channel, 1);
        assert_eq!(channel.replace_message(&s, 99), Ok(1));
        assert_eq!(channel.receive().unwrap(), 99);
        // The tasklet does not wait there any more.
        assert_eq!(channel.replace_message(&s, 100), Err(100));
        assert_eq!(channel.balance(), 0);
        stackless::run();
        let r = receiving("R", &channel);
        assert_eq!(channel.replace_message(&r, 101), Err(101));
        channel.send(102).unwrap();
    });
    check("S R102");
}

#[test]
fn s_092_a_weak_handle_does_not_keep_a_tasklet() {
    fibra::run(|| {
        let t = floating("T");
        let weak = t.downgrade();
        assert!(weak.upgrade() == Some(t.clone()));
        drop(t);
        assert!(weak.upgrade().is_none());
        log("m");

        let a = logs("A");
        let weak = a.downgrade();
        drop(a);
        assert_eq!(state(&weak.upgrade().unwrap()), "alive scheduled", "the ring owns it");
        stackless::run();
        assert!(weak.upgrade().is_none());
        let weak = Tasklet::new().downgrade();
        assert!(weak.upgrade().is_none());
    });
    check("T! m A");
}

#[test]
fn s_092_current_and_main_are_the_same_tasklet_however_often_one_asks() {
    fibra::run(|| {
        let weak = stackless::getcurrent().downgrade();
        assert!(weak.upgrade() == Some(stackless::getcurrent()), "the fiber owns it");
        let t = stackless::spawn(|| {
            let weak = stackless::getcurrent().downgrade();
            stackless::schedule();
            assert!(weak.upgrade() == Some(stackless::getcurrent()));
            log("T");
        });
        stackless::run();
        assert_eq!(state(&t), "dead");
    });
    check("T");
}

#[test]
fn a_tasklet_has_a_fiber_of_its_own_in_each_life() {
    fibra::run(|| {
        let ids = Rc::new(std::cell::RefCell::new(Vec::new()));
        let seen = ids.clone();
        let life = move |()| {
            let me = stackless::getcurrent().fiber().unwrap();
            assert_eq!(me.id(), fibra::current().id());
            seen.borrow_mut().push(me.id());
        };
        let t = stackless::tasklet(life.clone()).bind(());
        t.run().unwrap();
        assert!(t.fiber().is_none());
        t.bind(life).unwrap().bind(()).run().unwrap();
        let ids = ids.borrow();
        assert!(ids.len() == 2 && ids[0] != ids[1], "a life is a fiber of its own");
    });
}

#[test]
fn handles_are_compared_by_identity_and_shown_by_debug() {
    fibra::run(|| {
        let (a, b) = (logs("A"), logs("B"));
        assert!(a == a.clone() && a != b);
        assert_eq!(ring(&[("A", &a), ("B", &b)]), "m A B");
        for text in [format!("{a:?}"), format!("{:?}", stackless::getmain())] {
            assert!(text.contains("Tasklet"), "{text}");
        }
    });
}
