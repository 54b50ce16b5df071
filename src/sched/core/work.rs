//! Work that other threads may bring: closures that have not started, and that this scheduler may
//! start as fibers.
//!
//! The scheduler has no notion of queues of jobs. The module `jobs` implements [`Work`] and gives
//! it to the schedulers that take part; the others have none, and pay one comparison when their
//! ring is empty.
//!
//! ```text
//!   batch: the ring is empty -----------> start(idle): a job becomes a fiber in the ring
//!   turn:  other fibers are ready ------> start(busy), once, so that jobs do not starve
//!   end of a fiber that runs a job -----> ended
//!   nothing is ready -------------------> a search, for some microseconds
//!   before the thread sleeps -----------> may_sleep: announces it, then looks for jobs again
//! ```
//!
//! Invariants:
//! - A fiber that runs a job has an owner that is one of two constants, and so is in no scope.
//! - An implementation runs no user code, except in [`Work::drop_one`], which is called on a fiber.

use std::any::Any;
use std::fmt;
use std::time::Instant;

use crate::fiber::header::{FiberPtr, Header};

/// A source of fibers for one scheduler.
pub(crate) trait Work: fmt::Debug {
    /// Puts a fiber for a job into the ring of this thread's scheduler, if there is a job. `idle`
    /// is whether no other fiber is ready. Returns whether it did.
    fn start(&self, idle: bool) -> bool;

    /// Begins a search for jobs by a scheduler that has nothing to do, unless enough others search.
    /// While it lasts, code that queues a job wakes no other scheduler. Returns whether it began.
    fn begin_search(&self) -> bool;

    /// Ends the search. `starts` is whether it has found a job and nothing else: the caller calls
    /// [`start`](Work::start) next.
    fn end_search(&self, starts: bool);

    /// Announces that the scheduler is about to sleep. Returns whether it may: not if there is a
    /// job. Every job that is queued after that wakes the scheduler, or another one.
    fn may_sleep(&self) -> bool;

    /// Withdraws the announcement.
    fn is_awake(&self);

    /// Notes that the thread falls asleep after this number of switches. Returns the time at which
    /// it must wake up.
    fn falls_asleep(&self, switches: u64) -> Option<Instant>;

    /// Notes that the thread has woken up.
    fn wakes_up(&self);

    /// Returns whether there is a job that this scheduler could start.
    fn exists(&self) -> bool;

    /// Returns whether jobs may come that do not exist so far.
    fn may_come(&self) -> bool;

    /// Returns whether the source of the work has ended, and with it all fibers.
    fn is_ending(&self) -> bool;

    /// Records that `fiber`, which was started by [`start`](Work::start), has ended or was
    /// abandoned.
    fn ended(&self, fiber: FiberPtr);

    /// Refuses all further jobs, and drops one that has not started: user code, on the main fiber.
    /// Returns whether there was one.
    fn drop_one(&self) -> bool;

    /// Passes a call of `exit` to the scheduler that the runtime began with. Returns whether that
    /// is another one.
    fn passes_exit_on(&self, code: i32) -> bool;

    /// Answers the threads that have asked for a dump of this thread's scheduler.
    fn answer(&self);

    /// Returns the number of other schedulers that take part.
    fn other_schedulers(&self) -> usize;

    /// Returns itself, for the module that installed it.
    fn as_any(&self) -> &dyn Any;
}

/// What a job may borrow.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Borrows {
    /// Nothing.
    Nothing,
    /// Values of a fiber of any scheduler, which waits until the job has ended.
    FromAScope,
}

static FREE: u8 = 1;
static BORROWING: u8 = 2;

/// Marks `fiber`, which is about to start, as one that runs a job.
pub(crate) fn mark(fiber: FiberPtr, borrows: Borrows) {
    let owner = match borrows {
        Borrows::Nothing => &raw const FREE,
        Borrows::FromAScope => &raw const BORROWING,
    };
    fiber.owner.set(owner.cast());
}

/// Returns what the job of `fiber` may borrow, if it runs a job.
pub(crate) fn of(fiber: &Header) -> Option<Borrows> {
    let owner = fiber.owner.get();
    if owner == (&raw const FREE).cast() {
        Some(Borrows::Nothing)
    } else if owner == (&raw const BORROWING).cast() {
        Some(Borrows::FromAScope)
    } else {
        None
    }
}
