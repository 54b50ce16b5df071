//! Spawning a task and joining it, one after the other; time per task.
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
    let mut group = criterion.benchmark_group("spawn_join");
    support::bench_all(&mut group, |tasks| Workload::SpawnJoin { tasks });
    drop(group);
    criterion.final_summary();
}
