//! The ends of a number of fibers, in the order in which they occurred.
//!
//! ```text
//!   register -> [ Registration ] --spawn--> watch: a hook on the fiber
//!                 | dropped: the spawn was interrupted, the key is removed
//!                 v
//!   the fiber has ended: [ key key key ] -> next_ended -> the handle of that key is joined
//! ```
//!
//! Invariants:
//! - Each registered key is returned by `take_ended` once, or was removed; never both.
//! - `running` is the number of keys that were not removed and whose fibers have not ended,
//!   including those that are being spawned: user code runs while a fiber is spawned.
//! - A key is returned only after its fiber counts as ended: joining it then needs no wait. An
//!   abandoned fiber counts as ended.
//! - Handles are kept apart from `Completions`, which is plain data: its hook runs after the last
//!   user code of a fiber.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use crate::collections::slot_table::{Key, SlotTable};
use crate::pool::line::Line;
use crate::sched::api::handle::{Fiber, tell_of_end};
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{CurrentFiber, Interrupt, WaitReason};

/// The registered fibers, and those of them whose ends were not read yet.
#[derive(Debug)]
pub(crate) struct Completions {
    slots: RefCell<SlotTable<()>>,
    ended: RefCell<VecDeque<Key>>,
    running: Cell<usize>,
    /// The fibers that wait for the next end.
    changed: Line,
    /// The fibers that wait until none is running.
    idle: Line,
}

/// A registered key whose fiber is about to be spawned. Dropping it before that removes the key.
#[derive(Debug)]
#[must_use]
pub(crate) struct Registration<'a> {
    completions: &'a Rc<Completions>,
    key: Key,
}

/// The handles of fibers, by their keys.
#[derive(Debug)]
pub(crate) struct Handles<H>(RefCell<Vec<Option<(Key, H)>>>);

impl Completions {
    pub(crate) fn new() -> Rc<Completions> {
        Rc::new(Completions {
            slots: RefCell::new(SlotTable::new()),
            ended: RefCell::new(VecDeque::new()),
            running: Cell::new(0),
            changed: Line::new(),
            idle: Line::new(),
        })
    }

    /// Registers a key for a fiber that is spawned next, or exists already.
    pub(crate) fn register(self: &Rc<Completions>) -> Registration<'_> {
        let key = self.slots.borrow_mut().insert(());
        self.running.set(self.running.get() + 1);
        Registration { completions: self, key }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.get()
    }

    /// Returns whether no fiber runs and all ends were read.
    pub(crate) fn is_over(&self) -> bool {
        self.running.get() == 0 && self.ended.borrow().is_empty()
    }

    /// Returns the key of the fiber that ended first, if its end was not read yet.
    pub(crate) fn take_ended(&self) -> Option<Key> {
        let key = self.ended.borrow_mut().pop_front()?;
        self.slots.borrow_mut().remove(key);
        self.release_if_over();
        Some(key)
    }

    /// Waits for the next end, or for [`release_all`](Completions::release_all).
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait_for_change(
        &self,
        current: CurrentFiber,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        self.changed.wait(current, None, reason).map(drop)
    }

    /// Waits for the next end and returns its key. Returns `None` if no fiber runs any more.
    #[track_caller]
    pub(crate) fn next_ended(
        &self,
        current: CurrentFiber,
        reason: &'static WaitReason,
    ) -> Result<Option<Key>, Interrupt> {
        loop {
            if let Some(key) = self.take_ended() {
                return Ok(Some(key));
            }
            if self.is_over() {
                return Ok(None);
            }
            self.wait_for_change(current, reason)?;
        }
    }

    /// Releases all fibers that wait for an end, to look again.
    pub(crate) fn release_all(&self) {
        self.changed.release_all();
    }

    /// Waits until no fiber runs; with a deadline, no longer than until `by`.
    #[track_caller]
    pub(crate) fn wait_until_idle(
        &self,
        current: CurrentFiber,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        while self.running.get() != 0 {
            self.idle.wait(current, by, reason)?;
        }
        Ok(())
    }

    /// Removes `key`, whose fiber has not ended: its end is not recorded.
    pub(crate) fn remove(&self, key: Key) {
        if self.slots.borrow_mut().remove(key).is_some() {
            self.count_end();
            self.release_if_over();
        }
    }

    fn count_end(&self) {
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.idle.release_all();
        }
    }

    /// Releases the fibers that wait for an end if there will be none.
    fn release_if_over(&self) {
        if self.is_over() {
            self.release_all();
        }
    }
}

impl EndHook for Completions {
    fn ended(&self, key: Key) {
        if self.slots.borrow().get(key).is_none() {
            return;
        }
        self.ended.borrow_mut().push_back(key);
        self.count_end();
        self.changed.serve();
    }
}

impl Registration<'_> {
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// Sets `fiber` as the one of this key, whose end is recorded.
    pub(crate) fn watch(self, fiber: &Fiber) {
        tell_of_end(fiber, self.completions.clone(), self.key);
        // The guard only borrows, so forgetting it leaks nothing.
        mem::forget(self);
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.completions.remove(self.key);
    }
}

impl<H> Handles<H> {
    pub(crate) fn new() -> Handles<H> {
        Handles(RefCell::new(Vec::new()))
    }

    /// Stores the handle of the fiber of `key`.
    pub(crate) fn put(&self, key: Key, handle: H) {
        let mut handles = self.0.borrow_mut();
        let index = key.index as usize;
        if handles.len() <= index {
            handles.resize_with(index + 1, || None);
        }
        debug_assert!(handles[index].is_none(), "a slot is used again when its handle was taken");
        handles[index] = Some((key, handle));
    }

    pub(crate) fn take(&self, key: Key) -> Option<H> {
        self.0.borrow_mut().get_mut(key.index as usize)?.take().map(|(_, handle)| handle)
    }

    /// Calls `f`, which must not run user code, with each handle.
    pub(crate) fn each<R>(&self, mut f: impl FnMut(Key, &H) -> R) -> Vec<R> {
        self.0.borrow().iter().flatten().map(|(key, handle)| f(*key, handle)).collect()
    }
}
