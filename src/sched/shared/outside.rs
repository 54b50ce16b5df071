//! A scheduler's list of the waits that another thread, or the world, may complete.
//!
//! Invariants:
//! - The scheduler lists these waits for as long as they last: to tell a deadlock from a wait for
//!   another thread, to name the owners of locks, and to withdraw a fiber that is thrown at or never
//!   runs again.
//! - The list is used by the scheduler's own thread only.

#![allow(unsafe_code, reason = "lists waits that lie on the stacks of waiting fibers")]

use std::cell::{Cell, RefCell};
use std::mem;

use crate::collections::slot_table::SlotTable;
use crate::fiber::header::FiberPtr;
use crate::sched::shared::holder::{Holder, Needs};
use crate::sched::shared::owner::Owner;
use crate::sched::shared::registry;
use crate::sched::shared::ticket::{Ticket, WaitOutcome};

/// What a scheduler asks of a wait that others may complete.
pub(crate) trait OutsideWait {
    fn ticket(&self) -> &Ticket;

    /// Ends the wait with `outcome`, as [`Ticket::claim`], and keeps the books of what it waits at.
    fn claim(&self, outcome: WaitOutcome) -> bool;

    /// Whether somebody is left who could complete it.
    fn others_exist(&self) -> bool;

    /// Whether it is for a lock.
    fn is_for_a_lock(&self) -> bool {
        false
    }

    /// Who holds it, if it is for a lock.
    fn holder(&self) -> Option<Holder> {
        None
    }

    /// On what its end depends, if it is for a lock and has not ended.
    fn needs(&self) -> Option<Needs> {
        None
    }
}

/// The address of a wait on the stack of a fiber that waits.
#[derive(Debug)]
pub(crate) struct ListedWait {
    wait: *const (dyn OutsideWait + 'static),
    /// Whether the registry has it.
    pub(crate) posted: Cell<bool>,
}

impl ListedWait {
    pub(crate) fn wait(&self) -> &dyn OutsideWait {
        // SAFETY: this is stored in a scheduler's list and used while it is there, or directly
        // after it was taken out, on the scheduler's own thread. The caller of `Outside::list` has
        // promised that it is taken out before the wait goes. A fiber that is never resumed keeps
        // its stack, and with it the wait.
        unsafe { &*self.wait }
    }
}

/// The waits of a scheduler's fibers that something outside of these fibers may complete.
#[derive(Debug)]
pub(crate) struct Outside {
    /// The waits that other threads may complete.
    pub(crate) waits: RefCell<SlotTable<ListedWait>>,
    /// The number of parked fibers that an event in real time may wake.
    pub(crate) external_waits: Cell<usize>,
    /// The number of fibers in a `select!` over something that other threads share.
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

    /// Notes that no event in real time wakes `fiber` any more: it goes on, or was taken out of the
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
    /// [`unlist`](Outside::unlist) must be called for `fiber` before `wait` goes, unless the fiber
    /// is never resumed again.
    pub(crate) unsafe fn list(&self, fiber: FiberPtr, wait: &dyn OutsideWait) {
        // SAFETY: this changes the lifetime only, and the caller promises that the address is
        // taken out of the list before that ends.
        let wait = unsafe { mem::transmute::<&dyn OutsideWait, &'static dyn OutsideWait>(wait) };
        let listed = ListedWait { wait, posted: Cell::new(false) };
        let key = self.waits.borrow_mut().insert(listed);
        fiber.with_extra(|extra| extra.outside = Some(key));
    }

    /// Takes the wait of `fiber`, if it is in one, off the list.
    pub(crate) fn unlist(&self, fiber: FiberPtr) -> Option<ListedWait> {
        if !fiber.extra_exists() {
            return None;
        }
        let key = fiber.with_extra(|extra| extra.outside.take())?;
        let listed = self.waits.borrow_mut().remove(key)?;
        if listed.posted.get() {
            registry::withdraw(Owner::of_fiber(fiber.id()));
        }
        Some(listed)
    }

    /// Withdraws the wait of `fiber`, if it is in one: nothing is handed to it any more, because it
    /// never runs again, or has something to raise where it waits.
    pub(crate) fn withdraw(&self, fiber: FiberPtr) {
        if let Some(listed) = self.unlist(fiber) {
            // If the wait has been completed before this, what it was given stays with it.
            let _ = listed.wait().claim(WaitOutcome::Withdrawn);
        }
    }
}
