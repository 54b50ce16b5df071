//! `Run` with a timeout, in ticks so that every test is deterministic: S-097, S-098 and S-123 to
//! S-132.
//!
//! A tick is one call of `tick`: in a slice of n ticks, the n-th one interrupts the tasklet.

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Run, Tasklet};

use crate::support::stackless::{floating, logs, logs_end, raised, receiving, ring, state};
use crate::support::{check, log, ms, run_virtually};

/// Starts a tasklet at the end of the ring that logs `name` and a number before each of its ticks.
fn ticks(name: &'static str, count: u32) -> Tasklet {
    stackless::spawn(move || {
        logs_end(name, || {
            for n in 1..=count {
                log(format!("{name}{n}"));
                stackless::tick();
            }
        });
    })
}

#[test]
fn s_123_after_so_many_ticks_the_running_tasklet_is_taken_out_and_returned() {
    fibra::run(|| {
        let a = ticks("A", 5);
        let victim = Run::new().ticks(3).run().unwrap();
        assert!(victim == a);
        assert_eq!(state(&a), "alive paused");
        log("m");
        a.run().unwrap();
        assert_eq!(state(&a), "dead");
    });
    check("A1 A2 A3 m A4 A5");
}

#[test]
fn s_123_run_returns_none_when_the_ring_runs_empty_in_time() {
    fibra::run(|| {
        ticks("A", 2);
        assert!(Run::new().ticks(3).run().is_none());
        let blocked = receiving("R", &Channel::<()>::new());
        assert!(Run::new().ticks(3).run().is_none());
        drop(blocked);
    });
    check("A1 A2");
}

#[test]
fn s_123_without_a_timeout_nothing_is_interrupted() {
    fibra::run(|| {
        ticks("A", 3);
        assert!(Run::new().run().is_none());
        ticks("B", 2);
        stackless::run();
        stackless::tick();
        log("m");
    });
    check("A1 A2 A3 B1 B2 m");
}

#[test]
fn s_123_a_victim_may_be_killed_or_dropped() {
    fibra::run(|| {
        ticks("A", 9);
        let victim = Run::new().ticks(2).run().unwrap();
        victim.kill().unwrap();
        ticks("B", 9);
        drop(Run::new().ticks(1).run().unwrap());
        log("m");
    });
    check("A1 A2 A! B1 B! m");
}

/// The classic round robin.
#[test]
fn s_124_inserting_the_victim_makes_a_round_robin() {
    fibra::run(|| {
        let [a, b, c] = ["A", "B", "C"].map(|name| ticks(name, 3));
        let victim = Run::new().ticks(2).run().unwrap();
        let names = [("A", &a), ("B", &b), ("C", &c)];
        assert_eq!(ring(&names), "m B C");
        victim.insert().unwrap();
        assert_eq!(ring(&names), "m B C A");
        while 1 < stackless::getruncount() {
            if let Some(victim) = Run::new().ticks(2).run() {
                victim.insert().unwrap();
            }
        }
        log("m");
    });
    check("A1 A2 B1 B2 C1 C2 A3 B3 C3 m");
}

#[test]
fn s_125_a_soft_timeout_returns_at_the_next_scheduling_point() {
    fibra::run(|| {
        let [a, b, c] = ["A", "B", "C"].map(|name| {
            stackless::spawn(move || {
                for n in 1..=4 {
                    log(format!("{name}{n}"));
                    stackless::tick();
                }
                stackless::schedule();
                log(format!("{name}5"));
            })
        });
        assert!(Run::new().ticks(2).soft().run().is_none());
        log("m");
        assert_eq!(ring(&[("A", &a), ("B", &b), ("C", &c)]), "m B C A");
        stackless::run();
    });
    check("A1 A2 A3 A4 m B1 B2 B3 B4 C1 C2 C3 C4 A5 B5 C5");
}

#[test]
fn s_125_a_soft_timeout_returns_at_the_end_of_a_tasklet_as_well() {
    fibra::run(|| {
        ticks("A", 3);
        let b = ticks("B", 1);
        assert!(Run::new().ticks(2).soft().run().is_none());
        log("m");
        assert_eq!(ring(&[("B", &b)]), "m B");
        stackless::run();
    });
    check("A1 A2 A3 m B1");
}

