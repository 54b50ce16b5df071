//! Threads of the system, with the channels of std and of crossbeam.
//!
//! A thread per task is too slow for a tree or a job per item. `map` divides the items between as
//! many threads as there are, which is the limit for the others.

use std::sync::mpsc;
use std::thread;

use super::{Cannot, NOT_APPLICABLE, Sample, time};
use crate::measure::warm;
use crate::workloads::{Workload, compute};

/// The number of pairs above which two threads per pair are too many.
const MOST_PAIRS: u64 = 100;

pub(crate) fn run(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    warm(workload, |workload| match workload {
        Workload::Map { items, steps } => Ok(map(items, steps, threads as u64)),
        _ if threads == 1 => Err(NOT_APPLICABLE),
        Workload::PingPong { pairs, messages } if pairs <= MOST_PAIRS => {
            Ok(ping_pong(pairs, messages, false, std_player))
        }
        Workload::Pinned { messages } => Ok(ping_pong(1, messages, true, std_player)),
        _ => Err(NOT_APPLICABLE),
    })
}

/// The same pairs, with channels of crossbeam.
pub(crate) fn run_crossbeam(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    warm(workload, |workload| match workload {
        _ if threads == 1 => Err(NOT_APPLICABLE),
        Workload::PingPong { pairs, messages } if pairs <= MOST_PAIRS => {
            Ok(ping_pong(pairs, messages, false, crossbeam_player))
        }
        Workload::Pinned { messages } => Ok(ping_pong(1, messages, true, crossbeam_player)),
        _ => Err(NOT_APPLICABLE),
    })
}

/// Region: the threads, each with a stretch of the items.
fn map(items: u64, steps: u64, threads: u64) -> Sample {
    let stretch = |i| {
        let (first, end) = (items * i / threads, items * (i + 1) / threads);
        (first..end).fold(0, |sum: u64, item| sum.wrapping_add(compute(item, steps)))
    };
    time(|| {
        thread::scope(|s| {
            let others: Vec<_> = (1..threads).map(|i| s.spawn(move || stretch(i))).collect();
            let own = stretch(0);
            others.into_iter().fold(own, |sum, other| sum.wrapping_add(other.join().unwrap()))
        })
    })
}

/// One side of a pair: it receives a ball and sends it back, until the other side has gone.
struct Player {
    send: Box<dyn Fn(u64) + Send>,
    receive: Box<dyn Fn() -> Option<u64> + Send>,
}

fn std_player() -> (Player, Player) {
    let ((ping, pings), (pong, pongs)) = (mpsc::sync_channel(1), mpsc::sync_channel(1));
    let player = |to: mpsc::SyncSender<u64>, from: mpsc::Receiver<u64>| Player {
        send: Box::new(move |ball| to.send(ball).unwrap()),
        receive: Box::new(move || from.recv().ok()),
    };
    (player(ping, pongs), player(pong, pings))
}

fn crossbeam_player() -> (Player, Player) {
    let ((ping, pings), (pong, pongs)) =
        (crossbeam_channel::bounded(1), crossbeam_channel::bounded(1));
    let player =
        |to: crossbeam_channel::Sender<u64>, from: crossbeam_channel::Receiver<u64>| Player {
            send: Box::new(move |ball| to.send(ball).unwrap()),
            receive: Box::new(move || from.recv().ok()),
        };
    (player(ping, pongs), player(pong, pings))
}

/// Region: two threads per pair, from the start of the first to the end of the last.
fn ping_pong(
    pairs: u64,
    messages: u64,
    is_pinned: bool,
    new_pair: fn() -> (Player, Player),
) -> Sample {
    time(|| {
        thread::scope(|s| {
            let firsts: Vec<_> = (0..pairs)
                .map(|_| {
                    let (first, second) = new_pair();
                    s.spawn(move || {
                        pin(is_pinned, 1);
                        while let Some(ball) = (second.receive)() {
                            (second.send)(ball + 1);
                        }
                    });
                    s.spawn(move || {
                        pin(is_pinned, 0);
                        let mut ball = 0;
                        for _ in 0..messages / 2 {
                            (first.send)(ball + 1);
                            ball = (first.receive)().unwrap();
                        }
                        ball
                    })
                })
                .collect();
            firsts.into_iter().map(|first| first.join().unwrap()).sum()
        })
    })
}

/// Binds this thread to a processor.
fn pin(is_pinned: bool, processor: usize) {
    #[cfg(target_os = "linux")]
    if is_pinned {
        let mut set = rustix::thread::CpuSet::new();
        set.set(processor);
        rustix::thread::sched_setaffinity(None, &set).expect("the processor exists");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (is_pinned, processor);
}
