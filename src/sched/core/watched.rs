//! The calls by which a scheduler tells its [`Watch`](crate::sched::core::watch::Watch), if it has
//! one, what its thread does.

#![allow(unsafe_code, reason = "lends the counter of switches to another thread")]

use crate::sched::core::scheduler::Scheduler;

impl Scheduler {
    /// Begins to watch this thread, on which it runs fibers from now on.
    ///
    /// # Safety
    ///
    /// The scheduler must not be moved from now on, and this thread must drop it.
    pub(crate) unsafe fn watch_begins(&self) {
        if let Some(watch) = self.watch.get() {
            // SAFETY: the caller keeps the scheduler in place, and the watch is a field of it,
            // which is dropped with it.
            unsafe { watch.begin(self) };
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
