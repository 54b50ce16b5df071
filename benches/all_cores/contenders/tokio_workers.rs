//! tokio's `multi_thread` runtime.
//!
//! Configuration: as many workers as there are threads, no drivers, everything inside one spawned
//! task. The runtime decides where a task runs: it may bring the two tasks of a pair together.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;

use super::{Cannot, NOT_APPLICABLE, Sample, time};
use crate::measure::warm;
use crate::workloads::{FAN, FAN_OUT, Workload, compute};

pub(crate) fn run(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    let runtime = Builder::new_multi_thread().worker_threads(threads).build().expect("a runtime");
    warm(workload, |workload| match workload {
        Workload::Skynet { leaves } => Ok(time(|| on(&runtime, node(0, leaves)))),
        Workload::Map { items, steps } => Ok(time(|| on(&runtime, map(items, steps)))),
        Workload::FromOutside { jobs } => Ok(from_outside(runtime.handle(), jobs)),
        Workload::PingPong { pairs, messages } => {
            Ok(time(|| on(&runtime, ping_pong(pairs, messages))))
        }
        Workload::FanIn { jobs } => Ok(time(|| on(&runtime, fan_in(jobs)))),
        Workload::Pinned { .. } => Err(NOT_APPLICABLE),
    })
}

/// Runs `work` in a task of its own: the root future of `block_on` is no task of a worker.
fn on(runtime: &Runtime, work: impl Future<Output = u64> + Send + 'static) -> u64 {
    runtime.block_on(async { tokio::spawn(work).await.expect("the work does not panic") })
}

/// Every inner node spawns all its children, then joins them.
fn node(first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    if leaves == 1 {
        return Box::pin(async move { first });
    }
    Box::pin(async move {
        let share = leaves / FAN_OUT;
        let spawn = |child| tokio::spawn(node(first + child * share, share));
        let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await.expect("no task panics");
        }
        sum
    })
}

/// A task per item.
async fn map(items: u64, steps: u64) -> u64 {
    let spawn = |item| tokio::spawn(async move { compute(item, steps) });
    let tasks: Vec<_> = (0..items).map(spawn).collect();
    let mut sum = 0_u64;
    for task in tasks {
        sum = sum.wrapping_add(task.await.expect("no task panics"));
    }
    sum
}

/// Region: from the first spawn until the last task has run.
fn from_outside(runtime: &Handle, jobs: u64) -> Sample {
    let (sum, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(jobs)));
    let spawner = thread::current();
    time(|| {
        for job in 0..jobs {
            let (sum, left, spawner) = (sum.clone(), left.clone(), spawner.clone());
            drop(runtime.spawn(async move {
                sum.fetch_add(job, Relaxed);
                if left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
                    spawner.unpark();
                }
            }));
        }
        while left.load(std::sync::atomic::Ordering::Acquire) != 0 {
            thread::park();
        }
        sum.load(Relaxed)
    })
}

/// Two channels of capacity one per pair.
async fn ping_pong(pairs: u64, messages: u64) -> u64 {
    let start = |_| {
        let (ping, mut pings) = mpsc::channel::<u64>(1);
        let (pong, mut pongs) = mpsc::channel::<u64>(1);
        tokio::spawn(async move {
            while let Some(ball) = pings.recv().await {
                pong.send(ball + 1).await.expect("the first task still listens");
            }
        });
        tokio::spawn(async move {
            let mut ball = 0;
            for _ in 0..messages / 2 {
                ping.send(ball + 1).await.expect("the partner still listens");
                ball = pongs.recv().await.expect("the partner answers");
            }
            ball
        })
    };
    let firsts: Vec<_> = (0..pairs).map(start).collect();
    let mut sum = 0;
    for first in firsts {
        sum += first.await.expect("no task panics");
    }
    sum
}

async fn fan_in(jobs: u64) -> u64 {
    let mut sum = 0;
    let mut tasks = Vec::with_capacity(FAN as usize);
    for first in (0..jobs).step_by(FAN as usize) {
        tasks.extend((first..jobs.min(first + FAN)).map(|job| tokio::spawn(async move { job })));
        for task in tasks.drain(..) {
            sum += task.await.expect("no task panics");
        }
    }
    sum
}
