//! Jobs that borrow from the fiber that spawns them, and may run on any thread.
//!
//! ```text
//!   fiber:     fibra::scope -- spawn_now(guard) -- body: spawns jobs ---- waits for the guard
//!   guard:                     waits until the body and all jobs have ended; if it is killed,
//!                              closes the scope, kills the jobs, and waits for those
//!   jobs:                                          on any scheduler
//! ```
//!
//! Invariants:
//! - Everything that a job borrows outlives `'scope`, and [`scope`] returns or unwinds only after
//!   every job has ended. It relies on [`fibra::scope`](crate::scope()) for that, which waits for
//!   its fibers whatever happens: the one fiber there, the guard, ends only after all jobs.
//! - The guard has run, and waits, before the body can spawn a job. So a kill cannot end it before
//!   its first turn. Its wait is shielded once it was killed; if it unwinds in spite of that, the
//!   process is aborted. If it is abandoned, it counts as running for the local scope, which is
//!   never left.
//! - A scope that has no guard, because `run` is ending, is closed: it drops all closures.

#![allow(unsafe_code, reason = "passes borrows to jobs that end before the scope does")]

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use crate::collections::locked::locked;
use crate::fiber::exit::JoinError;
use crate::fiber::report::report_lost;
use crate::jobs::children::Children;
use crate::jobs::handle::Handle;
use crate::jobs::job::Settings;
use crate::jobs::job_cell;
use crate::jobs::queueing;
use crate::jobs::remote_handle::RemoteHandle;
use crate::par::guard::{Body, Guard, kill_all};
use crate::sched::api::scope as local;
use crate::sched::api::spawn::Builder;
use crate::sched::core::scheduler::current_fiber;

/// Opens a scope whose jobs may borrow from the caller and run on any scheduler of the runtime, and
/// waits for all of them.
///
/// The contract is that of [`std::thread::scope`] and [`fibra::scope`](crate::scope()): jobs that
/// were not joined are joined before this returns. If one of them panicked, the first panic is
/// raised again here. A panic of `f` itself is raised after all jobs have ended. If the caller is
/// killed, so are the jobs, and the caller unwinds once they have ended. In a destructor that runs
/// while the runtime ends, the scope starts no jobs: joining one returns [`JoinError::Killed`].
///
/// # Panics
///
/// Panics outside of a fiber, and if a job panicked that was not joined.
///
/// # Examples
///
/// ```
/// use fibra::par;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let mut sums = [0, 0];
///     let numbers: Vec<u64> = (1..=1000).collect();
///     par::scope(|s| {
///         for (half, sum) in numbers.chunks(500).zip(&mut sums) {
///             s.spawn(move || *sum = half.iter().sum::<u64>());
///         }
///     });
///     assert_eq!(sums, [125_250, 375_250]);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let children = Arc::new(Children::new());
    // Declared first, so dropped last: on this fiber, after the last handle of a job.
    let _unraised = Unraised(children.clone());
    // Declared before the local scope, which is left after all jobs have ended.
    let scope = Scope {
        children: children.clone(),
        handle: Handle::current(),
        scope: PhantomData,
        env: PhantomData,
    };
    local::scope(|fibers| {
        let started = Rc::new(Cell::new(false));
        let guard = Guard { children: children.clone(), started: started.clone() };
        drop(fibers.spawn_now(move || guard.wait()));
        if !started.get() {
            let ending = current_fiber().sched.closing.get();
            assert!(ending, "a scope across threads got no stack for the fiber that waits for it");
            children.close();
        }
        let _body = Body(&children);
        f(&scope)
    })
}

/// A panic that a handle has left in the record of its scope after the guard of that scope, which
/// was killed, has ended. It is reported when this is dropped. Without that, the last thread that
/// shares the record would drop the payload, perhaps in its run loop.
struct Unraised(Arc<Children>);

