//! may, the older stackful library, with as many workers as there are threads.
//!
//! Configuration: its default stack of 4096 words, and a pool that can hold every coroutine of the
//! largest run. may maps each stack separately, with a guard page, so 30,000 coroutines are about
//! the limit of Linux by default: it takes part in the smaller trees only. A coroutine of may may
//! continue on another worker, so it may bring the two of a pair together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::thread;

use may::coroutine::JoinHandle;
use may::go;
use may::sync::mpsc;

use super::{Cannot, NOT_APPLICABLE, Sample, time};
use crate::measure::warm;
use crate::workloads::{FAN, FAN_OUT, Workload, compute};

/// The number of coroutines above which the limit on memory mappings is reached.
const MOST_COROUTINES: u64 = 25_000;

pub(crate) fn run(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        may::config().set_workers(threads).set_pool_capacity(MOST_COROUTINES as usize);
    });
    warm(workload, |workload| match workload {
        Workload::Skynet { leaves } if leaves <= MOST_COROUTINES => {
            Ok(time(|| on_worker(move || node(0, leaves))))
        }
        Workload::Skynet { .. } => Err("out of memory maps at the default vm.max_map_count"),
        Workload::Map { items, steps } => Ok(time(|| on_worker(move || map(items, steps)))),
        Workload::FromOutside { jobs } => Ok(from_outside(jobs)),
        Workload::PingPong { pairs, messages } => {
            Ok(time(|| on_worker(move || ping_pong(pairs, messages))))
        }
        Workload::FanIn { jobs } => Ok(time(|| on_worker(move || fan_in(jobs)))),
        Workload::Pinned { .. } => Err(NOT_APPLICABLE),
    })
}

fn node(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / FAN_OUT;
    let spawn = |child| go!(move || node(first + child * share, share));
    let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
    children.into_iter().map(join).sum()
}

/// A coroutine per item, as many at a time as there are mappings for.
fn map(items: u64, steps: u64) -> u64 {
    let mut sum = 0_u64;
    for first in (0..items).step_by(MOST_COROUTINES as usize) {
        let end = items.min(first + MOST_COROUTINES);
        let tasks: Vec<_> = (first..end).map(|item| go!(move || compute(item, steps))).collect();
        sum = tasks.into_iter().fold(sum, |sum, task| sum.wrapping_add(join(task)));
    }
    sum
}

/// Region: from the first spawn until the last coroutine has run. The spawner waits while there
/// are as many coroutines as there are mappings for.
fn from_outside(jobs: u64) -> Sample {
    let (sum, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(jobs)));
    let spawner = thread::current();
    time(|| {
        for job in 0..jobs {
            while MOST_COROUTINES <= left.load(Ordering::Acquire) - (jobs - job) {
                thread::yield_now();
            }
            let (sum, left, spawner) = (sum.clone(), left.clone(), spawner.clone());
            go!(move || {
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

/// Two `mpsc::channel` per pair: may has no bounded channel.
fn ping_pong(pairs: u64, messages: u64) -> u64 {
    let start = |_| {
        let (ping, pings) = mpsc::channel::<u64>();
        let (pong, pongs) = mpsc::channel::<u64>();
        go!(move || {
            while let Ok(ball) = pings.recv() {
                pong.send(ball + 1).expect("the first coroutine still listens");
            }
        });
        go!(move || {
            let mut ball = 0;
            for _ in 0..messages / 2 {
                ping.send(ball + 1).expect("the partner still listens");
                ball = pongs.recv().expect("the partner answers");
            }
            ball
        })
    };
    let firsts: Vec<_> = (0..pairs).map(start).collect();
    firsts.into_iter().map(join).sum()
}

fn fan_in(jobs: u64) -> u64 {
    let mut sum = 0;
    let mut tasks = Vec::with_capacity(FAN as usize);
    for first in (0..jobs).step_by(FAN as usize) {
        tasks.extend((first..jobs.min(first + FAN)).map(|job| go!(move || job)));
        sum += tasks.drain(..).map(join).sum::<u64>();
    }
    sum
}

/// Runs `work` in a coroutine, where a wait is a switch and does not block the thread.
fn on_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    join(go!(work))
}

fn join<T>(handle: JoinHandle<T>) -> T {
    handle.join().expect("the coroutine does not panic")
}
