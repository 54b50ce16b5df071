//! The hooks of every runtime in a build for `.ci/observed`: they check that events alternate, and
//! abort the process at the first one that is out of order.
//!
//! With hooks, all fibers take the slow ways at spawns, switches and wakes. So the suites of tests
//! are run once more on these ways.

use std::cell::Cell;
use std::panic::Location;
use std::time::Instant;

use crate::fiber::id::FiberId;
use crate::fiber::report::say;
use crate::sched::core::observer::{Hooks, Spawned};

thread_local! {
    /// The fiber that runs on this thread, by the events so far.
    static RUNS: Cell<Option<FiberId>> = const { Cell::new(None) };
}

pub(super) struct Checks;

/// Aborts the process unless the fiber that runs on this thread is `expected`. Sets it to `next`.
fn expect(what: &str, fiber: FiberId, expected: Option<FiberId>, next: Option<FiberId>) {
    let runs = RUNS.replace(next);
    if runs != expected {
        say(format_args!(
            "an event of hooks is out of order: fiber {fiber} {what} while {runs:?} runs: aborting"
        ));
        std::process::abort();
    }
}

impl Hooks for Checks {
    fn spawned(&self, _: Instant, fiber: FiberId, spawned: &Spawned) {
        if spawned.by == Some(fiber) {
            expect("has spawned itself", fiber, None, None);
        }
    }

    fn entered(&self, _: Instant, fiber: FiberId) {
        expect("enters", fiber, None, Some(fiber));
    }

    fn waits(&self, _: Instant, fiber: FiberId, _: &'static str, _: &'static Location<'static>) {
        expect("waits", fiber, Some(fiber), Some(fiber));
    }

    fn left(&self, _: Instant, fiber: FiberId) {
        expect("leaves", fiber, Some(fiber), None);
    }

    fn ended(&self, _: Instant, fiber: FiberId) {
        if RUNS.get() == Some(fiber) {
            expect("has ended", fiber, None, None);
        }
    }
}
