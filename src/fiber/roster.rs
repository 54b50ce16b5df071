//! The coroutines that an owner must unwind before it ends: those of a frame, or of a generator.
//!
//! Invariants:
//! - A coroutine is listed from its start to its end, and is unwound while it is suspended only.
//! - No user code runs while the list is borrowed: it is copied, and each entry is looked at again
//!   when its turn has come.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::collections::slot_table::{Key, SlotTable};
use crate::fiber::coroutine::{Coroutine, State};

/// A generator or greenlet: code on a coroutine, which can be unwound.
pub(crate) trait Nested {
    fn coroutine(&self) -> &Coroutine;

    /// Returns whether nothing can resume it any more.
    fn is_orphan(&self) -> bool;

    /// Unwinds the suspended coroutine, in its own frame, or abandons it if it does not end. This
    /// call itself does not unwind.
    fn unwind(self: Rc<Self>);

    /// Abandons the suspended coroutine: takes it out of its rosters, and keeps its stack in its
    /// present state forever.
    fn abandon(self: Rc<Self>);
}

/// The list of the coroutines that were started and must be unwound before their owner ends.
pub(crate) struct Roster {
    started: RefCell<SlotTable<(u64, Rc<dyn Nested>)>>,
    next: Cell<u64>,
}

/// The greatest number of coroutines that destructors may start while those of a frame are unwound.
const MOST_LATE: usize = 1_000;

impl Roster {
    pub(crate) fn new() -> Roster {
        Roster { started: RefCell::new(SlotTable::new()), next: Cell::new(0) }
    }

    /// Adds a coroutine that has just been started.
    pub(crate) fn insert(&self, nested: Rc<dyn Nested>) -> Key {
        let number = self.next.get();
        self.next.set(number + 1);
        self.started.borrow_mut().insert((number, nested))
    }

    /// Removes a coroutine that has ended. The caller drops it, which may be the last reference.
    pub(crate) fn remove(&self, place: Key) -> Option<Rc<dyn Nested>> {
        self.started.borrow_mut().remove(place).map(|(_, nested)| nested)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.started.borrow().len() == 0
    }

    /// Unwinds the coroutines that are suspended, the youngest first, and those that their
    /// destructors start.
    pub(crate) fn unwind_all(&self) {
        if self.is_empty() {
            return;
        }
        let mut left = self.started.borrow().len() + MOST_LATE;
        loop {
            let suspended = self.suspended(|_| true);
            if suspended.is_empty() {
                return;
            }
            for nested in suspended {
                if left == 0 {
                    return self.abandon();
                }
                left -= 1;
                unwind_if_suspended(nested);
            }
        }
    }

    /// Abandons the coroutines that are left.
    pub(super) fn abandon(&self) {
        for nested in self.suspended(|_| true) {
            nested.abandon();
        }
    }

    pub(super) fn suspended(&self, wanted: impl Fn(&dyn Nested) -> bool) -> Vec<Rc<dyn Nested>> {
        let started = self.started.borrow();
        let chosen = started.iter().map(|(_, entry)| entry).filter(|(_, nested)| {
            nested.coroutine().state() == State::Suspended && wanted(&**nested)
        });
        let mut chosen: Vec<_> = chosen.cloned().collect();
        chosen.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        chosen.into_iter().map(|(_, nested)| nested).collect()
    }
}

pub(super) fn unwind_if_suspended(nested: Rc<dyn Nested>) {
    // The unwind of another coroutine may have ended it, or resumed it.
    if nested.coroutine().state() == State::Suspended {
        nested.unwind();
    }
}
