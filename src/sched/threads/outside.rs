//! Waits that another thread may complete: how a fiber waits, and how a partner wakes it.
//!
//! Invariants:
//! - A fiber withdraws its wait before anything is raised in it: a kill, a pending throw, a
//!   deadline, a deadlock. If a partner has completed the wait before, the withdrawal fails, and
//!   the completion takes precedence over the interrupt.
//! - The wait is in its scheduler's list for as long as it lasts: a guard takes it out.

#![allow(unsafe_code, reason = "lists waits that are on the stacks of waiting fibers")]

use crate::fiber::header::FiberPtr;
use crate::fiber::state::WaitReason;
use crate::sched::core::carry;
use crate::sched::core::deadline::Deadline;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::leave::{leave, leave_for_external_wait};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, SchedulerPtr};
use crate::sched::shared::outside::OutsideWait;
use crate::sched::shared::registry;
use crate::sched::shared::ticket::{Ticket, WaitOutcome};

impl Ticket {
    /// Creates a ticket for the current fiber.
    pub(crate) fn new(current: CurrentFiber) -> Ticket {
        Ticket::of(current.sched.address(), current.fiber.key.get())
    }

    /// Returns whether the fiber is one of `sched`.
    pub(crate) fn is_of(&self, sched: &Scheduler) -> bool {
        self.address.scheduler == sched.id
    }

    /// Returns the fiber, if it is one of `sched` and has not ended.
    pub(crate) fn fiber_in(&self, sched: &Scheduler) -> Option<FiberPtr> {
        if self.is_of(sched) { sched.fiber_of(self.key()) } else { None }
    }

    /// Makes the fiber ready, at the end of its scheduler's ring. `sched` is the scheduler of this
    /// thread, if there is one; a fiber of another scheduler is woken by mail.
    pub(crate) fn wake(&self, sched: Option<SchedulerPtr>) {
        match sched.filter(|sched| self.is_of(sched)) {
            Some(sched) => {
                if let Some(fiber) = sched.fiber_of(self.key()) {
                    sched.make_ready(fiber);
                }
            }
            None => self.address.wake(self.key()),
        }
    }

    /// Makes the fiber's scheduler look for circles again: the holder of the lock has changed, and
    /// the fiber's wait for it has not ended.
    pub(crate) fn look_again(&self, sched: Option<SchedulerPtr>) {
        match sched.filter(|sched| self.is_of(sched)) {
            Some(sched) => sched.circles.wait_began(),
            None => registry::ask(self.address.scheduler),
        }
    }
}

/// Waits until `wait` is over or the deadline `by` has passed, and returns how it ended.
///
/// The caller must have put `wait` where partners find it. Afterwards the caller must take the
/// value that the wait was given, or the value that the wait has left in the queue.
#[track_caller]
pub(crate) fn wait_for_others(
    current: CurrentFiber,
    wait: &dyn OutsideWait,
    by: Option<u64>,
    reason: &'static WaitReason,
) -> Result<WaitOutcome, Interrupt> {
    debug_assert!(reason.outsiders, "its wake would not reach it");
    // It would take the place of the wait that the fiber is in.
    carry::refuse_at_door(current, reason.text);
    // SAFETY: the result is a local that is never moved or forgotten, so it is dropped at the end
    // of this function, also by an unwind. `wait` is borrowed for longer than that.
    let _listed = unsafe { Listed::new(current, wait) };
    let _deadline = by.map(|at| Deadline::arm(current, at));
    let mut woken = false;
    while !wait.ticket().is_completed() {
        if !current.fiber.signals.get().is_none() {
            if carry::go_away(current, reason) {
                // Its code may have completed the wait.
                continue;
            }
            if interrupt::is_coming(current, reason) && !give_up(wait) {
                break;
            }
            interrupt::react(current, reason)?;
        }
        // After the interrupts: what an interrupted wait does not take is for the next waiter.
        if woken && compete(current, wait) {
            break;
        }
        woken = true;
        if reason.external {
            leave_for_external_wait(current, reason);
        } else {
            leave(current, reason);
        }
    }
    if !current.fiber.signals.get().is_none() {
        interrupt::wait_completed(current.fiber);
    }
    Ok(wait.ticket().outcome())
}

/// Lets the fiber, which was woken, complete `wait` by itself. Returns whether it has.
#[cold]
#[inline(never)]
fn compete(current: CurrentFiber, wait: &dyn OutsideWait) -> bool {
    let completed = wait.compete();
    if !completed && wait.is_for_a_lock() {
        // The lock may have another holder than when the wait began.
        current.sched.circles.wait_began();
    }
    completed
}

/// Withdraws `wait`, unless it is completed. Returns whether it is withdrawn now.
fn give_up(wait: &dyn OutsideWait) -> bool {
    wait.claim(WaitOutcome::Withdrawn) || !wait.ticket().is_completed()
}

/// A guard that keeps a wait in its scheduler's list.
struct Listed(CurrentFiber);

impl Listed {
    /// Lists `wait` for the current fiber.
    ///
    /// # Safety
    ///
    /// The result must be dropped before `wait` is moved or dropped, unless the fiber is never
    /// resumed again.
    unsafe fn new(current: CurrentFiber, wait: &dyn OutsideWait) -> Listed {
        if wait.is_for_a_lock() {
            current.sched.circles.wait_began();
        }
        // SAFETY: the caller promises to drop the result before `wait` is gone, and that takes the
        // wait off the list; or that the fiber is never resumed again.
        unsafe { current.sched.outside.list(current.fiber, wait) };
        Listed(current)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let _ = self.0.sched.outside.unlist(self.0.fiber);
    }
}

impl Scheduler {
    /// Returns whether the fiber of `wait` is in it. A fiber that was paused in the middle of its
    /// wait is not, because the end of the wait does not wake it.
    pub(crate) fn is_in(&self, wait: &dyn OutsideWait) -> bool {
        self.fiber_of(wait.ticket().key()).is_some_and(|fiber| fiber.reason.get().outsiders)
    }
}
