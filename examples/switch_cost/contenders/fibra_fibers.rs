//! fibra: fibers with stacks of their own on one scheduler.
//!
//! Configuration: the default. Everything runs inside `fibra::run`, with the default stack
//! size and guard pages.

use super::returning::{self, Calls};
use super::stopwatch::{Stopwatch, time};
use super::{Cannot, NOT_APPLICABLE, Sample, memory_sample, resident_bytes};
use crate::workloads::{DEPTH, FAN_OUT, Workload};
use fibra::channel::{self, Channel};
use fibra::{JoinHandle, yield_now};
use std::time::Instant;

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    match workload {
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
        Workload::Buffered { messages, capacity } => Ok(buffered(messages, capacity)),
        Workload::SkynetDepthFirst { leaves } => Ok(skynet_depth_first(leaves)),
        Workload::SkynetBreadthFirst { leaves } => Ok(skynet_breadth_first(leaves)),
        Workload::Parked { tasks } => memory_per_parked(tasks),
        Workload::YieldDeepBoxed { .. } | Workload::YieldReturningPlain { .. } => {
            Err(NOT_APPLICABLE)
        }
    }
}

/// Region: every fiber yields `rounds` times, from the last start to the last finish.
fn yield_round(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| turns(id, rounds))
}

/// Region: like [`yield_round`], ten calls deep.
fn yield_round_deep(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| descend(None, id, rounds))
}

/// Region: the whole loop.
fn spawn_join(tasks: u64) -> Sample {
    fibra::run(|| time(|| (0..tasks).map(|id| join(fibra::spawn(move || id))).sum()))
}

/// Region: from the first message to the last, when both fibers run. Two `Channel`s.
fn rendezvous(messages: u64) -> Sample {
    fibra::run(|| {
        let (ping, pong) = (Channel::<u64>::new(), Channel::<u64>::new());
        let (pings, pongs) = (ping.clone(), pong.clone());
        let partner = fibra::spawn(move || {
            for _ in 0..messages / 2 {
                let ball = pings.recv().expect("the first fiber sends");
                pong.send(ball + 1).expect("the first fiber still listens");
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
        join(partner);
        sample
    })
}

/// Region: from the first message of the first pair to the last answer of the last pair, when all
/// fibers run. Two `Channel`s per pair.
fn pairs(tasks: u64, rounds: u64) -> Sample {
    fibra::run(|| {
        let watch = Stopwatch::new(tasks / 2);
        let pair = |_| {
            let (ping, pong) = (Channel::<u64>::new(), Channel::<u64>::new());
            let (pings, pongs) = (ping.clone(), pong.clone());
            let partner = fibra::spawn(move || {
                for _ in 0..rounds {
                    let ball = pings.recv().expect("the first fiber sends");
                    pong.send(ball + 1).expect("the first fiber still listens");
                }
            });
            let watch = watch.clone();
            let first = fibra::spawn(move || {
                watch.start();
                // All partners wait for a message before the first one is sent.
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
    let burst = |_| -> u64 {
        let spawn = |id| {
            fibra::spawn(move || {
                yield_now();
                id
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        handles.into_iter().map(join).sum()
    };
    fibra::run(|| {
        (0..uncounted).for_each(|number| assert_eq!(burst(number), tasks * (tasks - 1) / 2));
        time(|| (0..counted).map(burst).sum())
    })
}

/// Region: from the first message to the end of the queue, when both fibers run.
fn buffered(messages: u64, capacity: u64) -> Sample {
    fibra::run(|| {
        let (sender, receiver) = channel::bounded::<u64>(capacity as usize);
        let consumer = fibra::spawn(move || {
            let mut sum = 0;
            while let Ok(message) = receiver.recv() {
                sum += message;
            }
            sum
        });
        yield_now();

        time(|| {
            for message in 0..messages {
                sender.send(message).expect("the consumer still listens");
            }
            drop(sender);
            join(consumer)
        })
    })
}

/// Region: the whole tree. `spawn_now` runs a child before its parent continues, so only the
/// path from the root to the running leaf has stacks.
fn skynet_depth_first(leaves: u64) -> Sample {
    fibra::run(|| time(|| depth_first_node(0, leaves)))
}

fn depth_first_node(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / FAN_OUT;
    let spawn = |child| fibra::spawn_now(move || depth_first_node(first + child * share, share));
    (0..FAN_OUT).map(|child| join(spawn(child))).sum()
}

/// Region: the whole tree. Every inner node spawns all its children, then joins them.
fn skynet_breadth_first(leaves: u64) -> Sample {
    fibra::run(|| time(|| breadth_first_node(0, leaves)))
}

fn breadth_first_node(first: u64, leaves: u64) -> u64 {
    if leaves == 1 {
        return first;
    }
    let share = leaves / FAN_OUT;
    let spawn = |child| fibra::spawn(move || breadth_first_node(first + child * share, share));
    let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
    children.into_iter().map(join).sum()
}

/// Region: the bytes that fibers take which wait in `recv`, on a scheduler that was idle.
fn memory_per_parked(tasks: u64) -> Result<Sample, Cannot> {
    fibra::run(|| {
        let gate = Channel::<u64>::new();
        let before = resident_bytes();
        let spawn = |_| {
            let gate = gate.clone();
            fibra::spawn(move || gate.recv().expect("a message for each fiber"))
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        yield_now();
        let cost = memory_sample(before, 0)?.cost;

        for _ in 0..tasks {
            gate.send(1).expect("a fiber waits for each message");
        }
        Ok(Sample { cost, answer: handles.into_iter().map(join).sum() })
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

fn crowd(tasks: u64, body: impl Fn(u64) -> u64 + Copy + 'static) -> Sample {
    fibra::run(|| {
        let watch = Stopwatch::new(tasks);
        let spawn = |id| {
            let watch = watch.clone();
            fibra::spawn(move || {
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

fn join<T>(handle: JoinHandle<T>) -> T {
    handle.join().expect("the fiber does not panic")
}
