//! A pool of threads as its users see it: settings, submitting, shutting down.
//!
//! Invariant: the sender of the queue lives as long as the pool, and nobody else has one. So a job that
//! is submitted finds a crew, and a crew whose pool is gone finishes what is queued and ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;

use crate::offload::handle::JobHandle;
use crate::offload::job::{Job, Task, Wanted, try_wait_for, value_of, wait_for};
use crate::offload::lent;
use crate::offload::worker::{Crew, Settings, Stats};
use crate::sched::lowlevel::{checkpoint, spend, try_here};

/// Threads for calls that block, up to so many, and a line of jobs for them.
///
/// Threads are started when jobs come, and end when they have had none for some time. A pool is also
/// the way to limit something: no more jobs than threads run at once, and the others are run in the
/// order in which they came.
///
/// Dropping the pool waits for nobody: its threads finish what is queued, and end.
///
/// # Examples
///
/// ```
/// use fibra::blocking::ThreadPool;
///
/// let database = ThreadPool::new(2); // it takes two connections
/// fibra::run(|| {
///     let queries: Vec<_> = (0..10)
///         .map(|n| {
///             let database = &database;
///             database.spawn(move || format!("row {n}"))
///         })
///         .collect();
///     let rows: Vec<_> = queries.into_iter().map(|query| query.join().unwrap()).collect();
///     assert_eq!(rows[9], "row 9");
///     assert!(database.stats().threads <= 2);
/// });
/// ```
pub struct ThreadPool {
    /// None once it is shut down.
    sender: Option<Sender<Arc<dyn Task>>>,
    crew: Arc<Crew>,
}

impl ThreadPool {
    /// A pool of at most so many threads, with the other settings as [`ThreadPoolBuilder`] has them.
    ///
    /// # Panics
    ///
    /// Panics if `max_threads` is 0.
    #[must_use]
    #[track_caller]
    pub fn new(max_threads: usize) -> ThreadPool {
        ThreadPoolBuilder::new().max_threads(max_threads).build()
    }

