//! `kill` and `throw`: S-047 to S-062.

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Tasklet, TaskletError, TaskletExit};

use crate::support::stackless::{
    floating, logs, logs_end, paused, payload_of, raised, receiving, refused, ring, sending, state,
};
use crate::support::{Noisy, check, log};

/// Returns an unstarted tasklet whose function must not run: only its capture logs, when dropped.
fn unstarted(name: &'static str) -> Tasklet {
    let captured = Noisy(name);
    stackless::tasklet(move |()| {
        let _captured = captured;
        log("never");
    })
    .bind(())
}

#[derive(Debug, PartialEq)]
struct Custom(i32);

#[test]
fn s_047_the_victim_gets_the_very_payload() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            let payload = payload_of(stackless::schedule_remove);
            log(payload.downcast::<Custom>().unwrap().0);
        });
        let t = t.bind(());
        t.run().unwrap();
        t.throw(Custom(7)).unwrap();
        assert_eq!(state(&t), "dead");
    });
    check("7");
}

#[test]
fn s_049_every_wait_of_a_tasklet_can_be_cut_by_a_throw() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            let channel = Channel::<i32>::new();
            log(raised(|| stackless::schedule_remove()));
            log(raised(|| channel.receive()));
            log(raised(|| channel.send(1)));
            log(raised(stackless::run));
            log(raised(|| stackless::getmain().run()));
            log(raised(|| stackless::getmain().switch()));
            log(raised(stackless::schedule));
            assert_eq!(channel.balance(), 0);
        });
        let t = t.bind(());
        t.run().unwrap();
        for payload in ["remove", "receive", "send", "run", "t.run", "t.switch", "schedule"] {
            t.throw(payload).unwrap();
        }
        assert_eq!(state(&t), "dead");
    });
    check("remove receive send run t.run t.switch schedule");
}

#[test]
fn s_050_kill_of_what_is_dead_empty_or_bound_does_nothing() {
    fibra::run(|| {
        let dead = paused("P");
        dead.run().unwrap();
        let bound = stackless::tasklet(|()| log("B"));
        for t in [&dead, &Tasklet::new(), &*bound] {
            t.kill().unwrap();
            t.kill_pending().unwrap();
            assert_eq!(state(t), "dead");
        }
        bound.setup(());
        stackless::run();
    });
    check("P B");
}

#[test]
fn s_051_a_killed_paused_tasklet_runs_immediately_in_front_of_the_killer() {
    fibra::run(|| {
        let a = logs("A");
        let t = stackless::tasklet({
            let a = a.clone();
            move |()| {
                let _ring = payload_of(stackless::schedule_remove);
                log(ring(&[("A", &a), ("T", &stackless::getcurrent())]));
            }
        });
        let t = t.bind(());
        t.run().unwrap();
        t.kill().unwrap();
        log("m");
        assert_eq!((state(&t), ring(&[("A", &a)])), ("dead".into(), "m A".into()));
    });
    check("T m A m");
}

#[test]
fn s_051_a_killed_blocked_tasklet_leaves_its_channel_before_it_runs() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let seen = channel.clone();
        let t = stackless::spawn(move || {
            logs_end("T", || drop(payload_of(|| seen.receive())));
            assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
            log(seen.balance());
        });
        stackless::schedule();
        let a = logs("A");
        assert_eq!(channel.balance(), -1);
        t.kill().unwrap();
        log("m");
        assert_eq!(ring(&[("A", &a)]), "m A");
    });
    check("0 m");
}

#[test]
fn s_051_a_killed_blocked_sender_takes_its_message_along() {
    fibra::run(|| {
        let channel = Channel::new();
        let t = sending("T", &channel, Noisy("message"));
        assert_eq!(channel.balance(), 1);
        t.kill().unwrap();
        assert_eq!(channel.balance(), 0);
        log("m");
    });
    check("message T! m");
}

