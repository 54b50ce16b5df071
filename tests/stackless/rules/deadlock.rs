//! Deadlocks: the operation that fails, and its text. S-165 to S-172.

use fibra::stackless::{self, Channel};

use crate::support::stackless::{
    logs, logs_end, raise, raised, raises, receiving, ring, sending, state,
};
use crate::support::{Noisy, OnDrop, check, log, ms, run_virtually};

const DEADLOCK: &str = "Deadlock: the last runnable tasklet cannot be blocked.";
const RECEIVING: &str = "the main tasklet is receiving without a sender available.";
const SENDING: &str = "the main tasklet is sending without a receiver available.";

/// Asserts that `error` contains `text`, and logs the error.
#[track_caller]
fn expect(error: impl ToString, text: &str) {
    let error = error.to_string();
    assert!(error.contains(text), "{error}");
    log("error");
}

/// Lets another tasklet run. A tasklet that fails and only waits again does not fail twice in a
/// row: the others get their turn to fail. So the waits that must fail need a run in between.
fn others_run() {
    stackless::tasklet(|()| {}).setup(());
    stackless::schedule();
}

#[test]
fn s_166_a_floating_main_is_resumed_and_the_blocker_stays_blocked() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let blocks = channel.clone();
        let t = stackless::spawn(move || drop(blocks.receive()));
        stackless::schedule_remove();
        log("m");
        assert_eq!((state(&t), channel.balance()), ("alive blocked scheduled".into(), -1));
    });
    check("m");
}

#[test]
fn s_167_the_tasklet_that_tries_to_block_last_gets_the_error() {
    fibra::run(|| {
        let (mains, other) = (Channel::new(), Channel::<i32>::new());
        let (answer, lonely) = (mains.clone(), other.clone());
        stackless::spawn(move || {
            expect(lonely.receive().unwrap_err(), DEADLOCK);
            assert_eq!(lonely.balance(), 0);
            assert_eq!(state(&stackless::getcurrent()), "alive current scheduled");
            others_run();
            let error = lonely.send(5).unwrap_err();
            expect(&error, DEADLOCK);
            assert_eq!((error.into_inner(), lonely.balance()), (5, 0));
            answer.send("answer").unwrap();
        });
        log(mains.receive().unwrap());
    });
    check("error error answer");
}

#[test]
fn s_167_a_refused_waiter_leaves_those_before_it_on_the_channel() {
    fibra::run(|| {
        let (mains, other) = (Channel::new(), Channel::new());
        let r = receiving("R", &other);
        let (answer, lonely) = (mains.clone(), other.clone());
        stackless::spawn(move || {
            expect(lonely.receive().unwrap_err(), DEADLOCK);
            answer.send(()).unwrap();
        });
        mains.receive().unwrap();
        assert_eq!((other.balance(), other.first()), (-1, Some(r)));
        other.send(1).unwrap();
    });
    check("error R1");
}

#[test]
fn s_168_an_error_that_is_not_caught_goes_to_the_blocked_main() {
    fibra::run(|| {
        let (mains, other) = (Channel::<i32>::new(), Channel::<i32>::new());
        let t = stackless::spawn(move || {
            let error = other.receive().unwrap_err();
            raise(error.to_string())
        });
        expect(raised(|| mains.receive()), DEADLOCK);
        assert_eq!((state(&t), mains.balance()), ("dead".into(), 0));
    });
    check("error");
}

/// T28.
#[test]
fn s_169_main_alone_cannot_block() {
    fibra::run(|| {
        let channel = Channel::new();
        expect(channel.receive().unwrap_err(), DEADLOCK);
        let error = channel.send("value").unwrap_err();
        expect(&error, DEADLOCK);
        assert_eq!((error.into_inner(), channel.balance()), ("value", 0));
        assert_eq!(ring(&[]), "m");
    });
    check("error error");
}

#[test]
fn s_169_main_alone_among_blocked_and_paused_ones_cannot_block() {
    fibra::run(|| {
        let channel = Channel::new();
        let _paused = crate::support::stackless::paused("P");
        let s = sending("S", &channel, 1);
        expect(channel.send(2).unwrap_err(), DEADLOCK);
        assert_eq!((channel.balance(), channel.first()), (1, Some(s)));
        assert_eq!(channel.receive().unwrap(), 1);
        stackless::schedule();
    });
    check("error S");
}

/// T29, T30.
#[test]
fn s_170_when_the_last_one_ends_a_blocked_main_gets_another_text() {
    fibra::run(|| {
        let channel = Channel::new();
        let t = logs("T");
        expect(channel.receive().unwrap_err(), RECEIVING);
        assert_eq!((channel.balance(), state(&t)), (0, "dead".into()));
        logs("U");
        let error = channel.send("value").unwrap_err();
        expect(&error, SENDING);
        assert_eq!((error.into_inner(), channel.balance()), ("value", 0));
    });
    check("T error U error");
}

