//! A queue in which fibers wait until they are served: first come, first served.
//!
//! Invariants:
//! - A fiber that is served or released leaves the queue, and its wait ends once.
//! - A fiber that was served has what it waited for, even if it is killed before it runs again: the
//!   fiber that served it need not check. One whose wait is interrupted leaves no trace.

use std::convert::Infallible;
use std::fmt;

use crate::channel::waiter::{WaitOutcome, Waiter, Waiters};
use crate::sched::lowlevel::{CurrentFiber, Interrupt, WaitReason, scheduler};

/// The fibers that wait for one thing.
pub(crate) struct Line {
    waiters: Waiters<Infallible>,
}

impl Line {
    pub(crate) const fn new() -> Line {
        Line { waiters: Waiters::new() }
    }

    /// Returns the number of fibers that wait.
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Waits at the end of the queue until the fiber is served or released, or the wait is
    /// interrupted; with a deadline, no longer than until `by`. Returns whether the fiber was
    /// served; if not, it has to look again at what it waits for.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait(
        &self,
        current: CurrentFiber,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<bool, Interrupt> {
        let waiter = Waiter::new(current.fiber, None);
        let outcome = waiter.wait_in(current, &self.waiters, by, reason)?;
        Ok(outcome == WaitOutcome::Served)
    }

    /// Serves the first fiber. Returns whether there was one.
    pub(crate) fn serve(&self) -> bool {
        self.end_first(WaitOutcome::Served)
    }

    /// Releases all fibers, which look again at what they wait for.
    pub(crate) fn release_all(&self) {
        while self.end_first(WaitOutcome::Closed) {}
    }

    fn end_first(&self, outcome: WaitOutcome) -> bool {
        let Some(sched) = scheduler() else { return false };
        let Some(fiber) = self.waiters.release(outcome) else { return false };
        sched.make_ready(fiber);
        true
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.len())
    }
}
