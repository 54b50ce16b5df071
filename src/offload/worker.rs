//! The threads of a pool, and the books about them. The only file that starts threads for jobs.
//!
//! ```text
//!   submit: queued + 1; more queued than idle, and room? -> a thread (it is idle until it has a job)
//!   thread: takes a job: queued - 1, idle - 1, running + 1;   settles: running - 1, idle + 1
//!           idle for too long, or closed, and nothing queued: threads - 1, idle - 1, ends
//! ```
//!
//! Invariants:
//! - `threads = idle + running`, and `threads` is zero only if `queued` is: a thread ends only when
//!   nothing is queued, and a job is queued only when there is a thread. So no job is left behind.
//! - A job is counted before it can be taken, and then sent: what the books say is queued comes out
//!   of the channel.

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

/// How many threads and jobs a [`ThreadPool`](crate::blocking::ThreadPool) has, at one moment.
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
    /// Threads, busy or idle.
    pub threads: usize,
    /// Threads that wait for a job.
    pub idle: usize,
    /// Jobs that wait for a thread. One whose fiber has left is counted until it would be its turn.
    pub queued: usize,
    /// Jobs that run.
    pub running: usize,
}

/// What is settled when a pool is built.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) max_threads: usize,
    pub(super) idle_timeout: Duration,
    pub(super) stack_size: Option<usize>,
}

/// What the threads of a pool share. They have no sender: when the pool's is gone they end.
pub(super) struct Crew {
    pub(super) settings: Settings,
    books: Mutex<Books>,
    jobs: Receiver<Arc<dyn Task>>,
    /// Set when the pool is closed and its last thread has nothing more to do.
    over: Event,
}

#[derive(Debug, Default)]
struct Books {
    now: Stats,
    /// Threads that were started, ever: their numbers.
    started: u64,
    closed: bool,
}

impl Books {
    fn one_leaves(&mut self) {
        self.now.threads -= 1;
        self.now.idle -= 1;
    }
}

impl Crew {
    pub(super) fn new(settings: Settings) -> (Sender<Arc<dyn Task>>, Arc<Crew>) {
        let (sender, jobs) = crossbeam_channel::unbounded();
        let books = Mutex::new(Books::default());
        (sender, Arc::new(Crew { settings, books, jobs, over: Event::new() }))
    }

    pub(super) fn stats(&self) -> Stats {
        self.books().now
    }

    /// Puts `task` in line, and starts a thread if that is needed and allowed.
    ///
    /// # Errors
    ///
    /// If there is no thread and none can be started. The task is dropped here then.
    pub(super) fn submit(
        self: &Arc<Crew>,
        sender: &Sender<Arc<dyn Task>>,
        task: Arc<dyn Task>,
    ) -> io::Result<()> {
        let mut books = self.books();
        if books.now.idle <= books.now.queued && books.now.threads < self.settings.max_threads {
            match self.start_thread(books.started) {
                Ok(()) => {
                    books.started += 1;
                    books.now.threads += 1;
                    books.now.idle += 1;
                }
                // Those that are there will come to it.
                Err(_) if books.now.threads != 0 => {}
                Err(error) => {
                    drop(books);
                    return Err(error);
                }
            }
        }
        books.now.queued += 1;
        // The thread that this wakes wants the books at once.
        drop(books);
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
        // Detached: it ends by itself, and `over` tells of it.
        builder.spawn(move || crew.work()).map(drop)
    }

    /// What a thread does all its life.
    fn work(&self) {
        let in_work = AbortOnUnwind("a thread of an offload pool");
        loop {
            match self.jobs.recv_timeout(self.settings.idle_timeout) {
                Ok(task) => self.do_one(&*task),
                Err(RecvTimeoutError::Timeout) if self.may_leave() => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.books().one_leaves();
                    break;
                }
            }
        }
        self.tell_if_over();
        std::mem::forget(in_work);
    }

    fn do_one(&self, task: &dyn Task) {
        let mut books = self.books();
        books.now.queued -= 1;
        books.now.idle -= 1;
        books.now.running += 1;
        drop(books);
        task.run(&mut || {
            let mut books = self.books();
            books.now.running -= 1;
            books.now.idle += 1;
        });
    }

    /// Takes the thread off the books, unless there is a job for it.
    fn may_leave(&self) -> bool {
        let mut books = self.books();
        if books.now.queued != 0 {
            return false;
        }
        books.one_leaves();
        true
    }

    /// No job is submitted any more; the caller drops the sender.
    pub(super) fn close(&self) {
        self.books().closed = true;
    }

    pub(super) fn tell_if_over(&self) {
        let books = self.books();
        let is_over = books.closed && books.now.threads == 0;
        drop(books);
        if is_over {
            self.over.set();
        }
    }

    /// Waits until the last thread of a closed pool has done its last job.
    #[track_caller]
    pub(super) fn wait_until_over(&self) {
        self.over.wait();
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        locked(&self.books)
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
