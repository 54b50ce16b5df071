//! `insert`, `remove`, `run` and `switch`: S-003 to S-012 and S-032 to S-046.

use fibra::stackless::{self, Channel, Tasklet, TaskletError};

use crate::support::stackless::{
    floating, logs, paused, receiving, refused, ring, sending, some, state, value_of,
};
use crate::support::{check, log};

#[test]
fn s_004_what_is_inserted_goes_to_the_end_of_the_ring() {
    fibra::run(|| {
        let p = paused("P");
        let a = logs("A");
        p.insert().unwrap();
        let b = logs("B");
        assert_eq!(ring(&[("A", &a), ("B", &b), ("P", &p)]), "m A P B");
        stackless::run();
    });
    check("A P B");
}

#[test]
fn s_010_next_and_prev_are_neighbours_in_the_ring_or_on_the_channel() {
    fibra::run(|| {
        let main = stackless::getmain();
        assert!(main.next() == Some(main.clone()) && main.prev() == Some(main.clone()));
        let p = paused("P");
        assert!(p.next().is_none() && p.prev().is_none());
        assert!(Tasklet::new().next().is_none());

        let channel = Channel::<i32>::new();
        let [r, s, t] = ["R", "S", "T"].map(|name| receiving(name, &channel));
        assert!(r.prev().is_none() && r.next() == Some(s.clone()));
        assert!(s.prev() == Some(r.clone()) && s.next() == Some(t.clone()));
        assert!(t.prev() == Some(s.clone()) && t.next().is_none());
        s.kill().unwrap();
        assert!(s.next().is_none() && s.prev().is_none());
        assert!(r.next() == Some(t.clone()) && t.prev() == Some(r));

        p.insert().unwrap();
        assert!(main.next() == Some(p.clone()) && p.next() == Some(main.clone()));
        assert!(p.prev() == Some(main));
    });
    check("S!");
}

#[test]
fn s_011_what_is_scheduled_or_blocked_lives_without_a_handle() {
    fibra::run(|| {
        let channel = Channel::new();
        drop(receiving("R", &channel));
        drop(logs("A"));
        channel.send(1).unwrap();
        stackless::schedule();
    });
    check("R1 A");
}

#[test]
fn s_012_a_tasklet_switches_from_any_depth() {
    fn deeper(depth: u32) {
        if depth == 0 {
            stackless::schedule();
        } else {
            deeper(depth - 1);
        }
    }
    fibra::run(|| {
        stackless::spawn(|| {
            log("A1");
            deeper(100);
            log("A2");
        });
        logs("B");
        stackless::run();
    });
    check("A1 B A2");
}

#[test]
fn s_032_insert_of_a_member_of_the_ring_does_nothing() {
    fibra::run(|| {
        let a = logs("A");
        let b = logs("B");
        a.insert().unwrap();
        stackless::getcurrent().insert().unwrap();
        assert_eq!(ring(&[("A", &a), ("B", &b)]), "m A B");
    });
    check("");
}

#[test]
fn s_032_insert_resumes_a_started_tasklet_where_it_was() {
    fibra::run(|| {
        let t = floating("T");
        t.insert().unwrap();
        assert_eq!(state(&t), "alive scheduled");
        stackless::run();
        assert_eq!(state(&t), "dead");
    });
    check("T2");
}

#[test]
fn s_033_insert_of_what_is_blocked_dead_empty_or_bound_is_refused() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let r = receiving("R", &channel);
        let error = refused(r.insert(), "You cannot run a blocked tasklet");
        assert!(matches!(error, TaskletError::Blocked { .. }), "{error:?}");
        assert_eq!((channel.balance(), state(&r).as_str()), (-1, "alive blocked scheduled"));

        let dead = paused("P");
        dead.run().unwrap();
        let error = refused(dead.insert(), "You cannot run an unbound(dead) tasklet");
        assert!(matches!(error, TaskletError::Dead { .. }), "{error:?}");
        refused(Tasklet::new().insert(), "You cannot run an unbound(dead) tasklet");
        let bound = stackless::tasklet(|()| {});
        refused(bound.insert(), "You cannot run an unbound(dead) tasklet");
        assert_eq!(stackless::getruncount(), 1);
        r.kill().unwrap();
    });
    check("P R!");
}

#[test]
fn s_035_remove_pauses_and_is_a_no_op_outside_of_the_ring() {
    fibra::run(|| {
        let [a, b, c] = ["A", "B", "C"].map(logs);
        b.remove().unwrap();
        assert_eq!(state(&b), "alive paused");
        assert_eq!(ring(&[("A", &a), ("C", &c)]), "m A C");
        b.remove().unwrap();
        Tasklet::new().remove().unwrap();
        stackless::tasklet(|()| {}).remove().unwrap();
        paused("P").remove().unwrap();
        stackless::run();
        a.remove().unwrap();
        log("m");
        b.insert().unwrap();
        stackless::run();
    });
    check("A C m B");
}

