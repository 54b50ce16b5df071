//! The futures that wait for one direction of a descriptor.
//!
//! Invariants:
//! - A fiber that polls has one waker here: that of its last poll. By the contract of `Future` an
//!   earlier one need not be woken any more.
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
    others: RefCell<BTreeMap<u64, Task>>,
    look_through_at: Cell<usize>,
}

#[derive(Debug)]
struct Task {
    fiber: Fiber,
    waker: Waker,
}

/// The fiber that has polled.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
struct Fiber {
    number: u64,
    key: Key,
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
    pub(super) fn add(&self, fiber: FiberPtr, waker: &Waker) {
        let fiber = Fiber { number: fiber.id().number(), key: fiber.key.get() };
        if self.knows(fiber, waker) {
            return;
        }
        let task = Task { fiber, waker: waker.clone() };
        drop(self.put(task));
        if self.look_through_at.get() <= self.others.borrow().len() {
            self.forget_the_ended();
        }
    }

    /// Removes and returns all wakers, to be woken.
    pub(super) fn take(&self) -> impl Iterator<Item = Waker> + use<> {
        let (first, others) = (self.first.take(), self.others.take());
        first.into_iter().chain(others.into_values()).map(|task| task.waker)
    }

    fn knows(&self, fiber: Fiber, waker: &Waker) -> bool {
        // Comparing two wakers compares their bits, and runs no user code.
        let same = |task: &Task| task.fiber == fiber && task.waker.will_wake(waker);
        self.first.borrow().as_ref().is_some_and(same)
            || self.others.borrow().get(&fiber.number).is_some_and(same)
    }

    /// Stores a task; returns the one that it replaced.
    fn put(&self, task: Task) -> Option<Task> {
        let mut first = self.first.borrow_mut();
        let mut others = self.others.borrow_mut();
        let is_first = first.as_ref().is_some_and(|first| first.fiber.number == task.fiber.number);
        // A fiber that polled while there was another first task is in the table.
        if is_first || first.is_none() && !others.contains_key(&task.fiber.number) {
            return first.replace(task);
        }
        others.insert(task.fiber.number, task)
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

fn lives(sched: &Scheduler, fiber: Fiber) -> bool {
    sched.table.borrow().get(fiber.key).is_some()
}
