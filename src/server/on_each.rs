//! A server on all schedulers of a runtime: what they share, and the job that serves on one.
//!
//! ```text
//!   one listener:      accepting fiber -- connection --> queue of the scheduler with the fewest
//!                      (the caller's scheduler)            \--> job of that scheduler --> handlers
//!   one per scheduler: job of each scheduler: accepting fiber --> handlers
//!                                   \-- errors --> fiber of the caller's scheduler: `on_error`
//! ```
//!
//! Invariants:
//! - A connection is counted from its acceptance until its handler has returned or unwound, or its
//!   closure was dropped: an [`Open`] travels with it.
//! - A connection that was accepted is served, even if a shutdown begins while it is in a queue.
//! - Only a job's own scheduler touches its pool. Others set the end, or kill the job.
//! - The handlers of a scheduler are fibers of a scope in its job, so they may borrow all that the
//!   job may, and the job ends after them.

use std::cell::Cell;
use std::io;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::future::block_on;
use crate::jobs::remote_handle::RemoteHandle;
use crate::pool::{self, Pool};
use crate::sched::api::scope::scope;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::{OnDeadlock, WaitReason, clock_now, interrupted};
use crate::server::accept::{Accept, accept_forever, report_last};
use crate::server::running::{Accepting, End, Running, Stopping, drain, run_to_its_end};
use crate::server::start::without_the_scope;
use crate::sync::mpmc::{self, Receiver, Sender};
use crate::sync::{Event, Permit, Semaphore};

static PERMIT: WaitReason =
    WaitReason::new("waiting until a connection of the server ends", OnDeadlock::Fail)
        .ended_externally();

/// The settings of a server on several schedulers.
pub(super) struct Settings {
    pub(super) most: usize,
    pub(super) builder: Builder,
    pub(super) on_error: Box<dyn Fn(&io::Error)>,
    pub(super) stopping: Stopping,
}

/// The state that the schedulers of one server share.
struct Shared {
    open: Box<[Count]>,
    /// The permits for connections, if their number is limited and one fiber accepts all of them.
    limit: Option<Semaphore>,
    /// When connections that have not ended are killed; `None` if that is later than a clock can
    /// show. Set before `end`.
    deadline: OnceLock<Option<Instant>>,
    /// Set when the server ends.
    end: Event,
    /// The number of connections that were killed at the deadline.
    killed: AtomicUsize,
}

/// The number of open connections of one scheduler.
#[repr(align(128))] // The counts of different schedulers are in different cache lines.
struct Count(AtomicUsize);

/// The entry of one open connection in the counts.
struct Open {
    shared: Arc<Shared>,
    index: usize,
}

/// The schedulers on which a server runs: a job on each.
pub(super) struct OnEach {
    shared: Arc<Shared>,
    jobs: Vec<RemoteHandle<()>>,
}

/// The function of a job, which serves on one scheduler.
pub(super) type Serve<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Starts a server with one listener on `threads` schedulers. `spawn` starts a job on a scheduler.
pub(super) fn hand_on<'a, L, F>(
    threads: usize,
    spawn: impl Fn(usize, Serve<'a>) -> RemoteHandle<()>,
    listener: L,
    settings: Settings,
    handler: F,
) -> Running
where
    L: Accept<Connection: Send, Peer: Send> + 'static,
    F: Fn(L::Connection, L::Peer) + Send + Sync + 'a,
{
    let Settings { most, builder, on_error, stopping } = settings;
    let (shared, handler) = (Shared::new(threads, most), Arc::new(handler));
    let start = |index| {
        let (sender, queue) = mpmc::unbounded();
        let (shared, builder, handler) = (shared.clone(), builder.clone(), handler.clone());
        let serve = move || serve_queue(&queue, builder, &*handler, &shared);
        (sender, spawn(index, Box::new(serve)))
    };
    let (senders, jobs) = (0..threads).map(start).unzip();
    let queues = Queues { shared: shared.clone(), senders, last: Cell::new(0) };
    let accepting = Accepting::start(move || {
        let reserve = || queues.shared.reserve();
        let start = |permit, connection, peer| queues.hand_on(permit, (connection, peer));
        let error = accept_forever(&listener, reserve, start, |error| on_error(&error));
        report_last(&*on_error, error)
    });
    Running::on_each(accepting, OnEach { shared, jobs }, stopping)
}

