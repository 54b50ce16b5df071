//! Yielding among 1 to 1,000,000 tasks, and suspended ten calls deep; time per yield.
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
    let counts: &[u64] = match is_test {
        true => &[1, 100],
        false => &[1, 100, 10_000, 100_000, 1_000_000],
    };
    for &tasks in counts {
        let mut group = criterion.benchmark_group(format!("yield_now/{tasks}"));
        if 100_000 <= tasks {
            group.sample_size(10);
        }
        let rounds = |operations: u64| operations.div_ceil(tasks);
        support::bench_all(&mut group, |n| Workload::Yield { tasks, rounds: rounds(n) });
    }

    let (tasks, rounds) = (100, |operations: u64| operations.div_ceil(100));
    let mut deep = criterion.benchmark_group("yield_now/100/10 deep");
    support::bench_all(&mut deep, |n| Workload::YieldDeep { tasks, rounds: rounds(n) });
    drop(deep);
    let mut boxed = criterion.benchmark_group("yield_now/100/10 deep, boxed");
    support::bench_all(&mut boxed, |n| Workload::YieldDeepBoxed { tasks, rounds: rounds(n) });
    drop(boxed);
    criterion.final_summary();
}
