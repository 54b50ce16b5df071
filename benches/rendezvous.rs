//! Ping-pong over two channels; time per message.
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
    let mut group = criterion.benchmark_group("rendezvous");
    // Every message is answered, so their number is even.
    support::bench_all(&mut group, |n| Workload::Rendezvous { messages: n.next_multiple_of(2) });
    drop(group);
    criterion.final_summary();
}
