//! One descriptor at one scheduler: what it may be ready for, and who waits for that.
//!
//! ```text
//!                       event                       the operation would block
//!   [clear] --------------------------> [set] ------------------------------> [clear]
//!     \_ fibers stand in line             \_ the first in line tries, and leaves the line
//! ```
//!
//! Invariants:
//! - While a bit is clear the kernel owes an event: whoever clears it has just seen that there is
//!   nothing, and no event is looked at between that and the clearing.
//! - Who is not the first in line does not try, so the order of arrival is the order of service. (An
//!   operation that is not this crate's is tried by who has just left the line.)

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::task::Waker;

use crate::reactor::poller::{Ready, Token};
use crate::reactor::tasks::Tasks;
use crate::sched::lowlevel::{FiberPtr, WaitList, prefetch_stack, scheduler};

/// What an operation waits for.
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

/// See the file's head.
#[derive(Debug)]
pub(super) struct Registration {
    /// The identity of the source, which is never used again.
    pub(super) id: u64,
    pub(super) token: Token,
    /// It was made for a wait at a descriptor that belongs to no source, and goes when nobody waits.
    pub(super) passing: bool,
    /// What the kernel reports on, if another registration had the descriptor itself first.
    pub(super) double: Option<OwnedFd>,
    ready: Cell<Ready>,
    /// Events so far: who waits between an attempt and its clearing sees from it whether one came.
    events: Cell<u32>,
    readers: WaitList,
    writers: WaitList,
    /// Futures that want to know when they may try. They stand behind all fibers in line.
    reading: Tasks,
    writing: Tasks,
}

impl Registration {
    /// A registration that nothing is known of yet: the kernel reports what is there already, too.
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

    /// What the kernel reports on for `fd`.
    pub(super) fn reported<'a>(&'a self, fd: BorrowedFd<'a>) -> BorrowedFd<'a> {
        self.double.as_ref().map_or(fd, AsFd::as_fd)
    }

    pub(super) fn line(&self, direction: Direction) -> &WaitList {
        match direction {
            Direction::Read => &self.readers,
            Direction::Write => &self.writers,
        }
    }

    /// Whether one who has just come may try.
    pub(super) fn is_free(&self, direction: Direction) -> bool {
        self.ready.get().has(direction.bit()) && self.line(direction).len() == 0
    }

    /// Whether it is the turn of `fiber`, who stands in line.
    pub(super) fn is_turn_of(&self, fiber: FiberPtr, direction: Direction) -> bool {
        self.ready.get().has(direction.bit()) && self.line(direction).first() == Some(fiber)
    }

    /// What somebody waits for.
    pub(super) fn wanted(&self) -> Ready {
        let wants = |direction: Direction| {
            let nobody = self.line(direction).len() == 0 && self.tasks(direction).is_empty();
            if nobody { Ready::NONE } else { direction.bit() }
        };
        wants(Direction::Read) | wants(Direction::Write)
    }

    /// The operation would have blocked.
    pub(super) fn clear(&self, direction: Direction) {
        self.ready.set(self.ready.get().without(direction.bit()));
    }

    pub(super) fn events(&self) -> u32 {
        self.events.get()
    }

    /// The operation would have blocked, at a time when there had been so many `events`.
    pub(super) fn clear_as_of(&self, events: u32, direction: Direction) {
        if self.events.get() == events {
            self.clear(direction);
        }
    }

    /// The operation moved less than it could have: it would block now, unless something else than
    /// data is to be told.
    pub(super) fn drained(&self, direction: Direction) {
        if !self.ready.get().has(Ready::SPECIAL) {
            self.clear(direction);
        }
    }

    /// Takes note of an event, and wakes the first who can go on.
    pub(super) fn note(&self, event: Ready) {
        self.ready.set(self.ready.get() | event);
        self.events.set(self.events.get().wrapping_add(1));
        for direction in [Direction::Read, Direction::Write] {
            if event.has(direction.bit()) {
                self.wake_first(direction);
            }
        }
    }

    /// Wakes the first in line, if there is something for it.
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

    /// The directions in which somebody waits for an event. (A poller may have forgotten the one when it
    /// told of the other.)
    pub(super) fn owed(&self) -> Ready {
        self.wanted().without(self.ready.get())
    }

    fn tasks(&self, direction: Direction) -> &Tasks {
        match direction {
            Direction::Read => &self.reading,
            Direction::Write => &self.writing,
        }
    }

    /// Wakes by `waker` when something may be tried, in place of the one with which `fiber`, which runs, has
    /// polled before.
    pub(super) fn add_task(&self, direction: Direction, fiber: FiberPtr, waker: &Waker) {
        self.tasks(direction).add(fiber, waker);
    }

    /// Wakes all futures that wait for this direction.
    fn wake_tasks(&self, direction: Direction) {
        if self.tasks(direction).is_empty() {
            return;
        }
        if let Some(sched) = scheduler() {
            self.tasks(direction).take().for_each(|waker| sched.wake_by(waker));
        }
    }

    /// Takes the wakers out. Dropping them may run user code.
    pub(super) fn take_wakers(&self) -> impl Iterator<Item = Waker> + use<> {
        self.reading.take().chain(self.writing.take())
    }

    /// The descriptor is going: whoever waits looks for himself.
    pub(super) fn close(&self) {
        self.wake_tasks(Direction::Read);
        self.wake_tasks(Direction::Write);
    }
}
