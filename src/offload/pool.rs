//! A pool of threads: its public interface for settings, submitting and shutting down.
//!
//! Invariant: the sender of the queue lives as long as the pool, and there is no other sender. A
//! job that is submitted therefore finds a crew (the threads of the pool), and a crew whose pool is
//! gone finishes the queued jobs and ends.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::offload::handle::JobHandle;
use crate::offload::job::{Job, Task, WAITING, Wanted, try_wait_for, value_of, wait_for};
use crate::offload::scoped;
use crate::offload::worker::{Crew, Settings, Stats, TaskSender};
use crate::sched::lowlevel::{checkpoint, refuse_at_door, spend, try_current_fiber};

/// A bounded set of threads for calls that block, and a queue of jobs for them.
///
/// Threads are started when jobs come, and end when they have had none for some time. A pool also
/// serves as a limit: at most as many jobs as threads run at the same time, and the others run in
/// the order in which they came.
///
/// Dropping the pool does not wait: its threads finish the queued jobs, and end.
///
/// # Examples
///
/// ```
/// use fibra::blocking::ThreadPool;
///
/// let database = ThreadPool::new(2); // it accepts two connections
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
    /// The sender of the queue; `None` once the pool is shut down.
    sender: Option<TaskSender<()>>,
    crew: Arc<Crew<()>>,
}

impl ThreadPool {
    /// Creates a pool of at most `max_threads` threads, with the defaults of [`ThreadPoolBuilder`]
    /// otherwise.
    ///
    /// # Panics
    ///
    /// Panics if `max_threads` is 0.
    #[must_use]
    #[track_caller]
    pub fn new(max_threads: usize) -> ThreadPool {
        ThreadPoolBuilder::new().max_threads(max_threads).build()
    }

    /// Returns a builder with default settings.
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }

    /// Runs `f` on a thread of the pool while the calling fiber waits, and returns the value of
    /// `f`.
    ///
    /// Behaves like [`fibra::blocking`](fn@crate::blocking). A plain thread calls `f` itself, and
    /// does not count as a thread of the pool.
    ///
    /// # Panics
    ///
    /// Propagates a panic of `f`. Panics if the pool has no thread and the system can start none.
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
        let Some(current) = try_current_fiber() else { return f() };
        // Whether the wait is short enough not to be one is a matter of chance.
        refuse_at_door(current, "for a blocking call");
        // Before the job, and not when the result is there: it is a kill point.
        spend(current);
        let job = Job::new(|(): &mut ()| f());
        let wanted = Wanted(&*job);
        self.submit(job.clone()).unwrap_or_else(|error| no_thread(&error));
        wait_for(job.over(), &WAITING);
        std::mem::forget(wanted);
        value_of(job.take())
    }

    /// Like [`run`](Self::run), but returns an error if there is no thread for the job, or if the
    /// fiber is killed and nothing can unwind: then the job is withdrawn, as by an unwind.
    #[track_caller]
    pub(crate) fn try_run<F, T>(&self, f: F) -> io::Result<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let Some(current) = try_current_fiber() else { return Ok(f()) };
        refuse_at_door(current, "for a blocking call");
        spend(current);
        let job = Job::new(|(): &mut ()| f());
        let wanted = Wanted(&*job);
        self.submit(job.clone())?;
        try_wait_for(job.over())?;
        std::mem::forget(wanted);
        Ok(value_of(job.take()))
    }

    /// Runs `f`, which may borrow, on a thread of the pool while the calling fiber waits for its
    /// end, unconditionally.
    ///
    /// Behaves like [`uninterruptible`](crate::blocking::uninterruptible): the call begins with a
    /// kill point, and kills that come later take effect when `f` has returned.
    ///
    /// # Panics
    ///
    /// The same as for [`run`](Self::run).
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
        match try_current_fiber() {
            Some(current) => {
                // Before anything is borrowed. The wait itself is not a kill point, and each resume
                // refills the budget: a loop of such calls would never reach a kill point
                // otherwise.
                checkpoint(current);
                let submit = |task| self.submit(task);
                scoped::run(submit, Some(current), |(): &mut ()| f())
                    .unwrap_or_else(|error| no_thread(&error))
            }
            None => f(),
        }
    }

    /// Queues `f` for a thread of the pool and returns immediately, on fibers and plain threads.
    ///
    /// # Panics
    ///
    /// Panics if the pool has no thread and the system can start none.
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

    /// Like [`spawn`](Self::spawn), but returns an error if there is no thread for the job.
    pub(crate) fn try_spawn<F, T>(&self, f: F) -> io::Result<JobHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let job = Job::new(|(): &mut ()| f());
        self.submit(job.clone())?;
        Ok(JobHandle::new(job))
    }

    /// Returns the current numbers of threads and jobs.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.crew.stats()
    }

    /// Waits until all queued jobs have run and the last thread has nothing more to do.
    ///
    /// This is a kill point for a fiber; a plain thread blocks. If the fiber is killed here, the
    /// threads end by themselves, as if the pool were dropped.
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
        crew.over().wait();
    }

    /// Queues a task.
    fn submit(&self, task: Arc<dyn Task<()>>) -> io::Result<()> {
        let sender = self.sender.as_ref().expect("only a drop takes it");
        self.crew.submit(sender, task)
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.crew.close();
        // The threads notice that when the queue is empty.
        self.sender = None;
        self.crew.signal_if_over();
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
    panic!("cannot run a blocking job: its pool has no thread, and none could be started: {error}")
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
    /// Creates a builder with the default settings, those of the pool of
    /// [`blocking`](fn@crate::blocking).
    pub fn new() -> ThreadPoolBuilder {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let settings = Settings {
            name: "fibra-job".into(),
            max_threads: LEAST_THREADS.max(THREADS_PER_CORE * cores),
            idle_timeout: Duration::from_secs(10),
            stack_size: None,
        };
        ThreadPoolBuilder { settings }
    }

    /// Sets the most threads that the pool may have. The default is four per core of the machine,
    /// and at least 16: most code that blocks waits for something and needs no core.
    ///
    /// # Panics
    ///
    /// Panics if it is 0, because no job would ever run.
    #[track_caller]
    pub fn max_threads(mut self, n: usize) -> ThreadPoolBuilder {
        assert!(n != 0, "a pool of 0 threads would never run a job: make it at least 1");
        self.settings.max_threads = n;
        self
    }

    /// Sets how long a thread without a job stays alive. The default is 10 s.
    pub fn idle_timeout(mut self, timeout: Duration) -> ThreadPoolBuilder {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Sets the prefix of the threads' names, which is followed by a hyphen and a number. The
    /// default is `fibra-job`. (Linux shows 15 bytes of a name.)
    pub fn thread_name(mut self, prefix: impl Into<String>) -> ThreadPoolBuilder {
        self.settings.name = prefix.into();
        self
    }

    /// Sets the bytes of stack of each thread. The default is that of std, 2 MiB.
    pub fn stack_size(mut self, bytes: usize) -> ThreadPoolBuilder {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Creates the pool. It has no thread yet.
    #[must_use]
    pub fn build(self) -> ThreadPool {
        let (sender, crew) = Crew::new(self.settings, ());
        ThreadPool { sender: Some(sender), crew }
    }
}

impl Default for ThreadPoolBuilder {
    fn default() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }
}

const LEAST_THREADS: usize = 16;
const THREADS_PER_CORE: usize = 4;
