//! `schedule`, `schedule_remove` and `run`, also nested: S-103 to S-121.

use std::rc::Rc;

use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{
    floating, logs, logs_end, paused, raised, raises, receiving, ring, some, state, value_of,
};
use crate::support::{check, log, ms, run_virtually};

/// Starts a tasklet at the end of the ring that logs `name` and 1, waits in `run()`, and logs
/// `name` and 2.
fn runner(name: &'static str) -> Tasklet {
    stackless::spawn(move || {
        logs_end(name, || {
            log(format!("{name}1"));
            stackless::run();
            log(format!("{name}2"));
        });
    })
}

#[test]
fn s_103_schedule_moves_the_caller_to_the_end() {
    fibra::run(|| {
        let (a, b) = (logs("A"), logs("B"));
        let shown = stackless::spawn({
            let (a, b) = (a.clone(), b.clone());
            move || log(ring(&[("A", &a), ("B", &b), ("S", &stackless::getcurrent())]))
        });
        drop(shown);
        stackless::schedule();
        log("m");
    });
    check("A B S m m");
}

#[test]
fn s_104_schedule_alone_returns_immediately() {
    fibra::run(|| {
        stackless::schedule();
        let _blocked = receiving("R", &Channel::<()>::new());
        let _paused = paused("P");
        stackless::schedule();
        assert_eq!(stackless::getruncount(), 1);
    });
    check("");
}

/// T13.
#[test]
fn s_105_schedule_remove_pauses_and_returns_the_tempval() {
    fibra::run(|| {
        let s = stackless::tasklet(|()| {
            log("S1");
            log(value_of::<&str>(stackless::schedule_remove()).unwrap());
        });
        let s = s.setup(());
        let a = logs("A");
        stackless::run();
        assert_eq!((state(&s), state(&a)), ("alive paused".into(), "dead".into()));
        s.set_tempval(some("v"));
        s.insert().unwrap();
        stackless::run();
    });
    check("S1 A v");
}

#[test]
fn s_106_schedule_remove_of_main_alone_returns_immediately() {
    fibra::run(|| {
        assert!(stackless::schedule_remove().is_none());
        assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
        assert_eq!(stackless::getruncount(), 1);
        let _blocked = receiving("R", &Channel::<()>::new());
        assert!(stackless::schedule_remove().is_none());
    });
    check("");
}

#[test]
fn s_106_schedule_remove_of_the_last_tasklet_under_run_ends_the_run() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            stackless::schedule_remove();
            log("T2");
        });
        stackless::run();
        log("m");
        assert_eq!(state(&t), "alive paused");
        t.run().unwrap();
    });
    check("m T2");
}

#[test]
fn s_106_schedule_remove_of_the_last_tasklet_with_a_blocked_main_is_a_deadlock() {
    fibra::run(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        let t = stackless::spawn(move || {
            log(raised(stackless::schedule_remove)
                .contains("Deadlock: the last runnable tasklet cannot be blocked."));
            assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
            sender.send(7).unwrap();
        });
        log(channel.receive().unwrap());
        assert_eq!(state(&t), "alive scheduled");
    });
    check("true 7");
}

#[test]
fn s_106_schedule_remove_of_main_wakes_with_the_last_tasklet() {
    fibra::run(|| {
        let channel = Channel::<()>::new();
        let r = receiving("R", &channel);
        let blocks = channel.clone();
        stackless::spawn(move || {
            log("A");
            let _ = blocks.receive();
        });
        stackless::schedule_remove();
        log("m");
        assert_eq!((state(&r), channel.balance()), ("alive blocked scheduled".into(), -2));
    });
    check("A m");
}

#[test]
fn s_107_main_is_paused_while_it_waits_in_run() {
    fibra::run(|| {
        let main = stackless::getmain();
        stackless::spawn(move || {
            log(state(&main));
            log(ring(&[("A", &stackless::getcurrent())]));
            assert!(main.next().is_none());
        });
        stackless::run();
    });
    check("alive paused A");
}

#[test]
fn s_108_run_returns_immediately_when_nothing_else_can_run() {
    fibra::run(|| {
        let _paused = paused("P");
        let _blocked = receiving("R", &Channel::<()>::new());
        stackless::run();
        let _trapped = stackless::switch_trapped();
        stackless::run();
        log("m");
    });
    check("m");
}

