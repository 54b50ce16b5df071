//! may, the older stackful library, with one worker thread.
//!
//! Configuration: one worker, so that it does the same as the others and no work is stolen; a pool
//! that can hold every coroutine of the largest run; its default stack of 4096 words (32 KiB). The
//! calling thread only waits. may maps each stack separately, with a guard page: two mappings per
//! coroutine. Linux allows 65,530 mappings by default, so 30,000 coroutines are about the limit
//! without changes to the system.

use super::returning::{self, Calls};
use super::stopwatch::{Stopwatch, time};
use super::{Cannot, NOT_APPLICABLE, Sample, memory_sample, resident_bytes};
use crate::workloads::{DEPTH, FAN_OUT, Workload};
use may::coroutine::{JoinHandle, current, park, yield_now};
use may::go;
use may::sync::mpsc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once};
use std::time::Instant;

/// The number of coroutines above which the limit on memory mappings is reached.
const MOST_COROUTINES: u64 = 10_000;

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    configure();
    match workload {
        Workload::Yield { tasks, .. }
        | Workload::YieldDeep { tasks, .. }
        | Workload::YieldReturning { tasks, .. }
        | Workload::Pairs { tasks, .. }
        | Workload::FirstBurst { tasks }
        | Workload::LaterBursts { tasks, .. }
        | Workload::Parked { tasks }
            if MOST_COROUTINES < tasks =>
        {
            Err("out of memory maps at the default vm.max_map_count")
        }
        Workload::Yield { tasks, rounds } => Ok(yield_round(tasks, rounds)),
        Workload::YieldDeep { tasks, rounds } => Ok(yield_round_deep(tasks, rounds)),
        Workload::YieldReturning { tasks, rounds, depth } => {
            Ok(crowd(tasks, move |id| returning::turns::<Wait>((), id, rounds, depth)))
        }
        Workload::SpawnJoin { tasks } => Ok(spawn_join(tasks)),
        Workload::Pairs { tasks, rounds } => Ok(pairs(tasks, rounds)),
        Workload::FirstBurst { tasks } => Ok(bursts(tasks, 0, 1)),
        Workload::LaterBursts { tasks, bursts: counted } => Ok(bursts(tasks, 1, counted)),
        Workload::Rendezvous { messages } => Ok(rendezvous(messages)),
        Workload::Parked { tasks } => memory_per_parked(tasks),
        Workload::SkynetBreadthFirst { leaves } if leaves <= MOST_COROUTINES => {
            Ok(skynet_breadth_first(leaves))
        }
        Workload::SkynetBreadthFirst { .. } => {
            Err("out of memory maps at the default vm.max_map_count")
        }
        Workload::Buffered { .. } => Err("has no bounded channel"),
        Workload::YieldDeepBoxed { .. }
        | Workload::YieldReturningPlain { .. }
        | Workload::SkynetDepthFirst { .. } => Err(NOT_APPLICABLE),
    }
}

/// Region: every coroutine yields `rounds` times, from the last start to the last finish.
fn yield_round(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| turns(id, rounds))
}

/// Region: like [`yield_round`], ten calls deep.
fn yield_round_deep(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| descend(None, id, rounds))
}

/// Region: the whole loop.
fn spawn_join(tasks: u64) -> Sample {
    on_worker(move || time(|| (0..tasks).map(|id| join(go!(move || id))).sum()))
}

/// Region: from the first message to the last, when both coroutines run. Two `mpsc::channel`.
fn rendezvous(messages: u64) -> Sample {
    on_worker(move || {
        let (ping, pings) = mpsc::channel::<u64>();
        let (pong, pongs) = mpsc::channel::<u64>();
        let partner = go!(move || {
            while let Ok(ball) = pings.recv() {
                pong.send(ball + 1).expect("the first coroutine still listens");
            }
        });
        yield_now();

        let start = Instant::now();
        let mut ball = 0;
        for _ in 0..messages / 2 {
            ping.send(ball + 1).expect("the partner still listens");
            ball = pongs.recv().expect("the partner answers");
        }
        let sample = Sample { cost: start.elapsed().as_nanos() as u64, answer: ball };
        drop(ping);
        join(partner);
        sample
    })
}

