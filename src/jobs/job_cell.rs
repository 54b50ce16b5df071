//! The memory of one job: its closure, then its outcome, in one allocation that the queue, the
//! fiber and the handle share.
//!
//! Invariants:
//! - Which thread may touch the closure is decided by the one [`Unstarted`] and, later, the one
//!   body of the job; which may touch the outcome by [`JobState`].
//! - No user code runs under the lock of the waker, nor while a cell is borrowed.
//! - A job with a closure of up to four words takes 120 bytes. Another thread usually frees it than
//!   has allocated it. Many allocators, that of glibc among them, do that without a lock up to this
//!   size, and with one above it.

#![allow(unsafe_code, reason = "moves closures and outcomes between threads")]

use std::cell::UnsafeCell;
use std::mem;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::collections::locked::locked;
use crate::collections::once_box::OnceBox;
use crate::collections::slot_table::Key;
use crate::fiber::current;
use crate::fiber::exit::JoinError;
use crate::fiber::id::FiberId;
use crate::fiber::panic::Panic;
use crate::fiber::task;
use crate::jobs::children::Children;
use crate::jobs::job::{Job, Outcome, Pending, Reason, Settings, Unstarted};
use crate::jobs::state::{GivenUp, JobState, Kill};
use crate::sched::core::scheduler::{Scheduler, scheduler};
use crate::sched::shared::mailbox::Mail;
use crate::sched::shared::registry;

/// Returns a new job as its queue and its handle see it.
pub(crate) fn new<F, T>(mut settings: Settings, f: F) -> (Unstarted, Arc<dyn Pending<T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    settings.moves(mem::size_of::<F>() + mem::size_of::<T>());
    if const { mem::size_of::<F>() <= task::LARGE_VALUE } {
        return allocate(settings, f);
    }
    // A large closure is boxed, because a thread that only drops it may have no room to move it.
    let f = Box::new(f);
    allocate(settings, move || (*f)())
}

fn allocate<F, T>(settings: Settings, f: F) -> (Unstarted, Arc<dyn Pending<T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let parent = current::fiber().map(|fiber| fiber.id());
    let FiberId { scheduler, number } = parent.unwrap_or(NO_FIBER);
    let cell = Arc::new(JobCell {
        state: JobState::new(),
        scheduler: AtomicU32::new(scheduler),
        key: AtomicU64::new(number),
        settings: UnsafeCell::new(Some(settings)),
        closure: UnsafeCell::new(Some(f)),
        outcome: UnsafeCell::new(None),
        waker: OnceBox::new(),
    });
    (Unstarted(cell.clone()), cell)
}

/// Stands for the parent of a job that was spawned outside of all fibers.
const NO_FIBER: FiberId = FiberId { scheduler: 0, number: 0 };

/// The allocation of one job.
struct JobCell<F, T> {
    state: JobState,
    /// Before the job counts as started, the identity of the fiber that has spawned it. After
    /// that, the number of the scheduler that runs it, and the key of its fiber there.
    scheduler: AtomicU32,
    key: AtomicU64,
    settings: UnsafeCell<Option<Settings>>,
    closure: UnsafeCell<Option<F>>,
    /// The error is boxed, because it is rare, and outputs are often small.
    outcome: UnsafeCell<Option<Result<T, Box<JoinError>>>>,
    /// Of a handle that waits: few jobs have one.
    waker: OnceBox<Mutex<Option<Waker>>>,
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
    /// The caller must own the outcome by the rules of [`JobState`].
    unsafe fn take_outcome(&self) -> Option<Outcome<T>> {
        // SAFETY: like in `take_closure`.
        let outcome = unsafe { (*self.outcome.get()).take() };
        outcome.map(|outcome| outcome.map_err(|error| *error))
    }

    /// Moves the outcome in, where there is none.
    ///
    /// # Safety
    ///
    /// The caller must own the outcome by the rules of [`JobState`].
    unsafe fn set_outcome(&self, outcome: Result<T, Box<JoinError>>) {
        // SAFETY: like in `take_closure`. The cell is empty, so the assignment drops no user value.
        unsafe { *self.outcome.get() = Some(outcome) };
    }

    /// Takes the waker of the handle, if one was stored.
    fn take_waker(&self) -> Option<Waker> {
        self.waker.get().and_then(|waker| locked(waker).take())
    }

