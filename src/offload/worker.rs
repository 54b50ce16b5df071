//! The threads of a pool, and their counters. The only file that starts threads for jobs.
//!
//! ```text
//!   submit: queued; more queued than idle, and below the limit? -> a thread, idle at first
//!   thread: takes a job: idle - 1, running + 1;   settles: running - 1, idle + 1
//!           idle for too long, and nothing queued: idle - 1; drops what it keeps;
//!               still nothing queued? threads - 1, ends;   otherwise: idle + 1
//!           closed, and nothing queued: drops what it keeps; threads - 1, idle - 1, ends
//! ```
//!
//! A thread that has run a job looks for the next one for a short time before it sleeps, while the
//! scheduler that got the result looks for mail. A fiber that makes call after call thus keeps both
//! threads awake, and a call takes a microsecond instead of two wakes by the kernel.
//!
//! Invariants:
//! - `threads` is the sum of `idle`, `running` and the threads that drop what they keep. It is zero
//!   only if nothing is queued: a thread ends only then, and a job is queued only when there is a
//!   thread. No job is therefore left behind.
//! - What a thread keeps is dropped on that thread, before it ceases to be counted: there are never
//!   more kept values than the limit of threads, and none when a closed pool is over.
//! - One thread of a pool looks at a time. It does not offer its processor meanwhile: if it got
//!   that back late, the job that counts on it would wait for as long.

use std::fmt;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::fiber::report::AbortOnUnwind;
use crate::offload::job::{Task, Waiter};
use crate::offload::queue::Queue;
use crate::sched::lowlevel::{Parker, Spin, locked};
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

/// The threads of a pool, and the queue of their jobs.
pub(super) struct Crew<K: Keep> {
    pub(super) settings: Settings,
    state: Mutex<State<K>>,
    /// Number of queued jobs, for a thread that looks without the lock.
    queued: AtomicUsize,
    shared: K::Shared,
    /// Set when the pool is closed and its last thread has nothing more to do.
    over: Event,
}

struct State<K> {
    /// The counters, except for that of the queued jobs.
    now: Stats,
    /// Number of threads that were ever started, from which they get their numbers.
    started: u64,
    queue: Queue<Arc<dyn Task<K>>, Arc<Parker>>,
    /// Whether a thread looks for a job before it sleeps.
    is_looked_for: bool,
    closed: bool,
}

/// The reason why a task was not accepted.
#[derive(Debug)]
pub(super) enum Refused {
    /// The pool is closed.
    Closed,
    /// There is no thread, and none could be started.
    NoThread(io::Error),
}

/// What a thread does next.
enum Next<K> {
    Run(Arc<dyn Task<K>>),
    /// It was idle for too long, and is not counted as idle any more.
    Rest,
    /// The pool is closed, and all its tasks are taken.
    End,
}

impl<K: Keep> Crew<K> {
    /// Creates a crew without threads.
    pub(super) fn new(settings: Settings, shared: K::Shared) -> Arc<Crew<K>> {
        let state = State {
            now: Stats::default(),
            started: 0,
            queue: Queue::new(),
            is_looked_for: false,
            closed: false,
        };
        Arc::new(Crew {
            settings,
            state: Mutex::new(state),
            queued: AtomicUsize::new(0),
            shared,
            over: Event::new(),
        })
    }