/// T22.
#[test]
fn s_109_the_innermost_run_returns_first() {
    fibra::run(|| {
        runner("A");
        runner("B");
        logs("C");
        stackless::run();
        log("m");
    });
    check("A1 B1 C B2 A2 m");
}

#[test]
fn s_109_the_outer_caller_is_still_paused_when_the_inner_one_returns() {
    fibra::run(|| {
        let main = stackless::getmain();
        stackless::spawn(move || {
            logs("x");
            stackless::run();
            log(format!("A2 {}", state(&main)));
            logs("y");
            stackless::run();
            log(format!("A3 {}", state(&main)));
        });
        stackless::run();
        log("m");
    });
    check("x A2 alive paused y A3 alive paused m");
}

/// T32.
#[test]
fn s_110_run_leaves_blocked_tasklets_blocked() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let receiver = channel.clone();
        let t = stackless::spawn(move || drop(receiver.receive()));
        stackless::run();
        assert_eq!((state(&t), channel.balance()), ("alive blocked scheduled".into(), -1));
        channel.send(1).unwrap();
        assert_eq!(state(&t), "dead");
    });
}

#[test]
fn s_111_the_innermost_run_raises_the_error() {
    fibra::run(|| {
        stackless::spawn(|| {
            log(format!("A {}", raised(stackless::run)));
            logs("y");
            stackless::run();
            log("A3");
        });
        raises("X", "E");
        logs("z");
        stackless::run();
        log("m");
    });
    // After the error: [A z], then A waits again: z, y.
    check("X A E z y A3 m");
}

#[test]
fn s_111_run_can_be_called_again_to_go_on() {
    fibra::run(|| {
        logs("A");
        raises("X", "E");
        let b = logs("B");
        raises("Y", "F");
        let c = logs("C");
        log(raised(stackless::run));
        assert_eq!(stackless::getruncount(), 4);
        log(raised(stackless::run));
        stackless::run();
        assert_eq!((state(&b), state(&c)), ("dead".into(), "dead".into()));
    });
    check("A X E B Y F C");
}

/// test_run_from_worker.
#[test]
fn s_112_a_tasklet_in_run_sleeps_while_main_is_runnable() {
    fibra::run(|| {
        let a = runner("A");
        stackless::schedule();
        log("m1");
        stackless::schedule();
        assert_eq!((state(&a), stackless::getruncount()), ("alive paused".into(), 1));
        stackless::run();
        logs("B");
        stackless::run();
        log("m2");
        assert_eq!(state(&a), "alive paused");
        a.run().unwrap();
        assert_eq!(state(&a), "dead");
    });
    check("A1 m1 B m2 A2");
}

#[test]
fn s_112_a_tasklet_in_run_wakes_when_main_leaves_the_ring() {
    fibra::run(|| {
        runner("A");
        stackless::schedule();
        log("m");
        stackless::schedule_remove();
        log("m2");
    });
    // The ring is empty, so A is woken; when A ends, only the floating main is left.
    check("A1 m A2 m2");
}

/// test_main_exiting.
#[test]
fn s_112_a_tasklet_in_run_can_be_inserted_run_and_killed() {
    fibra::run(|| {
        let [a, b, c] = ["A", "B", "C"].map(runner);
        stackless::schedule();
        c.insert().unwrap();
        stackless::schedule();
        b.run().unwrap();
        log("m");
        a.kill().unwrap();
        for t in [a, b, c] {
            assert_eq!(state(&t), "dead");
        }
    });
    check("A1 B1 C1 C2 B2 m A!");
}

/// test_run_from_worker_main_blocked.
#[test]
fn s_113_with_a_blocked_main_the_run_caller_wakes() {
    fibra::run(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        stackless::spawn(move || {
            log("A1");
            stackless::run();
            log("A2");
            sender.send(7).unwrap();
        });
        log(channel.receive().unwrap());
    });
    check("A1 A2 7");
}

