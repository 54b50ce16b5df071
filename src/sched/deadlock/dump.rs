//! Looking at a scheduler from inside the program: every fiber, and the counters.

use crate::fiber::header::FiberRef;
use crate::fiber::snapshot::{Dump, FiberSnapshot};
use crate::sched::core::scheduler::{Scheduler, current_fiber};
use crate::sched::deadlock::lock_graph::LockGraph;

/// Every fiber of this thread's scheduler: name, what it waits for, where and since when, how much
/// of its stack it uses.
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
    of(&current_fiber().sched, usize::MAX)
}

/// Counters of this thread's scheduler.
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
    let sched = current_fiber().sched;
    let stacks = sched.pool.borrow().stats();
    let spare = usize::from(sched.spare.stack.borrow().is_some());
    Stats {
        fibers: sched.live.get(),
        runnable: sched.ring(|ring| ring.queued()) + 1,
        spawned: sched.spawned(),
        abandoned: sched.abandoned.get(),
        switches: sched.switches.get(),
        timers: sched.time.armed(),
        // The pool counts the spare stack as taken, but nothing is on it.
        stacks_live: stacks.live - spare,
        stacks_idle: stacks.idle,
    }
}

/// Counters of a scheduler.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// Fibers that have not ended, the main fiber included.
    pub fibers: usize,
    /// Those of them that could run, the running one included.
    pub runnable: usize,
    /// Fibers spawned since `run` began, the main fiber included.
    pub spawned: u64,
    /// Fibers that refused to end, and never run again.
    pub abandoned: usize,
    /// Switches into a fiber.
    pub switches: u64,
    /// Deadlines that are armed.
    pub timers: usize,
    /// Stacks that fibers of this thread are on.
    pub stacks_live: usize,
    /// Stacks that this thread keeps for its next fibers.
    pub stacks_idle: usize,
}

/// The first `most` fibers of `sched`, in the order in which they were spawned.
pub(crate) fn of(sched: &Scheduler, most: usize) -> Dump {
    let fibers = sched.fibers_where(|_| true);
    let locks = LockGraph::of(sched);
    let picture = |fiber: &FiberRef| FiberSnapshot {
        held_by: locks.holder(fiber),
        ..FiberSnapshot::of(fiber, sched.now_ms.get())
    };
    Dump {
        fibers: fibers.iter().take(most).map(picture).collect(),
        left_out: fibers.len().saturating_sub(most),
    }
}
