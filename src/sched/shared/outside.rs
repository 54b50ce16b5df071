//! A scheduler's list of its external waits: those that another thread or the kernel may complete.
//!
//! Invariants:
//! - The scheduler lists these waits for as long as they last: to distinguish a deadlock from a
//!   wait for another thread, to name the owners of locks, and to withdraw a fiber that is thrown
//!   at or never runs again.
//! - The list is used by the scheduler's own thread only.

#![allow(unsafe_code, reason = "lists waits that are on the stacks of waiting fibers")]

use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::Location;

use crate::collections::slot_table::SlotTable;
use crate::fiber::header::FiberPtr;
use crate::sched::shared::holder::{Holder, Needs};
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry;
use crate::sched::shared::ticket::{Ticket, WaitOutcome};

/// A wait that other threads may complete, as its scheduler sees it.
pub(crate) trait OutsideWait {
    fn ticket(&self) -> &Ticket;

    /// Ends the wait with `outcome`, like [`Ticket::claim`], and updates the counts of the
    /// primitive at which it waits.
    fn claim(&self, outcome: WaitOutcome) -> bool;

    /// Completes the wait if what it waits for is free by now. Called by the waiting fiber when it
    /// was woken and the wait is not completed.
    fn compete(&self) -> bool {
        false
    }

    /// Returns whether anything outside of this scheduler's fibers is left that could complete it.
    fn others_exist(&self) -> bool;

    /// Returns whether the wait is for a lock.
    fn is_for_a_lock(&self) -> bool {
        false
    }

    /// Returns the place where the channel was made, if the wait is at a channel.
    fn made_at(&self) -> Option<&'static Location<'static>> {
        None
    }

    /// Returns the holder of the lock, if the wait is for a lock.
    fn holder(&self) -> Option<Holder> {
        None
    }

    /// Returns the owners that its end depends on, if it is for a lock and has not ended.
    fn needs(&self) -> Option<Needs> {
        None
    }
}

/// The address of a wait, on the stack of the waiting fiber.
#[derive(Debug)]
pub(crate) struct ListedWait {
    wait: *const (dyn OutsideWait + 'static),
    /// Whether the wait is posted in the registry.
    pub(crate) posted: Cell<bool>,
}

impl ListedWait {
    pub(crate) fn wait(&self) -> &dyn OutsideWait {
        // SAFETY: a `ListedWait` is used only on the scheduler's own thread, and only while it is
        // in the scheduler's list or directly after it was taken out. The caller of `Outside::list`
        // has promised that it is taken out before the wait is gone. A fiber that is never resumed
        // keeps its stack, and with it the wait.
        unsafe { &*self.wait }
    }
}

/// Takes the wait of `fiber` out of the registry.
#[cold]
fn withdraw_posted(fiber: FiberPtr) {
    registry::withdraw(Owner::of_fiber(fiber.id()));
}

/// The external waits of a scheduler's fibers.
#[derive(Debug)]
pub(crate) struct Outside {
    /// The waits that other threads may complete.
    pub(crate) waits: RefCell<SlotTable<ListedWait>>,
    /// The number of parked fibers that an event in real time may wake.
    pub(crate) external_waits: Cell<usize>,
    /// The number of fibers in a `select!` over an object that threads share.
    pub(crate) shared_choices: Cell<usize>,
}

impl Outside {
    pub(crate) fn new() -> Outside {
        Outside {
            waits: RefCell::new(SlotTable::new()),
            external_waits: Cell::new(0),
            shared_choices: Cell::new(0),
        }
    }

    /// Notes that `fiber` waits for an event in real time.
    #[inline(always)]
    pub(crate) fn begin_external_wait(&self, fiber: FiberPtr) {
        fiber.in_external_wait.set(true);
        self.external_waits.set(self.external_waits.get() + 1);
    }

    /// Notes that no event in real time will wake `fiber`: it resumes, or was taken out of the
    /// ring, or never runs again.
    #[inline(always)]
    pub(crate) fn end_external_wait(&self, fiber: FiberPtr) {
        if fiber.in_external_wait.replace(false) {
            self.external_waits.set(self.external_waits.get() - 1);
        }
    }

    /// Lists the wait of `fiber`.
    ///
    /// # Safety
    ///
    /// [`unlist`](Outside::unlist) must be called for `fiber` before `wait` is moved or dropped,
    /// unless the fiber is never resumed again.
    pub(crate) unsafe fn list(&self, fiber: FiberPtr, wait: &dyn OutsideWait) {
        // SAFETY: this changes only the lifetime. The caller promises that the address is taken
        // out of the list before the lifetime ends, or that the stack with `wait` is kept.
        let wait = unsafe { mem::transmute::<&dyn OutsideWait, &'static dyn OutsideWait>(wait) };
        let listed = ListedWait { wait, posted: Cell::new(false) };
        let key = self.waits.borrow_mut().insert(listed);
        fiber.with_extra(|extra| extra.outside = Some(key));
    }

    /// Removes the wait of `fiber`, if it is in one, from the list.
    #[inline]
    pub(crate) fn unlist(&self, fiber: FiberPtr) -> Option<ListedWait> {
        if !fiber.extra_exists() {
            return None;
        }
        let key = fiber.with_extra(|extra| extra.outside.take())?;
        let listed = self.waits.borrow_mut().remove(key)?;
        if listed.posted.get() {
            withdraw_posted(fiber);
        }
        Some(listed)
    }

    /// Withdraws the wait of `fiber`, if it is in one, because the fiber never runs again or has
    /// something to raise where it waits. Nothing is handed to the fiber afterwards.
    pub(crate) fn withdraw(&self, fiber: FiberPtr) {
        if let Some(listed) = self.unlist(fiber) {
            // If the wait was completed before, the value that was handed over stays with it.
            let _ = listed.wait().claim(WaitOutcome::Withdrawn);
        }
    }
}
