//! Threads of the operating system, for the order of magnitude.
//!
//! They may use several cores: a rendezvous may include a wake on another core, and a buffered
//! stream may gain from two. Yields are left out, because `sched_yield` does not guarantee a
//! switch.

use super::stopwatch::time;
use super::{Cannot, NOT_APPLICABLE, Sample, memory_sample, resident_bytes};
use crate::workloads::Workload;
use std::sync::Barrier;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

pub(crate) fn run(workload: Workload) -> Result<Sample, Cannot> {
    match workload {
        Workload::SpawnJoin { tasks } => Ok(spawn_join(tasks)),
        Workload::Rendezvous { messages } => Ok(rendezvous(messages)),
        Workload::Buffered { messages, capacity } => Ok(buffered(messages, capacity)),
        Workload::Parked { tasks } => memory_per_parked(tasks),
        _ => Err(NOT_APPLICABLE),
    }
}

/// Region: the whole loop.
fn spawn_join(tasks: u64) -> Sample {
    let spawn_and_join = |id| thread::spawn(move || id).join().expect("the thread does not panic");
    time(|| (0..tasks).map(spawn_and_join).sum())
}

/// Region: from the first message to the last. Two `sync_channel(0)`.
fn rendezvous(messages: u64) -> Sample {
    let (ping, pings) = sync_channel::<u64>(0);
    let (pong, pongs) = sync_channel::<u64>(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            for ball in pings {
                pong.send(ball + 1).expect("the first thread still listens");
            }
        });
        let start = Instant::now();
        let mut ball = 0;
        for _ in 0..messages / 2 {
            ping.send(ball + 1).expect("the partner still listens");
            ball = pongs.recv().expect("the partner answers");
        }
        let sample = Sample { cost: start.elapsed().as_nanos() as u64, answer: ball };
        drop(ping);
        sample
    })
}

/// Region: from the first message to the end of the queue.
fn buffered(messages: u64, capacity: u64) -> Sample {
    let (sender, receiver) = sync_channel::<u64>(capacity as usize);
    let consumer = thread::spawn(move || receiver.into_iter().sum());
    time(|| {
        for message in 0..messages {
            sender.send(message).expect("the consumer still listens");
        }
        drop(sender);
        consumer.join().expect("the consumer does not panic")
    })
}

/// Region: the bytes that `tasks` more threads take, which wait at a barrier.
fn memory_per_parked(tasks: u64) -> Result<Sample, Cannot> {
    let (started, gate) = (Barrier::new(tasks as usize + 1), Barrier::new(tasks as usize + 1));
    let before = resident_bytes();
    thread::scope(|scope| {
        for _ in 0..tasks {
            scope.spawn(|| {
                started.wait();
                gate.wait();
            });
        }
        started.wait();
        let sample = memory_sample(before, tasks);
        gate.wait();
        sample
    })
}
