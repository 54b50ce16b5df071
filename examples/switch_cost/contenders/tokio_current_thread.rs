//! tokio on one thread.
//!
//! Configuration: the `current_thread` runtime, everything inside one spawned task, tasks spawned
//! by `tokio::spawn`. A `LocalSet` was tried and is slower in every workload (it is a second
//! scheduler inside the first). No driver is enabled, so no I/O or timer is polled. The cooperation
//! budget stays on, as for every user. `yield_now` is tokio's own: the waker goes through the
//! runtime's list of deferred wakes.

use super::stopwatch::{Stopwatch, time};
use super::{Cannot, NOT_APPLICABLE, Sample, memory_sample, nested, resident_bytes, returning};
use crate::workloads::{FAN_OUT, Workload};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::{Notify, mpsc};
use tokio::task::yield_now;

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    match workload {
        Workload::Yield { tasks, rounds } => Ok(yield_round(tasks, rounds)),
        Workload::YieldDeep { tasks, rounds } => Ok(yield_round_deep(tasks, rounds)),
        Workload::YieldDeepBoxed { tasks, rounds } => Ok(yield_round_deep_boxed(tasks, rounds)),
        Workload::YieldReturning { tasks, rounds, depth } => {
            Ok(crowd(tasks, move |id| returning::turns_boxed(yield_now, id, rounds, depth)))
        }
        Workload::YieldReturningPlain { tasks, rounds, depth } => {
            Ok(crowd(tasks, move |id| returning::turns_plain(yield_now, id, rounds, depth)))
        }
        Workload::SpawnJoin { tasks } => Ok(spawn_join(tasks)),
        Workload::Pairs { tasks, rounds } => Ok(pairs(tasks, rounds)),
        Workload::FirstBurst { tasks } => Ok(bursts(tasks, 0, 1)),
        Workload::LaterBursts { tasks, bursts: counted } => Ok(bursts(tasks, 1, counted)),
        Workload::Rendezvous { messages } => Ok(rendezvous(messages)),
        Workload::Buffered { messages, capacity } => Ok(buffered(messages, capacity)),
        Workload::SkynetBreadthFirst { leaves } => Ok(skynet_breadth_first(leaves)),
        Workload::Parked { tasks } => memory_per_parked(tasks),
        Workload::SkynetDepthFirst { .. } => Err(NOT_APPLICABLE),
    }
}

/// Region: every task yields `rounds` times, from the last start to the last finish.
fn yield_round(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| turns(id, rounds))
}

/// Region: like [`yield_round`]; every wake passes through ten plain `async fn` calls.
fn yield_round_deep(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| nested::plain(turns(id, rounds)))
}

/// Region: like [`yield_round`]; every wake passes through ten boxed futures.
fn yield_round_deep_boxed(tasks: u64, rounds: u64) -> Sample {
    crowd(tasks, move |id| nested::boxed(turns(id, rounds)))
}

/// Region: the whole loop.
fn spawn_join(tasks: u64) -> Sample {
    on_runtime(async move {
        let start = std::time::Instant::now();
        let mut answer = 0;
        for id in 0..tasks {
            answer += tokio::spawn(async move { id }).await.expect("the task does not panic");
        }
        Sample { cost: start.elapsed().as_nanos() as u64, answer }
    })
}

/// Region: from the first message to the last, when both tasks run. Two `mpsc::channel(1)`.
fn rendezvous(messages: u64) -> Sample {
    on_runtime(async move {
        let (ping, mut pings) = mpsc::channel::<u64>(1);
        let (pong, mut pongs) = mpsc::channel::<u64>(1);
        let partner = tokio::spawn(async move {
            while let Some(ball) = pings.recv().await {
                pong.send(ball + 1).await.expect("the first task still listens");
            }
        });
        yield_now().await;

        let start = std::time::Instant::now();
        let mut ball = 0;
        for _ in 0..messages / 2 {
            ping.send(ball + 1).await.expect("the partner still listens");
            ball = pongs.recv().await.expect("the partner answers");
        }
        let sample = Sample { cost: start.elapsed().as_nanos() as u64, answer: ball };
        drop(ping);
        partner.await.expect("the partner does not panic");
        sample
    })
}

