//! A select over ready channels, and a select that waits, beside those of tokio and crossbeam.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod timing;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use timing::timed;

fn main() {
    let mut criterion = timing::criterion(20);
    two_ready(&mut criterion);
    eight_ready(&mut criterion);
    waiting(&mut criterion);
    criterion.final_summary();
}

fn bench(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    run: fn(u64) -> Duration,
) {
    group.bench_function(name, |b| b.iter_custom(|n| run(black_box(n))));
}

/// Sends a value to one of two channels before each select; the other is empty.
fn two_ready(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select/one of 2 is ready");
    bench(&mut group, "fibra", |n| {
        fibra::run(|| {
            let (a, from_a) = fibra::channel::bounded(4);
            let (_b, from_b) = fibra::channel::bounded::<u64>(4);
            timed(n, || {
                (0..n).fold(0, |sum, _| {
                    a.try_send(1).unwrap();
                    fibra::select! {
                        value = recv(from_a) => sum + value.unwrap(),
                        value = recv(from_b) => sum + value.unwrap(),
                    }
                })
            })
        })
    });
    bench(&mut group, "tokio", |n| {
        current_thread(async move {
            let (a, mut from_a) = tokio::sync::mpsc::channel(4);
            let (_b, mut from_b) = tokio::sync::mpsc::channel::<u64>(4);
            let start = Instant::now();
            let mut sum = 0;
            for _ in 0..n {
                a.try_send(1).unwrap();
                tokio::select! {
                    value = from_a.recv() => sum += value.unwrap(),
                    value = from_b.recv() => sum += value.unwrap(),
                }
            }
            let elapsed = start.elapsed();
            assert_eq!(sum, n);
            elapsed
        })
    });
    bench(&mut group, "crossbeam", |n| {
        let (a, from_a) = crossbeam_channel::bounded(4);
        let (_b, from_b) = crossbeam_channel::bounded::<u64>(4);
        timed(n, || {
            (0..n).fold(0, |sum, _| {
                a.try_send(1).unwrap();
                crossbeam_channel::select! {
                    recv(from_a) -> value => sum + value.unwrap(),
                    recv(from_b) -> value => sum + value.unwrap(),
                }
            })
        })
    });
}

/// Returns one of eight indices, in an order that is not in step with any contender.
fn scattered(i: u64) -> usize {
    (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 61) as usize
}

/// Sends a value to one of eight channels before each select.
fn eight_ready(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select/one of 8 is ready");
    bench(&mut group, "fibra", |n| {
        fibra::run(|| {
            let ends: Vec<_> = (0..8).map(|_| fibra::channel::bounded(4)).collect();
            let [r0, r1, r2, r3, r4, r5, r6, r7] = std::array::from_fn(|i| ends[i].1.clone());
            timed(n, || {
                (0..n).fold(0, |sum, i| {
                    ends[scattered(i)].0.try_send(1).unwrap();
                    fibra::select! {
                        value = recv(r0) => sum + value.unwrap(),
                        value = recv(r1) => sum + value.unwrap(),
                        value = recv(r2) => sum + value.unwrap(),
                        value = recv(r3) => sum + value.unwrap(),
                        value = recv(r4) => sum + value.unwrap(),
                        value = recv(r5) => sum + value.unwrap(),
                        value = recv(r6) => sum + value.unwrap(),
                        value = recv(r7) => sum + value.unwrap(),
                    }
                })
            })
        })
    });
    bench(&mut group, "tokio", |n| {
        current_thread(async move {
            let (senders, receivers): (Vec<_>, Vec<_>) =
                (0..8).map(|_| tokio::sync::mpsc::channel(4)).unzip();
            let Ok([mut r0, mut r1, mut r2, mut r3, mut r4, mut r5, mut r6, mut r7]) =
                <[tokio::sync::mpsc::Receiver<u64>; 8]>::try_from(receivers)
            else {
                unreachable!("there are eight")
            };
            let start = Instant::now();
            let mut sum = 0;
            for i in 0..n {
                senders[scattered(i)].try_send(1).unwrap();
                let value = tokio::select! {
                    value = r0.recv() => value,
                    value = r1.recv() => value,
                    value = r2.recv() => value,
                    value = r3.recv() => value,
                    value = r4.recv() => value,
                    value = r5.recv() => value,
                    value = r6.recv() => value,
                    value = r7.recv() => value,
                };
                sum += value.unwrap();
            }
            let elapsed = start.elapsed();
            assert_eq!(sum, n);
            elapsed
        })
    });
    bench(&mut group, "crossbeam", |n| {
        let ends: Vec<_> = (0..8).map(|_| crossbeam_channel::bounded(4)).collect();
        let [r0, r1, r2, r3, r4, r5, r6, r7] = std::array::from_fn(|i| ends[i].1.clone());
        timed(n, || {
            (0..n).fold(0, |sum, i| {
                ends[scattered(i)].0.try_send(1).unwrap();
                let value = crossbeam_channel::select! {
                    recv(r0) -> value => value,
                    recv(r1) -> value => value,
                    recv(r2) -> value => value,
                    recv(r3) -> value => value,
                    recv(r4) -> value => value,
                    recv(r5) -> value => value,
                    recv(r6) -> value => value,
                    recv(r7) -> value => value,
                };
                sum + value.unwrap()
            })
        })
    });
}

/// Two tasks pass a value back and forth; one of them selects between that channel and another one.
fn waiting(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("select/waits for one of 2");
    bench(&mut group, "fibra", |n| {
        fibra::run(|| {
            let (to, from_main) = (fibra::channel::Channel::new(), fibra::channel::Channel::new());
            let (partner_to, partner_from) = (to.clone(), from_main.clone());
            let quiet = fibra::channel::Channel::<u64>::new();
            fibra::spawn(move || partner_from.iter().try_for_each(|value| partner_to.send(value)));
            let took = timed(n, || {
                (0..n).fold(0, |sum, _| {
                    from_main.send(1).unwrap();
                    fibra::select! {
                        value = recv(to) => sum + value.unwrap(),
                        value = recv(quiet) => sum + value.unwrap(),
                    }
                })
            });
            from_main.close();
            took
        })
    });
    bench(&mut group, "tokio", |n| {
        current_thread(async move {
            let (to, mut from_partner) = tokio::sync::mpsc::channel(1);
            let (to_partner, mut from_main) = tokio::sync::mpsc::channel::<u64>(1);
            let (_quiet, mut never) = tokio::sync::mpsc::channel::<u64>(1);
            tokio::spawn(async move {
                while let Some(value) = from_main.recv().await {
                    to.send(value).await.unwrap();
                }
            });
            let start = Instant::now();
            let mut sum = 0;
            for _ in 0..n {
                to_partner.send(1).await.unwrap();
                tokio::select! {
                    value = from_partner.recv() => sum += value.unwrap(),
                    value = never.recv() => sum += value.unwrap(),
                }
            }
            let elapsed = start.elapsed();
            assert_eq!(sum, n);
            elapsed
        })
    });
}

fn current_thread(task: impl Future<Output = Duration> + Send + 'static) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { tokio::spawn(task).await.unwrap() })
}
