//! Tasks as waiters: the third kind of party in the queues, beside fibers and plain threads; and
//! the wait of a future at a primitive.
//!
//! ```text
//!   queue of the lock ---> Arc< Waiter: outcome, waker > <--- future: New | Waiting | Over
//! ```
//!
//! A future is polled by any executor, on any thread, and may be dropped or forgotten at any time.
//!
//! Invariants:
//! - The waiter is counted: a future that is forgotten leaves it in the queue. The next partner
//!   serves it there, and what it is given is lost, like everything that the future owns.
//! - The code of a waker (clone, wake, drop) may do anything. It runs with no internal lock held:
//!   a future clones a waker before it takes a lock, and drops the last one after that.
//! - A waker is stored before the outcome is looked at, and taken out by the code that wakes, which
//!   has decided the outcome before: so no wake is lost.
//! - A future that is dropped withdraws its waiter. If the waiter was served before, what it was
//!   given is given back, so that the next waiter gets it.
//! - A waker is dropped where a panic of its destructor loses nothing: while the waiter still has
//!   what it was given, or after that was given back.

use std::mem;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::sched::lowlevel::{OutcomeCell, WaitOutcome, call_waker};
use crate::sync::waiter::{Site, Waiter, locked};

/// A task that waits.
pub(super) struct Task {
    pub(super) outcome: OutcomeCell,
    /// The waker of the last poll, until it is called.
    waker: Mutex<Option<Waker>>,
}

impl Task {
    pub(super) fn new(waker: Waker) -> Task {
        Task { outcome: OutcomeCell::new(), waker: Mutex::new(Some(waker)) }
    }

    /// Calls the waker of the last poll, unless it was called since.
    pub(super) fn wake(&self) {
        if let Some(waker) = self.take() {
            call_waker(waker);
        }
    }

    /// Makes `waker` the one to be called.
    fn store(&self, waker: &Waker) {
        // Comparing two wakers compares their bits, and runs no user code.
        let is_same = |stored: &Waker| stored.will_wake(waker);
        if !locked(&self.waker).as_ref().is_some_and(is_same) {
            let waker = waker.clone();
            let replaced = locked(&self.waker).replace(waker);
            drop(replaced);
        }
    }

    fn take(&self) -> Option<Waker> {
        locked(&self.waker).take()
    }
}

/// Returns the outcome of the wait of `waiter`, a task at `site`, if the wait is over. Otherwise
/// the task of `cx` is woken when it may be.
pub(super) fn poll_wait<S: Site>(
    site: &S,
    waiter: &Waiter<S::Extra>,
    cx: &Context<'_>,
) -> Poll<WaitOutcome> {
    let Some(task) = waiter.task() else { unreachable!("the waiter of a future is a task") };
    let is_over = || task.outcome.get() != WaitOutcome::Waiting;
    if !is_over() {
        task.store(cx.waker());
    }
    if is_over() || { site.compete(waiter) } || is_over() {
        drop(task.take());
        return Poll::Ready(task.outcome.get());
    }
    Poll::Pending
}

/// Ends the wait of `waiter`, a task at `site` whose future needs nothing any more. Returns how the
/// wait has ended, with [`WaitOutcome::Withdrawn`] or before this call; and the waker, which the
/// caller drops after it has given back what the waiter was given.
pub(super) fn leave<S: Site>(site: &S, waiter: &Waiter<S::Extra>) -> (WaitOutcome, Option<Waker>) {
    let Some(task) = waiter.task() else { unreachable!("the waiter of a future is a task") };
    site.withdraw(waiter);
    (task.outcome.get(), task.take())
}

/// A primitive from which a future may take something.
pub(super) trait Grants: Site<Extra: Copy> {
    /// Takes what `request` asks for, if that needs no look at the queue. Returns whether it did.
    fn grant(&self, request: Self::Extra) -> bool;

    /// Puts `waiter` into the queue, or returns the outcome of a wait that need not begin.
    fn queue_task(&self, waiter: &Arc<Waiter<Self::Extra>>) -> Option<WaitOutcome>;

    /// Gives back what `request` has got, because the future was dropped.
    fn give_back(&self, request: Self::Extra);
}

/// The wait of a future at `site`.
pub(super) struct TaskWait<'a, S: Grants> {
    site: &'a S,
    state: WaitState<S::Extra>,
}

impl<'a, S: Grants> TaskWait<'a, S> {
    pub(super) fn new(site: &'a S, request: S::Extra) -> TaskWait<'a, S> {
        TaskWait { site, state: WaitState::new(request) }
    }

    /// Returns the outcome when the wait is over: served, or closed.
    ///
    /// # Panics
    ///
    /// Panics if an earlier poll has returned the outcome.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<WaitOutcome> {
        self.state.poll(self.site, cx)
    }
}

impl<S: Grants> Drop for TaskWait<'_, S> {
    fn drop(&mut self) {
        self.state.leave(self.site);
    }
}

/// The state of the wait of a future, which passes the same site to each call, and leaves it
/// before it is dropped.
pub(super) struct WaitState<X> {
    stage: Stage<X>,
}

enum Stage<X> {
    /// It was not polled yet, with this request.
    New(X),
    Waiting(Arc<Waiter<X>>),
    Over,
}

impl<X: Copy> WaitState<X> {
    pub(super) fn new(request: X) -> WaitState<X> {
        WaitState { stage: Stage::New(request) }
    }

    /// Returns the outcome when the wait is over: see [`TaskWait::poll`].
    pub(super) fn poll<S>(&mut self, site: &S, cx: &Context<'_>) -> Poll<WaitOutcome>
    where
        S: Grants<Extra = X>,
    {
        if let Stage::New(request) = self.stage {
            if site.grant(request) {
                self.stage = Stage::Over;
                return Poll::Ready(WaitOutcome::Served);
            }
            self.begin(site, request, cx);
        }
        let outcome = match &self.stage {
            Stage::Waiting(waiter) => poll_wait(site, waiter, cx),
            _ => panic!("the future of a wait was polled again after it was ready"),
        };
        if outcome.is_ready() {
            self.stage = Stage::Over;
        }
        outcome
    }

    /// Queues a waiter. If the wait need not begin, the waiter gets its outcome without a queue: it
    /// keeps what it was given until its waker was dropped, which may panic.
    fn begin<S>(&mut self, site: &S, request: X, cx: &Context<'_>)
    where
        S: Grants<Extra = X>,
    {
        let waiter = Arc::new(Waiter::of_task(cx.waker().clone(), request));
        if let Some(outcome) = site.queue_task(&waiter) {
            let claimed = waiter.claim(outcome);
            debug_assert!(claimed, "nothing else has the waiter");
        }
        self.stage = Stage::Waiting(waiter);
    }

    /// Ends the wait, and gives back what it was given.
    pub(super) fn leave<S: Grants<Extra = X>>(&mut self, site: &S) {
        if let Stage::Waiting(waiter) = mem::replace(&mut self.stage, Stage::Over) {
            let (outcome, waker) = leave(site, &waiter);
            if outcome == WaitOutcome::Served {
                site.give_back(waiter.extra);
            }
            drop(waker);
        }
    }
}
