//! The interface of a scheduler to threads that look at it from outside: to find fibers which hold
//! their scheduler for too long, and to list the fibers of the process.
//!
//! The scheduler has no notion of these threads. The module `watchdog` implements [`Watch`].
//!
//! Invariant: nothing is called per switch. The watchdog reads the scheduler's counter of switches.

#![allow(unsafe_code, reason = "lends the counter of switches to another thread")]

use std::fmt;

/// A place at which one scheduler, of type `S`, is watched. Dropping it ends that.
pub(crate) trait Watch<S>: fmt::Debug {
    /// Begins to watch this thread, on which `sched` runs fibers from now on.
    ///
    /// # Safety
    ///
    /// The scheduler must stay at this address until the watch is dropped, and the watch must be
    /// dropped by this thread.
    unsafe fn begin(&self, sched: &S);

    /// Notes that the thread is about to sleep because no fiber can run.
    fn sleeps(&self);

    /// Notes that the thread has woken up.
    fn wakes(&self);

    /// Answers a request for the list of its fibers. Called by the run loop of `sched`.
    fn answer(&self, sched: &S);
}
