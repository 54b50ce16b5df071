//! The right to the outcome of a job, from any thread.
//!
//! Invariants:
//! - There is one handle per job. It alone takes the outcome.

#![allow(unsafe_code, reason = "is the one handle that may take the outcome")]

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::future::block_on::wait_within;
use crate::jobs::handle::Handle;
use crate::jobs::job::Pending;
use crate::jobs::job_cell::Unread;
use crate::sched::core::choose::{Arm, Demands, Done};
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::limit::Limit;
use crate::sched::core::park::spend;
use crate::sched::core::scheduler::{CurrentFiber, try_current_fiber};
use crate::sched::futures::task;

static JOIN: WaitReason = WaitReason::new("waiting for a job to end", OnDeadlock::Fail)
    .ended_externally()
    .ended_by_wakers();

/// The right to the output of a job, which may run on any thread. Dropping it detaches the job: the
/// job continues, and its output is dropped.
///
/// It is `Send` if the output is. A fiber, a plain thread or a task of another runtime may wait for
/// the job: by [`join`](RemoteHandle::join), as a future, or in a [`select!`](crate::select!). If
/// the job panics and nothing joins it, the panic is reported on standard error, once.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let job = fibra::Handle::current().spawn(|| 6 * 7);
///     let thread = std::thread::spawn(|| job.join()); // any thread may join it
///     assert_eq!(fibra::blocking(|| thread.join().unwrap()), Ok(42));
///
///     let job = fibra::Handle::current().spawn(|| "as a future");
///     assert_eq!(fibra::future::block_on(async { job.await }), Ok("as a future"));
/// });
/// # Ok(())
/// # }
/// ```
pub struct RemoteHandle<T> {
    pending: Arc<dyn Pending<T>>,
    /// Whether the outcome was taken.
    taken: bool,
    /// It is `Send` and `Sync` if the output is `Send`: of a shared handle no one can take it.
    output: PhantomData<Mutex<T>>,
    /// A handle of a runtime with one scheduler, which counts what may end a wait of the job.
    handle: Option<Handle>,
}

impl<T> RemoteHandle<T> {
    pub(crate) fn new(pending: Arc<dyn Pending<T>>, handle: Option<Handle>) -> RemoteHandle<T> {
        RemoteHandle { pending, taken: false, output: PhantomData, handle }
    }

