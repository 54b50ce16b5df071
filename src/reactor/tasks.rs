//! The futures that wait for one direction of a descriptor.
//!
//! Invariants:
//! - A fiber that polls operations has one waker here: that of its last poll. By the contract of
//!   `Future` an earlier one need not be woken any more. A future that only waits for readiness has
//!   a waker of its own, as long as it exists.
//! - Wakers are cloned and dropped while nothing is borrowed, because both may run user code.
//! - Fibers that have ended are removed before the table has twice as many entries as after the
//!   last such removal.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem;
use std::task::Waker;

use crate::collections::slot_table::Key;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::lowlevel::{FiberPtr, scheduler};

/// The number of entries below which the table is not searched for fibers that have ended.
const FEW: usize = 16;

#[derive(Debug)]
pub(super) struct Tasks {
    /// The first task. Usually it is the only one, and there is no table.
    first: RefCell<Option<Task>>,
    others: RefCell<BTreeMap<Asker, Task>>,
    look_through_at: Cell<usize>,
}

#[derive(Debug)]
struct Task {
    fiber: Key,
    asker: Asker,
    waker: Waker,
}

/// The number of the fiber that has polled, and what it has polled.
type Asker = (u64, Polled);

/// What was polled: the operations of a stream, or a future that has an identity of its own.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) enum Polled {
    Operation,
    Future(u64),
}

impl Tasks {
    pub(super) fn new() -> Tasks {
        Tasks {
            first: RefCell::default(),
            others: RefCell::default(),
            look_through_at: Cell::new(FEW),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.borrow().is_none() && self.others.borrow().is_empty()
    }

    /// Records that `fiber`, which is running, has polled with `waker`.
    pub(super) fn add(&self, fiber: FiberPtr, polled: Polled, waker: &Waker) {
        let asker = (fiber.id().number(), polled);
        if self.knows(asker, waker) {
            return;
        }
        let task = Task { fiber: fiber.key.get(), asker, waker: waker.clone() };
        drop(self.put(task));
        if self.look_through_at.get() <= self.others.borrow().len() {
            self.forget_the_ended();
        }
    }

    /// Removes all wakers, and then calls `each` with each of them.
    pub(super) fn take(&self, mut each: impl FnMut(Waker)) {
        let (first, others) = (self.first.take(), self.others.take());
        if let Some(task) = first {
            each(task.waker);
        }
        // The table is hardly ever used, and its iterator is not small.
        if !others.is_empty() {
            others.into_values().for_each(|task| each(task.waker));
        }
    }

    /// Removes the wakers of a future that does not wait any more, whichever fiber has polled it.
    pub(super) fn remove(&self, polled: Polled) {
        let is_it = |asker: Asker| asker.1 == polled;
        let first = self.first.borrow_mut().take_if(|task| is_it(task.asker));
        let all = mem::take(&mut *self.others.borrow_mut());
        let (removed, left): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(asker, _)| is_it(*asker));
        *self.others.borrow_mut() = left;
        drop((first, removed));
    }

    fn knows(&self, asker: Asker, waker: &Waker) -> bool {
        // Comparing two wakers compares their bits, and runs no user code.
        let same = |task: &Task| task.asker == asker && task.waker.will_wake(waker);
        self.first.borrow().as_ref().is_some_and(same)
            || self.others.borrow().get(&asker).is_some_and(same)
    }

    /// Stores a task; returns the one that it replaced.
    fn put(&self, task: Task) -> Option<Task> {
        let mut first = self.first.borrow_mut();
        let mut others = self.others.borrow_mut();
        let is_first = first.as_ref().is_some_and(|first| first.asker == task.asker);
        // A fiber that polled while there was another first task is in the table.
        if is_first || first.is_none() && !others.contains_key(&task.asker) {
            return first.replace(task);
        }
        others.insert(task.asker, task)
    }

    #[cold]
    #[inline(never)]
    fn forget_the_ended(&self) {
        let Some(sched) = scheduler() else { return };
        let all = mem::take(&mut *self.others.borrow_mut());
        let (live, ended): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, task)| lives(&sched, task.fiber));
        self.look_through_at.set(FEW.max(2 * live.len()));
        *self.others.borrow_mut() = live;
        drop(ended);
    }
}

fn lives(sched: &Scheduler, fiber: Key) -> bool {
    sched.table.borrow().get(fiber).is_some()
}
