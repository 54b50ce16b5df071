//! The short paths of fibra, in a program that is built as those of users are: `run.sh` builds it
//! with each profile.
//!
//! Prints a line `name ns` for each operation. The time is the one that 98 of 100 short samples
//! exceed: on a machine that does other work, too, that is the time without the other work.

use std::time::Instant;

use corosensei::{Coroutine, CoroutineResult};
use fibra::channel::Channel;

const SAMPLES: usize = 200;
const OPERATIONS: u64 = 20_000;

fn main() {
    let workloads: [(&str, fn(u64) -> f64); 5] = [
        ("raw", raw),
        ("yield", yield_of_two),
        ("message", message),
        ("spawn_join", spawn_join),
        ("select", select),
    ];
    let mut samples = workloads.map(|_| Vec::new());
    for _ in 0..SAMPLES {
        for (to, (_, run)) in samples.iter_mut().zip(workloads) {
            to.push(run(OPERATIONS));
        }
    }
    for (of, (name, _)) in samples.iter_mut().zip(workloads) {
        of.sort_by(f64::total_cmp);
        println!("{name} {:.2}", of[SAMPLES / 50]);
    }
}

/// Returns the nanoseconds of one of `n` operations of `f`.
fn per_operation(n: u64, f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_nanos() as f64 / n as f64
}

/// A resume of corosensei's coroutine, and the suspend that answers it.
fn raw(n: u64) -> f64 {
    let mut coroutine = Coroutine::<(), u64, u64>::new(move |yielder, ()| {
        (0..n).for_each(|i| yielder.suspend(i));
        n
    });
    per_operation(n, || {
        let mut sum = 0;
        while let CoroutineResult::Yield(i) = coroutine.resume(()) {
            sum += i;
        }
        assert_eq!(sum, n * (n - 1) / 2);
    })
}

/// A yield of one of two fibers.
fn yield_of_two(n: u64) -> f64 {
    fibra::run(|| {
        let other = fibra::spawn(move || (0..n / 2).for_each(|_| fibra::yield_now()));
        fibra::yield_now();
        let time = per_operation(n, || (0..n / 2).for_each(|_| fibra::yield_now()));
        other.join().unwrap();
        time
    })
}

/// A message of a ping-pong between two fibers.
fn message(n: u64) -> f64 {
    fibra::run(|| {
        let (ping, pong) = (Channel::<u64>::new(), Channel::<u64>::new());
        let (pings, pongs) = (ping.clone(), pong.clone());
        let partner = fibra::spawn(move || {
            for _ in 0..n / 2 {
                let ball = pings.recv().unwrap();
                pong.send(ball + 1).unwrap();
            }
        });
        fibra::yield_now();
        let mut ball = 0;
        let time = per_operation(n, || {
            for _ in 0..n / 2 {
                ping.send(ball + 1).unwrap();
                ball = pongs.recv().unwrap();
            }
        });
        assert_eq!(ball, n);
        partner.join().unwrap();
        time
    })
}

/// A fiber that is spawned and joined.
fn spawn_join(n: u64) -> f64 {
    fibra::run(|| {
        per_operation(n, || {
            let sum: u64 = (0..n).map(|i| fibra::spawn(move || i).join().unwrap()).sum();
            assert_eq!(sum, n * (n - 1) / 2);
        })
    })
}

/// A send to one of two channels, and a `select!` that receives from both.
fn select(n: u64) -> f64 {
    fibra::run(|| {
        let (a, from_a) = fibra::channel::bounded(4);
        let (_b, from_b) = fibra::channel::bounded::<u64>(4);
        per_operation(n, || {
            let sum = (0..n).fold(0, |sum, _| {
                a.try_send(1).unwrap();
                fibra::select! {
                    value = recv(from_a) => sum + value.unwrap(),
                    value = recv(from_b) => sum + value.unwrap(),
                }
            });
            assert_eq!(sum, n);
        })
    })
}
