//! The callers' side of values on other threads: how a call is submitted and waited for, and how
//! the threads are told to end.
//!
//! Invariants:
//! - A call is submitted under the lock that a close takes: each call either is accepted before the
//!   close, and runs, or is refused.
//! - A refused call is dropped by its caller, outside of the lock.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex};

use crate::offload::job::{Job, Task, Wanted, value_of, wait_for};
use crate::offload::owned::error::OwnedError;
use crate::offload::owned::kept::{Kept, Shared};
use crate::offload::scoped;
use crate::offload::worker::{Crew, Settings, Stats, TaskSender};
use crate::sched::lowlevel::{
    Limit, OnDeadlock, WaitReason, checkpoint, locked, spend, try_current_fiber,
};

/// The wait for a call, which can fail.
pub(super) static CALLING: WaitReason =
    WaitReason::new("calling a value on another thread", OnDeadlock::Fail).ended_externally();

/// The wait for the first value, in calls that have no error for a kill.
pub(super) static MAKING: WaitReason =
    WaitReason::new("making a value on another thread", OnDeadlock::Panic).ended_externally();

static CLOSING: WaitReason =
    WaitReason::new("closing a value on another thread", OnDeadlock::Panic).ended_externally();

/// The threads that keep values of type `T`, and the queue of calls for them. Dropping it lets
/// them finish the queued calls and end.
pub(super) struct Keepers<T: 'static> {
    /// The sending end of the queue; `None` once it is closed.
    sender: Mutex<Option<TaskSender<Kept<T>>>>,
    crew: Arc<Crew<Kept<T>>>,
    shared: Arc<Shared<T>>,
}

impl<T> Keepers<T> {
    /// Creates the queue. There is no thread so far.
    pub(super) fn new(settings: Settings, shared: Shared<T>) -> Arc<Keepers<T>> {
        let shared = Arc::new(shared);
        let (sender, crew) = Crew::new(settings, shared.clone());
        Arc::new(Keepers { sender: Mutex::new(Some(sender)), crew, shared })
    }

    /// Lends a value to `f`, and waits for the result within `limit`.
    #[track_caller]
    pub(super) fn call<F, R>(&self, limit: Limit, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.run(limit, &CALLING, move |kept| kept.call(f))?
    }

    /// Lends a value to `f`, which may borrow, and waits for its end unconditionally.
    #[track_caller]
    pub(super) fn call_uninterruptible<F, R>(&self, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send,
        R: Send,
    {
        self.refuse_nested()?;
        let current = try_current_fiber();
        if let Some(current) = current {
            // Before anything is borrowed: see `ThreadPool::run_uninterruptible`.
            checkpoint(current);
        }
        let submit = |task| self.submit(task);
        scoped::run(submit, current, |kept: &mut Kept<T>| kept.call(f))?
    }

    /// Runs `f` with what a thread keeps, and waits for the result within `limit`.
    #[track_caller]
    pub(super) fn run<F, R>(
        &self,
        limit: Limit,
        reason: &'static WaitReason,
        f: F,
    ) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut Kept<T>) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.refuse_nested()?;
        if let Some(current) = try_current_fiber() {
            // Before the call, and not when the result is there: it is a kill point.
            spend(current);
        }
        let by = limit.instant();
        let job = Job::new(f);
        let wanted = Wanted(&*job);
        self.submit(job.clone())?;
        job.over().wait_in_line(by, reason).map_err(OwnedError::of)?;
        mem::forget(wanted);
        Ok(value_of(job.take()))
    }

    fn refuse_nested(&self) -> Result<(), OwnedError> {
        if self.shared.is_nested() { Err(OwnedError::Nested) } else { Ok(()) }
    }

    fn submit(&self, task: Arc<dyn Task<Kept<T>>>) -> Result<(), OwnedError> {
        let sender = locked(&self.sender);
        let sender = sender.as_ref().ok_or(OwnedError::Closed)?;
        let no_thread = |error: io::Error| OwnedError::NoThread(Arc::new(error));
        self.crew.submit(sender, task).map_err(no_thread)
    }

    pub(super) fn stats(&self) -> Stats {
        self.crew.stats()
    }

    /// Returns the number of calls that have begun, and of values that were replaced.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.shared.counts()
    }

    pub(super) fn max_threads(&self) -> usize {
        self.crew.settings.max_threads
    }

    pub(super) fn is_closed(&self) -> bool {
        locked(&self.sender).is_none()
    }

    /// Refuses further calls, and waits until the queued ones have run and all values are dropped.
    /// Does not wait on a thread that keeps a value.
    #[track_caller]
    pub(super) fn close(&self) {
        self.shut();
        if !self.shared.is_nested() {
            wait_for(self.crew.over(), &CLOSING);
        }
    }

    fn shut(&self) {
        // Nothing is submitted after this line, so the number of threads does not grow.
        let sender = locked(&self.sender).take();
        self.crew.close();
        // The threads notice that when the queue is empty.
        drop(sender);
        self.crew.signal_if_over();
    }
}

impl<T> Drop for Keepers<T> {
    fn drop(&mut self) {
        self.shut();
    }
}

impl<T> fmt::Debug for Keepers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keepers").field("crew", &self.crew).field("shared", &self.shared).finish()
    }
}
