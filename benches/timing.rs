//! The timing of the benchmarks of single operations: criterion's settings, and the clock around a
//! run whose answer is checked.
//!
//! Benchmarks that compare whole schedulers on one workload use `support.rs`.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::time::{Duration, Instant};

use criterion::Criterion;

/// Criterion with the given number of samples, configured from the command line.
pub(crate) fn criterion(samples: usize) -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(samples)
        .configure_from_args()
}

/// Returns the time that `run` takes, which must return `expected`.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
pub(crate) fn timed(expected: u64, run: impl FnOnce() -> u64) -> Duration {
    let start = Instant::now();
    let answer = run();
    let elapsed = start.elapsed();
    assert_eq!(answer, expected);
    elapsed
}