    /// Stores `error` as the outcome of a job that does not start. Returns the waker to call.
    ///
    /// # Safety
    ///
    /// The caller must own the outcome by the rules of [`JobState`].
    unsafe fn fail(&self, error: JoinError) -> Option<Waker> {
        // SAFETY: the caller owns the outcome.
        unsafe { self.set_outcome(Err(Box::new(error))) };
        if self.state.end().wake { self.take_waker() } else { None }
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

    fn parent(&self) -> Option<FiberId> {
        let scheduler = self.scheduler.load(Ordering::Relaxed);
        let number = self.key.load(Ordering::Relaxed);
        Some(FiberId { scheduler, number }).filter(|&parent| parent != NO_FIBER)
    }

    fn start(&self, scheduler: u32, key: Key) {
        self.scheduler.store(scheduler, Ordering::Relaxed);
        self.key.store(key.to_bits(), Ordering::Relaxed);
        // The state publishes both, and records which side owns the outcome.
        let _ = self.state.start();
    }

    fn was_taken_back(&self) -> bool {
        self.state.was_taken_back()
    }

    fn refuse(&self, error: JoinError) {
        // SAFETY: `Unstarted`, of which there is one, has the right to it, and is used up.
        let closure = unsafe { self.take_closure() };
        if self.state.start() {
            // SAFETY: `start` has returned that this thread owns the outcome.
            let waker = unsafe { self.fail(error) };
            waker.into_iter().for_each(Waker::wake);
        }
        drop(closure);
    }

    fn run(&self) {
        // SAFETY: `Body` has the right to the closure, and calls this once.
        let closure = unsafe { self.take_closure() };
        let Some(closure) = closure else { return };
        if !self.state.owns_outcome() {
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

    fn ended(&self, sched: &Scheduler, scope: Option<&Children>, how: Result<(), Box<JoinError>>) {
        if !self.state.owns_outcome() {
            return drop_unread::<T>(sched, scope, how.err().map(|error| Err(*error)));
        }
        if let Err(error) = how {
            // SAFETY: this scheduler owns the outcome. The closure has unwound, so there is none.
            unsafe { self.set_outcome(Err(error)) };
        }
        let at_end = self.state.end();
        if at_end.wake {
            let waker = self.take_waker();
            waker.into_iter().for_each(|waker| sched.wake_by(waker));
        }
        if at_end.unwanted {
            // SAFETY: this scheduler has owned the outcome, and still does.
            drop_unread(sched, scope, unsafe { self.take_outcome() });
        }
    }

    fn kill_unstarted(&self, sched: &Scheduler, error: JoinError) {
        if let Kill::BeforeStart = self.state.kill() {
            // SAFETY: the state has returned that this thread owns the outcome.
            let waker = unsafe { self.fail(error) };
            waker.into_iter().for_each(|waker| sched.wake_by(waker));
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
            // SAFETY: the caller's promise is the same.
            if !unsafe { self.watch(cx.waker()) } {
                return Poll::Pending;
            }
            // Here, because the scheduler may drop the last count of the job, and a foreign waker's
            // destructor is user code.
            let uncalled = self.take_waker();
            drop(uncalled);
        }
        // SAFETY: the job has ended, so its handle, which calls this, owns the outcome.
        let outcome = unsafe { self.take_outcome() };
        Poll::Ready(outcome.unwrap_or(Err(JoinError::Taken)))
    }

    unsafe fn watch(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let replaced = locked(self.waker.get_or_init(Mutex::default)).replace(waker);
        drop(replaced);
        self.state.wait()
    }

    unsafe fn detach(&self) -> Option<Outcome<T>> {
        match self.state.give_up() {
            // SAFETY: the job had ended, so its handle, which calls this, owns the outcome.
            GivenUp::Ended => return unsafe { self.take_outcome() },
            GivenUp::Watched => {
                let waker = self.take_waker();
                drop(waker);
            }
            GivenUp::Unwatched => {}
        }
        None
    }

    fn take_back(&self) -> bool {
        self.state.take_back()
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
                let waker = unsafe { self.fail(error) };
                waker.into_iter().for_each(Waker::wake);
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

/// Drops an outcome that nothing asks for, on a fiber if that may run user code. The scope of the
/// job, if there is one, keeps the first panic.
fn drop_unread<T: 'static>(
    sched: &Scheduler,
    scope: Option<&Children>,
    outcome: Option<Outcome<T>>,
) {
    let unread = match (outcome, scope) {
        (Some(Err(JoinError::Panicked(panic))), Some(scope)) => {
            let (payload, origin) = panic.into_parts();
            match scope.keep_panic(payload) {
                None => return,
                Some(second) => Some(Err(JoinError::Panicked(Panic::from_parts(second, origin)))),
            }
        }
        (Some(Ok(_)), _) if !mem::needs_drop::<T>() => return,
        (outcome @ Some(Ok(_) | Err(JoinError::Panicked(_))), _) => outcome,
        _ => return,
    };
    let unread = Unread::<T>(unread);
    let fiber = sched.create_paused(move || drop(unread), Location::caller());
    sched.unpause(fiber.ptr());
}

/// An outcome that nothing asks for. If it is a panic, it is reported when this is dropped: on a
/// fiber, or on the thread that drops the handle.
pub(crate) struct Unread<T>(pub(crate) Option<Outcome<T>>);

impl<T> Drop for Unread<T> {
    fn drop(&mut self) {
        if let Some(Err(JoinError::Panicked(panic))) =
            self.0.take_if(|outcome| matches!(outcome, Err(JoinError::Panicked(_))))
        {
            panic.report_unjoined("a job");
        }
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    fn bytes_of_a_job<F: FnOnce() -> T, T>(_: &F) -> usize {
        // The two counts of the `Arc` stand before the cell.
        2 * mem::size_of::<usize>() + mem::size_of::<JobCell<F, T>>()
    }

    #[test]
    fn a_job_with_a_small_closure_takes_120_bytes() {
        let (one, two, three, number) = (Arc::new(0_u64), Arc::new(0), Arc::new(0), 7);
        let closure = move || *one + *two + *three + number;
        assert_eq!(mem::size_of_val(&closure), 4 * 8);
        assert_eq!(bytes_of_a_job(&closure), 120);
    }
}
