//! Who of a number of fibers has ended, in the order in which they did.
//!
//! ```text
//!   enrol -> [ Mark ] travels with the closure of the fiber
//!              | dropped: returned, panicked, killed, never ran
//!              v
//!            ended: [ key key key ] -> next_ended -> the handle of that key is joined
//! ```
//!
//! Invariants:
//! - A key that was enrolled is handed out by `ended` once, or was struck off; never both.
//! - `running` is the number of marks of keys that were not struck off. A mark is dropped on its
//!   own fiber, which then ends without running more of the user's code than the destructors of
//!   its fiber-locals; a fiber that is retired keeps its mark for ever.
//! - Handles are kept apart from the roll: they may borrow, and the marks may not borrow them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use crate::collections::slot_table::{Key, SlotTable};
use crate::pool::line::Line;
use crate::sched::lowlevel::{Here, Interrupt, WaitReason};

/// The fibers that were enrolled and whose end nobody has taken note of yet.
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

/// Dropped, it says that its fiber has ended.
#[derive(Debug)]
pub(crate) struct Mark {
    roll: Rc<Roll>,
    pub(crate) key: Key,
}

/// What a fiber runs: a closure, and what is dropped when that is over and gone, whatever happens.
pub(crate) struct Job<F, G> {
    // Fields are dropped in this order if the fiber never runs.
    f: F,
    guard: G,
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

    pub(crate) fn enrol(self: &Rc<Roll>) -> Mark {
        let key = self.slots.borrow_mut().insert(());
        self.running.set(self.running.get() + 1);
        Mark { roll: self.clone(), key }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.get()
    }

    /// Whether nobody runs, and the end of nobody is still to be taken note of.
    pub(crate) fn is_over(&self) -> bool {
        self.running.get() == 0 && self.ended.borrow().is_empty()
    }

    /// The first that has ended, if one has.
    pub(crate) fn take_ended(&self) -> Option<Key> {
        let key = self.ended.borrow_mut().pop_front()?;
        self.slots.borrow_mut().remove(key);
        if self.is_over() {
            // Others that wait for an end wait in vain.
            self.news.turn_all_away();
        }
        Some(key)
    }

    /// Puts back what was taken, in front of all others.
    pub(crate) fn put_back(&self) -> Key {
        let key = self.slots.borrow_mut().insert(());
        self.ended.borrow_mut().push_front(key);
        self.news.serve();
        key
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

    /// The first that has ended, which is waited for. None if nobody runs any more.
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

    /// Waits until nobody runs, at the latest `by` a deadline.
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

    /// Takes the fiber of `key`, which has not ended, off the roll: its mark means nothing now.
    pub(crate) fn strike_off(&self, key: Key) {
        if self.slots.borrow_mut().remove(key).is_some() {
            self.one_less();
        }
    }

    fn end(&self, key: Key) {
        if self.slots.borrow().get(key).is_none() {
            return;
        }
        self.ended.borrow_mut().push_back(key);
        self.one_less();
        self.news.serve();
    }

    fn one_less(&self) {
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.idle.turn_all_away();
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        self.roll.end(self.key);
    }
}

impl<F, G> Job<F, G> {
    pub(crate) fn new(f: F, guard: G) -> Job<F, G> {
        Job { f, guard }
    }

    pub(crate) fn run<T>(self) -> T
    where
        F: FnOnce() -> T,
    {
        let Job { f, guard } = self;
        let output = f();
        drop(guard);
        output
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