    /// Waits until the job has ended, and returns the value that its closure returned.
    ///
    /// A fiber parks, and the wait is a kill point. A plain thread blocks.
    ///
    /// # Errors
    ///
    /// Returns the reason why there is no value: the job panicked, was killed, was abandoned or got
    /// no stack, or its runtime had ended before it started ([`JoinError::Shutdown`]).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let job = fibra::Handle::current().spawn(|| panic!("no more cheese"));
    ///     assert_eq!(job.join().unwrap_err().to_string(), "the fiber panicked: no more cheese");
    /// });
    /// ```
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        self.join_in_place()
    }

    /// Joins the job like [`join`](RemoteHandle::join). If the wait is interrupted, the handle is
    /// left.
    #[track_caller]
    pub(crate) fn join_in_place(&mut self) -> Result<T, JoinError> {
        self.wait(Limit::None).unwrap_or(Err(JoinError::Taken))
    }

    /// Joins the job like [`join`](RemoteHandle::join), but waits no longer than `timeout`. Returns
    /// `None` if the job has not ended by then: it continues, and can be joined later.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`join`](RemoteHandle::join), and [`JoinError::Taken`] if the output
    /// was taken before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let mut job = fibra::Handle::current().spawn(fibra::park);
    ///     assert!(job.join_timeout(Duration::from_millis(1)).is_none());
    ///     job.kill();
    ///     assert!(job.join().unwrap_err().is_killed());
    /// });
    /// ```
    #[track_caller]
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, JoinError>> {
        self.wait(Limit::After(timeout))
    }

    /// Joins the job like [`join_timeout`](RemoteHandle::join_timeout), but waits no longer than
    /// until `deadline`, by the clock of the caller.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`join_timeout`](RemoteHandle::join_timeout).
    #[track_caller]
    pub fn join_deadline(&mut self, deadline: Instant) -> Option<Result<T, JoinError>> {
        self.wait(Limit::At(deadline))
    }

    /// Takes the output if the job has ended, and returns `None` if it has not. Never waits.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`join_timeout`](RemoteHandle::join_timeout).
    pub fn try_join(&mut self) -> Option<Result<T, JoinError>> {
        if self.is_finished() {
            match self.poll_outcome(&Context::from_waker(Waker::noop())) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            }
        } else {
            None
        }
    }

    /// Returns whether the job has ended, so that `join` would not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.pending.is_finished()
    }

    /// Asks the job to end, like [`Fiber::kill`](crate::Fiber::kill), from any thread.
    ///
    /// A job that has not started never starts, and can be joined immediately. Its closure is
    /// dropped later, by the scheduler that would have started it. A job that runs is unwound from
    /// its next wait.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let job = fibra::Handle::current().spawn_on(1, fibra::park);
    ///     job.kill();
    ///     assert!(job.join().unwrap_err().is_killed());
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) {
        self.pending.kill(None);
    }

    /// Asks the job to end, for a reason that its clean-up code and its joiner can read: see
    /// [`Fiber::kill_with`](crate::Fiber::kill_with).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let job = fibra::Handle::current().spawn(fibra::park);
    ///     job.kill_with("the user has left");
    ///     let error = job.join().unwrap_err();
    ///     assert_eq!(error.to_string(), "the fiber was killed: the user has left");
    /// });
    /// ```
    pub fn kill_with(&self, reason: impl Into<Cow<'static, str>>) {
        self.pending.kill(Some(reason.into()));
    }

    /// Detaches the job, which continues. This does the same as dropping the handle, and states the
    /// intent.
    pub fn detach(self) {
        drop(self);
    }

    /// Detaches the job like [`detach`](RemoteHandle::detach), and returns its outcome if it has
    /// ended.
    pub(crate) fn detach_for_scope(mut self) -> Option<Result<T, JoinError>> {
        self.give_up()
    }

    fn give_up(&mut self) -> Option<Result<T, JoinError>> {
        if std::mem::replace(&mut self.taken, true) {
            return None;
        }
        // SAFETY: this is the one handle of the job. It asks for nothing after this, since the
        // outcome counts as taken.
        unsafe { self.pending.detach() }
    }

    fn poll_outcome(&mut self, cx: &Context<'_>) -> Poll<Result<T, JoinError>> {
        if self.taken {
            return Poll::Ready(Err(JoinError::Taken));
        }
        // SAFETY: this is the one handle of the job, and it is borrowed exclusively.
        let outcome = unsafe { self.pending.poll(cx) };
        self.taken |= outcome.is_ready();
        outcome
    }

    /// Returns the job's end as one of several events to wait for.
    pub(crate) fn arm(&mut self) -> RemoteJoinArm<'_, T> {
        RemoteJoinArm { handle: self }
    }

    /// Waits within `limit`. Returns `None` when the time is over.
    #[track_caller]
    fn wait(&mut self, limit: Limit) -> Option<Result<T, JoinError>> {
        if self.is_finished() {
            try_current_fiber().into_iter().for_each(spend);
            return self.try_join();
        }
        let limited = !matches!(limit, Limit::None);
        match wait_within(Pin::new(self), limit, &JOIN) {
            Ok(outcome) => Some(outcome),
            Err(Interrupt::TimedOut) if limited => None,
            Err(Interrupt::Killed) => Some(Err(JoinError::CallerKilled)),
            Err(Interrupt::Deadlock(report)) => Some(Err(JoinError::Deadlock(report))),
            Err(interrupt) => interrupt.into_panic(),
        }
    }
}

/// The output is not in the handle, so moving the handle does not move it.
impl<T> Unpin for RemoteHandle<T> {}

/// The outcome of the job, once it has ended. Several tasks may poll in turn; the task that polled
/// last is woken.
impl<T> Future for RemoteHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_outcome(cx)
    }
}

impl<T> Drop for RemoteHandle<T> {
    fn drop(&mut self) {
        let outcome = Unread(self.give_up());
        // Before the destructor of the outcome, which is user code, and may wait.
        self.handle = None;
        drop(outcome);
    }
}

impl<T> fmt::Debug for RemoteHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteHandle")
            .field("is_finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// The end of a job, as one of several events to wait for.
pub(crate) struct RemoteJoinArm<'a, T> {
    handle: &'a mut RemoteHandle<T>,
}

impl<T> RemoteJoinArm<'_, T> {
    /// Takes the result if the job has ended.
    pub(crate) fn try_now(&mut self) -> Option<Result<T, JoinError>> {
        let is_finished = self.handle.is_finished();
        is_finished.then(|| self.handle.try_join().unwrap_or(Err(JoinError::Taken)))
    }

    pub(crate) fn finish(self) -> Result<T, JoinError> {
        self.handle.try_join().unwrap_or(Err(JoinError::Taken))
    }
}

impl<T> Arm for RemoteJoinArm<'_, T> {
    fn attempt(&mut self, _current: CurrentFiber) -> bool {
        self.handle.is_finished()
    }

    fn demands(&self) -> Demands {
        Demands::SHARED
    }

    fn begin(&self, current: CurrentFiber) {
        // SAFETY: this is the one handle of the job, and the arm borrows it exclusively.
        let _ = unsafe { self.handle.pending.watch(&task::waker(current)) };
    }

    fn done(&self) -> Option<Done> {
        self.handle.is_finished().then_some(Done::Happened)
    }
}
