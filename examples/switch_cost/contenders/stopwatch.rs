//! The measurement of many tasks, from the last start to the last finish.
//!
//! ```text
//!   task 1   start ─ yield ─ yield ─ … ─ yield ─ finish ─ (ends)
//!   task 2     start ─ yield ─ yield ─ … ─ yield ─ finish ─ (ends)
//!   task 3       start ─ yield ─ yield ─ … ─ yield ─ finish
//!                 └───────── measured ────────────────┘
//! ```
//!
//! All tasks are spawned before the region. Tasks that take turns are resumed exactly `rounds`
//! times each inside it. If a task finishes before all have started, the yields did not switch:
//! that is a panic, not a sample.
//!
//! Two counters change per task, and none per switch. They are atomics because some schedulers
//! require `Send` tasks. Only one thread writes them, so plain loads and stores are enough.

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

    /// Counts a start. Each task calls this before its first yield.
    pub(crate) fn start(&self) {
        if add(&self.started, 1) == self.tasks {
            self.first.get_or_init(Instant::now);
        }
    }

    /// Counts a finish. Each task calls this after its last yield, with its part of the answer.
    pub(crate) fn finish(&self, share: u64) {
        assert_eq!(self.started.load(Relaxed), self.tasks, "a task was done before all had begun");
        add(&self.answer, share);
        if add(&self.finished, 1) == self.tasks {
            self.last.get_or_init(Instant::now);
        }
    }

    /// Returns the measurement, when every task has finished.
    pub(crate) fn sample(&self) -> Sample {
        let (Some(first), Some(last)) = (self.first.get(), self.last.get()) else {
            panic!("{} of {} tasks have finished", self.finished.load(Relaxed), self.tasks);
        };
        let cost = last.duration_since(*first).as_nanos() as u64;
        Sample { cost, answer: self.answer.load(Relaxed) }
    }
}

/// Measures work that needs no other tasks.
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
