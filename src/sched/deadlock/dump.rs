//! Inspecting a scheduler from inside the program: a snapshot of every fiber, and the counters.

use crate::fiber::current;
use crate::fiber::header::FiberRef;
use crate::fiber::snapshot::{Dump, FiberSnapshot};
use crate::sched::core::caller::is_resting;
use crate::sched::core::scheduler::{Scheduler, current_fiber};
use crate::sched::deadlock::lock_graph::LockGraph;
use crate::sched::deadlock::targets::Targets;
use crate::sched::shared::owner::Owner;

/// Returns a snapshot of every fiber of this thread's scheduler: its name, what it waits for, where
/// and since when, and how much of its stack it uses. For all schedulers of a runtime, see
/// [`Handle::dump`](crate::Handle::dump).
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     fibra::Builder::new().name("waiter").spawn(fibra::park);
///     fibra::yield_now();
///     println!("{}", fibra::dump());
///     // fiber 'main' (#1) runs, spawned at src/main.rs:1:1
///     // fiber 'waiter' (#2) is parked at ...
///     # let dump = fibra::dump();
///     # assert_eq!(dump.fibers.len(), 2);
///     # assert!(dump.to_string().contains("fiber 'waiter' (#2) is parked at"));
/// });
/// ```
#[must_use]
#[track_caller]
pub fn dump() -> Dump {
    let sched = current_fiber().sched;
    let other_schedulers = sched.work.get().map_or(0, |work| work.other_schedulers());
    Dump { other_schedulers, ..of(&sched, usize::MAX) }
}

/// Returns the counters of this thread's scheduler.
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     fibra::spawn(|| {}).join().unwrap();
///     let stats = fibra::stats();
///     assert_eq!((stats.fibers, stats.spawned, stats.stacks_live), (1, 2, 1));
/// });
/// ```
#[must_use]
#[track_caller]
pub fn stats() -> Stats {
    stats_of(&current_fiber().sched)
}

/// Returns the counters of `sched`.
pub(crate) fn stats_of(sched: &Scheduler) -> Stats {
    let stacks = sched.pool.borrow().stats();
    let spare = usize::from(sched.spare.stack.borrow().is_some());
    Stats {
        fibers: sched.live.get() - usize::from(caller_rests(sched)),
        runnable: sched.ring(|ring| ring.queued()) + usize::from(current::fiber().is_some()),
        spawned: sched.spawned(),
        abandoned: sched.abandoned.get(),
        switches: sched.switches.get(),
        timers: sched.time.armed(),
        // The pool counts the spare stack as taken, but nothing is on it.
        stacks_live: stacks.live - spare,
        stacks_idle: stacks.idle,
        stacks_idle_bytes: stacks.idle_bytes,
    }
}

/// Counters of a scheduler.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let fibra::Stats { fibers, runnable, .. } = fibra::stats();
///     assert_eq!((fibers, runnable), (1, 1));
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// The number of fibers that have not ended, including the main fiber.
    pub fibers: usize,
    /// The number of fibers that are ready or running.
    pub runnable: usize,
    /// The number of fibers spawned since `run` began, including the main fiber.
    pub spawned: u64,
    /// The number of abandoned fibers: they could not be unwound, and never run again.
    pub abandoned: usize,
    /// The number of switches into a fiber since `run` began.
    pub switches: u64,
    /// The number of armed timers.
    pub timers: usize,
    /// The number of stacks that fibers of this thread run on.
    pub stacks_live: usize,
    /// The number of unused stacks that this thread keeps for its next fibers. They are given back
    /// to the system when fibers have not needed them for a while; see
    /// [`RuntimeBuilder::min_idle_stacks`](crate::RuntimeBuilder::min_idle_stacks).
    pub stacks_idle: usize,
    /// The bytes of these stacks, each at its full size. Only the pages that were touched take
    /// memory.
    pub stacks_idle_bytes: usize,
}

impl Stats {
    /// Returns all counters with their names.
    pub(crate) fn list(&self) -> [(&'static str, u64); 9] {
        [
            ("fibers", self.fibers as u64),
            ("runnable", self.runnable as u64),
            ("spawned", self.spawned),
            ("abandoned", self.abandoned as u64),
            ("switches", self.switches),
            ("timers", self.timers as u64),
            ("stacks_live", self.stacks_live as u64),
            ("stacks_idle", self.stacks_idle as u64),
            ("stacks_idle_bytes", self.stacks_idle_bytes as u64),
        ]
    }
}

/// Returns whether `sched` has a fiber that calls wakers, and none to call.
fn caller_rests(sched: &Scheduler) -> bool {
    let caller = sched.caller.fiber.get().and_then(|key| sched.fiber_of(key));
    caller.is_some_and(is_resting)
}

/// Returns a dump of the first `most` fibers of `sched`, in the order in which they were spawned.
pub(crate) fn of(sched: &Scheduler, most: usize) -> Dump {
    with_holders(sched, most).0
}

/// Returns a dump like [`of`], and the fibers in it that wait for a lock which a fiber of another
/// scheduler holds: the place of each in the list, and the holder.
pub(crate) fn with_holders(sched: &Scheduler, most: usize) -> (Dump, Vec<(usize, Owner)>) {
    let fibers = sched.fibers_where(|fiber| !is_resting(fiber));
    let locks = LockGraph::of(sched);
    let targets = Targets::of(sched, &fibers);
    let picture = |fiber: &FiberRef| {
        let snapshot = FiberSnapshot::of(fiber, sched.now_ms.get());
        let waits = snapshot.waiting_for.is_some();
        FiberSnapshot {
            held_by: locks.holder(fiber),
            waits_for: if waits { targets.of_wait(fiber) } else { Vec::new() },
            ends_in: sched.time.left(fiber.timer.get()).filter(|_| waits),
            ..snapshot
        }
    };
    let listed = || fibers.iter().take(most);
    let holders = listed().enumerate().filter_map(|(i, fiber)| Some((i, locks.elsewhere(fiber)?)));
    let dump = Dump {
        fibers: listed().map(picture).collect(),
        left_out: fibers.len().saturating_sub(most),
        other_schedulers: 0,
    };
    (dump, holders.collect())
}
