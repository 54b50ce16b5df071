//! Tests how exact sleeps are on the real clock: of several tries a good one counts, for the machine
//! may be busy.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fibra::time::timeout;
use fibra::{spawn, yield_now};

/// How late so many sleeps of `duration` were, the best quarter of them.
fn lateness(tries: usize, duration: Duration) -> Duration {
    let mut late: Vec<_> = (0..tries)
        .map(|_| {
            let start = fibra::now();
            fibra::sleep(duration);
            (fibra::now() - start).checked_sub(duration).expect("no sleep is too short")
        })
        .collect();
    late.sort();
    late[tries / 4]
}

#[test]
fn a_sleep_of_50_microseconds_does_not_become_a_millisecond() {
    fibra::run(|| {
        let late = lateness(100, Duration::from_micros(50));
        assert!(late < Duration::from_micros(900), "{late:?} late");
    });
}

#[test]
fn a_sleep_that_begins_while_others_sleep_long_is_as_exact() {
    fibra::run(|| {
        let others: Vec<_> =
            (1..100).map(|n| spawn(move || fibra::sleep(Duration::from_secs(n * 977)))).collect();
        let late = lateness(50, Duration::from_micros(300));
        assert!(late < Duration::from_micros(900), "{late:?} late");
        drop(others);
    });
}

#[test]
fn a_loop_of_yields_does_not_hold_up_a_timer() {
    fibra::run(|| {
        let yields = Rc::new(Cell::new(0u64));
        let counted = yields.clone();
        drop(spawn(move || {
            loop {
                counted.set(counted.get() + 1);
                yield_now();
            }
        }));
        let late = lateness(20, Duration::from_millis(1));
        assert!(late < Duration::from_millis(1), "{late:?} late");
        assert!(20 < yields.get());
    });
}

#[test]
fn a_limit_ends_a_loop_of_yields_in_time() {
    fibra::run(|| {
        let start = fibra::now();
        let looping = || -> () {
            loop {
                yield_now();
            }
        };
        let mut last = start;
        for _ in 0..20 {
            last = timeout(Duration::from_millis(1), looping).unwrap_err().deadline();
        }
        assert!(start + Duration::from_millis(20) <= last);
        let late = fibra::now() - last;
        assert!(late < Duration::from_secs(1), "{late:?} late");
    });
}