    /// Queues `task`, and starts a thread if that is needed and allowed. A task that is accepted
    /// will be run, one that is refused is dropped here.
    ///
    /// # Errors
    ///
    /// Returns an error if the crew is closed, or if there is no thread and none can be started.
    pub(super) fn submit(self: &Arc<Crew<K>>, task: Arc<dyn Task<K>>) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            drop(state);
            return Err(Refused::Closed);
        }
        if state.now.idle <= state.queue.len() && state.now.threads < self.settings.max_threads {
            match self.start_thread(state.started) {
                Ok(()) => {
                    state.started += 1;
                    state.now.threads += 1;
                    state.now.idle += 1;
                }
                // The existing threads will get to the task.
                Err(_) if state.now.threads != 0 => {}
                Err(error) => {
                    drop(state);
                    return Err(Refused::NoThread(error));
                }
            }
        }
        let sleeper = state.queue.push(task);
        self.note_queued(&state);
        // The thread that this wakes locks the state immediately.
        drop(state);
        if let Some(sleeper) = sleeper {
            sleeper.call();
        }
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
        let spin = Spin::without_offers();
        loop {
            match self.next(&spin) {
                Next::Run(task) => {
                    self.do_one(&*task, &mut kept);
                    spin.note_arrival();
                }
                Next::Rest => {
                    kept.clear();
                    if self.may_leave() {
                        break;
                    }
                }
                Next::End => {
                    kept.clear();
                    let mut state = self.state();
                    state.now.threads -= 1;
                    state.now.idle -= 1;
                    break;
                }
            }
        }
        self.signal_if_over();
        mem::forget(in_work);
        // What is left of `kept` is dropped here, where a panic only ends the thread.
    }

    fn do_one(&self, task: &dyn Task<K>, kept: &mut K) {
        let waiter = task.run(kept, &mut || {
            let mut state = self.state();
            state.now.running -= 1;
            state.now.idle += 1;
        });
        kept.after_task(waiter);
    }

    /// Waits for a task.
    fn next(&self, spin: &Spin) -> Next<K> {
        let mut state = self.state();
        state.queue.come();
        let mut is_first = true;
        loop {
            if let Some(task) = state.queue.take() {
                self.note_queued(&state);
                state.now.idle -= 1;
                state.now.running += 1;
                return Next::Run(task);
            }
            if state.closed {
                state.queue.leave();
                return Next::End;
            }
            if mem::take(&mut is_first) && !state.is_looked_for {
                state = self.look(state, spin);
                continue;
            }
            let called;
            (state, called) = self.sleep(state);
            if !called && state.queue.len() == 0 && !state.closed {
                state.queue.leave();
                state.now.idle -= 1;
                return Next::Rest;
            }
        }
    }

    /// Looks for a task for a short time.
    fn look<'a>(&'a self, mut state: Locked<'a, K>, spin: &Spin) -> Locked<'a, K> {
        state.is_looked_for = true;
        drop(state);
        spin.look(None, || self.queued.load(Ordering::Relaxed) != 0, || false);
        state = self.state();
        state.is_looked_for = false;
        state
    }

    /// Sleeps until the thread is called, or has been idle for too long. Returns whether it was
    /// called.
    fn sleep<'a>(&'a self, mut state: Locked<'a, K>) -> (Locked<'a, K>, bool) {
        // A new one each time: a call that comes at the end of the time must not end a later sleep.
        let bed = Arc::new(Parker::new());
        state.queue.sleep(bed.clone());
        drop(state);
        bed.wait(Some(self.settings.idle_timeout));
        state = self.state();
        let woke_by_itself = state.queue.wake(|other| Arc::ptr_eq(other, &bed));
        (state, !woke_by_itself)
    }

    /// Removes a thread that rests from the counters, unless a job has come meanwhile.
    fn may_leave(&self) -> bool {
        let mut state = self.state();
        let may_leave = state.queue.len() == 0;
        if may_leave {
            state.now.threads -= 1;
        } else {
            state.now.idle += 1;
        }
        may_leave
    }

    fn note_queued(&self, state: &State<K>) {
        self.queued.store(state.queue.len(), Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> Stats {
        let state = self.state();
        Stats { queued: state.queue.len(), ..state.now }
    }

    /// Refuses further tasks. The threads run those that are queued, and end.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let sleepers = state.queue.wake_all();
        drop(state);
        sleepers.iter().for_each(|sleeper| sleeper.call());
        self.signal_if_over();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn signal_if_over(&self) {
        let state = self.state();
        let is_over = state.closed && state.now.threads == 0;
        drop(state);
        if is_over {
            self.over.set();
        }
    }

    /// Returns the event that is set when the last thread of a closed pool has done its last job.
    pub(super) fn over(&self) -> &Event {
        &self.over
    }

    fn state(&self) -> Locked<'_, K> {
        locked(&self.state)
    }
}

type Locked<'a, K> = MutexGuard<'a, State<K>>;

impl<K: Keep> fmt::Debug for Crew<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("settings", &self.settings)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