/// T06. The documentation of Stackless claims otherwise: this follows its code.
#[test]
fn s_052_a_kill_of_a_scheduled_tasklet_lets_those_behind_it_run_first() {
    fibra::run(|| {
        let t = floating("T");
        logs("A");
        t.insert().unwrap();
        logs("B");
        logs("C");
        t.kill().unwrap();
        log("m");
        stackless::run();
    });
    // [m A T B C], rotated: [T B C m A].
    check("T! B C m A");
}

#[test]
fn s_052_removing_it_first_makes_the_kill_immediate() {
    fibra::run(|| {
        let t = floating("T");
        t.insert().unwrap();
        logs("A");
        t.remove().unwrap();
        t.kill().unwrap();
        log("m");
    });
    check("T! m");
}

#[test]
fn s_053_a_pending_throw_unblocks_and_appends() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let t = receiving("T", &channel);
        let a = logs("A");
        t.throw_pending("E").unwrap();
        log("m");
        assert_eq!((channel.balance(), state(&t)), (0, "alive scheduled".into()));
        assert_eq!(ring(&[("A", &a), ("T", &t)]), "m A T");
        log(raised(stackless::run));
    });
    check("m A T:E E");
}

#[test]
fn s_053_a_pending_throw_lets_a_scheduled_tasklet_keep_its_place() {
    fibra::run(|| {
        let t = floating("T");
        t.insert().unwrap();
        let a = logs("A");
        t.kill_pending().unwrap();
        assert_eq!(ring(&[("A", &a), ("T", &t)]), "m T A");
        stackless::run();
    });
    check("T! A");
}

#[test]
fn s_053_a_pending_throw_appends_a_paused_tasklet() {
    fibra::run(|| {
        let t = floating("T");
        let a = logs("A");
        t.kill_pending().unwrap();
        assert_eq!(ring(&[("A", &a), ("T", &t)]), "m A T");
        stackless::run();
    });
    check("A T!");
}

#[test]
fn s_053_a_second_pending_throw_replaces_the_first() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            log(raised(stackless::schedule_remove));
            stackless::schedule();
            log("T2");
        });
        let t = t.bind(());
        t.run().unwrap();
        t.throw_pending("first").unwrap();
        t.throw_pending("second").unwrap();
        stackless::run();
    });
    check("second T2");
}

/// Unlike fibra's own kill, the error is raised only once.
#[test]
fn s_053_a_pending_throw_is_raised_once() {
    fibra::run(|| {
        let t = floating("T");
        t.kill().unwrap();
        let t = t.bind(|()| {
            log(raised(stackless::schedule_remove));
            (0..3).for_each(|_| stackless::schedule());
            log("survived");
        });
        let t = t.unwrap().bind(());
        t.run().unwrap();
        t.throw("E").unwrap();
        stackless::run();
    });
    check("T! E survived");
}

/// Deliberately different from Stackless, where the pending throw replaces the value: a value that
/// has been handed over is not lost, and the throw is raised at the next wait.
#[test]
fn s_053_a_value_that_was_handed_over_arrives_before_a_pending_throw() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        let received = channel.clone();
        let t = stackless::spawn(move || {
            log(received.receive().unwrap());
            log(raised(stackless::schedule));
        });
        stackless::schedule();
        channel.send(7).unwrap();
        t.throw_pending("E").unwrap();
        stackless::run();
    });
    check("7 E");
}

/// The same for an immediate throw.
#[test]
fn s_052_a_value_that_was_handed_over_arrives_before_an_immediate_throw() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        let received = channel.clone();
        let t = stackless::spawn(move || {
            log(received.receive().unwrap());
            log(raised(|| received.receive()));
        });
        stackless::schedule();
        channel.send(7).unwrap();
        t.throw("E").unwrap();
        log("m");
        assert_eq!(channel.balance(), 0);
    });
    check("7 E m");
}

