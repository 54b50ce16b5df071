//! The stacks of a `run` go back when it ends. Alone in its process: all threads share one reserve, and
//! how many stacks a pool takes from it at a time depends on what others have left there.

use fibra::{spawn, yield_now};

/// Stacks that this thread holds while fifty-one fibers live.
fn held() -> usize {
    fibra::run(|| {
        (0..50).for_each(|_| drop(spawn(fibra::park)));
        yield_now();
        let stats = fibra::stats();
        assert_eq!(stats.stacks_live, 51);
        stats.stacks_live + stats.stacks_idle
    })
}

#[test]
#[cfg_attr(sanitized, ignore = "stacks that were given back are kept closed for a while")]
fn all_stacks_are_given_back_and_a_hundred_runs_grow_nothing() {
    let first = held();
    for run in 1..=100 {
        assert_eq!(held(), first, "run {run} found fewer stacks, or left some behind");
    }
}
