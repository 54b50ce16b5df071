//! The ends of tasklets, and where their errors go: S-063 to S-075.

use std::rc::Rc;

use fibra::stackless::{self, Channel, ErrorHandler, TaskletExit};

use crate::support::stackless::{
    floating, logs, logs_end, paused, payload_of, raise, raised, raises, receiving, ring, state,
};
use crate::support::{Noisy, OnDrop, check, join_panic, log, text_of};

/// Returns an error handler that logs the text of the payload and the current tasklet.
fn logging_handler(name: &'static str) -> ErrorHandler {
    Rc::new(move |tasklet, payload| {
        assert!(*tasklet == stackless::getcurrent());
        assert_eq!(state(tasklet), "alive current scheduled");
        log(format!("{name}({})", text_of(payload)));
    })
}

#[test]
fn s_063_the_next_one_of_the_ring_follows_one_that_ends() {
    fibra::run(|| {
        let [a, b] = ["A", "B"].map(logs);
        a.switch().unwrap();
        log("m");
        assert_eq!((state(&a), state(&b)), ("dead".into(), "dead".into()));
    });
    check("A B m");
}

#[test]
fn s_064_the_end_of_the_last_one_wakes_a_floating_main() {
    fibra::run(|| {
        logs("A");
        stackless::schedule_remove();
        log("m");
    });
    check("A m");
}

/// The error goes to the innermost `run()`, and not to the caller of `run` on the tasklet.
#[test]
fn s_065_an_error_passes_the_tasklet_that_ran_its_own() {
    fibra::run(|| {
        let x = stackless::tasklet(|()| raise("E")).bind(());
        let a = stackless::spawn(move || {
            log("A1");
            x.run().unwrap();
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
fn s_065_an_error_passes_the_tasklet_that_switched_to_its_own() {
    fibra::run(|| {
        let x = stackless::tasklet(|()| raise("E")).bind(());
        let a = stackless::spawn(move || {
            x.switch().unwrap();
            log("A2");
        });
        log(raised(stackless::run));
        assert_eq!(state(&a), "alive paused");
        a.run().unwrap();
    });
    check("E A2");
}

#[test]
fn s_065_without_a_run_an_error_goes_to_main() {
    fibra::run(|| {
        raises("X", "E");
        let a = logs("A");
        log(raised(stackless::schedule));
        assert_eq!(ring(&[("A", &a)]), "m A");
    });
    check("X E");
}

/// T10, T12.
#[test]
fn s_066_the_rest_of_the_ring_keeps_its_order() {
    fibra::run(|| {
        logs("A");
        raises("X", "E");
        let [b, c] = ["B", "C"].map(logs);
        log(raised(stackless::run));
        assert_eq!(ring(&[("B", &b), ("C", &c)]), "m B C");
        let x = raises("X", "F");
        log(raised(|| x.switch()));
        assert_eq!(ring(&[("B", &b), ("C", &c)]), "m B C");
        stackless::run();
        log("m");
    });
    check("A X E X F B C m");
}

#[test]
fn s_067_a_blocked_main_is_taken_off_its_channel_and_raises_there() {
    fibra::run(|| {
        let (numbers, texts) = (Channel::<i32>::new(), Channel::new());
        raises("X", "E");
        logs("A");
        log(raised(|| numbers.receive()));
        raises("Y", "F");
        log(raised(|| texts.send("text")));
        assert_eq!((numbers.balance(), texts.balance()), (0, 0));
    });
    check("X E A Y F");
}

#[test]
fn s_069_tasklet_exit_ends_a_tasklet_silently() {
    fibra::run(|| {
        stackless::set_error_handler(Some(logging_handler("handler")));
        stackless::spawn(|| raise(TaskletExit));
        stackless::run();
        let t = floating("T");
        t.kill().unwrap();
        paused("P").kill().unwrap();
        log("m");
    });
    check("T! m");
}

#[test]
fn s_070_tasklet_exit_leaves_main_as_any_payload_does() {
    let payload = payload_of(|| {
        fibra::run(|| {
            let _unwound = Noisy("main");
            stackless::getcurrent().kill().unwrap();
        });
    });
    assert!(payload.is::<TaskletExit>());
    check("main");
}

/// T33.
#[test]
fn s_071_the_handler_is_called_in_the_dying_tasklet_and_swallows() {
    fibra::run(|| {
        assert!(stackless::set_error_handler(Some(logging_handler("handler"))).is_none());
        stackless::spawn(|| {
            let _unwound = Noisy("unwound");
            raise("E");
        });
        logs("A");
        stackless::run();
        log("m");
    });
    check("unwound handler(E) A m");
}

#[test]
fn s_071_setting_the_handler_returns_the_previous_one() {
    fibra::run(|| {
        let first = logging_handler("first");
        assert!(stackless::set_error_handler(Some(first.clone())).is_none());
        let second = logging_handler("second");
        let previous = stackless::set_error_handler(Some(second)).unwrap();
        assert!(Rc::ptr_eq(&previous, &first));
        raises("X", "E");
        stackless::run();
        assert!(stackless::set_error_handler(None).is_some());
        assert!(stackless::set_error_handler(None).is_none());
        raises("Y", "F");
        log(raised(stackless::run));
    });
    check("X second(E) Y F");
}

#[test]
fn s_071_the_handler_is_not_called_for_main() {
    let text = raised(|| {
        fibra::run(|| {
            stackless::set_error_handler(Some(logging_handler("handler")));
            raise("E");
        });
    });
    assert_eq!(text, "E");
    check("");
}

#[test]
fn s_072_the_payload_of_a_handler_that_panics_travels_in_place_of_the_first() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|_, payload| {
            raise(format!("broken by {}", text_of(payload)))
        })));
        let x = raises("X", "E");
        let a = logs("A");
        log(raised(stackless::run));
        assert_eq!((state(&x), ring(&[("A", &a)])), ("dead".into(), "m A".into()));
    });
    check("X broken by E");
}

