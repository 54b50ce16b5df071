//! The handle to a job that was spawned.

use std::fmt;
use std::sync::Arc;
use std::thread;

use crate::offload::job::{Outcome, WAITING, wait_for};
use crate::sched::lowlevel::{spend, try_current_fiber};

/// The right to take the result of a job. Dropping it detaches the job: the job still runs, and its
/// result is dropped on the thread that ran it.
///
/// It may be sent to any thread, and be joined by a fiber or a plain thread.
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
        self.outcome().over().is_set()
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

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("is_finished", &self.is_finished()).finish()
    }
}