#[test]
fn s_035_what_was_removed_and_inserted_again_runs_once_at_its_new_place() {
    fibra::run(|| {
        let [a, b] = ["A", "B"].map(logs);
        for _ in 0..100 {
            a.remove().unwrap();
            a.insert().unwrap();
        }
        assert_eq!(ring(&[("A", &a), ("B", &b)]), "m B A");
        stackless::run();
    });
    check("B A");
}

#[test]
fn s_036_blocked_and_current_tasklets_cannot_be_removed() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let r = receiving("R", &channel);
        let error = refused(r.remove(), "You cannot remove a blocked tasklet.");
        assert!(matches!(error, TaskletError::CannotRemoveBlocked { .. }), "{error:?}");
        assert_eq!(channel.balance(), -1);
        let error =
            refused(stackless::getcurrent().remove(), "The current tasklet cannot be removed.");
        assert!(matches!(error, TaskletError::CannotRemoveCurrent { .. }), "{error:?}");
        assert_eq!(stackless::getruncount(), 1);
        channel.send(3).unwrap();
    });
    check("R3");
}

/// A switch never re-orders the ring: one of the rules that are easiest to break.
#[test]
fn s_037_run_rotates_the_ring() {
    fibra::run(|| {
        let (a, d) = (logs("A"), logs("D"));
        let c = stackless::spawn(move || {
            assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
            let me = stackless::getcurrent();
            log(format!(
                "[{}]",
                ring(&[("A", &a), ("D", &d), ("C", &me), ("E", &me.next().unwrap())])
            ));
        });
        logs("E");
        c.run().unwrap();
        log("m");
        stackless::run();
    });
    check("[C E m A D] E m A D");
}

#[test]
fn s_037_a_tasklet_that_runs_another_waits_its_turn_in_the_rotated_ring() {
    fibra::run(|| {
        let c = paused("C");
        let target = c.clone();
        stackless::spawn(move || {
            log("A1");
            target.run().unwrap();
            log("A2");
        });
        logs("B");
        c.insert().unwrap();
        logs("D");
        stackless::schedule();
        log("m");
        stackless::run();
    });
    // [m A B C D], A runs C: [C D m A B].
    check("A1 C D m A2 B");
}

#[test]
fn s_038_a_paused_tasklet_that_is_run_goes_in_front_of_the_caller() {
    fibra::run(|| {
        let (a, b) = (logs("A"), logs("B"));
        let (a2, b2) = (a.clone(), b.clone());
        let p = stackless::tasklet(move |()| {
            let me = stackless::getcurrent();
            log(ring(&[("A", &a2), ("B", &b2), ("P", &me)]));
        });
        p.bind(()).run().unwrap();
        assert_eq!(ring(&[("A", &a), ("B", &b)]), "m A B");
    });
    check("P m A B");
}

#[test]
fn s_038_a_paused_tasklet_that_yields_comes_back_behind_the_others() {
    fibra::run(|| {
        let a = logs("A");
        let p = stackless::tasklet(|()| {
            log("P1");
            stackless::schedule();
            log("P2");
        });
        let p = p.bind(());
        p.run().unwrap();
        assert_eq!(ring(&[("A", &a), ("P", &p)]), "m A P");
        log("m");
        stackless::run();
    });
    check("P1 m A P2");
}

#[test]
fn s_039_run_and_switch_return_the_tempval_of_the_caller() {
    fibra::run(|| {
        let main = stackless::getmain();
        let p = stackless::tasklet(|main: Tasklet| main.set_tempval(some(5))).bind(main.clone());
        assert_eq!(value_of::<i32>(p.run().unwrap()), Some(5));
        assert!(paused("Q").run().unwrap().is_none(), "it was taken");
        let p = p.bind(|main: Tasklet| main.set_tempval(some("six"))).unwrap().bind(main);
        assert_eq!(value_of::<&str>(p.switch().unwrap()), Some("six"));
    });
    check("Q");
}

#[test]
fn s_040_running_or_switching_to_oneself_takes_the_tempval_and_nothing_else() {
    fibra::run(|| {
        let a = logs("A");
        let me = stackless::getcurrent();
        let _trapped = stackless::switch_trapped();
        me.set_tempval(some(1));
        assert_eq!(value_of::<i32>(me.run().unwrap()), Some(1));
        assert!(me.run().unwrap().is_none());
        me.set_tempval(some(2));
        assert_eq!(value_of::<i32>(me.switch().unwrap()), Some(2));
        assert!(me.switch().unwrap().is_none());
        assert_eq!(ring(&[("A", &a)]), "m A");
    });
    check("");
}

#[test]
fn s_041_run_and_switch_are_refused_as_insert_is() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let r = receiving("R", &channel);
        let s_channel = Channel::new();
        let s = sending("S", &s_channel, 1);
        for blocked in [&r, &s] {
            refused(blocked.run(), "You cannot run a blocked tasklet");
            refused(blocked.switch(), "You cannot run a blocked tasklet");
        }
        let dead = paused("P");
        dead.run().unwrap();
        let bound = stackless::tasklet(|()| {});
        for dead in [&dead, &Tasklet::new(), &*bound] {
            refused(dead.run(), "You cannot run an unbound(dead) tasklet");
            refused(dead.switch(), "You cannot run an unbound(dead) tasklet");
        }
        assert_eq!((channel.balance(), s_channel.balance()), (-1, 1));
        assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
        r.kill().unwrap();
        s.kill().unwrap();
    });
    check("P R! S!");
}

