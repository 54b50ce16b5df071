//! A stream from one task to another through a queue; time per message.
//!
//! `benches/README.md` defines the measured region.

#[path = "../examples/switch_cost/contenders/mod.rs"]
#[allow(dead_code, reason = "a bench runs one workload of many")]
mod contenders;
mod support;
#[path = "../examples/switch_cost/workloads.rs"]
#[allow(dead_code, reason = "a bench runs one workload of many")]
mod workloads;

use workloads::Workload;

fn main() {
    let mut criterion = support::criterion();
    for capacity in [1, 16, 128] {
        let mut group = criterion.benchmark_group(format!("buffered/{capacity}"));
        support::bench_all(&mut group, |messages| Workload::Buffered { messages, capacity });
    }
    criterion.final_summary();
}