#[test]
fn s_072_a_handler_may_raise_tasklet_exit() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|_, _| raise(TaskletExit))));
        raises("X", "E");
        logs("A");
        let payload = payload_of(stackless::run);
        assert!(payload.is::<TaskletExit>());
        log("m");
        stackless::run();
    });
    check("X m A");
}

#[test]
fn s_073_the_handler_sees_what_is_thrown_into_an_unstarted_tasklet() {
    fibra::run(|| {
        stackless::set_error_handler(Some(logging_handler("handler")));
        paused("never").throw("E").unwrap();
        log("m");
        let t = paused("never");
        t.throw_pending("F").unwrap();
        log("m");
        stackless::run();
        assert_eq!(state(&t), "dead");
    });
    check("handler(E) m m handler(F)");
}

#[test]
fn s_072_a_handler_may_switch_and_wait() {
    fibra::run(|| {
        let channel = Channel::new();
        let received = channel.clone();
        stackless::set_error_handler(Some(Rc::new(move |_, payload| {
            let answer = received.receive().unwrap();
            log(format!("{} {answer}", text_of(payload)));
        })));
        let x = raises("X", "E");
        stackless::run();
        log("m");
        assert_eq!(state(&x), "alive blocked scheduled");
        channel.send(42).unwrap();
        assert_eq!(state(&x), "dead");
    });
    check("X m E 42");
}

#[test]
fn s_072_a_handler_may_replace_itself_and_start_tasklets() {
    fibra::run(|| {
        stackless::set_error_handler(Some(Rc::new(|_, _| {
            stackless::set_error_handler(Some(logging_handler("second")));
            raises("Y", "F");
            log("first");
        })));
        raises("X", "E");
        stackless::run();
    });
    check("X first Y second(F)");
}

/// The handler belongs to one scheduler: the next run starts without one.
#[test]
fn s_074_the_handler_belongs_to_its_run() {
    fibra::run(|| drop(stackless::set_error_handler(Some(logging_handler("handler")))));
    fibra::run(|| {
        assert!(stackless::set_error_handler(None).is_none());
        raises("X", "E");
        log(raised(stackless::run));
    });
    check("X E");
}

/// Deliberately different from S-198 in Stackless: the kill at the end of a run is fibra's own.
#[test]
fn s_075_main_ending_leaves_the_ring_un_run_and_unwinds_what_had_started() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        stackless::set_error_handler(Some(logging_handler("handler")));
        logs("never");
        stackless::spawn(move || {
            let _unwound = Noisy("blocked");
            drop(channel.receive());
            log("never");
        })
        .run()
        .unwrap();
        let floats = stackless::tasklet(|()| {
            let _unwound = Noisy("floating");
            stackless::schedule_remove();
            log("never");
        });
        floats.bind(()).run().unwrap();
    });
    // The closure dropped the handle of the floating tasklet, which was killed there.
    check("floating blocked");
}

#[test]
fn plain_fibers_keep_their_own_rules_of_errors() {
    fibra::run(|| {
        stackless::set_error_handler(Some(logging_handler("handler")));
        let fiber = fibra::spawn(|| -> () { raise("E") });
        logs("A");
        stackless::run();
        log("m");
        assert_eq!(join_panic::<()>(fiber), "E");
    });
    check("A m");
}

#[test]
fn an_error_of_a_tasklet_that_a_plain_fiber_runs_goes_to_main() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| {
            raises("X", "E").run().unwrap();
            log("f2");
        });
        log(raised(stackless::schedule));
        fiber.join().unwrap();
    });
    check("X E f2");
}

#[test]
fn errors_of_several_tasklets_come_one_by_one() {
    fibra::run(|| {
        for name in ["X", "Y", "Z"] {
            raises(name, name);
            logs("a");
        }
        while 1 < stackless::getruncount() {
            log(format!("<{}>", raised(stackless::run)));
            if stackless::getruncount() == 2 {
                stackless::run();
            }
        }
    });
    check("X <X> a Y <Y> a Z <Z> a");
}

#[test]
fn a_destructor_that_runs_at_the_end_of_a_tasklet_may_use_the_scheduler() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            let _schedules = OnDrop(|| {
                stackless::schedule();
                log(format!("T {}", stackless::getcurrent().is_alive()));
            });
            log("T1");
        });
        logs("A");
        stackless::run();
        assert_eq!(state(&t), "dead");
        let argument = OnDrop(|| {
            stackless::schedule();
            log("argument");
        });
        stackless::tasklet(drop).setup(argument);
        logs("B");
        stackless::run();
    });
    check("T1 A T true B argument");
}

#[test]
fn logs_end_shows_the_cause_of_each_end() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let t = receiving("T", &channel);
        log(raised(|| t.throw("E")));
        stackless::spawn(|| logs_end("U", || raise(TaskletExit)));
        stackless::run();
    });
    check("T:E E U!");
}
