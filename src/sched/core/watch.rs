//! What a scheduler tells the thread that looks for fibers which hold their scheduler for too long.
//!
//! The scheduler has no notion of that thread. The module `watchdog` implements [`Watch`] and gives
//! it to the schedulers that are watched; the others have none.
//!
//! Invariant: nothing is told per switch. The watchdog reads the scheduler's counter of switches.

#![allow(unsafe_code, reason = "lends the counter of switches to another thread")]

use std::fmt;
use std::ptr::NonNull;

use crate::collections::shared_counter::SharedCounter;
use crate::sched::core::scheduler::Scheduler;

/// A place at which one scheduler is watched. Dropping it ends that.
pub(crate) trait Watch: fmt::Debug {
    /// Begins to watch this thread, which runs fibers from now on. `switches` counts them.
    ///
    /// # Safety
    ///
    /// The counter must stay at this address until the watch is dropped, and the watch must be
    /// dropped by this thread.
    unsafe fn begin(&self, switches: NonNull<SharedCounter>);

    /// Notes that the thread is about to sleep because no fiber can run.
    fn sleeps(&self);

    /// Notes that the thread has woken up.
    fn wakes(&self);
}

impl Scheduler {
    /// Begins to watch this thread, on which it runs fibers from now on, unless it is not watched.
    ///
    /// # Safety
    ///
    /// The scheduler must not be moved from now on, and this thread must drop it.
    pub(crate) unsafe fn watch_begins(&self) {
        if let Some(watch) = self.watch.get() {
            // SAFETY: the counter is a field of the scheduler, which the caller keeps in place, and
            // the watch is another one, which is dropped with it.
            unsafe { watch.begin(NonNull::from(&self.switches)) };
        }
    }

    /// Notes that the thread is about to sleep.
    pub(crate) fn watch_sleeps(&self) {
        if let Some(watch) = self.watch.get() {
            watch.sleeps();
        }
    }

    /// Notes that the thread has woken up.
    pub(crate) fn watch_wakes(&self) {
        if let Some(watch) = self.watch.get() {
            watch.wakes();
        }
    }
}
