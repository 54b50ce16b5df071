//! Tests that a runtime in which nothing happens takes no processor time.

use rustix::time::{ClockId, clock_gettime};

use crate::on;
use crate::support::{DONE_LINE, in_child, measure_until, ms, name_of, stderr};

/// Returns the processor time of this process, in microseconds.
fn used() -> i64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// Checks that this process uses at most `allowed` microseconds of processor time during `idle`.
#[track_caller]
fn check(allowed: i64, mut idle: impl FnMut()) {
    measure_until(
        |used| *used <= allowed,
        || {
            let before = used();
            idle();
            used() - before
        },
    );
}

const SECONDS: i64 = 2;
const THREADS: i64 = 4;

/// The goal is 1 ms per thread in 10 s.
#[test]
fn an_idle_runtime_sleeps() {
    let test = name_of!(an_idle_runtime_sleeps);
    let output = in_child(test, &[], || {
        on(THREADS as usize, |handle| {
            // Something has happened, and fibers are parked.
            let parked = handle.on_each(|_| fibra::park());
            handle.on_each(|_| ()).into_iter().for_each(|job| job.join().unwrap());
            fibra::sleep(ms(50));
            let allowed = THREADS * 1_000 * SECONDS / 10;
            check(allowed, || fibra::sleep(ms(1_000 * SECONDS as u64)));
            drop(parked);
        });
    });
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
}

/// A job in each millisecond keeps no scheduler awake in between.
#[test]
fn a_runtime_that_has_little_to_do_sleeps_in_between() {
    let test = name_of!(a_runtime_that_has_little_to_do_sleeps_in_between);
    let output = in_child(test, &[], || {
        on(2, |handle| {
            // Half a second, and two schedulers that stay awake use a second.
            check(200_000, || {
                for _ in 0..500 {
                    handle.spawn(|| ()).join().unwrap();
                    fibra::sleep(ms(1));
                }
            });
        });
    });
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
}
