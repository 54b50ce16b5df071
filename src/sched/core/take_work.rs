//! The points at which a scheduler takes part in the work that other threads bring: see
//! [`work`](crate::sched::core::work).
//!
//! Invariants:
//! - A scheduler that is ending starts no job.

use crate::fiber::header::FiberPtr;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, try_current_fiber};
use crate::sched::core::work;

/// Returns whether no other fiber could run on this thread if the caller waited, as far as its
/// scheduler knows without a turn.
pub(crate) fn nothing_else_can_run() -> bool {
    let is_alone = |CurrentFiber { fiber, sched }: CurrentFiber| {
        fiber.signals.get().is_none() && sched.is_alone()
    };
    try_current_fiber().is_none_or(is_alone)
}

impl Scheduler {
    /// Returns whether only the running fiber could run now, as far as the scheduler knows without
    /// a turn.
    fn is_alone(&self) -> bool {
        self.ring(|ring| ring.stored()) == 0 && self.mailbox.inbox.is_empty() && !self.work_exists()
    }

    /// Starts a job, if there is one. Returns whether it did.
    #[inline(always)]
    pub(crate) fn start_work(&self, idle: bool) -> bool {
        match self.work.get() {
            None => false,
            Some(work) => !self.closing.get() && work.start(idle),
        }
    }

    /// Begins a search for jobs of other threads, if there may be any. Returns whether it began.
    pub(crate) fn begin_search(&self) -> bool {
        self.work.get().is_some_and(|work| !self.closing.get() && work.begin_search())
    }

    /// Ends a search that has begun. `starts` is whether it has found a job and nothing else: the
    /// caller calls [`start_work`](Scheduler::start_work) next.
    pub(crate) fn end_search(&self, starts: bool) {
        self.work.get().into_iter().for_each(|work| work.end_search(starts));
    }

    /// Returns whether there is a job that it could start.
    pub(crate) fn work_exists(&self) -> bool {
        self.work.get().is_some_and(|work| work.exists())
    }

    /// Announces to other threads that the scheduler will sleep. Returns whether it may.
    pub(crate) fn may_sleep_beside_work(&self) -> bool {
        self.work.get().is_none_or(|work| self.closing.get() || work.may_sleep())
    }

    /// Returns whether another thread may bring a job.
    pub(crate) fn work_may_come(&self) -> bool {
        !self.closing.get() && self.work.get().is_some_and(|work| work.exists() || work.may_come())
    }

    /// Returns whether all fibers but main must end now, because this `run` or its runtime ends. In
    /// a guest that ends, main must end as well.
    #[cold]
    pub(crate) fn is_ending(&self) -> bool {
        #[cfg(feature = "tokio")]
        if self.hosted.is_ending.get() {
            return true;
        }
        self.closing.get() || self.work.get().is_some_and(|work| work.is_ending())
    }

    /// Records the end of `fiber`, or that it was abandoned, if it runs a job.
    #[cold]
    pub(crate) fn work_ended(&self, fiber: FiberPtr) {
        if let Some(work) = self.work.get().filter(|_| work::of(&fiber).is_some()) {
            work.ended(fiber);
        }
    }
}
