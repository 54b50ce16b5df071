//! The handle to a job that was spawned.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::thread;

use crate::offload::job::{Outcome, WAITING, wait_for};
use crate::sched::lowlevel::{spend, try_current_fiber};
use crate::sync::event::EventWait;

/// The right to take the result of a job. Dropping it detaches the job: the job still runs, and its
/// result is dropped on the thread that ran it.
///
/// It may be sent to any thread, and be joined by a fiber or a plain thread. A task awaits it: it
/// is turned into a [`JobFuture`] by `await`.
///
/// # Examples
///
/// ```
/// let pool = fibra::blocking::ThreadPool::new(2);
/// let job = pool.spawn(|| 6 * 7);
/// fibra::run(|| assert_eq!(job.join().unwrap(), 42));
/// ```
#[must_use = "dropping the handle detaches the job"]
pub struct JobHandle<T> {
    /// The job; `None` once the result was taken.
    job: Option<Arc<dyn Outcome<T>>>,
}

impl<T> JobHandle<T> {
    pub(super) fn new(job: Arc<dyn Outcome<T>>) -> JobHandle<T> {
        JobHandle { job: Some(job) }
    }

    /// Waits for the job's end and returns its result. A fiber lets others run meanwhile, a plain
    /// thread blocks.
    ///
    /// For a fiber this is a kill point. If it is killed here, or its time limit passes, the job is
    /// detached, as if the handle were dropped.
    ///
    /// Do not join a job from within another job of the same pool: if the pool has no other thread,
    /// both wait forever.
    ///
    /// # Errors
    ///
    /// Returns the payload of the job's panic, like [`std::thread::JoinHandle::join`].
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = fibra::blocking::ThreadPool::new(1);
    /// let failed = pool.spawn(|| if true { panic!("no such table") });
    /// let payload = fibra::run(|| failed.join()).unwrap_err();
    /// assert_eq!(*payload.downcast::<&str>().unwrap(), "no such table");
    /// ```
    #[track_caller]
    pub fn join(mut self) -> thread::Result<T> {
        if let Some(current) = try_current_fiber() {
            spend(current);
        }
        wait_for(self.outcome().over(), &WAITING);
        let result = self.outcome().take();
        self.job = None;
        result
    }

    /// Returns whether the job is over, so that [`join`](Self::join) would not wait. Never waits.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.job.as_ref().is_none_or(|job| job.over().is_set())
    }

    /// Detaches the job: the same as dropping the handle, but explicit.
    pub fn detach(self) {
        drop(self);
    }

    fn outcome(&self) -> &dyn Outcome<T> {
        self.job.as_deref().expect("`join` takes the handle")
    }
}

impl<T> Drop for JobHandle<T> {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            job.detach();
        }
    }
}

/// The end of a job as a future, made from a [`JobHandle`] by `await`, or by anything else that
/// takes an [`IntoFuture`]. Its output is the result of [`JobHandle::join`].
///
/// If it is dropped, the job is detached, like by the drop of its handle. It may be polled by any
/// executor, on any thread.
///
/// # Examples
///
/// ```
/// use fibra::future::block_on;
///
/// let pool = fibra::blocking::ThreadPool::new(2);
/// let (one, two) = (pool.spawn(|| 6), pool.spawn(|| 7));
/// let product = block_on(async { one.await.unwrap() * two.await.unwrap() });
/// assert_eq!(product, 42);
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct JobFuture<T> {
    handle: JobHandle<T>,
    wait: EventWait,
}

impl<T> IntoFuture for JobHandle<T> {
    type Output = thread::Result<T>;
    type IntoFuture = JobFuture<T>;

    fn into_future(self) -> JobFuture<T> {
        JobFuture { handle: self, wait: EventWait::new() }
    }
}

impl<T> Future for JobFuture<T> {
    type Output = thread::Result<T>;

    /// Returns the job's result if the job is over.
    ///
    /// # Panics
    ///
    /// Panics if an earlier poll has returned the result.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<thread::Result<T>> {
        let JobFuture { handle, wait } = &mut *self;
        let job = handle.job.as_ref();
        let job = job.expect("the future of a job was polled again after it was ready");
        ready!(wait.poll(job.over(), cx));
        let result = job.take();
        handle.job = None;
        Poll::Ready(result)
    }
}

impl<T> Drop for JobFuture<T> {
    fn drop(&mut self) {
        if let Some(job) = &self.handle.job {
            self.wait.leave(job.over());
        }
    }
}

impl<T> fmt::Debug for JobFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobFuture").field("is_finished", &self.handle.is_finished()).finish()
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("is_finished", &self.is_finished()).finish()
    }
}