#[test]
fn s_054_a_throw_at_the_current_tasklet_raises_immediately() {
    fibra::run(|| {
        stackless::spawn(|| {
            logs_end("T", || {
                stackless::getcurrent().kill().unwrap();
                log("never");
            });
        });
        stackless::run();
        let me = stackless::getcurrent();
        log(raised(|| me.throw("E")));
        assert!(payload_of(|| me.kill()).is::<TaskletExit>());
        log("m");
    });
    check("T! E m");
}

#[test]
fn s_054_a_pending_throw_at_the_current_tasklet_raises_immediately_as_well() {
    fibra::run(|| {
        stackless::spawn(|| {
            logs_end("T", || {
                log(raised(|| stackless::getcurrent().throw_pending("E")));
                stackless::getcurrent().kill_pending().unwrap();
                log("never");
            });
        });
        logs("A");
        stackless::run();
    });
    check("E T! A");
}

#[test]
fn s_055_a_throw_into_main_comes_out_of_its_run() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            log("A1");
            stackless::getmain().throw("E").unwrap();
            log("A2");
        });
        let b = logs("B");
        log(raised(stackless::run));
        assert_eq!(ring(&[("A", &a), ("B", &b)]), "m A B");
        stackless::run();
    });
    check("A1 E A2 B");
}

#[test]
fn s_055_a_throw_into_main_that_is_blocked_comes_out_of_its_receive() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        stackless::spawn(|| stackless::getmain().throw("E").unwrap());
        log(raised(|| channel.receive()));
        assert_eq!(channel.balance(), 0);
    });
    check("E");
}

#[test]
fn s_056_a_throw_into_an_unstarted_tasklet_never_calls_its_function() {
    fibra::run(|| {
        let t = unstarted("T dropped");
        log(raised(|| t.throw("E")));
        assert_eq!(state(&t), "dead");
        let t = unstarted("U dropped");
        t.kill().unwrap();
        log("m");
        assert_eq!(state(&t), "dead");
        refused(t.run(), "You cannot run an unbound(dead) tasklet");
    });
    check("T dropped E U dropped m");
}

#[test]
fn s_056_an_unstarted_tasklet_of_the_ring_is_killed_at_its_place() {
    fibra::run(|| {
        logs("A");
        let t = unstarted("T dropped");
        t.insert().unwrap();
        logs("B");
        t.kill().unwrap();
        log("m");
        stackless::run();
    });
    check("T dropped B m A");
}

#[test]
fn s_056_a_pending_throw_into_an_unstarted_tasklet_waits_for_its_turn() {
    fibra::run(|| {
        let t = unstarted("T dropped");
        let a = logs("A");
        t.throw_pending("E").unwrap();
        assert_eq!(ring(&[("A", &a), ("T", &t)]), "m A T");
        let u = unstarted("U dropped");
        u.insert().unwrap();
        u.kill_pending().unwrap();
        assert_eq!(state(&u), "alive scheduled");
        logs("B");
        log(raised(stackless::run));
        log("m");
        stackless::run();
        assert_eq!((state(&t), state(&u)), ("dead".into(), "dead".into()));
    });
    check("A T dropped E m U dropped B");
}

#[test]
fn s_057_a_throw_at_a_dead_tasklet_gives_the_payload_back() {
    fibra::run(|| {
        let dead = paused("P");
        dead.run().unwrap();
        let bound = stackless::tasklet(|()| log("never"));
        for t in [&dead, &Tasklet::new(), &*bound] {
            let error = refused(t.throw(Custom(7)), "You cannot throw to a dead tasklet");
            let TaskletError::DeadThrow(payload, ..) = error else { panic!("{error:?}") };
            assert_eq!(payload.downcast::<Custom>(), Ok(Custom(7)));
            refused(t.throw_pending(Custom(8)), "You cannot throw to a dead tasklet");
            t.throw(TaskletExit).unwrap();
            t.throw_pending(TaskletExit).unwrap();
        }
    });
    check("P");
}