#[test]
fn s_042_switch_removes_the_caller_first() {
    fibra::run(|| {
        let a = logs("A");
        let main = stackless::getmain();
        let b = stackless::spawn({
            let a = a.clone();
            move || {
                let me = stackless::getcurrent();
                log(format!("[{}]", ring(&[("A", &a), ("B", &me), ("C", &me.next().unwrap())])));
                assert_eq!(state(&main), "alive paused");
                assert!(main.next().is_none() && main.prev().is_none());
            }
        });
        logs("C");
        b.switch().unwrap();
        log("m");
    });
    check("[B C A] C A m");
}

#[test]
fn s_042_a_tasklet_that_switched_away_is_resumed_by_insert_run_or_switch_only() {
    fibra::run(|| {
        let p = paused("P");
        let t = stackless::spawn(move || {
            p.switch().unwrap();
            log("T2");
        });
        stackless::run();
        log("m");
        assert_eq!(state(&t), "alive paused");
        stackless::run();
        t.run().unwrap();
    });
    check("P m T2");
}

#[test]
fn s_043_two_tasklets_can_switch_to_and_fro() {
    fibra::run(|| {
        let ping = stackless::getcurrent();
        let pong = stackless::tasklet(move |()| {
            for n in 0..3 {
                log(format!("pong{n}"));
                assert_eq!(state(&ping), "alive paused");
                ping.switch().unwrap();
            }
        });
        let pong = pong.bind(());
        for n in 0..3 {
            log(format!("ping{n}"));
            pong.switch().unwrap();
            assert_eq!(state(&pong), "alive paused");
        }
    });
    check("ping0 pong0 ping1 pong1 ping2 pong2");
}

#[test]
fn s_045_a_trapped_run_or_switch_leaves_no_trace() {
    fibra::run(|| {
        let a = logs("A");
        let (p, f) = (paused("P"), floating("F"));
        let trapped = stackless::switch_trapped();
        for target in [&p, &f] {
            refused(target.run(), "switch_trap");
            assert_eq!(state(target), "alive paused");
            refused(target.switch(), "switch_trap");
            assert_eq!(state(target), "alive paused");
            assert_eq!(ring(&[("A", &a)]), "m A");
        }
        refused(a.run(), "switch_trap");
        let error = refused(a.switch(), "switch_trap");
        assert!(matches!(error, TaskletError::SwitchTrap { .. }), "{error:?}");
        assert_eq!(ring(&[("A", &a)]), "m A");
        drop(trapped);
        p.run().unwrap();
        f.run().unwrap();
        a.run().unwrap();
    });
    check("P F2 A");
}

#[test]
fn tasklets_and_plain_fibers_share_one_ring() {
    fibra::run(|| {
        logs("A");
        drop(fibra::spawn(|| log("f")));
        logs("B");
        stackless::schedule();
        log("m");
        logs("C");
        drop(fibra::spawn(|| log("g")));
        fibra::yield_now();
    });
    check("A f B m C g");
}

#[test]
fn a_plain_fiber_is_a_tasklet_as_well() {
    fibra::run(|| {
        let handle = fibra::spawn(|| {
            let me = stackless::getcurrent();
            assert_eq!(state(&me), "alive current scheduled");
            assert!(me == stackless::getcurrent() && !me.is_main());
            assert_eq!(me.fiber().map(|fiber| fiber.id()), Some(fibra::current().id()));
            stackless::schedule_remove();
            log("f2");
            7
        });
        stackless::schedule();
        let main = stackless::getcurrent();
        assert!(main.is_main());
        assert_eq!(main.fiber().map(|fiber| fiber.id()), Some(fibra::current().id()));
        handle.fiber().kill();
        assert!(handle.join().unwrap_err().is_killed());
    });
    check("");
}

#[test]
fn a_plain_fiber_can_be_run_switched_to_and_killed_through_its_tasklet() {
    fibra::run(|| {
        let (give, take) = (Channel::new(), Channel::<()>::new());
        let (given, taken) = (give.clone(), take.clone());
        let handle = fibra::spawn(move || {
            given.send(stackless::getcurrent()).unwrap();
            stackless::schedule_remove();
            log("f2");
            crate::support::stackless::logs_end("f", || drop(taken.receive()));
        });
        let f = give.receive().unwrap();
        assert_eq!(state(&f), "alive scheduled");
        stackless::schedule();
        assert_eq!(state(&f), "alive paused");
        f.run().unwrap();
        assert_eq!((state(&f), take.balance()), ("alive blocked scheduled".into(), -1));
        f.kill().unwrap();
        assert_eq!((state(&f), take.balance()), ("dead".into(), 0));
        drop(handle);
    });
    check("f2 f!");
}