#[test]
fn s_170_an_end_by_tasklet_exit_or_a_handled_error_counts_as_an_end() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        stackless::spawn(|| logs_end("T", || stackless::getcurrent().kill().unwrap()));
        expect(channel.receive().unwrap_err(), RECEIVING);
        stackless::set_error_handler(Some(std::rc::Rc::new(|_, _| log("handled"))));
        raises("X", "E");
        expect(channel.receive().unwrap_err(), RECEIVING);
    });
    check("T! error X handled error");
}

#[test]
fn s_170_a_run_that_waits_is_woken_before_a_blocked_main_fails() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        stackless::spawn(|| {
            logs("x");
            stackless::run();
            log("A");
        });
        expect(channel.receive().unwrap_err(), RECEIVING);
    });
    check("x A error");
}

/// The end of a fiber that is no tasklet counts as well.
#[test]
fn s_170_a_plain_fiber_can_be_the_last_to_end() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        drop(fibra::spawn(|| log("f")));
        expect(channel.receive().unwrap_err(), RECEIVING);
        assert_eq!(channel.balance(), 0);
    });
    check("f error");
}

#[test]
fn s_171_if_the_last_one_ends_by_an_error_a_blocked_main_gets_that() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        raises("X", "E");
        log(raised(|| channel.receive()));
        assert_eq!(channel.balance(), 0);
    });
    check("X E");
}

/// T31.
#[test]
fn s_172_a_tasklet_catches_its_deadlock_and_goes_on() {
    fibra::run(|| {
        let channel = Channel::new();
        let answer = channel.clone();
        stackless::spawn(move || {
            let unused = Channel::<()>::new();
            for _ in 0..3 {
                expect(unused.receive().unwrap_err(), DEADLOCK);
                others_run();
            }
            answer.send(7).unwrap();
        });
        log(channel.receive().unwrap());
    });
    check("error error error 7");
}

#[test]
fn s_165_a_tasklet_blocking_under_run_is_no_deadlock() {
    fibra::run(|| {
        let (c, d) = (Channel::<i32>::new(), Channel::<i32>::new());
        let (c2, d2) = (c.clone(), d.clone());
        let a = stackless::spawn(move || log(c2.receive().unwrap()));
        let b = stackless::spawn(move || log(d2.receive().unwrap()));
        stackless::run();
        log("m");
        assert_eq!((state(&a), state(&b)), (state(&b), "alive blocked scheduled".into()));
        c.send(1).unwrap();
        d.send(2).unwrap();
    });
    check("m 1 2");
}

/// S-165: the innermost `run()` is the wake-up target, also when main is blocked.
#[test]
fn s_165_blocking_under_the_run_of_a_tasklet_with_a_blocked_main_is_no_deadlock() {
    fibra::run(|| {
        let channel = Channel::new();
        let answer = channel.clone();
        stackless::spawn(move || {
            let other = Channel::<i32>::new();
            let blocked = other.clone();
            stackless::spawn(move || drop(blocked.receive()));
            stackless::run();
            log(other.balance());
            answer.send("answer").unwrap();
        });
        log(channel.receive().unwrap());
    });
    check("-1 answer");
}

#[test]
fn s_165_a_fiber_that_a_timer_can_wake_makes_no_deadlock() {
    run_virtually(|| {
        let channel = Channel::new();
        let sender = channel.clone();
        drop(fibra::spawn(move || {
            fibra::sleep(ms(10));
            sender.send(7).unwrap();
        }));
        logs("T");
        log(channel.receive().unwrap());
    });
    check("T 7");
}

#[test]
fn s_167_the_error_can_be_met_in_a_destructor_that_unwinds() {
    fibra::run(|| {
        let text = raised(|| {
            let _waits = OnDrop(|| expect(Channel::<()>::new().receive().unwrap_err(), DEADLOCK));
            raise("E");
        });
        log(text);
    });
    check("error E");
}

#[test]
fn s_167_a_value_that_was_not_sent_is_dropped_once() {
    fibra::run(|| {
        let channel = Channel::new();
        drop(channel.send(Noisy("value")));
        log("m");
    });
    check("value m");
}

/// Rules of fibra and of Stackless meet: main waits for the end of a fiber that blocks.
#[test]
fn s_167_main_that_joins_is_blocked_as_well() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| {
            expect(Channel::<()>::new().receive().unwrap_err(), DEADLOCK);
            7
        });
        log(fiber.join().unwrap());
    });
    check("error 7");
}
