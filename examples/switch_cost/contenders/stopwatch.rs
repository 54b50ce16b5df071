//! Times a crowd of tasks from the moment the last has started to the moment the last is done.
//!
//! ```text
//!   task 1   start ─ yield ─ yield ─ … ─ yield ─ finish ─ (ends)
//!   task 2     start ─ yield ─ yield ─ … ─ yield ─ finish ─ (ends)
//!   task 3       start ─ yield ─ yield ─ … ─ yield ─ finish
//!                 └───────── measured ────────────────┘
//! ```
//!
//! Spawning lies before the region. With tasks that take turns, each is resumed exactly `rounds`
//! times inside it. A task that finishes before all have started shows that the yields did not
//! switch: that is a panic, not a sample.
//!
//! Two counters are touched per task, none per switch. They are atomics because some schedulers
//! demand `Send` tasks, but only one thread ever writes them, so that plain loads and stores do.

use super::Sample;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Stopwatch {
    tasks: u64,
    started: AtomicU64,
    finished: AtomicU64,
    answer: AtomicU64,
    first: OnceLock<Instant>,
    last: OnceLock<Instant>,
}

impl Stopwatch {
    pub(crate) fn new(tasks: u64) -> Arc<Self> {
        Arc::new(Self {
            tasks,
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            answer: AtomicU64::new(0),
            first: OnceLock::new(),
            last: OnceLock::new(),
        })
    }

    /// Called by each task before its first yield.
    pub(crate) fn start(&self) {
        if add(&self.started, 1) == self.tasks {
            self.first.get_or_init(Instant::now);
        }
    }

    /// Called by each task after its last yield, with its share of the answer.
    pub(crate) fn finish(&self, share: u64) {
        assert_eq!(self.started.load(Relaxed), self.tasks, "a task was done before all had begun");
        add(&self.answer, share);
        if add(&self.finished, 1) == self.tasks {
            self.last.get_or_init(Instant::now);
        }
    }

    /// The measurement, once every task has finished.
    pub(crate) fn sample(&self) -> Sample {
        let (Some(first), Some(last)) = (self.first.get(), self.last.get()) else {
            panic!("{} of {} tasks have finished", self.finished.load(Relaxed), self.tasks);
        };
        let cost = last.duration_since(*first).as_nanos() as u64;
        Sample { cost, answer: self.answer.load(Relaxed) }
    }
}

/// Times a piece of work that needs no crowd.
pub(crate) fn time(work: impl FnOnce() -> u64) -> Sample {
    let start = Instant::now();
    let answer = work();
    Sample { cost: start.elapsed().as_nanos() as u64, answer }
}

fn add(counter: &AtomicU64, n: u64) -> u64 {
    let sum = counter.load(Relaxed) + n;
    counter.store(sum, Relaxed);
    sum
}
