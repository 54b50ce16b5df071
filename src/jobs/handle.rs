//! The handle of a runtime, with which any thread spawns jobs.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::fiber::current;
use crate::future::block_on::block_on;
use crate::jobs::error::TrySpawnError;
use crate::jobs::job_cell;
use crate::jobs::queueing::{found, settings};
use crate::jobs::remote_handle::RemoteHandle;
use crate::jobs::shared::Shared;
use crate::jobs::worker::Worker;
use crate::sched::api::spawn::Builder;
use crate::sched::core::scheduler::{Scheduler, current_fiber};

/// A handle of a [`Runtime`](crate::Runtime), or of the current [`run`](crate::run), that spawns
/// jobs from any thread.
///
/// A job is a closure that is `Send`. It starts, as a fiber, on one of the runtime's schedulers: on
/// the one whose fiber has spawned it, or on another one that has nothing else to do. A scheduler
/// starts jobs when no fiber of its own can run, and one in each turn, the newest first. Once
/// started, a fiber stays on its thread.
///
/// Inside a plain `run` there is one scheduler, and the handle is a way for other threads to spawn
/// fibers on it.
///
/// # Deadlocks
///
/// As long as a handle of a `run`, or a [`RemoteHandle`] of one of its jobs, exists, another thread
/// may spawn a job or kill one. So no deadlock is detected meanwhile. A runtime with several
/// schedulers detects circles of locks, and no other deadlocks.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = fibra::Runtime::builder().threads(2).build()?;
/// let total = runtime.run(|| {
///     let handle = fibra::Handle::current();
///     let squares: Vec<_> = (1..=10u64).map(|n| handle.spawn(move || n * n)).collect();
///     squares.into_iter().map(|square| square.join().unwrap()).sum::<u64>()
/// });
/// assert_eq!(total, 385);
/// # Ok(())
/// # }
/// ```
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    /// Returns the handle of the runtime to which the current fiber belongs.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let handle = fibra::Handle::current();
    ///     let thread = std::thread::spawn(move || {
    ///         handle.spawn(|| fibra::current().name()).join().unwrap()
    ///     });
    ///     let name = fibra::blocking(move || thread.join().unwrap());
    ///     assert_eq!(name, None); // it ran in a fiber of this `run`
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn current() -> Handle {
        Handle::of_scheduler(&current_fiber().sched)
    }

    /// Returns the handle of the runtime to which the current fiber belongs, or `None` outside of a
    /// fiber.
    #[must_use]
    pub fn try_current() -> Option<Handle> {
        current::fiber().is_some().then(Handle::current)
    }

    pub(crate) fn of(shared: &Arc<Shared>) -> Handle {
        shared.hold();
        Handle { shared: shared.clone() }
    }

    /// Returns the handle of a runtime with one scheduler.
    pub(crate) fn of_scheduler(sched: &Scheduler) -> Handle {
        let work = sched.work.get().and_then(|work| work.as_any().downcast_ref::<Worker>());
        let shared = work.map(|worker| worker.shared.clone());
        Handle::of(&shared.unwrap_or_else(|| found(sched)))
    }

    /// Returns the number of schedulers of the runtime, each of which has its own thread.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| assert_eq!(fibra::Handle::current().threads(), 1));
    /// ```
    #[must_use]
    pub fn threads(&self) -> usize {
        self.shared.seats.len()
    }

    /// Returns the index of the scheduler on which the current fiber runs, between 0 and
    /// [`threads`](Handle::threads) - 1, or `None` if no fiber of this runtime runs on this thread.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).build()?;
    /// runtime.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     assert_eq!(handle.index(), Some(0)); // the main fiber is on the first one
    ///     let there = handle.clone();
    ///     let other = handle.spawn_on(1, move || there.index());
    ///     assert_eq!(other.join().unwrap(), Some(1));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        current::fiber().is_some().then(|| self.at_home(|_, worker| worker.index()))?
    }

    /// Spawns `f` as a job, which any scheduler of the runtime may start.
    ///
    /// May be called on any thread. If the runtime has a limit of queued jobs
    /// ([`RuntimeBuilder::max_queued_jobs`](crate::RuntimeBuilder::max_queued_jobs)), this waits
    /// until there is room: a fiber parks, a plain thread blocks. If the runtime has ended, `f` is
    /// dropped, and joining the job returns
    /// [`JoinError::Shutdown`](crate::JoinError::Shutdown).
    ///
    /// Fiber-locals that are declared with `static inherit send` are cloned for the job: see
    /// [`local!`](crate::local).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().all_cores().build()?;
    /// runtime.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     let sum = handle.spawn(|| (1..=100_u64).sum::<u64>());
    ///     assert_eq!(sum.join().unwrap(), 5050);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> RemoteHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.spawn_with(Builder::new(), f)
    }

    /// Spawns `f` as a job whose fiber gets the name and the stack size that `builder` sets.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let builder = fibra::Builder::new().name("adder");
    ///     let name = fibra::Handle::current().spawn_with(builder, || fibra::current().name());
    ///     assert_eq!(name.join().unwrap().as_deref(), Some("adder"));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn_with<F, T>(&self, builder: Builder, f: F) -> RemoteHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, pending) = job_cell::new(settings(builder, Location::caller()), f);
        self.wait_and_queue(None, job);
        self.remote(pending)
    }

    /// Spawns `f` as a job that only the scheduler `index` starts. This is how fibers that exchange
    /// many messages get together on one thread.
    ///
    /// # Panics
    ///
    /// Panics if there is no scheduler `index`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).build()?;
    /// runtime.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     let here = std::thread::current().id();
    ///     let there = handle.spawn_on(1, || std::thread::current().id());
    ///     assert_ne!(there.join().unwrap(), here);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_on<F, T>(&self, index: usize, f: F) -> RemoteHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let threads = self.threads();
        assert!(index < threads, "there is no scheduler {index}: the runtime has {threads}");
        let (job, pending) = job_cell::new(settings(Builder::new(), Location::caller()), f);
        self.queue_on(index, job);
        self.remote(pending)
    }

    /// Spawns `f` as a job like [`spawn`](Handle::spawn), if that is possible without a wait.
    ///
    /// # Errors
    ///
    /// Returns the closure if the runtime has ended or holds as many unstarted jobs as it may.
    ///
    /// # Examples
    ///
    /// ```
    /// let handle = fibra::run(|| {
    ///     let handle = fibra::Handle::current();
    ///     assert_eq!(handle.try_spawn(|| 1).unwrap().join(), Ok(1));
    ///     handle
    /// });
    /// assert!(handle.try_spawn(|| 1).unwrap_err().is_closed());
    /// ```
    #[track_caller]
    pub fn try_spawn<F, T>(&self, f: F) -> Result<RemoteHandle<T>, TrySpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        if !self.accepts() {
            return Err(TrySpawnError::Closed(f));
        }
        let permit = match &self.shared.limit {
            None => None,
            Some(limit) => match limit.try_acquire() {
                None => return Err(TrySpawnError::Full(f)),
                permit => permit,
            },
        };
        // Clones fiber-locals, which may unwind: that gives the permit back.
        let (job, pending) = job_cell::new(settings(Builder::new(), Location::caller()), f);
        permit.into_iter().for_each(|permit| permit.forget());
        self.queue(job);
        Ok(self.remote(pending))
    }

    /// Spawns a fiber that waits for `future`, as a job that any scheduler may start.
    ///
    /// The fiber stays on the thread that has started it. What the future keeps across its waits
    /// must be `Send`, which the compiler checks.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let (sender, receiver) = async_channel::bounded(1);
    ///     let sum = fibra::Handle::current().spawn_future(async move {
    ///         let n: u32 = receiver.recv().await.unwrap();
    ///         n + 1
    ///     });
    ///     fibra::future::block_on(sender.send(41)).unwrap();
    ///     assert_eq!(sum.join(), Ok(42));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn spawn_future<F>(&self, future: F) -> RemoteHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn(move || block_on(future))
    }

    /// Runs `f` once on each scheduler, as a job that gets the index of its scheduler. Returns the
    /// handles in the order of the indices.
    ///
    /// This is how state is set up that each scheduler has for itself: in a thread-local, or in
    /// fibers that the job spawns with [`fibra::spawn`](crate::spawn()), which stay there.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    ///
    /// thread_local! {
    ///     static BASE: Cell<usize> = const { Cell::new(0) };
    /// }
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).build()?;
    /// runtime.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     for ready in handle.on_each(|index| BASE.set(100 * index)) {
    ///         ready.join().unwrap();
    ///     }
    ///     assert_eq!(handle.spawn_on(1, || BASE.get()).join(), Ok(100));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn on_each<F, T>(&self, f: F) -> Vec<RemoteHandle<T>>
    where
        F: Fn(usize) -> T + Clone + Send + 'static,
        T: Send + 'static,
    {
        let mut handles = Vec::with_capacity(self.threads());
        // A loop, because in a closure the location of the caller would be lost.
        for index in 0..self.threads() {
            let f = f.clone();
            handles.push(self.spawn_on(index, move || f(index)));
        }
        handles
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        Handle::of(&self.shared)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.release();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("threads", &self.threads()).finish_non_exhaustive()
    }
}
