//! Runs one workload of every contender under criterion.
//!
//! The contenders time themselves, because what has to happen before the clock starts (spawning a
//! crowd, meeting a partner) happens inside of their schedulers. Criterion is told the time of one
//! operation, whatever number of them a run makes.

use crate::contenders::{ALL, Contender};
use crate::workloads::Workload;
use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use std::time::Duration;

/// Criterion, set up from the command line.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args()
}

/// Benches every contender that can do `workload(n)`, work of about `n` operations.
pub(crate) fn bench_all(
    group: &mut BenchmarkGroup<'_, WallTime>,
    workload: impl Fn(u64) -> Workload,
) {
    for contender in ALL {
        match (contender.run)(workload(2)) {
            Ok(_) => {
                group.bench_function(contender.name, |bencher| {
                    bencher.iter_custom(|iterations| {
                        time(contender, workload(iterations), iterations)
                    });
                });
            }
            Err(reason) => eprintln!("{}: {reason}", contender.name),
        }
    }
}

/// Runs the workload and scales its time to so many operations.
fn time(contender: &Contender, workload: Workload, operations: u64) -> Duration {
    let sample =
        (contender.run)(workload).expect("a contender can do in large what it did in small");
    assert_eq!(sample.answer, workload.answer(), "{}, {workload}", contender.name);
    let scale = operations as f64 / workload.operations() as f64;
    Duration::from_nanos((sample.cost as f64 * scale) as u64)
}