/// Starts a server with a listener for each scheduler. `spawn` starts a job on a scheduler.
pub(super) fn accept_on_each<'a, L, F>(
    spawn: impl Fn(usize, Serve<'a>) -> RemoteHandle<()>,
    listeners: Vec<L>,
    settings: Settings,
    handler: F,
) -> Running
where
    L: Accept + Send + 'static,
    F: Fn(L::Connection, L::Peer) + Send + Sync + 'a,
{
    let Settings { most, builder, on_error, stopping } = settings;
    let (shared, handler) = (Shared::new(listeners.len(), usize::MAX), Arc::new(handler));
    let most = most.div_ceil(listeners.len());
    let (sender, reports) = mpmc::unbounded();
    let start = |(index, listener)| {
        let (shared, sender, handler) = (shared.clone(), sender.clone(), handler.clone());
        let builder = builder.clone();
        let serve = move || {
            let pool = Pool::with_builder(most, builder);
            serve_listener(listener, &pool, &sender, &*handler, (&shared, index));
        };
        spawn(index, Box::new(serve))
    };
    let jobs = listeners.into_iter().enumerate().map(start).collect();
    let accepting = Accepting::start(move || {
        // So that the loop does not end before this fiber is killed.
        let _sender = sender;
        for report in reports.iter() {
            match report {
                Report::Error(error) => on_error(&error),
                Report::End(End::Broken(error)) => return report_last(&*on_error, error),
                Report::End(End::Panicked(payload)) => panic::resume_unwind(payload),
            }
        }
        io::Error::other("the server was killed")
    });
    Running::on_each(accepting, OnEach { shared, jobs }, stopping)
}

/// The queues of connections that were accepted, one per scheduler.
struct Queues<T> {
    shared: Arc<Shared>,
    senders: Vec<Sender<(T, Open)>>,
    /// The scheduler that got the last connection.
    last: Cell<usize>,
}

impl<T> Queues<T> {
    /// Queues a connection for the scheduler with the fewest; of several, for the next one in turn.
    fn hand_on(&self, permit: Option<Permit<'_>>, connection: T) {
        let threads = self.senders.len();
        let in_turn = (1..=threads).map(|step| (self.last.get() + step) % threads);
        let index = in_turn.min_by_key(|&index| self.shared.open[index].get()).unwrap_or(0);
        self.last.set(index);
        permit.into_iter().for_each(Permit::forget);
        let open = self.shared.open(index);
        // It fails if the job was killed, because its runtime ends: then the connection is closed.
        drop(self.senders[index].send((connection, open)));
    }
}

/// Serves the connections in `queue` until the server ends, and then until they have ended.
fn serve_queue<C, P, F>(
    queue: &Receiver<((C, P), Open)>,
    builder: Builder,
    handler: &F,
    shared: &Shared,
) where
    C: 'static,
    P: 'static,
    F: Fn(C, P),
{
    let pool = Pool::with_builder(usize::MAX, builder);
    scope(|connections| {
        let _killed_with_this_job = KillOnDrop(&pool);
        for ((connection, peer), open) in queue.iter() {
            let Ok(permit) = pool.reserve_unless_killed() else { break };
            permit.spawn_in(connections, move || {
                let _open = open;
                without_the_scope(|| handler(connection, peer));
            });
        }
        shared.wait_for_the_end(&pool);
    });
}

/// A report of a job about its listener.
enum Report {
    /// An error after which the job continues.
    Error(io::Error),
    End(End),
}

