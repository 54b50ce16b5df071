//! The right to the result of a job that was spawned.

use std::fmt;
use std::sync::Arc;
use std::thread;

use crate::offload::job::{Outcome, wait_for};
use crate::sched::lowlevel::{spend, try_here};

/// The right to the result of a job. Dropping it detaches the job: it is run in its turn, and its
/// result is dropped on the thread that ran it.
///
/// It may go to any thread, and be joined by a fiber or a plain thread.
///
/// # Examples
///
/// ```
/// let pool = fibra::blocking::ThreadPool::new(2);
/// let job = pool.spawn(|| 6 * 7);
/// fibra::run(|| assert_eq!(job.join().unwrap(), 42));
/// ```
#[must_use = "a job whose handle is dropped runs on by itself"]
pub struct JobHandle<T> {
    /// None once the result was taken.
    job: Option<Arc<dyn Outcome<T>>>,
}

impl<T> JobHandle<T> {
    pub(super) fn new(job: Arc<dyn Outcome<T>>) -> JobHandle<T> {
        JobHandle { job: Some(job) }
    }

    /// Waits for the job's end and returns what it returned. A fiber lets others run meanwhile, a
    /// plain thread blocks.
    ///
    /// For a fiber this is a kill point. One that is killed here, or whose time limit passes, leaves
    /// the job to itself, as if the handle were dropped.
    ///
    /// Do not join a job from within another job of the same pool: if that has no other thread both
    /// wait for ever.
    ///
    /// # Errors
    ///
    /// The payload of its panic, as [`std::thread::JoinHandle::join`].
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
        if let Some(here) = try_here() {
            spend(here);
        }
        wait_for(self.outcome().over());
        let result = self.outcome().take();
        self.job = None;
        result
    }

    /// Whether the job is over, so that [`join`](Self::join) would not wait. It never waits itself.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.outcome().over().is_set()
    }

    /// Lets the job run by itself: the same as dropping the handle, said aloud.
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
            job.let_go();
        }
    }
}

impl<T> fmt::Debug for JobHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").field("is_finished", &self.is_finished()).finish()
    }
}
