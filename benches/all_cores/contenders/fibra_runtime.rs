//! fibra's runtime, with as many schedulers as there are threads.
//!
//! `fibra` spawns a job for each task, by `par::spawn` where the spawner is a fiber of the tree: a
//! handle that is cloned for each task is one more counter that both threads write. It puts the two
//! fibers of a pair on different schedulers. `fibra grouped` is the form that the guide recommends:
//! jobs above, and fibers of one scheduler below [`GROUP`] leaves; the two fibers of a pair on one
//! scheduler. `fibra par` uses `par::map`, `par::join` and `par::scope`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fibra::channel::Channel;
use fibra::sync::mpmc;
use fibra::{Handle, RemoteHandle, Runtime, par};

use super::{Cannot, NOT_APPLICABLE, Sample, time};
use crate::measure::warm;
use crate::workloads::{FAN, FAN_OUT, Workload, compute};

/// The number of leaves below which a subtree stays on one scheduler.
const GROUP: u64 = 100;

pub(crate) fn run(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    let pinned = matches!(workload, Workload::Pinned { .. });
    on(threads, pinned, |handle| {
        warm(workload, |workload| match workload {
            Workload::Skynet { leaves } => Ok(time(|| node(0, leaves))),
            Workload::Map { items, steps } => Ok(time(|| map(handle, items, steps))),
            Workload::FromOutside { jobs } => Ok(from_outside(handle, jobs)),
            Workload::PingPong { pairs, messages } => {
                Ok(time(|| ping_pong(handle, pairs, messages)))
            }
            Workload::Pinned { .. } if threads == 1 => Err(NOT_APPLICABLE),
            Workload::Pinned { messages } => Ok(time(|| ping_pong(handle, 1, messages))),
            Workload::FanIn { jobs } => Ok(time(|| fan_in(handle, jobs))),
        })
    })
}

pub(crate) fn run_grouped(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    on(threads, false, |handle| {
        warm(workload, |workload| match workload {
            Workload::Skynet { leaves } => Ok(time(|| grouped_node(0, leaves))),
            Workload::PingPong { pairs, messages } => {
                Ok(time(|| grouped_ping_pong(handle, pairs, messages)))
            }
            _ => Err(NOT_APPLICABLE),
        })
    })
}

/// The calls of `fibra::par` for the workload.
pub(crate) fn run_par(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    on(threads, false, |_| {
        warm(workload, |workload| match workload {
            Workload::Skynet { leaves } => Ok(time(|| joined_leaves(0, leaves))),
            Workload::Map { items, steps } => Ok(par_map(items, steps)),
            Workload::FanIn { jobs } => Ok(time(|| scoped_fan_in(jobs))),
            _ => Err(NOT_APPLICABLE),
        })
    })
}

/// Runs `work` in the main fiber of a runtime.
fn on<T>(threads: usize, pin: bool, work: impl FnOnce(&Handle) -> T) -> T {
    let builder = Runtime::builder().threads(threads).pin_threads(pin);
    builder.build().expect("a runtime").run(|| work(&Handle::current()))
}

/// Every inner node spawns all its children, then joins them.
fn node(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / FAN_OUT;
    let spawn = |child| par::spawn(move || node(first + child * share, share));
    let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
    children.into_iter().map(join).sum()
}

/// Like [`node`], until a subtree is small enough to stay on its scheduler.
fn grouped_node(first: u64, leaves: u64) -> u64 {
    if leaves <= GROUP {
        return local_node(first, leaves);
    }
    let share = leaves / FAN_OUT;
    let spawn = |child| par::spawn(move || grouped_node(first + child * share, share));
    let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
    children.into_iter().map(join).sum()
}

fn local_node(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / FAN_OUT;
    let spawn = |child| fibra::spawn(move || local_node(first + child * share, share));
    let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
    children.into_iter().map(|child| child.join().expect("no fiber panics")).sum()
}