#[test]
fn s_060_a_trapped_throw_leaves_the_target_at_its_place() {
    fibra::run(|| {
        let channel = Channel::new();
        let t = receiving("T", &channel);
        let u = receiving("U", &channel);
        let f = floating("F");
        let trapped = stackless::switch_trapped();
        refused(t.throw("E"), "switch_trap");
        refused(t.kill(), "switch_trap");
        refused(f.kill(), "switch_trap");
        assert_eq!((channel.balance(), t.next()), (-2, Some(u)));
        assert_eq!((state(&f).as_str(), stackless::getruncount()), ("alive paused", 1));
        drop(trapped);
        channel.send(1).unwrap();
        channel.send(2).unwrap();
        f.run().unwrap();
    });
    check("T1 U2 F2");
}

#[test]
fn s_060_a_pending_throw_is_not_trapped_and_neither_is_one_at_oneself() {
    fibra::run(|| {
        let f = floating("F");
        let trapped = stackless::switch_trapped();
        f.kill_pending().unwrap();
        log(raised(|| stackless::getcurrent().throw("E")));
        drop(trapped);
        stackless::run();
    });
    check("E F!");
}

/// T35.
#[test]
fn s_061_a_tasklet_may_survive_its_tasklet_exit() {
    fibra::run(|| {
        let channel = Channel::new();
        let received = channel.clone();
        let t = stackless::spawn(move || {
            assert!(payload_of(|| received.receive()).is::<TaskletExit>());
            log("caught");
            stackless::schedule();
            log(received.receive().unwrap());
        });
        stackless::schedule();
        t.kill().unwrap();
        log("m");
        assert_eq!(state(&t), "alive scheduled");
        stackless::schedule();
        assert_eq!((state(&t), channel.balance()), ("alive blocked scheduled".into(), -1));
        channel.send(5).unwrap();
        assert_eq!(state(&t), "dead");
    });
    check("caught m 5");
}

#[test]
fn s_061_a_shielded_tasklet_meets_the_throw_when_its_shield_ends() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            logs_end("T", || {
                fibra::shield(|| {
                    stackless::schedule_remove();
                    log("shielded");
                    stackless::schedule();
                    log("still");
                });
                stackless::schedule();
                log("never");
            });
        });
        let t = t.bind(());
        t.run().unwrap();
        t.kill_pending().unwrap();
        stackless::run();
        assert_eq!(state(&t), "dead");
    });
    check("shielded still T!");
}

#[test]
fn s_053_a_pending_throw_waits_for_the_unwinding_of_its_target() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            logs_end("T", || {
                let _waits = crate::support::OnDrop(|| {
                    stackless::schedule_remove();
                    log("destructor");
                });
                crate::support::stackless::raise("first");
            });
        });
        let t = t.bind(());
        t.run().unwrap();
        assert_eq!(state(&t), "alive paused");
        t.throw_pending("second").unwrap();
        log(raised(stackless::run));
    });
    check("destructor T:first first");
}

#[test]
fn a_killed_tasklet_in_a_nested_run_or_switch_unwinds_there() {
    fibra::run(|| {
        let t = stackless::spawn(|| logs_end("T", stackless::run));
        stackless::schedule();
        assert_eq!(state(&t), "alive paused");
        t.kill().unwrap();
        assert_eq!(state(&t), "dead");
        logs("A");
        stackless::run();
        log("m");
    });
    check("T! A m");
}

#[test]
fn a_tasklet_kills_its_killer() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            let me = stackless::getcurrent();
            let b = stackless::tasklet(move |me: Tasklet| {
                logs_end("B", || {
                    let _ = payload_of(stackless::schedule_remove);
                    log("B kills");
                    me.kill().unwrap();
                    log("B2");
                });
            });
            let b = b.bind(me);
            b.run().unwrap();
            logs_end("A", || b.kill().unwrap());
        });
        stackless::run();
        log("m");
        assert_eq!(state(&a), "dead");
    });
    // [B A], B kills A: [A B], A dies; B continues.
    check("B kills A! B2 m");
}
