//! Retries: how often, when, after which errors, and the events that end them early.

use std::cell::RefCell;
use std::error::Error;
use std::io;
use std::time::Duration;

use fibra::pool::{Backoff, Retry, RetryError, Stopped};

use crate::support::{check, log, ms, panic_of, run_virtually};

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Returns an attempt that always fails, with the time of the call as its error.
fn failing(start: std::time::Instant) -> impl FnMut(u32) -> Result<(), String> {
    move |attempt| Err(format!("{attempt}@{}", (fibra::now() - start).as_secs_f64()))
}

fn attempts_of(retry: Retry<'_, String>) -> Vec<String> {
    let start = fibra::now();
    retry.run(failing(start)).unwrap_err().errors
}

#[test]
fn five_attempts_are_four_waits() {
    run_virtually(|| {
        let start = fibra::now();
        let error = Retry::attempts(5).wait(Backoff::fixed(s(3))).run(failing(start)).unwrap_err();
        assert_eq!(error.errors, ["1@0", "2@3", "3@6", "4@9", "5@12"]);
        assert_eq!(error.stopped, Stopped::Attempts);
        assert_eq!(fibra::now() - start, s(12), "and no wait after the last");
    });
}

#[test]
fn a_success_ends_it() {
    run_virtually(|| {
        let start = fibra::now();
        let mut attempt = failing(start);
        let outcome = Retry::attempts(5)
            .wait(s(3))
            .run(|n| if n == 4 { Ok(n) } else { attempt(n).map(|()| n) });
        assert_eq!(outcome, Ok(4));
        assert_eq!(fibra::now() - start, s(9));
        assert_eq!(Retry::attempts(1).run(Ok::<_, String>), Ok(1));
    });
}

#[test]
fn without_a_wait_the_others_run_in_between() {
    run_virtually(|| {
        fibra::spawn(|| {
            (0..3).for_each(|n| {
                log(format!("other{n}"));
                fibra::yield_now();
            })
        });
        let gave_up = Retry::attempts(3).run(|n| {
            log(n);
            Err::<(), _>(n)
        });
        assert_eq!(gave_up.unwrap_err().errors, [1, 2, 3]);
        check("1 other0 2 other1 3");
    });
    crate::support::forget_trace();
}

#[test]
fn waits_grow_up_to_their_bound() {
    run_virtually(|| {
        let growing = Backoff::exponential(ms(500), 2.0, s(3));
        let attempts = attempts_of(Retry::attempts(6).wait(growing));
        assert_eq!(attempts, ["1@0", "2@0.5", "3@1.5", "4@3.5", "5@6.5", "6@9.5"]);
        let steady = attempts_of(Retry::attempts(3).wait(Backoff::by(|n| s(n.into()))));
        assert_eq!(steady, ["1@0", "2@1", "3@3"]);
    });
    let mut endless = Backoff::exponential(s(1), 10.0, Duration::MAX);
    assert_eq!(endless.after(u32::MAX), Duration::MAX);
    assert_eq!(Backoff::exponential(s(9), 2.0, s(3)).after(1), s(3));
    assert_eq!(Backoff::exponential(s(9), 0.0, s(10)).after(2), Duration::ZERO);
}

#[test]
fn jitter_takes_a_part_of_each_wait_the_same_for_the_same_seed() {
    let waits = |seed| {
        let mut wait = Backoff::fixed(s(10)).jitter(seed);
        (1..=1_000).map(|n| wait.after(n)).collect::<Vec<_>>()
    };
    assert_eq!(waits(7), waits(7));
    assert_ne!(waits(7), waits(8));
    let (least, most) = (*waits(7).iter().min().unwrap(), *waits(7).iter().max().unwrap());
    let mean = waits(7).iter().sum::<Duration>() / 1_000;
    assert!(least < ms(100) && ms(9_900) < most && most < s(10), "{least:?} {most:?}");
    assert!(ms(4_700) < mean && mean < ms(5_300), "{mean:?}");
    run_virtually(|| {
        let retry = || Retry::attempts(4).wait(Backoff::fixed(s(10)).jitter(1));
        assert_eq!(attempts_of(retry()), attempts_of(retry()));
    });
}

