//! A region of a fiber's stack that can be cancelled, or is shielded: its record. How such regions
//! are linked, and what a wait makes of them, is [`cancel`](crate::fiber::cancel).

use std::cell::Cell;

use crate::collections::timing_wheel::TimerKey;

/// A region of the stack: cancellable, or shielded.
#[derive(Debug)]
pub(crate) struct CancelScope {
    pub(crate) outer: Cell<*const CancelScope>,
    pub(crate) shield: Cell<bool>,
    pub(crate) cancelled: Cell<bool>,
    /// The thread unwound when it was entered: perhaps it lies in a destructor, and what is raised in it
    /// must not leave it.
    pub(crate) in_unwind: Cell<bool>,
    /// Its armed time limit in the timing wheel.
    pub(crate) timer: Cell<TimerKey>,
}

impl CancelScope {
    pub(crate) fn cancellable() -> CancelScope {
        CancelScope {
            outer: Cell::new(std::ptr::null()),
            shield: Cell::new(false),
            cancelled: Cell::new(false),
            in_unwind: Cell::new(false),
            timer: Cell::new(TimerKey::NONE),
        }
    }

    pub(crate) fn shield() -> CancelScope {
        CancelScope { shield: Cell::new(true), ..CancelScope::cancellable() }
    }

    /// Puts the region inside `outer`. For the hinge of a strand, whose stack is joined to another
    /// whenever it is resumed.
    #[inline(always)]
    pub(crate) fn hang_on(&self, outer: *const CancelScope) {
        self.outer.set(outer);
    }

    /// Notes that the thread unwinds now.
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
