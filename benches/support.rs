//! Runs one workload of every contender under criterion.
//!
//! The contenders time themselves, because the preparations before the clock starts (spawning many
//! tasks, waiting for a partner) happen inside their schedulers. Criterion receives the time of one
//! operation, regardless of the number of operations per run.

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

/// Benchmarks every contender that supports `workload(n)`, which has about `n` operations.
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

/// Runs the workload and scales its time to `operations` operations.
fn time(contender: &Contender, workload: Workload, operations: u64) -> Duration {
    let sample =
        (contender.run)(workload).expect("a contender that ran a small workload runs a large one");
    assert_eq!(sample.answer, workload.answer(), "{}, {workload}", contender.name);
    let scale = operations as f64 / workload.operations() as f64;
    Duration::from_nanos((sample.cost as f64 * scale) as u64)
}