/// Region: from the first message of the first pair to the last answer of the last pair, when all
/// tasks run. Two `mpsc::channel(1)` per pair.
fn pairs(tasks: u64, rounds: u64) -> Sample {
    on_runtime(async move {
        let watch = Stopwatch::new(tasks / 2);
        let pair = |_| {
            let (ping, mut pings) = mpsc::channel::<u64>(1);
            let (pong, mut pongs) = mpsc::channel::<u64>(1);
            let partner = tokio::spawn(async move {
                for _ in 0..rounds {
                    let ball = pings.recv().await.expect("the first task sends");
                    pong.send(ball + 1).await.expect("the first task still listens");
                }
            });
            let watch = watch.clone();
            let first = tokio::spawn(async move {
                watch.start();
                // All partners wait for a message before the first one is sent.
                yield_now().await;
                let mut ball = 0;
                for _ in 0..rounds {
                    ping.send(ball + 1).await.expect("the partner still listens");
                    ball = pongs.recv().await.expect("the partner answers");
                }
                watch.finish(ball);
            });
            [partner, first]
        };
        let handles: Vec<_> = (0..tasks / 2).flat_map(pair).collect();
        for handle in handles {
            handle.await.expect("no task panics");
        }
        watch.sample()
    })
}

/// Region: the bursts after the first `uncounted` ones.
fn bursts(tasks: u64, uncounted: u64, counted: u64) -> Sample {
    on_runtime(async move {
        for _ in 0..uncounted {
            assert_eq!(burst(tasks).await, tasks * (tasks - 1) / 2);
        }
        let start = std::time::Instant::now();
        let mut answer = 0;
        for _ in 0..counted {
            answer += burst(tasks).await;
        }
        Sample { cost: start.elapsed().as_nanos() as u64, answer }
    })
}

async fn burst(tasks: u64) -> u64 {
    let spawn = |id| {
        tokio::spawn(async move {
            yield_now().await;
            id
        })
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await.expect("no task panics");
    }
    sum
}

/// Region: from the first message to the end of the queue, when both tasks run.
fn buffered(messages: u64, capacity: u64) -> Sample {
    on_runtime(async move {
        let (sender, mut receiver) = mpsc::channel::<u64>(capacity as usize);
        let consumer = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(message) = receiver.recv().await {
                sum += message;
            }
            sum
        });
        yield_now().await;

        let start = std::time::Instant::now();
        for message in 0..messages {
            sender.send(message).await.expect("the consumer still listens");
        }
        drop(sender);
        let answer = consumer.await.expect("the consumer does not panic");
        Sample { cost: start.elapsed().as_nanos() as u64, answer }
    })
}

/// Region: the whole tree. Every inner node spawns all its children, then joins them.
fn skynet_breadth_first(leaves: u64) -> Sample {
    let runtime = runtime();
    time(|| {
        let root = async { tokio::spawn(node(0, leaves)).await.expect("no task panics") };
        runtime.block_on(root)
    })
}

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

/// Region: the bytes that tasks take which wait on a `Notify`, in a runtime that was idle.
fn memory_per_parked(tasks: u64) -> Result<Sample, Cannot> {
    on_runtime(async move {
        let gate = Arc::new(Notify::new());
        let (parked, released) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let before = resident_bytes();
        for _ in 0..tasks {
            let (gate, parked, released) = (gate.clone(), parked.clone(), released.clone());
            tokio::spawn(async move {
                parked.fetch_add(1, Relaxed);
                gate.notified().await;
                released.fetch_add(1, Relaxed);
            });
        }
        while parked.load(Relaxed) < tasks {
            yield_now().await;
        }
        let sample = memory_sample(before, tasks);
        gate.notify_waiters();
        while released.load(Relaxed) < tasks {
            yield_now().await;
        }
        sample
    })
}

async fn turns(id: u64, rounds: u64) -> u64 {
    let mut sum = 0;
    for round in 0..rounds {
        yield_now().await;
        sum += id + round;
    }
    sum
}

fn crowd<F>(tasks: u64, body: impl Fn(u64) -> F + Send + 'static) -> Sample
where
    F: Future<Output = u64> + Send + 'static,
{
    on_runtime(async move {
        let watch = Stopwatch::new(tasks);
        let spawn = |id| {
            let (watch, body) = (watch.clone(), body(id));
            tokio::spawn(async move {
                watch.start();
                watch.finish(body.await);
                yield_now().await;
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        for handle in handles {
            handle.await.expect("no task panics");
        }
        watch.sample()
    })
}

/// Runs `work` in a task of its own: the root future of `block_on` would only be polled after
/// every 61 others.
fn on_runtime<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = runtime();
    runtime.block_on(async { tokio::spawn(work).await.expect("the work does not panic") })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers")
}