#[test]
fn s_126_a_soft_return_is_not_taken_inside_a_transfer_that_switches() {
    fibra::run(|| {
        let channel = Channel::new();
        receiving("R", &channel);
        let sender = channel.clone();
        let a = stackless::spawn(move || {
            (0..3).for_each(|_| stackless::tick());
            sender.send(1).unwrap();
            log("A");
            stackless::schedule();
            log("A2");
        });
        let b = logs("B");
        assert!(Run::new().ticks(2).soft().run().is_none());
        log("m");
        drop((a, b));
        stackless::run();
    });
    // R runs immediately; the run returns when R has ended.
    check("R1 m B A A2");
}

#[test]
fn s_127_the_count_starts_again_with_each_slice() {
    fibra::run(|| {
        ticks("A", 2);
        ticks("B", 2);
        ticks("C", 2);
        assert!(Run::new().ticks(3).run().is_none());
        log("m");
    });
    check("A1 A2 B1 B2 C1 C2 m");
}

#[test]
fn s_127_the_total_is_the_budget_of_the_whole_call() {
    fibra::run(|| {
        ticks("A", 2);
        let b = ticks("B", 2);
        let c = ticks("C", 1);
        assert!(Run::new().ticks(3).total().run() == Some(b.clone()));
        assert_eq!((state(&b), ring(&[("C", &c)])), ("alive paused".into(), "m C".into()));
        log("m");
        stackless::run();
        b.run().unwrap();
    });
    check("A1 A2 B1 m C1 B2");
}

/// test_watchdog_priority_hard.
#[test]
fn s_128_the_first_run_with_a_timeout_gets_the_interrupt() {
    fibra::run(|| {
        let outer = stackless::spawn(|| {
            ticks("X", 9);
            assert!(Run::new().ticks(2).run().is_none());
            log("A2");
        });
        let victim = Run::new().ticks(4).run().unwrap();
        log(format!("m {}", victim == outer));
        // The outer run has returned, which popped the inner one into the ring.
        assert_eq!(ring(&[("A", &outer)]), "m A");
        victim.insert().unwrap();
        stackless::run();
    });
    check("X1 X2 X3 X4 m false A2 X5 X6 X7 X8 X9");
}

#[test]
fn s_128_a_run_of_a_tasklet_gets_the_interrupt_when_it_is_the_first_with_a_timeout() {
    fibra::run(|| {
        stackless::spawn(|| {
            let x = ticks("X", 9);
            let victim = Run::new().ticks(2).run();
            log(format!("A {}", victim == Some(x.clone())));
            x.kill().unwrap();
        });
        stackless::run();
        log("m");
    });
    check("X1 X2 A true X! m");
}

#[test]
fn s_097_an_atomic_tasklet_is_not_interrupted() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            let _atomic = stackless::atomic();
            for n in 1..=5 {
                log(n);
                stackless::tick();
            }
        });
        drop(a);
        Run::new().ticks(2).run();
        log("m");
    });
    check("1 2 3 4 5 m");
}

#[test]
fn s_098_clearing_atomic_delivers_a_pending_interrupt_immediately() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            let atomic = stackless::atomic();
            (0..5).for_each(|_| stackless::tick());
            log("A1");
            drop(atomic);
            log("A2");
        });
        assert!(Run::new().ticks(2).run() == Some(a.clone()));
        log("m");
        a.insert().unwrap();
        stackless::run();

        let b = stackless::spawn(|| {
            let me = stackless::getcurrent();
            me.set_atomic(true);
            (0..5).for_each(|_| stackless::tick());
            log("B1");
            me.set_atomic(false);
            log("B2");
        });
        assert!(Run::new().ticks(2).run() == Some(b.clone()));
        log("m");
        b.run().unwrap();
    });
    check("A1 m A2 B1 m B2");
}

#[test]
fn s_130_an_interrupt_waits_while_switches_are_trapped() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            {
                let _trapped = stackless::switch_trapped();
                (0..5).for_each(|_| stackless::tick());
                log("A1");
            }
            stackless::tick();
            log("A2");
        });
        assert!(Run::new().ticks(2).run() == Some(a.clone()));
        log("m");
        a.run().unwrap();
    });
    check("A1 m A2");
}

#[test]
fn s_131_a_run_that_returned_interrupts_nothing() {
    fibra::run(|| {
        ticks("A", 1);
        assert!(Run::new().ticks(2).run().is_none());
        ticks("B", 5);
        stackless::run();
        log("m");
    });
    check("A1 B1 B2 B3 B4 B5 m");
}

