//! The threads of a pool, and their counters. The only file that starts threads for jobs.
//!
//! ```text
//!   submit: queued + 1; more queued than idle, and below the limit? -> a thread, idle at first
//!   thread: takes a job: queued - 1, idle - 1, running + 1;   settles: running - 1, idle + 1
//!           idle for too long, and nothing queued: idle - 1; drops what it keeps;
//!               still nothing queued? threads - 1, ends;   otherwise: idle + 1
//!           closed, and nothing queued: drops what it keeps; threads - 1, idle - 1, ends
//! ```
//!
//! Invariants:
//! - `threads` is the sum of `idle`, `running` and the threads that drop what they keep. It is zero
//!   only if `queued` is: a thread ends only when nothing is queued, and a job is queued only when
//!   there is a thread. No job is therefore left behind.
//! - What a thread keeps is dropped on that thread, before it ceases to be counted: there are never
//!   more kept values than the limit of threads, and none when a closed pool is over.
//! - A job is counted before it can be taken, and then sent: a job that is counted as queued will
//!   be received from the channel.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::fiber::report::AbortOnUnwind;
use crate::offload::job::{Task, Waiter};
use crate::sched::lowlevel::locked;
use crate::sync::event::Event;

/// The numbers of threads and jobs of a [`ThreadPool`](crate::blocking::ThreadPool), at one moment.
///
/// # Examples
///
/// ```
/// let pool = fibra::blocking::ThreadPool::new(2);
/// assert_eq!(pool.stats().threads, 0);
/// fibra::run(|| pool.run(|| ()));
/// assert_eq!((pool.stats().threads, pool.stats().idle), (1, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Number of threads, running a job or idle.
    pub threads: usize,
    /// Number of threads that wait for a job.
    pub idle: usize,
    /// Number of jobs that wait for a thread. A job whose fiber has left is counted until its turn
    /// comes.
    pub queued: usize,
    /// Number of jobs that are running.
    pub running: usize,
}

/// What a thread of a pool keeps from one task to the next. It never leaves the thread.
pub(super) trait Keep: 'static {
    /// The state that all threads of the pool share.
    type Shared: Send + Sync;

    /// Creates what a new thread keeps, on that thread. Runs no code of users.
    fn new(shared: &Self::Shared) -> Self;

    /// Reacts to the end of a task, of which `waiter` is what has become of its waiter. Does not
    /// unwind.
    fn after_task(&mut self, waiter: Waiter);

    /// Drops the values of users, because the thread is about to end. Does not unwind. The thread
    /// may get another task nevertheless.
    fn clear(&mut self);
}

/// The threads of a [`ThreadPool`](crate::blocking::ThreadPool) keep nothing.
impl Keep for () {
    type Shared = ();

    fn new((): &()) {}

    fn after_task(&mut self, _: Waiter) {}

    fn clear(&mut self) {}
}

/// The settings with which a pool is built.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) max_threads: usize,
    pub(super) idle_timeout: Duration,
    pub(super) stack_size: Option<usize>,
}

/// The state that the threads of a pool share. They have no sender: when the pool's is gone they
/// end.
pub(super) struct Crew<K: Keep> {
    pub(super) settings: Settings,
    counters: Mutex<Counters>,
    jobs: Receiver<Arc<dyn Task<K>>>,
    shared: K::Shared,
    /// Set when the pool is closed and its last thread has nothing more to do.
    over: Event,
}

#[derive(Debug, Default)]
struct Counters {
    now: Stats,
    /// Number of threads that were ever started, from which they get their numbers.
    started: u64,
    closed: bool,
}

impl Counters {
    fn remove_idle_thread(&mut self) {
        self.now.threads -= 1;
        self.now.idle -= 1;
    }
}

/// The sending end of a pool's queue.
pub(super) type TaskSender<K> = Sender<Arc<dyn Task<K>>>;

impl<K: Keep> Crew<K> {
    /// Creates a crew without threads.
    pub(super) fn new(settings: Settings, shared: K::Shared) -> (TaskSender<K>, Arc<Crew<K>>) {
        let (sender, jobs) = crossbeam_channel::unbounded();
        let counters = Mutex::new(Counters::default());
        (sender, Arc::new(Crew { settings, counters, jobs, shared, over: Event::new() }))
    }