/// Serves the connections to `listener` until the end of the server. The last argument is the state
/// of the server with the index of this scheduler.
fn serve_listener<L, F>(
    listener: L,
    pool: &Pool,
    reports: &Sender<Report>,
    handler: &F,
    (shared, index): (&Arc<Shared>, usize),
) where
    L: Accept + 'static,
    F: Fn(L::Connection, L::Peer),
{
    scope(|connections| {
        let _killed_with_this_job = KillOnDrop(pool);
        let accept = move || {
            let start = |permit: pool::Permit<'_>, connection, peer| {
                let open = shared.open(index);
                permit.spawn_in(connections, move || {
                    let _open = open;
                    without_the_scope(|| handler(connection, peer));
                });
            };
            // A report has no reader any more once the server ends.
            let passing = |error| drop(reports.send(Report::Error(error)));
            let end = run_to_its_end(|| {
                accept_forever(&listener, || pool.reserve_unless_killed(), start, passing)
            });
            drop(reports.send(Report::End(end)));
        };
        let accepting = connections.spawn_with(Builder::new().name("server"), accept);
        shared.end.wait();
        accepting.kill();
        // The listener is closed when that fiber has ended. How it has ended was reported.
        drop(accepting.join());
        shared.wait_for_the_end(pool);
    });
}

struct KillOnDrop<'a>(&'a Pool);

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        self.0.kill();
    }
}

impl Shared {
    fn new(threads: usize, most: usize) -> Arc<Shared> {
        Arc::new(Shared {
            open: (0..threads).map(|_| Count(AtomicUsize::new(0))).collect(),
            limit: (most <= Semaphore::MAX_PERMITS).then(|| Semaphore::new(most)),
            deadline: OnceLock::new(),
            end: Event::new(),
            killed: AtomicUsize::new(0),
        })
    }

    /// Waits for a permit for one connection, if their number is limited.
    fn reserve(&self) -> io::Result<Option<Permit<'_>>> {
        let permit = self.limit.as_ref().map(|limit| limit.acquire_because(&PERMIT)).transpose();
        permit.map_err(|interrupt| interrupted(interrupt, &PERMIT))
    }

    fn open(self: &Arc<Shared>, index: usize) -> Open {
        self.open[index].0.fetch_add(1, Ordering::Relaxed);
        Open { shared: self.clone(), index }
    }

    /// Waits until the server ends, and then until the members of `pool` have ended.
    fn wait_for_the_end(&self, pool: &Pool) {
        self.end.wait();
        let killed = drain(pool, self.deadline.get().copied().flatten());
        self.killed.fetch_add(killed, Ordering::Relaxed);
    }

    /// Ends the server: connections may continue until `deadline`.
    fn end_by(&self, deadline: Option<Instant>) {
        // It was set before if a shutdown was interrupted.
        let _ = self.deadline.set(deadline);
        self.end.set();
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open[self.index].0.fetch_sub(1, Ordering::Relaxed);
        if let Some(limit) = &self.shared.limit {
            limit.add_permits(1);
        }
    }
}

impl OnEach {
    /// Returns the number of open connections.
    pub(super) fn connections(&self) -> usize {
        self.shared.open.iter().map(Count::get).sum()
    }

    /// Ends the server and waits until all jobs have ended. Returns how many connections were
    /// killed at `deadline`.
    pub(super) fn end_by(&mut self, deadline: Option<Instant>) -> usize {
        self.shared.end_by(deadline);
        // A job stays in the list until it has ended: if this wait is interrupted, it is killed.
        while let Some(job) = self.jobs.last_mut() {
            // An error is that of a job that was killed, because its runtime or its scope ends.
            let _ = block_on(job);
            self.jobs.pop();
        }
        self.shared.killed.load(Ordering::Relaxed)
    }

    /// Kills the jobs and their connections, and does not wait for them.
    pub(super) fn kill(&self) {
        self.shared.end_by(Some(clock_now()));
        self.jobs.iter().for_each(RemoteHandle::kill);
    }
}
