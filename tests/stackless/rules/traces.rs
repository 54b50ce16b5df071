//! The golden traces T01 to T40 of Stackless, unchanged from the reference. T12, T16 to T18, T22,
//! T23, T26, T27, T31 and T35 are written from the rules that name them.
//!
//! `m` is logged by main after the call; `[..]` is the ring as main sees it.

mod channels;

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Channel, Tasklet};

use crate::support::stackless::{
    logs, paused, payload_of, raised, raises, receiving, ring, some, state, value_of,
};
use crate::support::{check, log, text_of};

/// Logs the ring as the current tasklet sees it.
fn log_ring(names: &[(&str, &Tasklet)]) {
    log(format!("[{}]", ring(names)));
}

/// Starts T: blocked in a receive, it logs `T!` when it is killed.
fn victim() -> Tasklet {
    receiving("T", &Channel::<()>::new())
}

#[test]
fn t01_schedule() {
    fibra::run(|| {
        let _ab = ["A", "B"].map(logs);
        stackless::schedule();
        log("m");
    });
    check("A B m");
}

#[test]
fn t02_run_of_a_scheduled_tasklet() {
    fibra::run(|| {
        let [a, b, _c] = ["A", "B", "C"].map(logs);
        b.run().unwrap();
        log("m");
        log_ring(&[("A", &a)]);
    });
    check("B C m [m A]");
}

#[test]
fn t03_run_of_a_paused_tasklet() {
    fibra::run(|| {
        let [a, b] = ["A", "B"].map(logs);
        paused("P").run().unwrap();
        log("m");
        log_ring(&[("A", &a), ("B", &b)]);
    });
    check("P m [m A B]");
}

#[test]
fn t04_switch_to_a_scheduled_tasklet() {
    fibra::run(|| {
        let [_a, b, _c] = ["A", "B", "C"].map(logs);
        b.switch().unwrap();
        log("m");
        log_ring(&[]);
    });
    check("B C A m [m]");
}

#[test]
fn t05_switch_to_a_paused_tasklet() {
    fibra::run(|| {
        let _ab = ["A", "B"].map(logs);
        paused("P").switch().unwrap();
        log("m");
    });
    check("P A B m");
}

#[test]
fn t06_kill_of_a_scheduled_tasklet() {
    fibra::run(|| {
        let [a, _b, _c] = ["A", "B", "C"].map(logs);
        a.kill().unwrap();
        log("m");
        log_ring(&[]);
    });
    check("B C m [m]");
}

#[test]
fn t07_kill_of_a_blocked_tasklet() {
    fibra::run(|| {
        let t = victim();
        let [a, b] = ["A", "B"].map(logs);
        t.kill().unwrap();
        log("m");
        log_ring(&[("A", &a), ("B", &b)]);
    });
    check("T! m [m A B]");
}

#[test]
fn t08_pending_kill_of_a_blocked_tasklet() {
    fibra::run(|| {
        let t = victim();
        let [a, b] = ["A", "B"].map(logs);
        t.kill_pending().unwrap();
        log("m");
        log_ring(&[("A", &a), ("B", &b), ("T", &t)]);
        stackless::schedule();
        log("m");
    });
    check("m [m A B T] A B T! m");
}

#[test]
fn t09_tasklets_take_turns() {
    fibra::run(|| {
        for name in ["A", "B"] {
            stackless::spawn(move || {
                log(format!("{name}1"));
                stackless::schedule();
                log(format!("{name}2"));
            });
        }
        stackless::run();
    });
    check("A1 B1 A2 B2");
}

#[test]
fn t10_an_error_comes_out_of_run() {
    fibra::run(|| {
        logs("A");
        raises("X", "E");
        let b = logs("B");
        log(raised(stackless::run));
        log_ring(&[("B", &b)]);
    });
    check("A X E [m B]");
}

#[test]
fn t11_an_error_of_a_tasklet_that_main_runs() {
    fibra::run(|| {
        let a = logs("A");
        let x = raises("X", "E");
        let b = logs("B");
        log(raised(|| x.run()));
        log_ring(&[("A", &a), ("B", &b)]);
    });
    check("X E [m A B]");
}

/// S-066, with the ring of the caller in the middle: the order of all others is kept.
#[test]
fn t12_an_error_of_a_tasklet_to_which_main_switches() {
    fibra::run(|| {
        let a = logs("A");
        let x = raises("X", "E");
        let b = logs("B");
        log(raised(|| x.switch()));
        log_ring(&[("A", &a), ("B", &b)]);
    });
    check("X E [m B A]");
}

#[test]
fn t13_schedule_remove_returns_its_value() {
    fibra::run(|| {
        let _ab = ["A", "B"].map(logs);
        let s = stackless::tasklet(|()| {
            log("S");
            let value = value_of::<&str>(stackless::schedule_remove());
            log(format!("S{}", value.unwrap()));
        });
        let s = s.setup(());
        stackless::run();
        log("m");
        log(s.is_paused());
        // `schedule_remove` takes no value of its own.
        s.set_tempval(some("v"));
        s.run().unwrap();
        log("m");
    });
    check("A B S m true Sv m");
}

