//! rayon: a pool of threads without stacks of their own for tasks, so a job can never wait for
//! anything except other jobs, which it runs meanwhile.
//!
//! Configuration: a pool with as many threads as there are. `skynet` and `map` use parallel
//! iterators, the others `spawn`. `fan-in` receives the results by a channel outside of the pool.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::{Cannot, NOT_APPLICABLE, Sample, time};
use crate::measure::warm;
use crate::workloads::{FAN, FAN_OUT, Workload, compute};

pub(crate) fn run(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    warm(workload, |workload| match workload {
        Workload::Skynet { leaves } => Ok(time(|| pool.install(|| node(0, leaves)))),
        Workload::Map { items, steps } => Ok(time(|| pool.install(|| map(items, steps)))),
        Workload::FromOutside { jobs } => Ok(from_outside(&pool, jobs)),
        Workload::FanIn { jobs } => Ok(time(|| fan_in(&pool, jobs))),
        Workload::PingPong { .. } | Workload::Pinned { .. } => Err(NOT_APPLICABLE),
    })
}

fn node(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / FAN_OUT;
    (0..FAN_OUT).into_par_iter().map(|child| node(first + child * share, share)).sum()
}

fn map(items: u64, steps: u64) -> u64 {
    (0..items).into_par_iter().map(|item| compute(item, steps)).reduce(|| 0, u64::wrapping_add)
}

/// Region: from the first spawn until the last job has run.
fn from_outside(pool: &ThreadPool, jobs: u64) -> Sample {
    let (sum, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(jobs)));
    let spawner = thread::current();
    time(|| {
        for job in 0..jobs {
            let (sum, left, spawner) = (sum.clone(), left.clone(), spawner.clone());
            pool.spawn(move || {
                sum.fetch_add(job, Ordering::Relaxed);
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    spawner.unpark();
                }
            });
        }
        while left.load(Ordering::Acquire) != 0 {
            thread::park();
        }
        sum.load(Ordering::Relaxed)
    })
}

fn fan_in(pool: &ThreadPool, jobs: u64) -> u64 {
    let (sender, results) = mpsc::channel();
    let mut sum = 0;
    for first in (0..jobs).step_by(FAN as usize) {
        let end = jobs.min(first + FAN);
        for job in first..end {
            let sender = sender.clone();
            pool.spawn(move || sender.send(job).expect("the receiver waits"));
        }
        sum += results.iter().take((end - first) as usize).sum::<u64>();
    }
    sum
}