#[test]
fn some_errors_are_not_worth_another_attempt() {
    run_virtually(|| {
        let kinds = [io::ErrorKind::ConnectionRefused, io::ErrorKind::PermissionDenied];
        let mut kinds = kinds.into_iter();
        let outcome = Retry::attempts(9)
            .wait(s(1))
            .on(|error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused)
            .run(|_| Err::<(), _>(io::Error::from(kinds.next().unwrap())));
        let error = outcome.unwrap_err();
        assert_eq!((error.errors.len(), error.stopped), (2, Stopped::Permanent));
        let text = "gave up after 2 attempts (the last error is permanent): permission denied";
        assert_eq!(error.to_string(), text);
        assert_eq!(error.source().unwrap().to_string(), "permission denied");
        assert_eq!(error.into_last().unwrap().kind(), io::ErrorKind::PermissionDenied);
    });
}

#[test]
fn an_attempt_that_would_come_too_late_is_not_waited_for() {
    run_virtually(|| {
        let start = fibra::now();
        let error = Retry::attempts(9).wait(s(3)).within(s(7)).run(failing(start)).unwrap_err();
        assert_eq!((error.errors.len(), error.stopped), (3, Stopped::OutOfTime));
        assert_eq!(fibra::now() - start, s(6));
        assert_eq!(error.to_string(), "gave up after 3 attempts (the time is over): 3@6");
        let exact = attempts_of(Retry::attempts(9).wait(s(3)).within(s(6)));
        assert_eq!(exact, ["1@0", "2@3", "3@6"], "just in time is not late");
        assert_eq!(attempts_of(Retry::attempts(2).wait(Duration::MAX).within(s(1))), ["1@0"]);
    });
}

#[test]
fn the_callback_sees_each_wait_before_it_begins() {
    run_virtually(|| {
        let seen = RefCell::new(Vec::new());
        let outcome = Retry::attempts(3)
            .wait(Backoff::exponential(s(1), 3.0, s(60)))
            .before_sleep(|attempt, error: &&str, wait| {
                seen.borrow_mut().push(format!("{attempt} {error} {wait:?}"));
            })
            .run(|_| Err::<(), _>("down"));
        assert_eq!(outcome.unwrap_err().errors, ["down"; 3]);
        assert_eq!(*seen.borrow(), ["1 down 1s", "2 down 3s"]);
    });
}

#[test]
fn only_the_caller_waits_and_a_kill_ends_it_immediately() {
    run_virtually(|| {
        let start = fibra::now();
        let trier = fibra::spawn(|| {
            Retry::attempts(100).wait(s(3600)).run(|n| {
                log(n);
                Err::<(), _>(())
            })
        });
        fibra::sleep(s(3601));
        trier.kill();
        assert!(trier.join().unwrap_err().is_killed());
        assert_eq!(fibra::now() - start, s(3601));
    });
    check("1 2");
}

#[test]
fn a_panic_is_no_error_to_try_again_after() {
    run_virtually(|| {
        let text =
            panic_of(|| Retry::attempts(3).run(|n| -> Result<(), ()> { panic!("attempt {n}") }));
        assert_eq!(text, "attempt 1");
    });
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let text = panic_of(|| Retry::<()>::attempts(0));
    assert_eq!(text, "0 attempts give neither a value nor an error: make it at least 1");
    for factor in [f64::NAN, f64::INFINITY, -1.0] {
        let text = panic_of(|| Backoff::exponential(s(1), factor, s(2)));
        assert!(text.starts_with("the factor of an exponential backoff must be"), "{text}");
    }
    let retry = Retry::<()>::attempts(3).wait(Backoff::fixed(s(1)).jitter(5)).within(s(9));
    let text = "Retry { attempts: 3, wait: Backoff::fixed(1s).jitter(..), within: Some(9s), .. }";
    assert_eq!(format!("{retry:?}"), text);
}

#[test]
fn all_errors_are_kept() {
    let error = run_virtually(|| Retry::attempts(2).run(Err::<(), u32>).unwrap_err());
    let RetryError { errors, .. } = error.clone();
    assert_eq!(errors, [1, 2]);
    assert_eq!(error.to_string(), "gave up after 2 attempts (all have failed): 2");
}
