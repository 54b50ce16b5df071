//! Tests that the stacks of a `run` are given back when it ends.
//!
//! The test runs in its own process: all threads share one reserve, and the number of stacks
//! that a pool takes from it at a time depends on what other threads have left there.

use fibra::{spawn, yield_now};

use crate::support::{DONE_LINE, in_child, name_of, stderr};

/// Returns the number of stacks that this thread holds while fifty-one fibers live.
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
    let test = name_of!(all_stacks_are_given_back_and_a_hundred_runs_grow_nothing);
    let output = in_child(test, &[], || {
        let first = held();
        for run in 1..=100 {
            assert_eq!(held(), first, "run {run} found fewer stacks, or left some behind");
        }
    });
    assert!(stderr(&output).ends_with(DONE_LINE), "{}", stderr(&output));
}
