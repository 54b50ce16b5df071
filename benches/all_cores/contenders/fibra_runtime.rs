//! fibra's runtime, with as many schedulers as there are threads.

use std::thread;

use fibra::sync::mpmc;

use super::std_threads::pin;
use super::{Cannot, NOT_APPLICABLE, Sample, time};
use crate::measure::warm;
use crate::workloads::Workload;

pub(crate) fn run(workload: Workload, threads: usize) -> Result<Sample, Cannot> {
    warm(workload, |workload| match workload {
        Workload::PingPong { pairs, messages } if threads == 2 => Ok(apart(pairs, messages, false)),
        Workload::Pinned { messages } if threads == 2 => Ok(apart(1, messages, true)),
        _ => Err(NOT_APPLICABLE),
    })
}

pub(crate) fn run_grouped(workload: Workload, _threads: usize) -> Result<Sample, Cannot> {
    warm(workload, |_| Err(NOT_APPLICABLE))
}

/// Two channels of capacity one per pair; the sides of a pair are on different schedulers.
fn apart(pairs: u64, messages: u64, is_pinned: bool) -> Sample {
    type Side = (mpmc::Sender<u64>, mpmc::Receiver<u64>);
    let pair = |_| {
        let ((ping, pings), (pong, pongs)) = (mpmc::bounded(1), mpmc::bounded(1));
        ((ping, pongs), (pong, pings))
    };
    let (firsts, seconds): (Vec<Side>, Vec<Side>) = (0..pairs).map(pair).unzip();
    let answer = |(send, receive): Side| {
        while let Ok(ball) = receive.recv() {
            send.send(ball + 1).unwrap();
        }
    };
    let ask = move |(send, receive): Side| {
        let mut ball = 0;
        for _ in 0..messages / 2 {
            send.send(ball + 1).unwrap();
            ball = receive.recv().unwrap();
        }
        ball
    };
    time(|| {
        thread::scope(|s| {
            s.spawn(|| {
                pin(is_pinned, 1);
                fibra::run(|| {
                    let fibers: Vec<_> = seconds
                        .into_iter()
                        .map(|side| fibra::spawn(move || answer(side)))
                        .collect();
                    fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
                });
            });
            let firsts = s.spawn(|| {
                pin(is_pinned, 0);
                fibra::run(|| {
                    let fibers: Vec<_> =
                        firsts.into_iter().map(|side| fibra::spawn(move || ask(side))).collect();
                    fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum()
                })
            });
            firsts.join().unwrap()
        })
    })
}
