//! One job: its closure, then its outcome, in one allocation that the queue, the fiber and the
//! handle share.
//!
//! ```text
//!   Unstarted --start--> Started: a fiber runs the closure, and leaves the output
//!       |                   \__ the fiber has ended: the outcome is announced
//!       \__ refuse: the closure is dropped, the outcome is an error
//!   kill, before the start: the outcome is an error; the closure stays, until the job is taken out
//!       of its queue
//! ```
//!
//! Invariants:
//! - Which thread may touch the closure and the outcome is decided by [`JobState`].
//! - The closure is run or dropped once, on a fiber of the scheduler that took the job, or on the
//!   thread that was refused.
//! - The outcome is announced when the fiber has ended, after the destructors of its fiber-locals.
//! - No user code runs under the lock of the waker, nor while a cell is borrowed.
//! - The last count of a job drops no user value: the handle takes the outcome with it, and
//!   whatever takes a job out of a queue takes the closure.

#![allow(unsafe_code, reason = "moves closures and outcomes between threads")]

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::collections::locked::locked;
use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::fiber::locals::SendLocals;
use crate::fiber::report::report_lost;
use crate::jobs::state::{JobState, Kill};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;
use crate::sched::core::scheduler::{Scheduler, scheduler};
use crate::sched::core::work::Borrows;
use crate::sched::shared::mailbox::Mail;
use crate::sched::shared::registry;

pub(crate) type Outcome<T> = Result<T, JoinError>;
pub(crate) type Reason = Option<Cow<'static, str>>;

/// The settings with which the fiber of a job is created.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) builder: Builder,
    pub(crate) borrows: Borrows,
    pub(crate) at: &'static Location<'static>,
    pub(crate) locals: SendLocals,
}

/// Returns a new job as its queue and its handle see it.
pub(crate) fn new<F, T>(settings: Settings, f: F) -> (Unstarted, Arc<dyn Pending<T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let cell = Arc::new(JobCell {
        state: JobState::new(),
        scheduler: AtomicU32::new(0),
        key: AtomicU64::new(0),
        owns_outcome: AtomicBool::new(false),
        settings: UnsafeCell::new(Some(settings)),
        closure: UnsafeCell::new(Some(f)),
        outcome: UnsafeCell::new(None),
        waker: Mutex::new(None),
    });
    (Unstarted(cell.clone()), cell)
}

/// A job in a queue: the right to its closure. There is one per job.
pub(crate) struct Unstarted(Arc<dyn Job>);

/// A job that runs: the right to its outcome, unless the job was killed before it started. There is
/// one per job.
pub(crate) struct Started(Arc<dyn Job>);

/// The right to run the closure of a job. There is one per job.
struct Body(Arc<dyn Job>);

impl Drop for Body {
    /// Drops the closure, if the fiber was killed before its first turn. This is on the fiber.
    fn drop(&mut self) {
        self.0.drop_closure();
    }
}

impl Unstarted {
    /// Creates the fiber that runs the job, without queueing it.
    pub(crate) fn start(self, sched: &Scheduler) -> (Started, JoinHandle<()>) {
        let Settings { builder, borrows, at, locals } = self.0.settings();
        let body = Body(self.0.clone());
        let run = move || body.0.run();
        let handle = builder.create_for_job(sched, (borrows, at), locals.arrive(), run);
        self.0.start(sched.id, handle.fiber().record().key.get());
        (Started(self.0), handle)
    }

    /// Drops the closure of a job that never starts: user code.
    pub(crate) fn refuse(self, error: JoinError) {
        self.0.refuse(error);
    }
}

impl Started {
    /// Announces the outcome. The fiber has ended, with this result. Runs no user code.
    pub(crate) fn ended(self, sched: &Scheduler, how: Result<(), JoinError>) {
        self.0.ended(sched, how);
    }
}

/// A job, whatever its types. Only [`Unstarted`], [`Body`] and [`Started`] call this, each with the
/// right that it stands for.
trait Job: Send + Sync {
    /// Takes the settings. Called by `Unstarted::start`, once.
    fn settings(&self) -> Settings;

    /// Records the fiber that will run the closure. Called by `Unstarted::start`, once.
    fn start(&self, scheduler: u32, key: Key);

    /// Drops the closure. Called by `Unstarted::refuse`, once.
    fn refuse(&self, error: JoinError);

    /// Runs the closure; only drops it if the job was killed before it started. Called by `Body`,
    /// once.
    fn run(&self);

    /// Drops the closure, unless it was run. Called by `Body`, once, after `run`.
    fn drop_closure(&self);

