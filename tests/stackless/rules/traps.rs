//! The protections of a tasklet: block_trap, switch_trap and atomic, S-093 to S-100.

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{
    floating, logs, logs_end, paused, raised, receiving, refused, ring, sending, state,
};
use crate::support::{check, log};

const DISLIKES: &str = "this tasklet does not like to be blocked.";

/// Calls `f` with switches trapped: `f` asserts that its operation is refused.
fn trapped<R>(f: impl FnOnce() -> R) -> R {
    let before = (stackless::getruncount(), stackless::getcurrent().next());
    let guard = stackless::switch_trapped();
    let result = f();
    drop(guard);
    assert!(before == (stackless::getruncount(), stackless::getcurrent().next()));
    result
}

#[test]
fn s_093_what_would_block_is_refused_under_block_trap() {
    fibra::run(|| {
        let channel = Channel::new();
        let t = {
            let channel = channel.clone();
            move || {
                let me = stackless::getcurrent();
                assert!(!me.set_block_trap(true) && me.block_trap());
                log(channel.receive().unwrap_err().to_string().contains(DISLIKES));
                let error = channel.send("value").unwrap_err();
                log(error.to_string().contains(DISLIKES));
                assert_eq!((error.into_inner(), channel.balance()), ("value", 0));
                assert!(me.set_block_trap(false));
            }
        };
        // In main and in a tasklet.
        t.clone()();
        stackless::spawn(t);
        stackless::run();
    });
    check("true true true true");
}

#[test]
fn s_093_a_partner_that_waits_is_served_under_block_trap() {
    fibra::run(|| {
        let channel = Channel::new();
        let _trap = stackless::block_trap(true);
        receiving("R", &channel);
        channel.send(1).unwrap();
        channel.set_preference(Preference::Sender);
        sending("S", &channel, 2);
        assert_eq!(channel.receive().unwrap(), 2);
        assert_eq!(channel.balance(), 0);
    });
    check("R1 S");
}

#[test]
fn s_093_block_trap_is_a_tasklets_own() {
    fibra::run(|| {
        let channel = Channel::new();
        let outer = stackless::block_trap(true);
        receiving("R", &channel);
        channel.send(1).unwrap();
        {
            let _inner = stackless::block_trap(false);
            assert!(!stackless::getcurrent().block_trap());
        }
        assert!(stackless::getcurrent().block_trap());
        drop(outer);
        assert!(!stackless::getcurrent().block_trap());
        let t = logs("T");
        t.set_block_trap(true);
        assert!(t.block_trap());
    });
    check("R1");
}

#[test]
fn s_095_switch_trap_is_a_counter_that_returns_its_old_value() {
    fibra::run(|| {
        assert_eq!(stackless::switch_trap(0), 0);
        assert_eq!(stackless::switch_trap(1), 0);
        assert_eq!(stackless::switch_trap(1), 1);
        assert_eq!(stackless::switch_trap(-1), 2);
        logs("A");
        assert!(raised(stackless::schedule).contains("switch_trap"));
        assert_eq!(stackless::switch_trap(-1), 1);
        assert_eq!(stackless::switch_trap(0), 0);
        stackless::schedule();
    });
    check("A");
}

#[test]
fn s_095_the_guard_restores_the_previous_value_also_when_it_unwinds() {
    fibra::run(|| {
        let outer = stackless::switch_trapped();
        let text = raised(|| {
            let _inner = stackless::switch_trapped();
            log(stackless::switch_trap(0));
            crate::support::stackless::raise("E");
        });
        log(text);
        log(stackless::switch_trap(0));
        drop(outer);
        log(stackless::switch_trap(0));
    });
    check("2 E 1 0");
}

#[test]
fn s_096_schedule_and_run_are_trapped_when_another_could_run() {
    fibra::run(|| {
        let a = logs("A");
        trapped(|| {
            assert!(raised(stackless::schedule).contains("switch_trap"));
            assert!(raised(stackless::schedule_remove).contains("switch_trap"));
            assert!(raised(stackless::run).contains("switch_trap"));
            assert!(raised(|| stackless::Run::new().run()).contains("switch_trap"));
        });
        assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
        assert_eq!(ring(&[("A", &a)]), "m A");
        log("m");
        stackless::run();
    });
    check("m A");
}

#[test]
fn s_096_schedule_and_run_are_not_trapped_when_alone() {
    fibra::run(|| {
        trapped(|| {
            stackless::schedule();
            stackless::run();
            assert!(stackless::Run::new().run().is_none());
        });
    });
}

#[test]
fn s_096_switches_to_others_are_trapped() {
    fibra::run(|| {
        let (p, a) = (paused("P"), logs("A"));
        trapped(|| {
            for t in [&p, &a] {
                refused(t.run(), "switch_trap");
                refused(t.switch(), "switch_trap");
                refused(t.kill(), "switch_trap");
                refused(t.throw("E"), "switch_trap");
            }
        });
        assert_eq!((state(&p), state(&a)), ("alive paused".into(), "alive scheduled".into()));
        p.run().unwrap();
        a.run().unwrap();
    });
    check("P A");
}

/// T26, T27.
#[test]
fn s_096_what_would_block_is_trapped_and_leaves_no_trace() {
    fibra::run(|| {
        let a = logs("A");
        let channel = Channel::new();
        trapped(|| {
            assert!(channel.receive().unwrap_err().to_string().contains("switch_trap"));
            let error = channel.send("value").unwrap_err();
            assert!(error.to_string().contains("switch_trap"));
            assert_eq!((error.into_inner(), channel.balance()), ("value", 0));
        });
        assert_eq!(ring(&[("A", &a)]), "m A");
        stackless::run();
    });
    check("A");
}