#[test]
fn t14_an_inserted_tasklet_goes_to_the_end() {
    fibra::run(|| {
        let p = paused("P");
        let _ab = ["A", "B"].map(logs);
        p.insert().unwrap();
        logs("C");
        stackless::run();
    });
    check("A B P C");
}

#[test]
fn t15_what_a_tasklet_creates_runs_behind_the_others() {
    fibra::run(|| {
        stackless::spawn(|| {
            log("A");
            logs("x");
            logs("y");
        });
        logs("B");
        stackless::run();
    });
    check("A B x y");
}

#[test]
fn t19_the_schedule_callback() {
    fibra::run(|| {
        let [a, b] = ["a", "b"].map(|_| stackless::spawn(stackless::schedule));
        stackless::set_schedule_callback(Some(Rc::new(move |from, to| {
            let name = |t: &Tasklet| {
                if *t == a {
                    'a'
                } else if *t == b {
                    'b'
                } else {
                    'm'
                }
            };
            log(format!("{}>{}", name(from), name(to)));
        })));
        stackless::run();
        stackless::set_schedule_callback(None);
    });
    check("m>a a>b b>a a>b b>m");
}

/// S-109.
#[test]
fn t22_the_innermost_run_returns_first() {
    fibra::run(|| {
        stackless::spawn(|| {
            log("A1");
            stackless::run();
            log("A2");
        });
        logs("B");
        stackless::run();
        log("m");
    });
    check("A1 B A2 m");
}

/// S-114.
#[test]
fn t23_waking_main_by_hand_pops_the_deeper_run() {
    fibra::run(|| {
        let a = stackless::spawn(|| {
            log("A1");
            stackless::run();
            log("A2");
        });
        let b = stackless::spawn(|| {
            log("B1");
            stackless::getmain().run().unwrap();
            log("B2");
        });
        stackless::run();
        log("m");
        log_ring(&[("A", &a), ("B", &b)]);
        stackless::run();
    });
    check("A1 B1 m [m B A] B2 A2");
}

/// S-096.
#[test]
fn t26_trapped_schedule() {
    fibra::run(|| {
        let a = logs("A");
        let trapped = stackless::switch_trapped();
        assert!(raised(stackless::schedule).contains("switch_trap"));
        assert!(raised(stackless::run).contains("switch_trap"));
        log_ring(&[("A", &a)]);
        drop(trapped);
        stackless::schedule();
        log("m");
    });
    check("[m A] A m");
}

#[test]
fn t33_the_error_handler() {
    fibra::run(|| {
        let t = raises("T", "x");
        let seen = Rc::new(RefCell::new(None));
        let slot = seen.clone();
        stackless::set_error_handler(Some(Rc::new(move |tasklet, payload| {
            *slot.borrow_mut() = Some((tasklet.clone(), stackless::getcurrent()));
            log(format!("handler({})", text_of(payload)));
        })));
        stackless::run();
        log("m");
        assert!(seen.take() == Some((t.clone(), t)));
    });
    check("T handler(x) m");
}

#[test]
fn t34_a_throw_into_a_new_tasklet() {
    fibra::run(|| {
        for t in [paused("never"), logs("never")] {
            log(raised(|| t.throw("IndexError")));
            log(state(&t));
        }
    });
    check("IndexError dead IndexError dead");
}

/// S-061.
#[test]
fn t35_a_tasklet_survives_its_kill() {
    fibra::run(|| {
        let t = stackless::tasklet(|()| {
            drop(payload_of(stackless::schedule_remove));
            log("caught");
            stackless::schedule_remove();
            log("survived");
        });
        let t = t.bind(());
        t.run().unwrap();
        t.kill().unwrap();
        log(state(&t));
        t.run().unwrap();
        log(state(&t));
    });
    check("caught alive paused survived dead");
}

#[test]
fn t37_atomic_is_not_inherited() {
    fibra::run(|| {
        let _atomic = stackless::atomic();
        log(logs("never").atomic());
    });
    check("false");
}

/// The function's return value is dropped: fibra takes functions without a result.
#[test]
fn t38_run_and_the_tempval_of_a_finished_tasklet_are_none() {
    fibra::run(|| {
        let t = stackless::tasklet(|n: i32| assert_eq!(n, 5)).bind(5);
        log(format!("{:?}", t.run().unwrap().map(drop)));
        log(format!("{:?}", t.take_tempval().map(drop)));
    });
    check("None None");
}

/// `schedule` takes and returns nothing: the caller is `getcurrent()`.
#[test]
fn t39_schedule_comes_back_to_its_caller() {
    fibra::run(|| {
        let me = stackless::getcurrent();
        logs("A");
        stackless::schedule();
        log(stackless::getcurrent() == me);
    });
    check("A true");
}

#[test]
fn t40_the_run_count() {
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
