//! One switch between greenlets, beside a bare resume and suspend of corosensei, and a chain of a
//! hundred thousand greenlets.
//!
//! `benches/peers/run.sh` measures Python's greenlet on the same workloads, in the lines
//! `rendezvous` and `chain`. `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_types, reason = "the bare coroutine is a contender")]

mod timing;

use std::cell::OnceCell;
use std::hint::black_box;
use std::rc::Rc;

use corosensei::{Coroutine, CoroutineResult};
use criterion::Criterion;
use fibra::greenlet::{self, Greenlet};
use timing::timed;

fn main() {
    let mut criterion = timing::criterion(30);
    switches(&mut criterion);
    chains(&mut criterion);
    criterion.final_summary();
}

/// Passes a number back and forth; each switch adds one.
fn switches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("switch");
    let mut bench = |name: &str, run: fn(u64) -> u64| {
        group.bench_function(name, |b| {
            b.iter_custom(|switches| {
                let even = switches.next_multiple_of(2);
                timed(even, || run(black_box(even))).mul_f64(switches as f64 / even as f64)
            });
        });
    };
    bench("corosensei, bare, there and back", |round_trips| {
        const END: u64 = u64::MAX;
        let mut adds = Coroutine::<u64, u64, ()>::new(|yielder, mut number| {
            while number != END {
                number = yielder.suspend(number + 1);
            }
        });
        let last = (0..round_trips).fold(0, |number, _| match adds.resume(number) {
            CoroutineResult::Yield(number) => number,
            CoroutineResult::Return(()) => unreachable!("it loops"),
        });
        adds.resume(END);
        last
    });
    bench("fibra greenlets, main and another", |switches| {
        fibra::frame(|| {
            let adds = Greenlet::new(|mut number: u64| {
                let main = greenlet::main();
                loop {
                    number = main.switch(number + 1).unwrap();
                }
            });
            (0..switches / 2).fold(0, |number, _| adds.switch(number).unwrap() + 1)
        })
    });
    bench("fibra greenlets, two beside main", |switches| fibra::frame(|| between_two(switches)));
    bench("fibra greenlets, two beside main, in a fiber", |switches| {
        fibra::run(|| between_two(switches))
    });
}

fn between_two(switches: u64) -> u64 {
    // Each greenlet gets the other one from a cell; then they pass the number until it is large
    // enough.
    let slot: Rc<OnceCell<[Greenlet<u64>; 2]>> = Rc::default();
    let player = |other: usize| {
        let slot = slot.clone();
        Greenlet::new(move |mut number: u64| {
            let partner = slot.get().expect("both are made before either starts")[other].clone();
            while number < switches {
                number = partner.switch(number + 1).unwrap();
            }
            number
        })
    };
    let players = [player(1), player(0)];
    let _ = slot.set(players.clone());
    players[0].switch(0).unwrap()
}

/// The values that the links of a chain exchange.
enum Message {
    Next(Greenlet<Message>),
    Number(u64),
}

/// Passes a number through a chain of greenlets, the youngest first.
fn chains(criterion: &mut Criterion) {
    const LINKS: u64 = 100_000;
    let mut group = criterion.benchmark_group("chain, per greenlet");
    group.sample_size(10);
    let mut bench = |name: &str, end_too: bool| {
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let mut left = None;
                let pass = |left: &mut Option<_>| {
                    let (number, youngest) = chain(LINKS);
                    *left = Some(youngest);
                    number
                };
                let took = fibra::frame(|| {
                    if end_too {
                        timed(LINKS, || chain(LINKS).0)
                    } else {
                        timed(LINKS, || pass(&mut left))
                    }
                });
                took.mul_f64(iterations as f64 / LINKS as f64)
            });
        });
    };
    bench("fibra greenlets", false);
    bench("fibra greenlets, and unwound", true);
}

/// Returns the number that came through, and the youngest link, which holds the others.
fn chain(links: u64) -> (u64, Greenlet<Message>) {
    fn number(message: Message) -> u64 {
        match message {
            Message::Number(number) => number,
            Message::Next(_) => unreachable!("numbers only, after the first switch"),
        }
    }
    let youngest = (0..links).fold(greenlet::main(), |next, _| {
        let link = Greenlet::new(|first| {
            let Message::Next(next) = first else { unreachable!("it begins with its successor") };
            let n = number(greenlet::main().switch(Message::Number(0)).unwrap());
            next.switch(Message::Number(n + 1)).unwrap()
        });
        link.switch(Message::Next(next)).unwrap();
        link
    });
    (number(youngest.switch(Message::Number(0)).unwrap()), youngest)
}