    /// Announces the outcome. Called by `Started`, once, after `run` has ended.
    fn ended(&self, sched: &Scheduler, how: Result<(), JoinError>);
}

/// A job, as its handle sees it.
pub(crate) trait Pending<T>: Send + Sync {
    /// Returns the outcome if the job has ended. Otherwise the task of `cx`, and no other one, is
    /// woken when it ends.
    ///
    /// # Safety
    ///
    /// Only the one handle of the job may call this, not on two threads at the same time.
    unsafe fn poll(&self, cx: &Context<'_>) -> Poll<Outcome<T>>;

    /// Declares that nothing will ask for the outcome. Drops the outcome if it is there.
    ///
    /// # Safety
    ///
    /// Only the one handle of the job may call this, once, and not `poll` after it.
    unsafe fn detach(&self);

    fn is_finished(&self) -> bool;

    /// Asks the job to end, for this reason if there is one.
    fn kill(&self, reason: Reason);
}

/// The allocation of one job.
struct JobCell<F, T> {
    state: JobState,
    /// The fiber that runs it: the number of its scheduler, and its key. Set before the job counts
    /// as started.
    scheduler: AtomicU32,
    key: AtomicU64,
    /// Whether the scheduler that has started it owns the outcome. Used on its thread only.
    owns_outcome: AtomicBool,
    settings: UnsafeCell<Option<Settings>>,
    closure: UnsafeCell<Option<F>>,
    outcome: UnsafeCell<Option<Outcome<T>>>,
    waker: Mutex<Option<Waker>>,
}

// SAFETY: the cells are moved into and out of by one thread at a time, with a happens-before edge
// between two of them: the queue passes the right to the settings and the closure on, and `state`
// the right to the outcome. Nothing is ever borrowed from a cell. Closures and outputs are `Send`,
// and so may be used and dropped by the thread that has got them.
unsafe impl<F: Send, T: Send> Sync for JobCell<F, T> {}
// SAFETY: all fields may be dropped on another thread, since `F` and `T` are `Send`.
unsafe impl<F: Send, T: Send> Send for JobCell<F, T> {}

impl<F, T> JobCell<F, T> {
    /// Moves the closure out.
    ///
    /// # Safety
    ///
    /// The caller must have the right to the closure.
    unsafe fn take_closure(&self) -> Option<F> {
        // SAFETY: no other thread touches the cell while the caller has the right to it, and no
        // reference into it is ever kept.
        unsafe { (*self.closure.get()).take() }
    }

    /// Moves the outcome out.
    ///
    /// # Safety
    ///
    /// The caller must own the outcome, as [`JobState`] says.
    unsafe fn take_outcome(&self) -> Option<Outcome<T>> {
        // SAFETY: like in `take_closure`.
        unsafe { (*self.outcome.get()).take() }
    }

    /// Moves the outcome in, where there is none.
    ///
    /// # Safety
    ///
    /// The caller must own the outcome, as [`JobState`] says.
    unsafe fn set_outcome(&self, outcome: Outcome<T>) {
        // SAFETY: like in `take_closure`. The cell is empty, so the assignment drops no user value.
        unsafe { *self.outcome.get() = Some(outcome) };
    }

    fn owns_outcome(&self) -> bool {
        self.owns_outcome.load(Ordering::Relaxed)
    }