impl Drop for Unraised {
    fn drop(&mut self) {
        if let Some(payload) = self.0.take_panic() {
            report_lost("a job panicked and was not joined", payload);
        }
    }
}

/// A scope for jobs that borrow: see [`scope`].
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let words = vec![String::from("green"), String::from("threads")];
///     fibra::par::scope(|s| {
///         let lengths: Vec<_> = words.iter().map(|word| s.spawn(|| word.len())).collect();
///         let total: usize = lengths.into_iter().map(|length| length.join().unwrap()).sum();
///         assert_eq!(total, 12);
///     });
/// });
/// # Ok(())
/// # }
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    children: Arc<Children>,
    handle: Handle,
    // Invariant in both lifetimes, like std's: with a shorter 'scope a job could borrow a value
    // that is dropped before the scope is left.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns `f` as a job of this scope, like [`Handle::spawn`](crate::Handle::spawn). Jobs may
    /// spawn further jobs in the same scope.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let word = String::from("green");
    ///     fibra::par::scope(|s| {
    ///         let length = s.spawn(|| word.len());
    ///         assert_eq!(length.join(), Ok(5));
    ///     });
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_with(Builder::new(), f)
    }

    /// Spawns `f` as a job of this scope whose fiber gets the name and the stack size that
    /// `builder` sets.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let name = fibra::par::scope(|s| {
    ///         let builder = fibra::Builder::new().name("hasher");
    ///         s.spawn_with(builder, || fibra::current().name()).join().unwrap()
    ///     });
    ///     assert_eq!(name.as_deref(), Some("hasher"));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_with<F, T>(&'scope self, builder: Builder, f: F) -> ScopedHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn_at(None, queueing::settings(builder, Location::caller()), f)
    }

    /// Spawns `f` as a job of this scope that only the scheduler `index` starts, like
    /// [`Handle::spawn_on`](crate::Handle::spawn_on).
    ///
    /// # Panics
    ///
    /// Panics if there is no scheduler `index`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let word = String::from("green");
    ///     fibra::par::scope(|s| {
    ///         let there = s.spawn_on(1, || (word.len(), fibra::Handle::current().index()));
    ///         assert_eq!(there.join(), Ok((5, Some(1))));
    ///     });
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_on<F, T>(&'scope self, index: usize, f: F) -> ScopedHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let threads = self.handle.threads();
        assert!(index < threads, "there is no scheduler {index}: the runtime has {threads}");
        self.spawn_at(Some(index), queueing::settings(Builder::new(), Location::caller()), f)
    }

    /// Spawns `f` as a job of this scope, for the scheduler `index` if that is given. The caller
    /// has made `settings` before, because that runs user code, which may unwind.
    #[track_caller]
    fn spawn_at<F, T>(
        &'scope self,
        index: Option<usize>,
        mut settings: Settings,
        f: F,
    ) -> ScopedHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        settings.moves(mem::size_of::<F>() + mem::size_of::<T>());
        let output = Arc::new(Mutex::new(None));
        let place = output.clone();
        let body: Box<dyn FnOnce() + Send + 'scope> = Box::new(move || {
            let value = f();
            *locked(&place) = Some(value);
            // Dropped here if the handle is gone: before the job counts as ended.
            drop(place);
        });
        // SAFETY: this changes only the lifetime. Everything that the closure borrows outlives
        // 'scope, and `scope` neither returns nor unwinds before the job has ended: it is counted
        // from here on, until its closure was run or dropped and its fiber has ended. If the job
        // never ends, `scope` waits forever or the process is aborted. A job that is not accepted
        // drops its closure before this call is left, so before the body or the job that makes the
        // call has ended.
        let body: Box<dyn FnOnce() + Send + 'static> = unsafe { mem::transmute(body) };
        let accepted = self.children.one_begins();
        if accepted {
            settings.belong_to(self.children.clone());
        }
        let (job, pending) = job_cell::new(settings, body);
        if accepted {
            self.handle.wait_and_queue(index, job);
        } else {
            job.refuse(JoinError::Killed);
        }
        let job = self.handle.remote(pending);
        ScopedHandle { job: Some(job), output, children: self.children.clone(), scope: PhantomData }
    }

    /// Kills all jobs of the scope that have not ended.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     fibra::par::scope(|s| {
    ///         s.spawn(fibra::park); // would wait forever
    ///         s.kill();
    ///     });
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn kill(&self) {
        kill_all(&self.children, &self.handle);
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("jobs", &self.children).finish_non_exhaustive()
    }
}

