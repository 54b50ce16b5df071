//! One job: its closure, then its result, and the notification of the waiter.
//!
//! ```text
//!               begin                 deliver               take
//!   [Queued(f)] -----> [Running] ------------> [Over(result)] --> [Gone]
//!       \                  \__ unwanted: the thread drops the result --^
//!        \__ withdrawn before it began: the fiber drops the closure ---^
//! ```
//! Invariants:
//! - Each step is made once, under the lock, and moves out what it takes; user code (the closure,
//!   and destructors) runs after the lock is released.
//! - The event is set after the result was stored.

use std::any::Any;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::fiber::report;
use crate::sched::lowlevel::{OnDeadlock, WaitReason, interrupted, locked};
use crate::sync::event::Event;

/// The wait for a job, in calls that return no error.
pub(super) static WAITING: WaitReason =
    WaitReason::new("waiting for a job on another thread", OnDeadlock::Panic).ended_externally();

static WAITING_OR_ERROR: WaitReason =
    WaitReason::new("waiting for a job on another thread", OnDeadlock::Fail).ended_externally();

/// Waits until `over` is set: a job is over, or something else that other threads do. A kill point
/// for a fiber, unless it is set already: then a result is not lost to a kill. A plain thread
/// blocks. Dumps show `reason`, which must be one that panics at a deadlock.
#[track_caller]
pub(super) fn wait_for(over: &Event, reason: &'static WaitReason) {
    if let Err(interrupt) = over.wait_in_line(None, reason) {
        interrupt.into_panic();
    }
}

/// Like [`wait_for`], but returns an error if the fiber is killed and nothing can unwind.
#[track_caller]
pub(super) fn try_wait_for(over: &Event) -> io::Result<()> {
    let waited = over.wait_in_line(None, &WAITING_OR_ERROR);
    waited.map_err(|interrupt| interrupted(interrupt, &WAITING_OR_ERROR))
}

/// A unit of work for a thread of a pool, whose threads each keep a `K`.
pub(super) trait Task<K>: Send + Sync {
    /// Does the work on this thread. It does not unwind. `settle` is called once, when the work is
    /// done and before any waiter is notified.
    ///
    /// Returns what has become of the waiter.
    fn run(&self, kept: &mut K, settle: &mut dyn FnMut()) -> Waiter;
}

/// The waiter of a task when the task is over.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Waiter {
    /// It gets the result; or the task was withdrawn before it began.
    Waits,
    /// It left after the task had begun.
    HasLeft,
}

/// A job with an owned closure, whose result may or may not be waited for.
pub(super) struct Job<F, T> {
    state: Mutex<State<F, T>>,
    over: Event,
}

struct State<F, T> {
    stage: Stage<F, T>,
    /// Whether no one will take the result.
    unwanted: bool,
}

enum Stage<F, T> {
    Queued(F),
    Running,
    Over(thread::Result<T>),
    Gone,
}

impl<F, T> Job<F, T> {
    pub(super) fn new(f: F) -> Arc<Job<F, T>> {
        let state = State { stage: Stage::Queued(f), unwanted: false };
        Arc::new(Job { state: Mutex::new(state), over: Event::new() })
    }

    /// Returns the event that is set when the job is over.
    pub(super) fn over(&self) -> &Event {
        &self.over
    }

    /// Takes the result of a job that is over, for the first and only time.
    pub(super) fn take(&self) -> thread::Result<T> {
        match mem::replace(&mut self.state().stage, Stage::Gone) {
            Stage::Over(result) => result,
            _ => unreachable!("the result of a job is taken once, when it is over"),
        }
    }

    /// Detaches the job, whose result is no longer wanted. The job still runs, if it has not yet.
    pub(super) fn detach(&self) {
        let mut state = self.state();
        state.unwanted = true;
        if let Stage::Over(_) = state.stage {
            let over = mem::replace(&mut state.stage, Stage::Gone);
            drop(state);
            quietly(move || drop(over));
        }
    }

    /// Withdraws the job, which is no longer wanted. If it has not begun it never will.
    pub(super) fn withdraw(&self) {
        let mut state = self.state();
        if let Stage::Queued(_) = state.stage {
            let queued = mem::replace(&mut state.stage, Stage::Gone);
            drop(state);
            return quietly(move || drop(queued));
        }
        drop(state);
        self.detach();
    }

    fn begin(&self) -> Option<F> {
        let mut state = self.state();
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Queued(f) => Some(f),
            other => {
                state.stage = other;
                None
            }
        }
    }

    fn deliver(&self, result: thread::Result<T>, settle: &mut dyn FnMut()) -> Waiter {
        let mut state = self.state();
        if state.unwanted {
            state.stage = Stage::Gone;
            drop(state);
            // Before `settle`: a slow destructor keeps the thread busy, too.
            drop_result(result);
            settle();
            return Waiter::HasLeft;
        }
        settle();
        state.stage = Stage::Over(result);
        drop(state);
        self.over.set();
        Waiter::Waits
    }

    fn state(&self) -> MutexGuard<'_, State<F, T>> {
        locked(&self.state)
    }
}

impl<K, F, T> Task<K> for Job<F, T>
where
    F: FnOnce(&mut K) -> T + Send,
    T: Send,
{
    fn run(&self, kept: &mut K, settle: &mut dyn FnMut()) -> Waiter {
        match self.begin() {
            Some(f) => {
                let result = panic::catch_unwind(AssertUnwindSafe(|| f(kept)));
                self.deliver(result, settle)
            }
            None => {
                settle();
                Waiter::Waits
            }
        }
    }
}

/// A handle's view of a job, independent of the closure's type.
pub(super) trait Outcome<T>: Send + Sync {
    fn over(&self) -> &Event;
    fn take(&self) -> thread::Result<T>;
    fn detach(&self);
}

impl<F: Send, T: Send> Outcome<T> for Job<F, T> {
    fn over(&self) -> &Event {
        Job::over(self)
    }

    fn take(&self) -> thread::Result<T> {
        Job::take(self)
    }

    fn detach(&self) {
        Job::detach(self);
    }
}

/// A guard that withdraws a job when its waiter leaves, unless the waiter has taken the result.
pub(super) struct Wanted<'a, F, T>(pub(super) &'a Job<F, T>);

impl<F, T> Drop for Wanted<'_, F, T> {
    fn drop(&mut self) {
        self.0.withdraw();
    }
}

fn drop_result<T>(result: thread::Result<T>) {
    match result {
        Ok(value) => quietly(move || drop(value)),
        Err(payload) => report::drop_payload(payload),
    }
}

/// Runs a destructor whose panic has nowhere to propagate. The panic hook has reported it.
pub(super) fn quietly(f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        report::drop_payload(payload);
    }
}

/// Returns the value of a job, or continues its panic in the caller.
pub(super) fn value_of<T>(result: Result<T, Box<dyn Any + Send>>) -> T {
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}
