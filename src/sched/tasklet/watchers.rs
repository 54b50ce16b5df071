//! Fibers that left the ring by themselves: until somebody puts them back, or, for those that wait
//! until nothing can run, until that is so.
//!
//! ```text
//!   ring empty -> the innermost watcher runs (S-109)      watchers: [ main | T | U ]
//!              -> none: timers, other threads                                   \_ innermost
//!              -> a watcher that asked for these, or main if it floats (S-166)
//!              -> deadlock
//! ```
//!
//! Invariants:
//! - A watcher stands in the list for exactly the time of [`watch`]: its guard takes it out, and
//!   with it those above it, which are appended to the ring (S-114). Only a retired fiber stays,
//!   and is skipped.
//! - Who floats goes on when it is put back or has something to raise, and not by a stray wake.

use crate::fiber::header::FiberRef;
use crate::fiber::state::WaitReason;
use crate::sched::core::facade::Watcher;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::leave::leave;
use crate::sched::core::pause::{RESUMED, WATCHING};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};

/// Leaves the ring until somebody puts the caller back into it. `then` is called before it leaves,
/// to say who runs next.
#[track_caller]
pub(crate) fn leave_ring(
    current: CurrentFiber,
    reason: &'static WaitReason,
    then: impl FnOnce(),
) -> Result<(), Interrupt> {
    meet_signals(current, reason)?;
    then();
    loop {
        leave(current, reason);
        // Here and not where it is woken: what a completed wait may ignore, this one must not.
        meet_signals(current, reason)?;
        if std::ptr::eq(current.fiber.reason.get(), &RESUMED) {
            return Ok(());
        }
    }
}

fn meet_signals(current: CurrentFiber, reason: &'static WaitReason) -> Result<(), Interrupt> {
    if current.fiber.signals.get().is_none() {
        return Ok(());
    }
    interrupt::before_wait(current, reason)
}

/// Waits until no other fiber can run, or somebody puts the caller back into the ring. A patient
/// one lets timers and other threads bring new work first.
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
        // One that an outer watcher has taken out with itself is not there any more.
        let is_own = |watcher: &Watcher| watcher.fiber.ptr() == fiber;
        let Some(at) = watchers.iter().position(is_own) else { return };
        // The innermost first. One that is in the ring already is not appended again (S-115).
        watchers.drain(at..).skip(1).rev().for_each(|deeper| {
            sched.unpause(deeper.fiber.ptr());
        });
    }
}

impl Scheduler {
    /// The fiber that an uncaught error goes to, and that is woken when nothing can run: the
    /// innermost watcher, else main.
    pub(crate) fn wake_up_target(&self) -> Option<FiberRef> {
        let main = || self.main.get().map(|main| main.to_ref());
        self.tasklets.innermost().map(|watcher| watcher.fiber).or_else(main)
    }

    /// Whether anybody waits until nothing can run.
    pub(crate) fn has_watchers(&self) -> bool {
        !self.tasklets.watchers.borrow().is_empty()
    }

    /// Wakes the innermost watcher, if it does not want to wait for timers and other threads first.
    pub(crate) fn wake_watcher(&self) -> bool {
        self.tasklets
            .innermost()
            .is_some_and(|watcher| !watcher.patient && self.unpause(watcher.fiber.ptr()))
    }

    /// Wakes the fiber that is to go on when nothing else can, instead of a deadlock (S-166).
    pub(crate) fn wake_floating(&self) -> bool {
        self.wake_up_target().is_some_and(|fiber| self.unpause(fiber.ptr()))
    }
}
