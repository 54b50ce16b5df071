//! The jobs of one scope across threads, as their scope and the schedulers that run them see them.
//!
//! Invariants:
//! - A job counts from before it is queued until its fiber has ended, or until its closure was
//!   dropped by a thread that was refused. So a scope whose count is zero lends nothing any more.
//! - The scope is over when no job counts and the body has ended or the scope was closed. A closed
//!   scope accepts no jobs, and no job can begin after both, so a scope that is over stays so.
//! - A job whose fiber was abandoned counts forever: its scope is never left.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use crate::collections::locked::locked;

type Payload = Box<dyn Any + Send>;

/// Set when the scope accepts no more jobs.
const CLOSED: usize = 1;
/// Set while the body runs.
const BODY: usize = 2;
/// One job.
const ONE: usize = 4;

fn is_over(state: usize) -> bool {
    state < ONE && state != BODY
}

/// The standing of a scope for the fiber that waits for its end.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Standing {
    /// A job, or the body, runs.
    Runs,
    /// No job is left, and none can begin.
    IsOver,
    /// A job was abandoned.
    NeverEnds,
}

/// The record that a scope and its jobs share.
pub(crate) struct Children {
    /// [`ONE`] for each job that has not ended, [`BODY`] until the body has ended, and [`CLOSED`].
    state: AtomicUsize,
    cancelled: AtomicBool,
    /// Whether a job was abandoned.
    never_ends: AtomicBool,
    /// The waker of the fiber that waits until the scope is over.
    waiting: Mutex<Option<Waker>>,
    /// The first panic of a job that nothing joins.
    panic: Mutex<Option<Payload>>,
}

impl Children {
    /// Creates the record of a scope whose body runs.
    pub(crate) fn new() -> Children {
        Children {
            state: AtomicUsize::new(BODY),
            cancelled: AtomicBool::new(false),
            never_ends: AtomicBool::new(false),
            waiting: Mutex::new(None),
            panic: Mutex::new(None),
        }
    }

    /// Counts one more job, unless the scope was closed. The caller is the body, or a job that has
    /// not ended. Returns whether it counts.
    #[must_use]
    pub(crate) fn one_begins(&self) -> bool {
        // Relaxed: the caller itself is counted, so the scope does not end before this, except by
        // `close`, which this may precede or follow.
        let counted = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
            if usize::MAX / 2 < state {
                // Only a program that forgets jobs without end comes here, and a panic would unwind
                // out of the scope.
                std::process::abort();
            }
            (state & CLOSED == 0).then_some(state + ONE)
        });
        counted.is_ok()
    }

    /// Counts one job less. Returns the waker to call if the scope is over.
    #[must_use]
    pub(crate) fn one_ended(&self) -> Option<Waker> {
        let after = self.state.fetch_sub(ONE, Ordering::AcqRel) - ONE;
        if is_over(after) { self.take_waker() } else { None }
    }

    /// Notes that the body has ended. Returns the waker to call if the scope is over.
    #[must_use]
    pub(crate) fn body_ended(&self) -> Option<Waker> {
        let after = self.state.fetch_and(!BODY, Ordering::AcqRel) & !BODY;
        if is_over(after) { self.take_waker() } else { None }
    }

    /// Notes that the fiber of a job was abandoned: it counts forever. Returns the waker to call.
    #[must_use]
    pub(crate) fn one_abandoned(&self) -> Option<Waker> {
        self.never_ends.store(true, Ordering::Release);
        self.take_waker()
    }

    /// Takes the waker of the fiber that waits for the end.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        locked(&self.waiting).take()
    }

    /// Returns the standing of the scope. `waker` is called when it changes from `Runs`.
    pub(crate) fn standing(&self, waker: &Waker) -> Standing {
        *locked(&self.waiting) = Some(waker.clone());
        if is_over(self.state.load(Ordering::Acquire)) {
            Standing::IsOver
        } else if self.never_ends.load(Ordering::Acquire) {
            Standing::NeverEnds
        } else {
            Standing::Runs
        }
    }

    /// Cancels the scope, and declares that it accepts no more jobs. After that it may be over
    /// before its body has ended. Only the fiber that waits for the end calls this, or the body if
    /// there is no such fiber.
    pub(crate) fn close(&self) {
        self.cancel();
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Declares that the jobs of the scope are killed: those that have not started never start.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
    }

    pub(crate) fn are_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Keeps the first panic. Returns `payload` if there was one before.
    pub(crate) fn keep_panic(&self, payload: Payload) -> Option<Payload> {
        let mut kept = locked(&self.panic);
        if kept.is_some() {
            return Some(payload);
        }
        *kept = Some(payload);
        None
    }

    pub(crate) fn take_panic(&self) -> Option<Payload> {
        locked(&self.panic).take()
    }
}

impl fmt::Debug for Children {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.state.load(Ordering::Relaxed) / ONE;
        f.debug_struct("Children").field("running", &running).finish_non_exhaustive()
    }
}