/// Region: from the first message of the first pair to the last answer of the last pair, when all
/// coroutines run. Two `mpsc::channel` per pair.
fn pairs(tasks: u64, rounds: u64) -> Sample {
    on_worker(move || {
        let watch = Stopwatch::new(tasks / 2);
        let pair = |_| {
            let (ping, pings) = mpsc::channel::<u64>();
            let (pong, pongs) = mpsc::channel::<u64>();
            let partner = go!(move || {
                for _ in 0..rounds {
                    let ball = pings.recv().expect("the first coroutine sends");
                    pong.send(ball + 1).expect("the first coroutine still listens");
                }
            });
            let watch = watch.clone();
            let first = go!(move || {
                watch.start();
                // All have started before the first message is sent.
                yield_now();
                let mut ball = 0;
                for _ in 0..rounds {
                    ping.send(ball + 1).expect("the partner still listens");
                    ball = pongs.recv().expect("the partner answers");
                }
                watch.finish(ball);
            });
            [partner, first]
        };
        let handles: Vec<_> = (0..tasks / 2).flat_map(pair).collect();
        handles.into_iter().for_each(join);
        watch.sample()
    })
}

/// Region: the bursts after the first `uncounted` ones.
fn bursts(tasks: u64, uncounted: u64, counted: u64) -> Sample {
    let burst = move |_| -> u64 {
        let spawn = |id| {
            go!(move || {
                yield_now();
                id
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        handles.into_iter().map(join).sum()
    };
    on_worker(move || {
        (0..uncounted).for_each(|number| assert_eq!(burst(number), tasks * (tasks - 1) / 2));
        time(|| (0..counted).map(burst).sum())
    })
}

/// Region: the whole tree. Every inner node spawns all its children, then joins them.
fn skynet_breadth_first(leaves: u64) -> Sample {
    on_worker(move || time(|| node(0, leaves)))
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

/// Region: the bytes between a process without may and one in which every coroutine is parked. The
/// last one to park wakes the first: a loop of `yield_now` would never let the others run.
fn memory_per_parked(tasks: u64) -> Result<Sample, Cannot> {
    // may fills its pool of stacks at its first use, so the comparison is with the empty process.
    let before = resident_bytes();
    on_worker(move || {
        let parked = Arc::new(AtomicU64::new(0));
        let spawn = |_| {
            let (parked, first) = (parked.clone(), current());
            go!(move || {
                if parked.fetch_add(1, Relaxed) + 1 == tasks {
                    first.unpark();
                }
                park();
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        park();
        let sample = memory_sample(before, parked.load(Relaxed));
        for handle in handles {
            handle.coroutine().unpark();
            join(handle);
        }
        sample
    })
}

/// The wait under calls that return.
struct Wait;

impl Calls for Wait {
    type Context = ();

    #[inline(always)]
    fn call((): (), value: u64) -> u64 {
        yield_now();
        value
    }
}

fn turns(id: u64, rounds: u64) -> u64 {
    let mut sum = 0;
    for round in 0..rounds {
        yield_now();
        sum += id + round;
    }
    sum
}

/// Adds a frame above the loop. The answer counts the frames, so none can be optimised away.
struct Frame<'a> {
    above: Option<&'a Frame<'a>>,
}

#[inline(never)]
fn descend(above: Option<&Frame<'_>>, id: u64, rounds: u64) -> u64 {
    let frame = Frame { above };
    let depth = std::iter::successors(Some(&frame), |frame| frame.above).count() as u64;
    if depth == DEPTH {
        return turns(id, rounds) + depth;
    }
    descend(Some(&frame), id, rounds)
}

fn crowd(tasks: u64, body: impl Fn(u64) -> u64 + Copy + Send + 'static) -> Sample {
    on_worker(move || {
        let watch = Stopwatch::new(tasks);
        let spawn = |id| {
            let watch = watch.clone();
            go!(move || {
                watch.start();
                watch.finish(body(id));
                yield_now();
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        handles.into_iter().for_each(join);
        watch.sample()
    })
}

/// Runs `work` in a coroutine, where a wait is a switch and does not block the thread.
fn on_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    join(go!(work))
}

fn join<T>(handle: JoinHandle<T>) -> T {
    handle.join().expect("the coroutine does not panic")
}

fn configure() {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        may::config().set_workers(1).set_pool_capacity(MOST_COROUTINES as usize + 10);
    });
}