    /// Queues `task`, and starts a thread if that is needed and allowed.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no thread and none can be started. The task is dropped here
    /// then.
    pub(super) fn submit(
        self: &Arc<Crew<K>>,
        sender: &TaskSender<K>,
        task: Arc<dyn Task<K>>,
    ) -> io::Result<()> {
        let mut counters = self.counters();
        if counters.now.idle <= counters.now.queued
            && counters.now.threads < self.settings.max_threads
        {
            match self.start_thread(counters.started) {
                Ok(()) => {
                    counters.started += 1;
                    counters.now.threads += 1;
                    counters.now.idle += 1;
                }
                // The existing threads will get to the task.
                Err(_) if counters.now.threads != 0 => {}
                Err(error) => {
                    drop(counters);
                    return Err(error);
                }
            }
        }
        counters.now.queued += 1;
        // The thread that this wakes locks the counters immediately.
        drop(counters);
        assert!(sender.send(task).is_ok(), "the crew has a receiver");
        Ok(())
    }

    fn start_thread(self: &Arc<Crew<K>>, number: u64) -> io::Result<()> {
        let crew = Arc::clone(self);
        let name = format!("{}-{}", self.settings.name, number + 1);
        let mut builder = thread::Builder::new().name(name);
        if let Some(bytes) = self.settings.stack_size {
            builder = builder.stack_size(bytes);
        }
        // Detached: it ends by itself, and `over` is set after the last one.
        builder.spawn(move || crew.work()).map(drop)
    }

    /// Runs tasks until the thread is no longer needed: the body of a thread.
    fn work(&self) {
        let in_work = AbortOnUnwind("a thread of an offload pool");
        let mut kept = K::new(&self.shared);
        loop {
            match self.jobs.recv_timeout(self.settings.idle_timeout) {
                Ok(task) => self.do_one(&*task, &mut kept),
                Err(RecvTimeoutError::Timeout) => {
                    if self.is_superfluous() {
                        kept.clear();
                        if self.may_leave() {
                            break;
                        }
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    kept.clear();
                    self.counters().remove_idle_thread();
                    break;
                }
            }
        }
        self.signal_if_over();
        mem::forget(in_work);
        // What is left of `kept` is dropped here, where a panic only ends the thread.
    }

    fn do_one(&self, task: &dyn Task<K>, kept: &mut K) {
        let mut counters = self.counters();
        counters.now.queued -= 1;
        counters.now.idle -= 1;
        counters.now.running += 1;
        drop(counters);
        let waiter = task.run(kept, &mut || {
            let mut counters = self.counters();
            counters.now.running -= 1;
            counters.now.idle += 1;
        });
        kept.after_task(waiter);
    }

    /// Takes the thread out of the number of idle ones, unless there is a job for it.
    fn is_superfluous(&self) -> bool {
        let mut counters = self.counters();
        let is_superfluous = counters.now.queued == 0;
        counters.now.idle -= usize::from(is_superfluous);
        is_superfluous
    }

    /// Removes a superfluous thread from the counters, unless a job has come meanwhile.
    fn may_leave(&self) -> bool {
        let mut counters = self.counters();
        let may_leave = counters.now.queued == 0;
        if may_leave {
            counters.now.threads -= 1;
        } else {
            counters.now.idle += 1;
        }
        may_leave
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters().now
    }

    /// Declares that no further jobs are submitted; the caller drops the sender.
    pub(super) fn close(&self) {
        self.counters().closed = true;
    }

    pub(super) fn signal_if_over(&self) {
        let counters = self.counters();
        let is_over = counters.closed && counters.now.threads == 0;
        drop(counters);
        if is_over {
            self.over.set();
        }
    }

    /// Returns the event that is set when the last thread of a closed pool has done its last job.
    pub(super) fn over(&self) -> &Event {
        &self.over
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        locked(&self.counters)
    }
}

impl<K: Keep> fmt::Debug for Crew<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("settings", &self.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