#[test]
fn s_131_a_run_that_raised_interrupts_nothing() {
    fibra::run(|| {
        crate::support::stackless::raises("X", "E");
        log(raised(|| Run::new().ticks(2).run()));
        ticks("B", 5);
        stackless::run();
        log("m");
    });
    check("X E B1 B2 B3 B4 B5 m");
}

#[test]
fn s_123_the_caller_of_run_is_not_interrupted_by_its_own_ticks() {
    fibra::run(|| {
        let f = floating("F");
        (0..9).for_each(|_| stackless::tick());
        f.insert().unwrap();
        assert!(Run::new().ticks(1).run().is_none());
        (0..9).for_each(|_| stackless::tick());
        log("m");
    });
    check("F2 m");
}

/// Deliberately different from S-129 in Stackless: the flags hold without a timeout.
#[test]
fn s_132_with_threadblock_a_run_waits_for_timers() {
    run_virtually(|| {
        drop(fibra::spawn(|| {
            fibra::sleep(ms(10));
            log("slept");
        }));
        assert!(Run::new().threadblock().run().is_none());
        log("m");
    });
    check("slept m");
}

#[test]
fn s_132_with_threadblock_a_run_returns_when_nothing_else_is_left() {
    run_virtually(|| {
        let channel = Channel::<()>::new();
        let r = receiving("R", &channel);
        assert!(Run::new().threadblock().run().is_none());
        log("m");
        logs("A");
        assert!(Run::new().threadblock().run().is_none());
        assert_eq!((state(&r), channel.balance()), ("alive blocked scheduled".into(), -1));
    });
    check("m A");
}

#[test]
fn s_132_a_plain_run_inside_one_with_threadblock_returns_first() {
    run_virtually(|| {
        stackless::spawn(|| {
            logs("x");
            stackless::run();
            log("A");
            drop(fibra::spawn(|| {
                fibra::sleep(ms(10));
                log("slept");
            }));
        });
        Run::new().threadblock().run();
        log("m");
    });
    check("x A slept m");
}

/// test_send_recv: clients send to a server while all are pre-empted.
#[test]
fn preempted_clients_and_their_server_exchange_all_messages() {
    fibra::run(|| {
        let requests = Channel::new();
        let served = std::rc::Rc::new(std::cell::Cell::new(0));
        let (incoming, count) = (requests.clone(), served.clone());
        stackless::spawn(move || {
            for _ in 0..60 {
                stackless::tick();
                let _: u32 = incoming.receive().unwrap();
                count.set(count.get() + 1);
                stackless::tick();
            }
        });
        for client in 0..3 {
            let outgoing = requests.clone();
            stackless::spawn(move || {
                for n in 0..20 {
                    stackless::tick();
                    outgoing.send(100 * client + n).unwrap();
                }
            });
        }
        let mut interrupts = 0;
        while 1 < stackless::getruncount() {
            if let Some(victim) = Run::new().ticks(2).run() {
                interrupts += 1;
                victim.insert().unwrap();
            }
        }
        assert_eq!((served.get(), requests.balance()), (60, 0));
        assert!(0 < interrupts);
    });
}

/// test_exception: an error of a pre-empted tasklet reaches the caller.
#[test]
fn an_error_under_a_timeout_reaches_the_caller() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            (0..3).for_each(|_| stackless::tick());
            crate::support::stackless::raise("E");
        });
        let victim = Run::new().ticks(2).run().unwrap();
        victim.insert().unwrap();
        log(raised(|| Run::new().ticks(2).run()));
        assert_eq!(state(&a), "dead");
    });
    check("E");
}

/// A tasklet that is interrupted before a partner would hand it a value does not lose the value.
#[test]
fn a_victim_of_a_channel_operation_keeps_its_value() {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(Preference::Neither);
        let sender = channel.clone();
        stackless::spawn(move || (0..6).for_each(|n| sender.send(n).unwrap()));
        let receiver = channel.clone();
        stackless::spawn(move || (0..6).for_each(|_| log(receiver.receive().unwrap())));
        while 1 < stackless::getruncount() {
            if let Some(victim) = Run::new().ticks(1).run() {
                victim.insert().unwrap();
            }
        }
        assert_eq!(channel.balance(), 0);
    });
    check("0 1 2 3 4 5");
}
