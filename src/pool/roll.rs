//! Which of a number of fibers have ended, in the order in which they did.
//!
//! ```text
//!   enrol -> [ Enrolled ] --spawn--> follows the fiber: a hook at its end
//!                 | dropped: the spawn was cut short, the key is struck off
//!                 v
//!   the fiber has ended: [ key key key ] -> next_ended -> the handle of that key is joined
//! ```
//!
//! Invariants:
//! - A key that was enrolled is handed out by `ended` once, or was struck off; never both.
//! - `running` is the number of keys that were not struck off and whose fibers have not ended, those
//!   that are just being spawned included: user code runs while a fiber is spawned.
//! - A key is handed out when its fiber counts as ended: to join it then needs no wait. One that was
//!   retired counts as ended.
//! - Handles are kept apart from the roll, which is plain data: it is told of an end after the last
//!   user code.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem;
use std::rc::Rc;

use crate::collections::slot_table::{Key, SlotTable};
use crate::pool::line::Line;
use crate::sched::api::handle::{Fiber, tell_of_end};
use crate::sched::core::hooks::EndHook;
use crate::sched::lowlevel::{Here, Interrupt, WaitReason};

/// The fibers that were enrolled and whose end was not taken note of yet.
#[derive(Debug)]
pub(crate) struct Roll {
    slots: RefCell<SlotTable<()>>,
    ended: RefCell<VecDeque<Key>>,
    running: Cell<usize>,
    /// Fibers that wait for the next end.
    news: Line,
    /// Fibers that wait until none is running.
    idle: Line,
}

/// A key on the roll whose fiber is about to be spawned. Dropped before that, it is struck off.
#[derive(Debug)]
#[must_use]
pub(crate) struct Enrolled<'a> {
    roll: &'a Rc<Roll>,
    key: Key,
}

/// Handles by the keys of their fibers.
#[derive(Debug)]
pub(crate) struct Handles<H>(RefCell<Vec<Option<(Key, H)>>>);

impl Roll {
    pub(crate) fn new() -> Rc<Roll> {
        Rc::new(Roll {
            slots: RefCell::new(SlotTable::new()),
            ended: RefCell::new(VecDeque::new()),
            running: Cell::new(0),
            news: Line::new(),
            idle: Line::new(),
        })
    }

    /// A key for a fiber that is spawned next, or is there already.
    pub(crate) fn enrol(self: &Rc<Roll>) -> Enrolled<'_> {
        let key = self.slots.borrow_mut().insert(());
        self.running.set(self.running.get() + 1);
        Enrolled { roll: self, key }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.get()
    }

    /// Whether none runs, and there is no end that was not taken note of.
    pub(crate) fn is_over(&self) -> bool {
        self.running.get() == 0 && self.ended.borrow().is_empty()
    }

    /// The first that has ended, if one has.
    pub(crate) fn take_ended(&self) -> Option<Key> {
        let key = self.ended.borrow_mut().pop_front()?;
        self.slots.borrow_mut().remove(key);
        self.tell_if_over();
        Some(key)
    }

    /// Waits for an end, or for anything else of which [`tell_all`](Roll::tell_all) tells.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait_for_news(
        &self,
        here: Here,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        self.news.wait(here, None, reason).map(drop)
    }

    /// The first that has ended, which is waited for. None if none runs any more.
    #[track_caller]
    pub(crate) fn next_ended(
        &self,
        here: Here,
        reason: &'static WaitReason,
    ) -> Result<Option<Key>, Interrupt> {
        loop {
            if let Some(key) = self.take_ended() {
                return Ok(Some(key));
            }
            if self.is_over() {
                return Ok(None);
            }
            self.wait_for_news(here, reason)?;
        }
    }

    /// Lets those who wait for an end look again.
    pub(crate) fn tell_all(&self) {
        self.news.turn_all_away();
    }

    /// Waits until none runs, at the latest `by` a deadline.
    #[track_caller]
    pub(crate) fn wait_until_idle(
        &self,
        here: Here,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        while self.running.get() != 0 {
            self.idle.wait(here, by, reason)?;
        }
        Ok(())
    }

    /// Takes `key`, whose fiber has not ended, off the roll: that end means nothing now.
    pub(crate) fn strike_off(&self, key: Key) {
        if self.slots.borrow_mut().remove(key).is_some() {
            self.one_less();
            self.tell_if_over();
        }
    }

    fn one_less(&self) {
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.idle.turn_all_away();
        }
    }

    /// Those that wait for an end when there will be none wait in vain.
    fn tell_if_over(&self) {
        if self.is_over() {
            self.tell_all();
        }
    }
}

impl EndHook for Roll {
    fn ended(&self, key: Key) {
        if self.slots.borrow().get(key).is_none() {
            return;
        }
        self.ended.borrow_mut().push_back(key);
        self.one_less();
        self.news.serve();
    }
}

impl Enrolled<'_> {
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The fiber of this key is `fiber`: the roll is told of its end.
    pub(crate) fn follow(self, fiber: &Fiber) {
        tell_of_end(fiber, self.roll.clone(), self.key);
        // It borrows, so nothing is leaked.
        mem::forget(self);
    }
}

impl Drop for Enrolled<'_> {
    fn drop(&mut self) {
        self.roll.strike_off(self.key);
    }
}

impl<H> Handles<H> {
    pub(crate) fn new() -> Handles<H> {
        Handles(RefCell::new(Vec::new()))
    }

    /// Keeps the handle of the fiber of `key`.
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

    /// Calls `f`, which runs no user code, with each handle.
    pub(crate) fn each<R>(&self, mut f: impl FnMut(Key, &H) -> R) -> Vec<R> {
        self.0.borrow().iter().flatten().map(|(key, handle)| f(*key, handle)).collect()
    }
}
