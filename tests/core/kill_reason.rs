//! Tests kills with a reason: where the reason can be read, and which of several reasons stays.

use std::borrow::Cow;
use std::panic::{self, AssertUnwindSafe};

use fibra::{JoinError, finally, spawn, yield_now};

use crate::support::{check, in_child, log, ms, name_of, run_virtually, stderr};

#[test]
fn the_joiner_gets_the_error() {
    run_virtually(|| {
        let fiber = spawn(fibra::park);
        yield_now();
        fiber.fiber().kill_with("too slow");
        let error = fiber.join().unwrap_err();
        assert!(error.is_killed());
        assert!(matches!(&error, JoinError::KilledFor(reason) if reason == "too slow"));
        assert_eq!(error.to_string(), "the fiber was killed: too slow");
        assert_eq!(format!("{error:?}"), "KilledFor(\"too slow\")");
        assert!(error.into_panic().is_err());
    });
}

#[test]
fn a_fiber_that_has_not_run_is_killed_with_it_too() {
    run_virtually(|| {
        let fiber = spawn(|| log("unreachable"));
        fiber.fiber().kill_with(format!("number {}", 5));
        log(fiber.join().unwrap_err());
    });
    check("the fiber was killed: number 5");
}

#[test]
fn clean_up_may_ask_why() {
    run_virtually(|| {
        let fiber = spawn(|| {
            assert_eq!(fibra::current().kill_reason(), None);
            finally(fibra::park, || {
                fibra::sleep(ms(1));
                log(fibra::current().kill_reason().unwrap_or(Cow::Borrowed("none")));
            });
        });
        yield_now();
        fiber.fiber().kill_with("the user has left");
        fiber.join().unwrap_err();
    });
    check("the user has left");
}

#[test]
fn of_several_reasons_the_first_stays_and_a_kill_without_one_counts_for_none() {
    run_virtually(|| {
        let fiber = spawn(fibra::park);
        let other = fiber.fiber().clone();
        fiber.kill();
        other.kill_with("first");
        other.kill_with("second");
        log(fiber.join().unwrap_err());
        other.kill_with("too late");
        assert_eq!(other.kill_reason().as_deref(), Some("first"));
    });
    check("the fiber was killed: first");
}

#[test]
fn a_fiber_may_end_itself_with_a_reason() {
    run_virtually(|| {
        let fiber = spawn(|| -> () {
            fibra::current().kill_with("nothing to do");
            unreachable!();
        });
        log(fiber.join().unwrap_err());
    });
    check("the fiber was killed: nothing to do");
}

#[test]
fn a_fiber_that_has_ended_takes_no_reason() {
    run_virtually(|| {
        let fiber = spawn(|| 5);
        yield_now();
        fiber.fiber().kill_with("late");
        assert_eq!(fiber.fiber().kill_reason(), None);
        assert_eq!(fiber.join().unwrap(), 5);
    });
}

#[test]
fn reports_name_it() {
    let output = in_child(name_of!(reports_name_it), &[], || {
        let cancelled = panic::catch_unwind(|| {
            run_virtually(|| {
                let stubborn = spawn(|| {
                    loop {
                        let _ = panic::catch_unwind(AssertUnwindSafe(fibra::park));
                    }
                });
                yield_now();
                stubborn.fiber().kill_with("a test");
                stubborn.join().unwrap_err();
                fibra::current().kill_with("the end");
            });
        });
        assert!(cancelled.unwrap_err().is::<fibra::Killed>());
    });
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    let abandoned = "caught every kill and went on waiting (it was killed: a test)";
    assert!(text.contains(abandoned), "{text}");
    assert!(text.contains("main was killed (the end): `run` unwinds"), "{text}");
}
