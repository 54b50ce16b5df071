//! The threads of a pool, and their counters. The only file that starts threads for jobs.
//!
//! ```text
//!   submit: queued + 1; more queued than idle, and below the limit? -> a thread, idle at first
//!   thread: takes a job: queued - 1, idle - 1, running + 1;   settles: running - 1, idle + 1
//!           idle for too long, or closed, and nothing queued: threads - 1, idle - 1, ends
//! ```
//!
//! Invariants:
//! - `threads = idle + running`, and `threads` is zero only if `queued` is: a thread ends only when
//!   nothing is queued, and a job is queued only when there is a thread. No job is therefore left
//!   behind.
//! - A job is counted before it can be taken, and then sent: a job that is counted as queued will
//!   be received from the channel.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::fiber::report::AbortOnUnwind;
use crate::offload::job::Task;
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
pub(super) struct Crew {
    pub(super) settings: Settings,
    counters: Mutex<Counters>,
    jobs: Receiver<Arc<dyn Task>>,
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
    fn remove_thread(&mut self) {
        self.now.threads -= 1;
        self.now.idle -= 1;
    }
}

impl Crew {
    pub(super) fn new(settings: Settings) -> (Sender<Arc<dyn Task>>, Arc<Crew>) {
        let (sender, jobs) = crossbeam_channel::unbounded();
        let counters = Mutex::new(Counters::default());
        (sender, Arc::new(Crew { settings, counters, jobs, over: Event::new() }))
    }

    pub(super) fn stats(&self) -> Stats {
        self.counters().now
    }

    /// Queues `task`, and starts a thread if that is needed and allowed.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no thread and none can be started. The task is dropped here
    /// then.
    pub(super) fn submit(
        self: &Arc<Crew>,
        sender: &Sender<Arc<dyn Task>>,
        task: Arc<dyn Task>,
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

    fn start_thread(self: &Arc<Crew>, number: u64) -> io::Result<()> {
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
        loop {
            match self.jobs.recv_timeout(self.settings.idle_timeout) {
                Ok(task) => self.do_one(&*task),
                Err(RecvTimeoutError::Timeout) if self.may_leave() => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.counters().remove_thread();
                    break;
                }
            }
        }
        self.signal_if_over();
        std::mem::forget(in_work);
    }

    fn do_one(&self, task: &dyn Task) {
        let mut counters = self.counters();
        counters.now.queued -= 1;
        counters.now.idle -= 1;
        counters.now.running += 1;
        drop(counters);
        task.run(&mut || {
            let mut counters = self.counters();
            counters.now.running -= 1;
            counters.now.idle += 1;
        });
    }

    /// Removes the thread from the counters, unless there is a job for it.
    fn may_leave(&self) -> bool {
        let mut counters = self.counters();
        if counters.now.queued != 0 {
            return false;
        }
        counters.remove_thread();
        true
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

    /// Waits until the last thread of a closed pool has done its last job.
    #[track_caller]
    pub(super) fn wait_until_over(&self) {
        self.over.wait();
    }

    fn counters(&self) -> MutexGuard<'_, Counters> {
        locked(&self.counters)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("settings", &self.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
