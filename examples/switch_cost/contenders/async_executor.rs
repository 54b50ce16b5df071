//! async-executor on one thread: the executor of smol and async-std.
//!
//! Configuration: a `LocalExecutor` (no `Send`), driven by `tick` in a loop. The usual
//! `block_on(executor.run(..))` was tried: a yield among 100 tasks takes 50 ns with it, and 32 ns
//! here. A loop of `try_tick` takes 28 ns, but spins where a program would sleep. Tasks yield by
//! `futures_lite::future::yield_now`; channels are async-channel's.

use super::stopwatch::{Stopwatch, time};
use super::{Cannot, NOT_APPLICABLE, Sample, memory_sample, nested, resident_bytes, returning};
use crate::workloads::{FAN_OUT, Workload};
use async_channel::bounded;
use async_executor::{LocalExecutor, Task};
use futures_lite::future::{block_on, yield_now};
use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Instant;

type Executor = LocalExecutor<'static>;

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
    on_executor(move |executor| async move {
        let start = Instant::now();
        let mut answer = 0;
        for id in 0..tasks {
            answer += executor.spawn(async move { id }).await;
        }
        Sample { cost: start.elapsed().as_nanos() as u64, answer }
    })
}

/// Region: from the first message to the last, when both tasks run. Two `bounded(1)`.
fn rendezvous(messages: u64) -> Sample {
    on_executor(move |executor| async move {
        let (ping, pings) = bounded::<u64>(1);
        let (pong, pongs) = bounded::<u64>(1);
        let partner = executor.spawn(async move {
            while let Ok(ball) = pings.recv().await {
                pong.send(ball + 1).await.expect("the first task still listens");
            }
        });
        yield_now().await;

        let start = Instant::now();
        let mut ball = 0;
        for _ in 0..messages / 2 {
            ping.send(ball + 1).await.expect("the partner still listens");
            ball = pongs.recv().await.expect("the partner answers");
        }
        let sample = Sample { cost: start.elapsed().as_nanos() as u64, answer: ball };
        drop(ping);
        partner.await;
        sample
    })
}

/// Region: from the first message of the first pair to the last answer of the last pair, when all
/// tasks run. Two `bounded(1)` per pair.
fn pairs(tasks: u64, rounds: u64) -> Sample {
    on_executor(move |executor| async move {
        let watch = Stopwatch::new(tasks / 2);
        let pair = |_| {
            let (ping, pings) = bounded::<u64>(1);
            let (pong, pongs) = bounded::<u64>(1);
            let partner = executor.spawn(async move {
                for _ in 0..rounds {
                    let ball = pings.recv().await.expect("the first task sends");
                    pong.send(ball + 1).await.expect("the first task still listens");
                }
            });
            let watch = watch.clone();
            let first = executor.spawn(async move {
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
            handle.await;
        }
        watch.sample()
    })
}

/// Region: the bursts after the first `uncounted` ones.
fn bursts(tasks: u64, uncounted: u64, counted: u64) -> Sample {
    on_executor(move |executor| async move {
        for _ in 0..uncounted {
            assert_eq!(burst(&executor, tasks).await, tasks * (tasks - 1) / 2);
        }
        let start = Instant::now();
        let mut answer = 0;
        for _ in 0..counted {
            answer += burst(&executor, tasks).await;
        }
        Sample { cost: start.elapsed().as_nanos() as u64, answer }
    })
}

async fn burst(executor: &Executor, tasks: u64) -> u64 {
    let spawn = |id| {
        executor.spawn(async move {
            yield_now().await;
            id
        })
    };
    let handles: Vec<_> = (0..tasks).map(spawn).collect();
    let mut sum = 0;
    for handle in handles {
        sum += handle.await;
    }
    sum
}

/// Region: from the first message to the end of the queue, when both tasks run.
fn buffered(messages: u64, capacity: u64) -> Sample {
    on_executor(move |executor| async move {
        let (sender, receiver) = bounded::<u64>(capacity as usize);
        let consumer = executor.spawn(async move {
            let mut sum = 0;
            while let Ok(message) = receiver.recv().await {
                sum += message;
            }
            sum
        });
        yield_now().await;

        let start = Instant::now();
        for message in 0..messages {
            sender.send(message).await.expect("the consumer still listens");
        }
        drop(sender);
        let answer = consumer.await;
        Sample { cost: start.elapsed().as_nanos() as u64, answer }
    })
}

/// Region: the whole tree. Every inner node spawns all its children, then joins them.
fn skynet_breadth_first(leaves: u64) -> Sample {
    let executor = Rc::new(Executor::new());
    time(|| {
        let root = executor.spawn(node(executor.clone(), 0, leaves));
        drive(&executor, root)
    })
}

fn node(executor: Rc<Executor>, first: u64, leaves: u64) -> Pin<Box<dyn Future<Output = u64>>> {
    if leaves == 1 {
        return Box::pin(async move { first });
    }
    Box::pin(async move {
        let share = leaves / FAN_OUT;
        let spawn = |child| executor.spawn(node(executor.clone(), first + child * share, share));
        let children: Vec<_> = (0..FAN_OUT).map(spawn).collect();
        let mut sum = 0;
        for child in children {
            sum += child.await;
        }
        sum
    })
}

/// Region: the bytes that tasks take which wait for a message, in an executor that was idle.
fn memory_per_parked(tasks: u64) -> Result<Sample, Cannot> {
    on_executor(move |executor| async move {
        let (release, gate) = async_channel::unbounded::<()>();
        let parked = Rc::new(Cell::new(0));
        let before = resident_bytes();
        for _ in 0..tasks {
            let (gate, parked) = (gate.clone(), parked.clone());
            let wait = async move {
                parked.set(parked.get() + 1);
                gate.recv().await.expect_err("nothing is sent");
            };
            executor.spawn(wait).detach();
        }
        while parked.get() < tasks {
            yield_now().await;
        }
        let sample = memory_sample(before, parked.get());
        drop(release);
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

fn crowd<F>(tasks: u64, body: impl Fn(u64) -> F + 'static) -> Sample
where
    F: Future<Output = u64> + 'static,
{
    on_executor(move |executor| async move {
        let watch = Stopwatch::new(tasks);
        let spawn = |id| {
            let (watch, body) = (watch.clone(), body(id));
            executor.spawn(async move {
                watch.start();
                watch.finish(body.await);
                yield_now().await;
            })
        };
        let handles: Vec<_> = (0..tasks).map(spawn).collect();
        for handle in handles {
            handle.await;
        }
        watch.sample()
    })
}

/// Runs `work` as a task beside those that it spawns.
fn on_executor<F: Future + 'static>(work: impl FnOnce(Rc<Executor>) -> F) -> F::Output {
    let executor = Rc::new(Executor::new());
    let root = executor.spawn(work(executor.clone()));
    drive(&executor, root)
}

fn drive<T>(executor: &Executor, root: Task<T>) -> T {
    block_on(async {
        while !root.is_finished() {
            executor.tick().await;
        }
        root.await
    })
}
