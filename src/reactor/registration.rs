//! The registration of one descriptor at one scheduler: what it may be ready for, and what waits
//! for that.
//!
//! ```text
//!                       event                       the operation would block
//!   [clear] --------------------------> [set] ------------------------------> [clear]
//!     \_ fibers wait in the queue         \_ the first one tries, and leaves the queue
//! ```
//!
//! Invariants:
//! - While a bit is clear the kernel owes an event: the operation that clears it has just found
//!   that there is nothing, and no event is processed between that and the clearing.
//! - A fiber that is not the first in the queue does not try, so the order of arrival is the order
//!   of service. (A caller-supplied operation is tried by the fiber that has just left the queue.)

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::Waker;

use crate::reactor::poller::{Ready, Token};
use crate::reactor::tasks::{Polled, Tasks};
use crate::sched::lowlevel::{FiberPtr, WaitList, prefetch_stack, scheduler};

/// The direction of an operation.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub(super) fn bit(self) -> Ready {
        match self {
            Direction::Read => Ready::READABLE,
            Direction::Write => Ready::WRITABLE,
        }
    }
}

/// One descriptor at one scheduler: see the top of the file.
#[derive(Debug)]
pub(super) struct Registration {
    /// The identity of the source, which is never reused.
    pub(super) id: u64,
    pub(super) token: Token,
    /// Whether it is temporary: made for a wait at a descriptor that belongs to no source, and
    /// removed when nothing waits any more.
    pub(super) passing: bool,
    /// The duplicate on which the kernel reports, if another registration had the descriptor itself
    /// first.
    pub(super) double: Option<OwnedFd>,
    ready: Cell<Ready>,
    /// Number of events so far. An operation that waits between its attempt and the clearing of the
    /// bit detects by it whether an event came.
    events: Cell<u32>,
    readers: WaitList,
    writers: WaitList,
    /// Futures that are woken when they may try. They come after all fibers in the queue.
    reading: Tasks,
    writing: Tasks,
}

impl Registration {
    /// Creates a registration with no bit set: the kernel also reports what the descriptor is ready
    /// for already.
    pub(super) fn new(
        id: u64,
        token: Token,
        passing: bool,
        double: Option<OwnedFd>,
    ) -> Registration {
        Registration {
            id,
            token,
            passing,
            double,
            ready: Cell::new(Ready::NONE),
            events: Cell::new(0),
            readers: WaitList::new(),
            writers: WaitList::new(),
            reading: Tasks::new(),
            writing: Tasks::new(),
        }
    }

    /// Returns the descriptor on which the kernel reports for `fd`.
    pub(super) fn reported<'a>(&'a self, fd: BorrowedFd<'a>) -> BorrowedFd<'a> {
        self.double.as_ref().map_or(fd, AsFd::as_fd)
    }

    pub(super) fn line(&self, direction: Direction) -> &WaitList {
        match direction {
            Direction::Read => &self.readers,
            Direction::Write => &self.writers,
        }
    }

    /// Returns whether fibers wait.
    pub(super) fn has_fibers(&self) -> bool {
        self.readers.len() != 0 || self.writers.len() != 0
    }

    /// Returns whether a fiber or future that has just arrived may try.
    pub(super) fn is_free(&self, direction: Direction) -> bool {
        self.ready.get().has(direction.bit()) && self.line(direction).len() == 0
    }

    /// Returns whether `fiber`, which is in the queue, may try.
    pub(super) fn is_turn_of(&self, fiber: FiberPtr, direction: Direction) -> bool {
        self.ready.get().has(direction.bit()) && self.line(direction).first() == Some(fiber)
    }

    /// Returns the directions for which anything waits.
    pub(super) fn wanted(&self) -> Ready {
        let wants = |direction: Direction| {
            let nobody = self.line(direction).len() == 0 && self.tasks(direction).is_empty();
            if nobody { Ready::NONE } else { direction.bit() }
        };
        wants(Direction::Read) | wants(Direction::Write)
    }

    /// Clears the bit, after an operation that would have blocked.
    pub(super) fn clear(&self, direction: Direction) {
        self.ready.set(self.ready.get().without(direction.bit()));
    }

    pub(super) fn events(&self) -> u32 {
        self.events.get()
    }

    /// Clears the bit, after an operation that would have blocked at a time when there had been
    /// `events` events.
    pub(super) fn clear_as_of(&self, events: u32, direction: Direction) {
        if self.events.get() == events {
            self.clear(direction);
        }
    }

    /// Clears the bit, after an operation that moved less than it could have: the next would block,
    /// unless there is something other than data to report.
    pub(super) fn drained(&self, direction: Direction) {
        if !self.ready.get().has(Ready::SPECIAL) {
            self.clear(direction);
        }
    }

    /// Records an event, and wakes the first fiber that can continue.
    pub(super) fn note(&self, event: Ready) {
        self.ready.set(self.ready.get() | event);
        self.events.set(self.events.get().wrapping_add(1));
        for direction in [Direction::Read, Direction::Write] {
            if event.has(direction.bit()) {
                self.wake_first(direction);
            }
        }
    }

    /// Wakes the first in the queue, if it may try.
    pub(super) fn wake_first(&self, direction: Direction) {
        if !self.ready.get().has(direction.bit()) {
            return;
        }
        match self.line(direction).first() {
            Some(first) => {
                prefetch_stack(first);
                scheduler().iter().for_each(|sched| sched.make_ready(first));
            }
            None => self.wake_tasks(direction),
        }
    }

    /// Returns the directions in which anything waits for an event. (A poller may have forgotten
    /// one direction when it reported the other.)
    pub(super) fn owed(&self) -> Ready {
        self.wanted().without(self.ready.get())
    }

    fn tasks(&self, direction: Direction) -> &Tasks {
        match direction {
            Direction::Read => &self.reading,
            Direction::Write => &self.writing,
        }
    }

    /// Stores `waker`, to be woken when an operation may be tried. It replaces the one with which
    /// `fiber`, which is running, has polled the same before.
    pub(super) fn add_task(
        &self,
        direction: Direction,
        fiber: FiberPtr,
        polled: Polled,
        waker: &Waker,
    ) {
        self.tasks(direction).add(fiber, polled, waker);
    }

    /// Removes the waker of a future that does not wait any more.
    pub(super) fn remove_task(&self, direction: Direction, polled: Polled) {
        self.tasks(direction).remove(polled);
    }

    /// Wakes all futures that wait for this direction.
    fn wake_tasks(&self, direction: Direction) {
        if self.tasks(direction).is_empty() {
            return;
        }
        if let Some(sched) = scheduler() {
            self.tasks(direction).take(|waker| sched.wake_by(waker));
        }
    }

    /// Moves the wakers to `to`. Dropping them may run user code.
    pub(super) fn take_wakers(&self, to: &mut Vec<Waker>) {
        self.reading.take(|waker| to.push(waker));
        self.writing.take(|waker| to.push(waker));
    }

    /// Wakes all futures, because the descriptor is about to be closed: each finds that out by
    /// itself.
    pub(super) fn close(&self) {
        self.wake_tasks(Direction::Read);
        self.wake_tasks(Direction::Write);
    }
}