    /// Settings for a pool.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    /// Runs `f` on a thread of the pool while the calling fiber waits, and returns what it returns.
    ///
    /// All that is said of [`fibra::blocking`](fn@crate::blocking) holds here. A plain thread calls `f`
    /// itself, and is not counted.
    ///
    /// # Panics
    ///
    /// With the panic of `f`. If the pool has no thread and the system gives it none.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = fibra::blocking::ThreadPool::new(1);
    /// let name = fibra::run(|| pool.run(|| std::thread::current().name().map(String::from)));
    /// assert_eq!(name.as_deref(), Some("fibra-job-1"));
    /// ```
    #[track_caller]
    pub fn run<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let Some(here) = try_here() else { return f() };
        // First, and not when the result is there: it is a kill point.
        spend(here);
        let job = Job::new(f);
        let wanted = Wanted(&*job);
        self.submit(job.clone()).unwrap_or_else(|error| no_thread(&error));
        wait_for(job.over());
        std::mem::forget(wanted);
        value_of(job.take())
    }

    /// As [`run`](Self::run), with an error if there is no thread for it, or if the fiber is killed and
    /// nothing can unwind: then the job is left as by an unwind.
    #[track_caller]
    pub(crate) fn try_run<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let Some(here) = try_here() else { return Ok(f()) };
        spend(here);
        let job = Job::new(f);
        let wanted = Wanted(&*job);
        self.submit(job.clone())?;
        try_wait_for(job.over())?;
        std::mem::forget(wanted);
        Ok(value_of(job.take()))
    }

    /// Runs `f`, which may borrow, on a thread of the pool while the calling fiber waits for its end,
    /// whatever happens.
    ///
    /// All that is said of [`uninterruptible`](crate::blocking::uninterruptible) holds here: the call begins
    /// with a kill point, and what comes later is met when `f` is back.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = fibra::blocking::ThreadPool::new(1);
    /// fibra::run(|| {
    ///     let mut numbers = [3, 1, 2];
    ///     pool.run_uninterruptible(|| numbers.sort());
    ///     assert_eq!(numbers, [1, 2, 3]);
    /// });
    /// ```
    #[track_caller]
    pub fn run_uninterruptible<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        match try_here() {
            Some(here) => {
                // Before anything is lent. The wait itself is no kill point, and each resume refills the
                // budget: a loop of such calls would never come to one.
                checkpoint(here);
                lent::run(self, here, f).unwrap_or_else(|error| no_thread(&error))
            }
            None => f(),
        }
    }

    /// Puts `f` in line for a thread of the pool and returns at once, on fibers and plain threads.
    ///
    /// # Panics
    ///
    /// If the pool has no thread and the system gives it none.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = fibra::blocking::ThreadPool::new(4);
    /// let lines = pool.spawn(|| include_str!("../../Cargo.toml").lines().count());
    /// // ... something else meanwhile ...
    /// assert!(10 < lines.join().unwrap());
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JobHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.try_spawn(f).unwrap_or_else(|error| no_thread(&error))
    }

    /// As [`spawn`](Self::spawn), with an error if there is no thread for it.
    pub(crate) fn try_spawn<F, T>(&self, f: F) -> io::Result<JobHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job = Job::new(f);
        self.submit(job.clone())?;
        Ok(JobHandle::new(job))
    }

    /// How many threads and jobs there are, now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.crew.stats()
    }

    /// Waits until all that is queued has been run and the last thread has nothing more to do.
    ///
    /// A kill point for a fiber; a plain thread blocks. One that is killed here leaves the threads to
    /// end by themselves, as if the pool were dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// static DONE: AtomicU32 = AtomicU32::new(0);
    /// let pool = fibra::blocking::ThreadPool::new(2);
    /// for _ in 0..100 {
    ///     pool.spawn(|| DONE.fetch_add(1, Ordering::Relaxed)).detach();
    /// }
    /// pool.shutdown();
    /// assert_eq!(DONE.load(Ordering::Relaxed), 100);
    /// ```
    #[track_caller]
    pub fn shutdown(self) {
        let crew = self.crew.clone();
        drop(self);
        crew.wait_until_over();
    }

    /// Puts a task in line.
    pub(super) fn submit(&self, task: Arc<dyn Task>) -> io::Result<()> {
        let sender = self.sender.as_ref().expect("only a drop takes it");
        self.crew.submit(sender, task)
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.crew.close();
        // Its threads see that when the queue is empty.
        self.sender = None;
        self.crew.tell_if_over();
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("name", &self.crew.settings.name)
            .field("max_threads", &self.crew.settings.max_threads)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

#[cold]
#[track_caller]
fn no_thread(error: &io::Error) -> ! {
    panic!("no thread of the offload pool is alive, and none could be started: {error}")
}

/// Settings for a [`ThreadPool`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// let pool = fibra::blocking::ThreadPoolBuilder::new()
///     .max_threads(2)
///     .idle_timeout(Duration::from_secs(60))
///     .thread_name("resize")
///     .stack_size(256 << 10)
///     .build();
/// fibra::run(|| {
///     let name = pool.run(|| std::thread::current().name().map(String::from));
///     assert_eq!(name.as_deref(), Some("resize-1"));
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct ThreadPoolBuilder {
    settings: Settings,
}

impl ThreadPoolBuilder {
    /// The settings of [`blocking`](fn@crate::blocking)'s pool: see the methods.
    pub fn new() -> ThreadPoolBuilder {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let settings = Settings {
            name: "fibra-job".into(),
            max_threads: LEAST_THREADS.max(THREADS_A_CORE * cores),
            idle_timeout: Duration::from_secs(10),
            stack_size: None,
        };
        ThreadPoolBuilder { settings }
    }

    /// So many threads at most. If not set four for each core of the machine, and no fewer than 16:
    /// most of what blocks waits for something and needs no core.
    ///
    /// # Panics
    ///
    /// Panics if it is 0: no job would ever run.
    #[track_caller]
    pub fn max_threads(mut self, n: usize) -> ThreadPoolBuilder {
        assert!(n != 0, "a pool of 0 threads would never run a job: make it at least 1");
        self.settings.max_threads = n;
        self
    }

    /// A thread without a job for so long ends. 10 s if not set.
    pub fn idle_timeout(mut self, timeout: Duration) -> ThreadPoolBuilder {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Threads are called so, with a hyphen and a number. `fibra-job` if not set. (Linux shows 15
    /// bytes of it.)
    pub fn thread_name(mut self, prefix: impl Into<String>) -> ThreadPoolBuilder {
        self.settings.name = prefix.into();
        self
    }

    /// How many bytes of stack a thread has: if not set, as std has it, 2 MiB.
    pub fn stack_size(mut self, bytes: usize) -> ThreadPoolBuilder {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Makes the pool. It has no thread yet.
    #[must_use]
    pub fn build(self) -> ThreadPool {
        let (sender, crew) = Crew::new(self.settings);
        ThreadPool { sender: Some(sender), crew }
    }
}

impl Default for ThreadPoolBuilder {
    fn default() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }
}

const LEAST_THREADS: usize = 16;
const THREADS_A_CORE: usize = 4;
