//! Tests how exact sleeps are on the real clock, whatever else the machine is doing.
//!
//! On a busy machine every wait ends late. So a fiber is compared with a plain thread that waits in
//! turn with it: the best quarter of its waits with the best quarter of the thread's. As chance may
//! favour the thread, they are compared again if the fiber is worse: a fiber that is as exact is
//! worse in half of the rounds and not in all of them; one that rounds its times up, or looks at
//! its timers too seldom, is worse in each.

#![allow(clippy::disallowed_methods, reason = "sleeping threads are what fibers are compared with")]

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use fibra::time::timeout;
use fibra::{spawn, yield_now};

/// A fiber that is as exact is worse in all rounds once in a million runs.
const ROUNDS: usize = 20;

/// Returns how late the waits of the two are: for each, the best quarter of `tries` waits.
fn lateness(tries: usize, duration: Duration, waits: [&dyn Fn(Duration); 2]) -> [Duration; 2] {
    let mut late = [const { Vec::new() }; 2];
    for _ in 0..tries {
        for (wait, late) in waits.iter().zip(&mut late) {
            let start = fibra::now();
            wait(duration);
            late.push((fibra::now() - start).checked_sub(duration).expect("no wait is too short"));
        }
    }
    late.map(|mut late| {
        late.sort();
        late[tries / 4]
    })
}

/// Checks that waits of `duration` by `fiber` are at most `allowed` later than those by `thread`.
fn check(
    (tries, duration, allowed): (usize, Duration, Duration),
    fiber: impl Fn(Duration),
    thread: impl Fn(Duration),
) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let [late, unavoidable] = lateness(tries, duration, [&fiber, &thread]);
        if late < unavoidable + allowed {
            return;
        }
        rounds.push((late, unavoidable));
    }
    panic!("later than a thread in each round, by more than {allowed:?}: {rounds:?}");
}

/// Works until the time is over: the comparison for a wait that is too short for a sleep.
fn work(duration: Duration) {
    let start = fibra::now();
    while fibra::now() - start < duration {
        std::hint::spin_loop();
    }
}

const HALF: Duration = Duration::from_micros(500);
const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_sleep_of_50_microseconds_does_not_become_a_millisecond() {
    fibra::run(|| check((100, Duration::from_micros(50), HALF), fibra::sleep, thread::sleep));
}

#[test]
fn a_sleep_that_begins_while_others_sleep_long_is_as_exact() {
    fibra::run(|| {
        let others: Vec<_> =
            (1..100).map(|n| spawn(move || fibra::sleep(Duration::from_secs(n * 977)))).collect();
        check((50, Duration::from_micros(300), HALF), fibra::sleep, thread::sleep);
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
        check((20, MILLISECOND, MILLISECOND), fibra::sleep, work);
        assert!(20 < yields.get());
    });
}

#[test]
fn a_limit_ends_a_loop_of_yields_in_time() {
    fn yields_without_end() {
        loop {
            yield_now();
        }
    }
    fibra::run(|| {
        let limited = |limit: Duration| {
            let start = fibra::now();
            let deadline = timeout(limit, yields_without_end).unwrap_err().deadline();
            assert!(start + limit <= deadline);
        };
        check((20, MILLISECOND, MILLISECOND), limited, work);
    });
}