/// T27.
#[test]
fn s_096_a_transfer_that_would_switch_is_trapped_and_the_partner_keeps_its_place() {
    fibra::run(|| {
        let channel = Channel::new();
        let r1 = receiving("R", &channel);
        let r2 = receiving("Q", &channel);
        trapped(|| {
            let error = channel.send(1).unwrap_err();
            assert!(error.to_string().contains("switch_trap"));
            assert_eq!(error.into_inner(), 1);
            assert_eq!((channel.balance(), channel.first()), (-2, Some(r1.clone())));
            assert!(channel.queue() == [r1.clone(), r2.clone()]);
            assert!(state(&r1) == "alive blocked scheduled" && r1.next() == Some(r2.clone()));
            channel.set_schedule_all(true);
            assert!(channel.send(1).is_err());
            channel.set_schedule_all(false);
        });
        channel.send(2).unwrap();
        channel.send(3).unwrap();

        channel.set_preference(Preference::Sender);
        let s = sending("S", &channel, 4);
        trapped(|| {
            assert!(channel.receive().unwrap_err().to_string().contains("switch_trap"));
            assert_eq!((channel.balance(), channel.first()), (1, Some(s)));
        });
        assert_eq!(channel.receive().unwrap(), 4);
    });
    check("R2 Q3 S");
}

#[test]
fn s_096_transfers_that_keep_the_caller_running_are_not_trapped() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        receiving("R", &channel);
        {
            let _trap = stackless::switch_trapped();
            channel.send(1).unwrap();
        }
        stackless::run();
        sending("S", &channel, 2);
        {
            let _trap = stackless::switch_trapped();
            assert_eq!(channel.receive().unwrap(), 2);
        }
        stackless::run();
    });
    check("R1 S");
}

#[test]
fn s_096_insert_remove_bind_and_pending_throws_are_not_trapped() {
    fibra::run(|| {
        let _trap = stackless::switch_trapped();
        let (p, a) = (paused("P"), logs("A"));
        p.insert().unwrap();
        a.remove().unwrap();
        p.kill_pending().unwrap();
        let t = Tasklet::new().bind(|()| log("T")).unwrap().bind(());
        t.bind(|()| log("U")).unwrap().setup(());
        stackless::getcurrent().run().unwrap();
        stackless::getcurrent().switch().unwrap();
    });
    check("");
}

#[test]
fn s_095_the_trap_is_the_threads_and_holds_in_every_tasklet() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            stackless::switch_trap(1);
            log(raised(stackless::schedule).contains("switch_trap"));
        });
        stackless::schedule();
        assert_eq!(state(&t), "dead", "its end is no switch of its own");
        log(stackless::switch_trap(-1));
    });
    check("true 1");
}

#[test]
fn s_095_a_trap_leaves_plain_fibers_alone() {
    fibra::run(|| {
        let _trap = stackless::switch_trapped();
        drop(fibra::spawn(|| log("f")));
        fibra::yield_now();
        assert!(fibra::spawn(|| log("g")).join().is_ok());
    });
    check("f g");
}

#[test]
fn s_097_atomic_tasklets_still_switch_by_themselves() {
    fibra::run(|| {
        let me = stackless::getcurrent();
        assert!(!me.atomic() && !me.set_atomic(true) && me.atomic());
        logs("A");
        stackless::schedule();
        assert!(me.set_atomic(true) && me.set_atomic(false) && !me.atomic());
    });
    check("A");
}

/// T37.
#[test]
fn s_099_new_tasklets_do_not_inherit_atomic() {
    fibra::run(|| {
        let _atomic = stackless::atomic();
        stackless::spawn(|| log(stackless::getcurrent().atomic()));
        stackless::run();
        assert!(stackless::getcurrent().atomic());
    });
    check("false");
}

#[test]
fn s_100_the_guards_restore_the_previous_value() {
    fibra::run(|| {
        let me = stackless::getcurrent();
        {
            let _outer = stackless::atomic();
            {
                let _inner = stackless::atomic();
                assert!(me.atomic());
            }
            assert!(me.atomic());
        }
        assert!(!me.atomic());
        me.set_atomic(true);
        drop(stackless::atomic());
        assert!(me.atomic());
    });
}

/// A guard acts on the tasklet that made it, also when it is dropped in another one.
#[test]
fn s_100_a_guard_restores_the_flag_of_its_own_tasklet() {
    fibra::run(|| {
        let slot = std::rc::Rc::new(std::cell::RefCell::new(None));
        let kept = slot.clone();
        let t = stackless::tasklet(move |()| {
            *kept.borrow_mut() = Some((stackless::atomic(), stackless::block_trap(true)));
            stackless::schedule_remove();
        });
        let t = t.bind(());
        t.run().unwrap();
        let me = stackless::getcurrent();
        assert!(t.atomic() && t.block_trap() && !me.atomic() && !me.block_trap());
        me.set_atomic(true);
        drop(slot.take());
        assert!(!t.atomic() && !t.block_trap() && me.atomic());
    });
}

#[test]
fn s_093_a_trapped_tasklet_can_be_killed_at_its_other_waits() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            logs_end("T", || {
                let _trap = stackless::block_trap(true);
                stackless::schedule_remove();
            });
        });
        let t = t.bind(());
        t.run().unwrap();
        t.kill().unwrap();
        assert_eq!(state(&t), "dead");
        floating("F").kill().unwrap();
    });
    check("T! F!");
}