/// The right to the output of a job of a scope. Dropping it detaches the job from the handle, not
/// from the scope.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let word = String::from("green");
///     fibra::par::scope(|s| {
///         let length = s.spawn(|| word.len());
///         assert_eq!(length.join(), Ok(5));
///     });
/// });
/// # Ok(())
/// # }
/// ```
pub struct ScopedHandle<'scope, T> {
    job: Option<RemoteHandle<()>>,
    output: Arc<Mutex<Option<T>>>,
    children: Arc<Children>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedHandle<'_, T> {
    /// Waits until the job has ended, and returns the value that its closure returned.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`RemoteHandle::join`].
    #[track_caller]
    pub fn join(mut self) -> Result<T, JoinError> {
        let Some(job) = self.job.take() else { return Err(JoinError::Taken) };
        job.join()?;
        locked(&self.output).take().ok_or(JoinError::Taken)
    }

    /// Returns whether the job has ended, so that `join` would not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.job.as_ref().is_none_or(RemoteHandle::is_finished)
    }

    /// Returns a handle without the right to the output. It may outlive the scope: when that is
    /// left, nothing of the job is left that borrows. If the job panics, this handle gets the
    /// panic, and not the scope.
    #[cfg(feature = "net")]
    pub(crate) fn into_remote(mut self) -> RemoteHandle<()> {
        let Some(job) = self.job.take() else { unreachable!("only `join` and drop take it out") };
        job
    }

    /// Asks the job to end, like [`RemoteHandle::kill`].
    pub fn kill(&self) {
        self.job.iter().for_each(RemoteHandle::kill);
    }
}

/// The outcome of the job, once it has ended: the result of `join`. Several tasks may poll in turn;
/// the task that polled last is woken.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().threads(2).build()?.run(|| {
///     let words = [String::from("green"), String::from("threads")];
///     fibra::par::scope(|s| {
///         let lengths = words.each_ref().map(|word| s.spawn(|| word.len()));
///         let both = fibra::future::block_on(fibra::future::join_all(lengths));
///         assert_eq!(both, [Ok(5), Ok(7)]);
///     });
/// });
/// # Ok(())
/// # }
/// ```
impl<T> Future for ScopedHandle<'_, T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(job) = &mut self.job else { return Poll::Ready(Err(JoinError::Taken)) };
        let ended = ready!(Pin::new(job).poll(cx));
        self.job = None;
        Poll::Ready(ended.and_then(|()| locked(&self.output).take().ok_or(JoinError::Taken)))
    }
}

impl<T> Drop for ScopedHandle<'_, T> {
    fn drop(&mut self) {
        let Some(job) = self.job.take() else { return };
        // A panic that nothing joins is raised by the scope.
        if let Some(Err(JoinError::Panicked(panic))) = job.detach_for_scope() {
            let (at, payload) = (panic.spawned_at(), panic.into_payload());
            if let Some(second) = self.children.keep_panic(payload) {
                let place = at.map_or_else(String::new, |at| format!(", spawned at {at},"));
                report_lost(format_args!("a job{place} panicked and was not joined"), second);
            }
        }
    }
}

impl<T> fmt::Debug for ScopedHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.is_finished();
        f.debug_struct("ScopedHandle").field("is_finished", &ended).finish_non_exhaustive()
    }
}