/// A job per item.
fn map(handle: &Handle, items: u64, steps: u64) -> u64 {
    let spawn = |item| handle.spawn(move || compute(item, steps));
    let jobs: Vec<_> = (0..items).map(spawn).collect();
    jobs.into_iter().fold(0, |sum: u64, job| sum.wrapping_add(join(job)))
}

/// Region: from the first spawn until the last job has run. The main fiber waits for the thread.
fn from_outside(handle: &Handle, jobs: u64) -> Sample {
    let handle = handle.clone();
    let outside = thread::spawn(move || {
        let (sum, left) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(jobs)));
        let spawner = thread::current();
        time(|| {
            for job in 0..jobs {
                let (sum, left, spawner) = (sum.clone(), left.clone(), spawner.clone());
                let body = move || {
                    sum.fetch_add(job, Ordering::Relaxed);
                    if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                        spawner.unpark();
                    }
                };
                handle.spawn(body).detach();
            }
            while left.load(Ordering::Acquire) != 0 {
                thread::park();
            }
            sum.load(Ordering::Relaxed)
        })
    });
    fibra::blocking(|| outside.join().expect("the thread does not panic"))
}

/// Two channels of capacity one per pair; the sides of a pair are on different schedulers.
fn ping_pong(handle: &Handle, pairs: u64, messages: u64) -> u64 {
    let start = |_| {
        let ((ping, pings), (pong, pongs)) = (mpmc::bounded(1), mpmc::bounded(1));
        let answer = move || {
            while let Ok(ball) = pings.recv() {
                pong.send(ball + 1).expect("the first fiber still listens");
            }
        };
        handle.spawn_on(handle.threads() - 1, answer).detach();
        handle.spawn_on(0, move || {
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

/// A job per pair, which is two fibers and a channel of one scheduler.
fn grouped_ping_pong(handle: &Handle, pairs: u64, messages: u64) -> u64 {
    let pair = move || {
        let (ping, pong) = (Channel::new(), Channel::new());
        let (pings, pongs) = (ping.clone(), pong.clone());
        let partner = fibra::spawn(move || {
            for ball in pings.iter() {
                pong.send(ball + 1).expect("the first fiber still listens");
            }
        });
        let mut ball = 0;
        for _ in 0..messages / 2 {
            ping.send(ball + 1).expect("the partner still listens");
            ball = pongs.recv().expect("the partner answers");
        }
        ping.close();
        partner.join().expect("the partner does not panic");
        ball
    };
    let pairs: Vec<_> = (0..pairs).map(|_| handle.spawn(pair)).collect();
    pairs.into_iter().map(join).sum()
}

/// The leaves in halves, by `join`: as many jobs as there are leaves, and a tenth less than nodes.
fn joined_leaves(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let half = leaves / 2;
    let (left, right) =
        par::join(|| joined_leaves(first, half), || joined_leaves(first + half, leaves - half));
    left + right
}

/// Region: the map; the slice of items is made before.
fn par_map(items: u64, steps: u64) -> Sample {
    let items: Vec<u64> = (0..items).collect();
    time(|| {
        let results = par::map(&items, |item| compute(*item, steps));
        results.into_iter().fold(0, u64::wrapping_add)
    })
}

fn scoped_fan_in(jobs: u64) -> u64 {
    let mut sum = 0;
    for first in (0..jobs).step_by(FAN as usize) {
        sum += par::scope(|s| {
            let jobs = first..jobs.min(first + FAN);
            let handles: Vec<_> = jobs.map(|job| s.spawn(move || job)).collect();
            handles.into_iter().map(|job| job.join().expect("no job panics")).sum::<u64>()
        });
    }
    sum
}

fn fan_in(handle: &Handle, jobs: u64) -> u64 {
    let mut sum = 0;
    let mut tasks = Vec::with_capacity(FAN as usize);
    for first in (0..jobs).step_by(FAN as usize) {
        tasks.extend((first..jobs.min(first + FAN)).map(|job| handle.spawn(move || job)));
        sum += tasks.drain(..).map(join).sum::<u64>();
    }
    sum
}

fn join<T>(job: RemoteHandle<T>) -> T {
    job.join().expect("no job panics")
}
