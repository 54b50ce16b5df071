//! Fibers that left the ring by themselves: until another fiber puts them back or, for watchers,
//! until no other fiber can run.
//!
//! ```text
//!   ring empty -> the innermost watcher runs              watchers: [ main | T | U ]
//!              -> none: timers, other threads                                   \_ innermost
//!              -> a patient watcher, or main if it is out of the ring
//!              -> deadlock
//! ```
//!
//! Invariants:
//! - A watcher is in the list exactly for the duration of [`watch`]: its guard takes it out, and
//!   with it the watchers above it, which are appended to the ring. Only an abandoned fiber stays
//!   in the list, and is skipped.
//! - A fiber that is out of the ring resumes when it is put back or has something to raise, and not
//!   by a spurious wake.

use std::mem;

use crate::fiber::carried;
use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::state::WaitReason;
use crate::sched::core::carry;
use crate::sched::core::facade::Watcher;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::leave::leave;
use crate::sched::core::pause::{RESUMED, WATCHING};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};

/// Takes the current fiber out of the ring until another fiber puts it back. Calls `then` before it
/// leaves, to choose the next fiber to run.
#[track_caller]
pub(crate) fn leave_ring(
    current: CurrentFiber,
    reason: &'static WaitReason,
    then: impl FnOnce(),
) -> Result<(), Interrupt> {
    if !current.fiber.signals.get().is_none() {
        carry::go_away(current, reason);
        interrupt::react(current, reason)?;
    }
    let unwinds = ComesBack(current.fiber);
    then();
    mem::forget(unwinds);
    loop {
        leave(current, reason);
        // Checked before the reason: a completed wait may ignore its signals, this one must not.
        meet_signals(current, reason)?;
        if std::ptr::eq(current.fiber.reason.get(), &RESUMED) {
            carried::come_back(current.fiber);
            return Ok(());
        }
    }
}

/// A guard that puts the contexts of a fiber back onto the thread if an unwind drops it.
struct ComesBack(FiberPtr);

impl Drop for ComesBack {
    fn drop(&mut self) {
        carried::come_back(self.0);
    }
}

fn meet_signals(current: CurrentFiber, reason: &'static WaitReason) -> Result<(), Interrupt> {
    if current.fiber.signals.get().is_none() {
        return Ok(());
    }
    interrupt::react(current, reason)
}

/// Waits until no other fiber can run, or until another fiber puts the current one back into the
/// ring. A `patient` watcher first waits for the work that timers and other threads may bring.
#[track_caller]
pub(crate) fn watch(
    current: CurrentFiber,
    patient: bool,
    then: impl FnOnce(),
) -> Result<(), Interrupt> {
    let watcher = Watcher { fiber: current.fiber.to_ref(), patient };
    current.sched.tasklets.watchers.borrow_mut().push(watcher);
    let _watching = Watching(current);
    leave_ring(current, &WATCHING, then)
}

struct Watching(CurrentFiber);

impl Drop for Watching {
    fn drop(&mut self) {
        let CurrentFiber { fiber, sched } = self.0;
        let mut watchers = sched.tasklets.watchers.borrow_mut();
        // It is not in the list if an outer watcher has taken it out together with itself.
        let is_own = |watcher: &Watcher| watcher.fiber.ptr() == fiber;
        let Some(at) = watchers.iter().position(is_own) else { return };
        // The innermost first. A fiber that is already in the ring is not appended again.
        watchers.drain(at..).skip(1).rev().for_each(|deeper| {
            sched.unpause(deeper.fiber.ptr());
        });
    }
}

impl Scheduler {
    /// Returns the fiber that gets uncaught errors and that is woken when no fiber can run: the
    /// innermost watcher or, if there is none, the main fiber.
    pub(crate) fn wake_up_target(&self) -> Option<FiberRef> {
        let main = || self.main.get().map(|main| main.to_ref());
        self.tasklets.innermost().map(|watcher| watcher.fiber).or_else(main)
    }

    /// Returns whether any fiber waits until no other fiber can run.
    pub(crate) fn has_watchers(&self) -> bool {
        !self.tasklets.watchers.borrow().is_empty()
    }

    /// Wakes the innermost watcher, unless it is patient. Returns whether it woke one.
    pub(crate) fn wake_watcher(&self) -> bool {
        self.tasklets
            .innermost()
            .is_some_and(|watcher| !watcher.patient && self.unpause(watcher.fiber.ptr()))
    }

    /// Wakes the fiber that resumes instead of a deadlock when no other fiber can run: the
    /// innermost watcher, or else the main fiber, if it is out of the ring. Returns whether it woke
    /// one.
    pub(crate) fn wake_floating(&self) -> bool {
        self.wake_up_target().is_some_and(|fiber| self.unpause(fiber.ptr()))
    }
}