/// test_manual_wakeup, T23.
#[test]
fn s_114_waking_an_outer_run_by_hand_pops_the_deeper_ones_into_the_ring() {
    fibra::run(|| {
        let a = runner("A");
        let b = runner("B");
        let c = stackless::spawn(|| {
            log("C1");
            stackless::getmain().run().unwrap();
            log("C2");
        });
        stackless::run();
        log("m");
        let names = [("A", &a), ("B", &b), ("C", &c)];
        let shown = ring(&names);
        assert!(["m C A B", "m C B A"].contains(&shown.as_str()), "{shown}");
        assert_eq!(state(&a), "alive scheduled");
        a.remove().unwrap();
        b.remove().unwrap();
        a.insert().unwrap();
        b.insert().unwrap();
        stackless::run();
        log("m2");
    });
    check("A1 B1 C1 m C2 A2 B2 m2");
}

#[test]
fn s_114_waking_an_outer_run_by_insert_pops_the_deeper_ones_as_well() {
    fibra::run(|| {
        let a = runner("A");
        stackless::spawn(|| {
            log("C1");
            stackless::getmain().insert().unwrap();
            log("C2");
        });
        stackless::run();
        log("m");
        assert_eq!(ring(&[("A", &a)]), "m A");
        stackless::run();
    });
    check("A1 C1 C2 m A2");
}

/// test_schedule_deeper.
#[test]
fn s_115_a_deeper_caller_that_is_scheduled_already_is_not_appended_twice() {
    fibra::run(|| {
        let a = runner("A");
        let again = a.clone();
        let c = stackless::spawn(move || {
            again.insert().unwrap();
            stackless::getmain().run().unwrap();
            log("C2");
        });
        stackless::run();
        assert_eq!(ring(&[("A", &a), ("C", &c)]), "m C A");
        stackless::run();
        log("m");
    });
    check("A1 C2 A2 m");
}

#[test]
fn s_114_a_throw_into_an_outer_run_pops_the_deeper_ones_as_well() {
    fibra::run(|| {
        let a = runner("A");
        stackless::spawn(|| {
            stackless::getmain().throw("E").unwrap();
            log("C2");
        });
        log(raised(stackless::run));
        assert_eq!(state(&a), "alive scheduled");
        stackless::run();
        log("m");
    });
    check("A1 E C2 A2 m");
}

#[test]
fn s_116_run_returns_no_tempval() {
    fibra::run(|| {
        let main = stackless::getmain();
        stackless::spawn(move || main.set_tempval(some(5)));
        let () = stackless::run();
        assert!(stackless::Run::new().run().is_none());
    });
}

#[test]
fn s_109_a_hundred_nested_runs_return_in_the_reverse_order() {
    fibra::run(|| {
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        for n in 0..100 {
            let order = order.clone();
            stackless::spawn(move || {
                stackless::run();
                order.borrow_mut().push(n);
            });
        }
        stackless::run();
        assert!(order.borrow().iter().rev().copied().eq(0..100));
    });
}

#[test]
fn s_118_current_main_and_count_agree_with_the_thread_info() {
    fibra::run(|| {
        stackless::spawn(|| {
            let info = stackless::thread_info();
            assert!(info.main == stackless::getmain());
            assert!(info.current == stackless::getcurrent());
            log(info.run_count);
            assert_eq!(info.run_count, stackless::getruncount());
        });
        logs("B");
        stackless::run();
        assert_eq!(stackless::thread_info().run_count, 1);
    });
    check("2 B");
}

/// test_inner_run_gets_error.
#[test]
fn s_111_an_error_of_a_tasklet_started_within_reaches_the_inner_run_only() {
    fibra::run(|| {
        stackless::spawn(|| {
            raises("X", "E");
            log(raised(stackless::run));
        });
        stackless::run();
        log("m");
    });
    check("X E m");
}

/// A fiber that sleeps is neither in the ring nor paused by hand: `run` does not wait for it.
#[test]
fn s_107_run_does_not_wait_for_sleeping_fibers() {
    run_virtually(|| {
        drop(fibra::spawn(|| {
            fibra::sleep(ms(10));
            log("slept");
        }));
        stackless::run();
        log("m");
        fibra::sleep(ms(20));
    });
    check("m slept");
}

#[test]
fn s_042_a_floating_tasklet_does_not_keep_run_waiting() {
    fibra::run(|| {
        let f = floating("F");
        stackless::run();
        log("m");
        f.run().unwrap();
    });
    check("m F2");
}
