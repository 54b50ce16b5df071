//! The jobs of one scope across threads, as their scope and the schedulers that run them see them.
//!
//! Invariants:
//! - A job counts from before it is queued until its fiber has ended, or until its closure was
//!   dropped by a thread that was refused. So a scope whose count is zero lends nothing any more.
//! - The body of the scope counts as well. So the count becomes zero once, at the end.
//! - A job whose fiber was abandoned counts forever: its scope is never left.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Waker;

use crate::collections::locked::locked;

type Payload = Box<dyn Any + Send>;

/// The record that a scope and its jobs share.
pub(crate) struct Children {
    /// The number of jobs that have not ended, and one for the body.
    running: AtomicUsize,
    cancelled: AtomicBool,
    /// The waker of the fiber that waits until all have ended.
    waiting: Mutex<Option<Waker>>,
    /// The first panic of a job that nothing joins.
    panic: Mutex<Option<Payload>>,
}

impl Children {
    /// Creates the record of a scope whose body runs.
    pub(crate) fn new() -> Children {
        Children {
            running: AtomicUsize::new(1),
            cancelled: AtomicBool::new(false),
            waiting: Mutex::new(None),
            panic: Mutex::new(None),
        }
    }

    /// Counts one more job. The caller is the body, or a job that has not ended.
    pub(crate) fn one_begins(&self) {
        // Relaxed: the caller itself is counted, so the count does not become zero before this.
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        if before == usize::MAX / 2 {
            // Only a program that forgets jobs without end comes here, and a panic would unwind out
            // of the scope.
            std::process::abort();
        }
    }

    /// Counts one less: a job or the body has ended. Returns the waker to call if that was the
    /// last one.
    #[must_use]
    pub(crate) fn one_ended(&self) -> Option<Waker> {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            locked(&self.waiting).take()
        } else {
            None
        }
    }

    /// Returns whether the body and all jobs have ended. Otherwise `waker` is called when they
    /// have.
    pub(crate) fn have_ended(&self, waker: &Waker) -> bool {
        *locked(&self.waiting) = Some(waker.clone());
        self.running.load(Ordering::Acquire) == 0
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
        let running = self.running.load(Ordering::Relaxed).saturating_sub(1);
        f.debug_struct("Children").field("running", &running).finish_non_exhaustive()
    }
}
