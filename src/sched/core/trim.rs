//! When unused stacks go back to the system: the run loop looks after its pool between two batches,
//! and before and after it sleeps.
//!
//! A program cannot see this as an event. It makes no fiber ready, and changes no order.
//!
//! Invariants:
//! - The time of the next look limits a sleep in real time, and nothing else. It is no timer: a
//!   clock that can jump does not jump to it, and a scheduler that waits for nothing else is in a
//!   deadlock.
//! - With a clock that can jump, everything that is due is given back at the first look after the
//!   jump, so that the counts of stacks are the same in each run of a program.
//! - With a clock that cannot jump, a look gives a slice back that takes a fraction of a
//!   millisecond, so that fibers and events need not wait for all of it.

use std::time::Instant;

use crate::fiber::current::ThreadState;
use crate::fiber::shelves::Shelves;
use crate::sched::core::scheduler::Scheduler;

impl Scheduler {
    /// Gives unused stacks back while fibers can run, if that is due.
    #[inline(always)]
    pub(crate) fn trim_between_batches(&self) {
        if self.pool.borrow().is_due(self.time.now.get()) {
            self.give_stacks_back();
        }
    }

    /// Gives unused stacks back while no fiber can run, if that is due. Returns whether there are
    /// more to give back: then the caller must not sleep.
    pub(crate) fn trim_before_sleep(&self) -> bool {
        let now = self.time.now.get();
        let is_due = {
            let pool = self.pool.borrow();
            pool.is_due(now) || pool.is_giving_back() || records(Shelves::is_giving_back)
        };
        if !is_due || !self.give_stacks_back() {
            return false;
        }
        // An event that has occurred meanwhile comes before the next slice.
        self.idle.poll();
        true
    }

    /// Returns when a sleep must end so that unused stacks are given back.
    pub(crate) fn next_trim(&self) -> Option<Instant> {
        if self.time.clock.can_jump() {
            return None;
        }
        self.pool.borrow().due().map(|at| self.time.instant_of(at))
    }

    /// Returns whether there are more stacks to give back.
    #[cold]
    #[inline(never)]
    fn give_stacks_back(&self) -> bool {
        let now = self.time.now.get();
        let mut pool = self.pool.borrow_mut();
        if self.time.clock.can_jump() {
            while records(|records| pool.tend(now, records)) {}
            return false;
        }
        let more = records(|records| pool.tend(now, records));
        drop(pool);
        // The time that it took is not that of a batch.
        self.refresh_now();
        more
    }
}

/// Runs `f` on the memory of this thread's records.
fn records<R>(f: impl FnOnce(&Shelves) -> R) -> R {
    ThreadState::with(|thread| f(&thread.shelves))
}
