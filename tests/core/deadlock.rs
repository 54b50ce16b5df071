//! Tests the deadlock report: its text, the wait that it fails, and the absence of false alarms.

use fibra::channel::{self, Channel, RecvError, SendError};
use fibra::{JoinError, scope, spawn, yield_now};

use crate::support::{Noisy, check, go, log, ms, panic_of, run_virtually, without_origins};

/// Returns the report with the places in this file replaced, because every edit moves them.
fn without_places(report: &str) -> String {
    let mut parts = report.split("tests/core/deadlock.rs:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("HERE");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':'));
    }
    text
}

#[test]
fn the_report_names_every_fiber_its_wait_its_place_and_its_age() {
    let report = panic_of(|| {
        run_virtually(|| {
            let channel = Channel::<()>::new();
            let sender = channel.clone();
            let _consumer = fibra::Builder::new().name("consumer").spawn(move || channel.recv());
            let (full, _receiver) = channel::bounded(0);
            let _producer = fibra::Builder::new().name("producer").spawn(move || full.send(1));
            let waits = spawn(|| fibra::shield(|| fibra::park()));
            let _joiner = spawn(move || waits.join());
            fibra::sleep(ms(1_500));
            let report = panic_of(|| fibra::park());
            drop(sender);
            panic!("{report}");
        })
    });
    let expected = "\
deadlock: all fibers wait and nothing can wake one (see `fibra::guide::pitfalls`); the wait of fiber 'main' (#1) fails (it was the last that could run):
  fiber 'main' (#1) is parked at HERE
  fiber 'consumer' (#2) is receiving on a channel at HERE for 1.5s
  fiber 'producer' (#3) is sending on a full channel at HERE for 1.5s
  fiber #4 is parked at HERE for 1.5s
  fiber #5 is waiting for a fiber to end at HERE for 1.5s";
    assert_eq!(without_places(&without_origins(&report)), expected);
}

#[test]
fn the_wait_that_completes_the_deadlock_fails_and_not_an_older_one() {
    fibra::run(|| {
        let channel = Channel::<()>::new();
        let [first, second] = ["first", "second"].map(|name| {
            let channel = channel.clone();
            spawn(move || {
                if name == "second" {
                    (0..3).for_each(|_| yield_now());
                }
                log(format!("{name}:{}", channel.recv().is_err()));
            })
        });
        // Main waits first, then `first`; `second` is the last to wait.
        second.join().unwrap();
        log("main");
        channel.send(()).unwrap();
        first.join().unwrap();
    });
    check("second:true main first:false");
}

/// T29, T30: the end of the last fiber that could run completes the deadlock.
#[test]
fn when_a_fibers_end_completes_it_the_wait_of_main_fails() {
    fibra::run(|| {
        let channel = Channel::<i32>::new();
        let other = channel.clone();
        let waiting = spawn(move || drop(other.recv()));
        yield_now();
        go(|| log("ends"));
        let error = fibra::channel::Channel::<i32>::new().recv().unwrap_err();
        let RecvError::Deadlock(report) = error else { panic!("{error}") };
        assert!(
            report.to_string().contains("(the last fiber that could run has ended):\n"),
            "{report}"
        );
        assert_eq!(report.dump().fibers.len(), 2);
        assert!(!waiting.is_finished());
    });
    check("ends");
}

#[test]
fn fallible_waits_return_an_error_that_gives_the_value_back() {
    fibra::run(|| {
        let channel = Channel::new();
        let Err(SendError::Deadlock(value, report)) = channel.send(7) else { panic!("no error") };
        assert_eq!(value, 7);
        assert_eq!(report.dump().fibers.len(), 1);
        assert!(matches!(channel.recv(), Err(RecvError::Deadlock(_))));
        assert_eq!(channel.balance(), 0);

        let (sender, receiver) = channel::bounded(1);
        assert!(matches!(receiver.recv(), Err(RecvError::Deadlock(_))));
        sender.send(1).unwrap();
        assert!(matches!(sender.send(2), Err(SendError::Deadlock(2, _))));
        assert_eq!(receiver.recv().unwrap(), 1);

        let stuck = spawn(|| {
            let _noisy = Noisy("stuck");
            fibra::shield(|| fibra::park());
        });
        yield_now();
        let error = stuck.join().unwrap_err();
        assert!(matches!(error, JoinError::Deadlock(_)), "{error}");
        assert!(error.to_string().starts_with("the fiber will never end: deadlock:"), "{error}");
    });
    check("stuck");
}

#[test]
fn infallible_waits_panic_with_the_report() {
    fibra::run(|| {
        let text = panic_of(fibra::park);
        assert!(text.contains("(it was the last that could run):"), "{text}");
        let never = Channel::<()>::new();
        let text = panic_of(|| never.iter().next());
        assert!(text.contains("receiving on a channel"), "{text}");
    });
}

#[test]
fn a_program_can_catch_it_and_go_on() {
    fibra::run(|| {
        let channel = Channel::new();
        for round in 0..300 {
            assert!(channel.recv().is_err(), "round {round}");
        }
        let sender = channel.clone();
        go(move || sender.send(5));
        assert_eq!(channel.recv().unwrap(), 5);
    });
}

#[test]
fn two_fibers_that_join_each_other_both_get_an_error() {
    fibra::run(|| {
        let slot = std::rc::Rc::new(std::cell::Cell::new(None::<fibra::JoinHandle<bool>>));
        let other = slot.clone();
        let a = spawn(move || {
            let b = other.take().expect("main has put it there");
            b.join().is_err()
        });
        let b = spawn(move || a.join().is_err());
        slot.set(Some(b));
        (0..8).for_each(|_| yield_now());
        // Both joins still wait: main could run, so there was no deadlock. The receive makes one.
        assert_eq!(fibra::stats().fibers, 3);
        assert!(fibra::channel::Channel::<()>::new().recv().is_err());
    });
}

#[test]
fn a_scope_in_a_deadlock_kills_its_children_and_raises_the_report() {
    fibra::run(|| {
        let text = panic_of(|| {
            scope(|s| {
                for name in ["a", "b"] {
                    s.spawn(move || {
                        let _noisy = Noisy(name);
                        go(|| yield_now());
                        fibra::park();
                    });
                }
            })
        });
        assert!(text.contains("is waiting for the fibers of its scope to end"), "{text}");
    });
    check("a b");
}

#[test]
fn a_timer_is_no_deadlock() {
    run_virtually(|| {
        go(|| fibra::sleep(ms(10)));
        let channel = Channel::new();
        let sender = channel.clone();
        go(move || {
            fibra::sleep(std::time::Duration::from_secs(1_000_000));
            sender.send(1).unwrap();
        });
        assert_eq!(channel.recv().unwrap(), 1);
    });
}

#[test]
fn after_the_last_timer_it_is_one() {
    run_virtually(|| {
        let start = fibra::now();
        go(|| fibra::sleep(ms(10)));
        let error = Channel::<()>::new().recv().unwrap_err();
        assert!(matches!(error, RecvError::Deadlock(_)));
        assert_eq!(fibra::now() - start, ms(10));
    });
}

#[test]
fn a_long_report_is_cut() {
    fibra::run(|| {
        (0..100).for_each(|_| go(|| fibra::shield(|| fibra::park())));
        yield_now();
        let error = Channel::<()>::new().recv().unwrap_err();
        let RecvError::Deadlock(report) = error else { panic!("{error}") };
        assert_eq!((report.dump().fibers.len(), report.dump().left_out), (32, 69));
        assert!(report.to_string().ends_with("\n  and 69 more"), "{report}");
    });
}

#[test]
fn a_fiber_that_waits_again_after_each_deadlock_does_not_keep_the_wait_of_main_from_failing() {
    fibra::run(|| {
        let _stubborn = spawn(|| {
            let unused = Channel::<()>::new();
            loop {
                drop(unused.recv());
            }
        });
        yield_now();
        assert!(matches!(Channel::<()>::new().recv(), Err(RecvError::Deadlock(_))));
        assert!(matches!(Channel::<()>::new().recv(), Err(RecvError::Deadlock(_))));
    });
}
