//! The record of a region of a fiber's stack that can be cancelled, is shielded, or carries a
//! context.
//! [`cancel`](crate::fiber::cancel) links these regions, and evaluates them for a wait.

use std::cell::Cell;

use crate::collections::timing_wheel::TimerKey;

/// A region of the stack: cancellable, shielded, or with a context.
#[derive(Debug)]
pub(crate) struct CancelScope {
    pub(crate) outer: Cell<*const CancelScope>,
    pub(crate) shield: Cell<bool>,
    pub(crate) cancelled: Cell<bool>,
    /// Whether the thread unwound when the region was entered. The region may lie in a destructor
    /// then, and an unwind that is raised in it must not leave it.
    pub(crate) in_unwind: Cell<bool>,
    /// The armed time limit of the region in the timing wheel.
    pub(crate) timer: Cell<TimerKey>,
    /// Whether it is the first field of the record of a region with a context: see
    /// [`carried`](crate::fiber::carried).
    pub(crate) carries: bool,
}

impl CancelScope {
    pub(crate) fn cancellable() -> CancelScope {
        CancelScope {
            outer: Cell::new(std::ptr::null()),
            shield: Cell::new(false),
            cancelled: Cell::new(false),
            in_unwind: Cell::new(false),
            timer: Cell::new(TimerKey::NONE),
            carries: false,
        }
    }

    /// Returns the scope of a region with a context, which is never cancelled. It must be the first
    /// field of the region's record.
    pub(crate) fn carrying() -> CancelScope {
        CancelScope { carries: true, ..CancelScope::cancellable() }
    }

    pub(crate) fn shield() -> CancelScope {
        CancelScope { shield: Cell::new(true), ..CancelScope::cancellable() }
    }

    /// Puts the region inside `outer`: for the hinge of a coroutine, whose scopes are joined to
    /// those of another stack each time that it is resumed.
    #[inline(always)]
    pub(crate) fn hang_on(&self, outer: *const CancelScope) {
        self.outer.set(outer);
    }

    /// Records that the region is entered while the thread unwinds.
    pub(crate) fn enter_in_unwind(&self) {
        self.in_unwind.set(true);
    }

    pub(crate) fn is_in_unwind(&self) -> bool {
        self.in_unwind.get()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}