    /// Stores `error` as the outcome of a job that does not start, and wakes the task that waits.
    ///
    /// # Safety
    ///
    /// The caller must own the outcome, as [`JobState`] says.
    unsafe fn fail(&self, error: JoinError) {
        // SAFETY: the caller owns the outcome.
        unsafe { self.set_outcome(Err(error)) };
        if self.state.end().wake {
            let waker = locked(&self.waker).take();
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<F, T> Job for JobCell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send + 'static,
{
    fn settings(&self) -> Settings {
        // SAFETY: only `Unstarted`, of which there is one, calls this, and it is used up by that.
        // Like in `take_closure`, nothing is borrowed.
        let settings = unsafe { (*self.settings.get()).take() };
        settings.expect("a job is started once")
    }

    fn start(&self, scheduler: u32, key: Key) {
        self.scheduler.store(scheduler, Ordering::Relaxed);
        self.key.store(key.to_bits(), Ordering::Relaxed);
        // The state publishes both.
        self.owns_outcome.store(self.state.start(), Ordering::Relaxed);
    }

    fn refuse(&self, error: JoinError) {
        // SAFETY: `Unstarted`, of which there is one, has the right to both, and is used up.
        let unused = unsafe { (self.take_closure(), (*self.settings.get()).take()) };
        if self.state.start() {
            // SAFETY: `start` has returned that this thread owns the outcome.
            unsafe { self.fail(error) };
        }
        drop(unused);
    }

    fn run(&self) {
        // SAFETY: `Body` has the right to the closure, and calls this once.
        let closure = unsafe { self.take_closure() };
        let Some(closure) = closure else { return };
        if !self.owns_outcome() {
            return drop(closure);
        }
        let output = closure();
        if !self.state.is_unwanted() {
            // SAFETY: the scheduler that has started the job owns the outcome, and this is its
            // thread.
            unsafe { self.set_outcome(Ok(output)) };
        }
    }

    fn drop_closure(&self) {
        // SAFETY: `Body` has the right to the closure, and is gone after this.
        drop(unsafe { self.take_closure() });
    }

    fn ended(&self, sched: &Scheduler, how: Result<(), JoinError>) {
        if !self.owns_outcome() {
            return drop_on_a_fiber::<T>(sched, how.err().map(Err));
        }
        if let Err(error) = how {
            // SAFETY: this scheduler owns the outcome. The closure has unwound, so there is none.
            unsafe { self.set_outcome(Err(error)) };
        }
        let at_end = self.state.end();
        if at_end.wake {
            let waker = locked(&self.waker).take();
            waker.into_iter().for_each(|waker| sched.wake_by(waker));
        }
        if at_end.unwanted {
            // SAFETY: this scheduler has owned the outcome, and still does.
            drop_on_a_fiber(sched, unsafe { self.take_outcome() });
        }
    }
}

impl<F, T> Pending<T> for JobCell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    unsafe fn poll(&self, cx: &Context<'_>) -> Poll<Outcome<T>> {
        if !self.state.has_ended() {
            let waker = cx.waker().clone();
            let replaced = locked(&self.waker).replace(waker);
            drop(replaced);
            if !self.state.wait() {
                return Poll::Pending;
            }
        }
        // SAFETY: the job has ended, so its handle, which calls this, owns the outcome.
        let outcome = unsafe { self.take_outcome() };
        Poll::Ready(outcome.unwrap_or(Err(JoinError::Taken)))
    }

    unsafe fn detach(&self) {
        if self.state.give_up() {
            // SAFETY: the job had ended, so its handle, which calls this, owns the outcome.
            drop(Unread(unsafe { self.take_outcome() }));
        } else if let Some(waker) = locked(&self.waker).take() {
            drop(waker);
        }
    }

    fn is_finished(&self) -> bool {
        self.state.has_ended()
    }

    fn kill(&self, reason: Reason) {
        match self.state.kill() {
            Kill::Nothing => {}
            Kill::BeforeStart => {
                let error = reason.map_or(JoinError::Killed, JoinError::KilledFor);
                // SAFETY: the state has returned that this thread owns the outcome.
                unsafe { self.fail(error) };
            }
            Kill::Running => {
                let scheduler = self.scheduler.load(Ordering::Relaxed);
                kill_fiber(scheduler, Key::from_bits(self.key.load(Ordering::Relaxed)), reason);
            }
        }
    }
}

/// Kills a fiber of any scheduler.
fn kill_fiber(id: u32, key: Key, reason: Reason) {
    match scheduler().filter(|sched| sched.id == id) {
        Some(sched) => sched.kill_for(key, reason),
        None => {
            if let Some(mailbox) = registry::mailbox(id) {
                mailbox.post(Mail::Kill(key, reason));
            }
        }
    }
}

/// Drops an outcome that nothing asks for on a fiber, if that may run user code.
fn drop_on_a_fiber<T: 'static>(sched: &Scheduler, outcome: Option<Outcome<T>>) {
    if matches!(outcome, Some(Ok(_) | Err(JoinError::Panicked(_)))) {
        let unread = Unread(outcome);
        let fiber = sched.create_paused(move || drop(unread), Location::caller());
        sched.unpause(fiber.ptr());
    }
}

/// An outcome that nothing asks for. If it is a panic, it is reported when this is dropped: on a
/// fiber, or on the thread that drops the handle.
struct Unread<T>(Option<Outcome<T>>);

impl<T> Drop for Unread<T> {
    fn drop(&mut self) {
        if let Some(Err(JoinError::Panicked(panic))) =
            self.0.take_if(|outcome| matches!(outcome, Err(JoinError::Panicked(_))))
        {
            report_lost("a job panicked and was not joined", panic.into_payload());
        }
    }
}
