//! A tree of tasks, ten children each, summing up its leaves; time per task.
//!
//! `benches/README.md` defines the measured region.

#[path = "../examples/switch_cost/contenders/mod.rs"]
#[allow(dead_code, reason = "a bench runs one workload of many")]
mod contenders;
mod support;
#[path = "../examples/switch_cost/workloads.rs"]
#[allow(dead_code, reason = "a bench runs one workload of many")]
mod workloads;

use std::env;
use workloads::Workload;

fn main() {
    let mut criterion = support::criterion();
    let is_test = env::args().any(|argument| argument == "--test");
    // may cannot map a million stacks, so it is measured with the smaller tree only.
    let sizes: &[u64] = if is_test { &[1_000] } else { &[10_000, 1_000_000] };
    for &leaves in sizes {
        let mut group = criterion.benchmark_group(format!("skynet/{leaves}/breadth first"));
        group.sample_size(10);
        support::bench_all(&mut group, |_| Workload::SkynetBreadthFirst { leaves });
        drop(group);
        let mut group = criterion.benchmark_group(format!("skynet/{leaves}/depth first"));
        group.sample_size(10);
        support::bench_all(&mut group, |_| Workload::SkynetDepthFirst { leaves });
    }
    criterion.final_summary();
}
