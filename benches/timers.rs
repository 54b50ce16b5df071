//! Time limits that are not reached, and a million sleepers: fibra beside tokio.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "measures time by itself")]

#[path = "../examples/memory/mod.rs"]
mod memory;

use criterion::Criterion;
use std::cell::Cell;
use std::env;
use std::future;
use std::hint::black_box;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A limit that no iteration reaches.
const LONG: Duration = Duration::from_secs(3_600);
/// The number of pending timers beside the measured one.
const CROWD: u64 = 100_000;
/// Names, in the arguments of a child process, the contender whose sleepers it measures.
const CHILD: &str = "--sleepers-of";

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == CHILD) {
        let count = arguments[at + 2].parse().expect("a number of sleepers");
        return sleepers_of(&arguments[at + 1], count);
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    limits(is_test);
    // In processes of their own: freed memory would hide the memory that the next contender takes.
    let count = if is_test { 1_000 } else { 1_000_000 };
    for contender in ["fibra", "tokio"] {
        let program = env::current_exe().expect("this program has a path");
        let mut child = Command::new(program);
        let status = child.args([CHILD, contender, &u64::to_string(&count)]).status();
        assert!(status.is_ok_and(|status| status.success()), "{contender} has failed");
    }
}

/// Makes `n` limits, beside `crowd` pending timers, around a yield or around nothing.
type Limits = fn(u64, u64, bool) -> Duration;

fn limits(is_test: bool) {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20)
        .configure_from_args();
    for crowd in [0, if is_test { 10 } else { CROWD }] {
        let mut group = criterion.benchmark_group(format!("timeout not reached/{crowd} others"));
        let contenders: [(&str, Limits, bool); 4] = [
            ("fibra", fibra_limits, false),
            ("fibra, one yield inside", fibra_limits, true),
            ("tokio", tokio_limits, false),
            ("tokio, one yield inside", tokio_limits, true),
        ];
        for (name, limits, yields) in contenders {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|n| {
                    // Making the pending timers takes long and leaves the caches cold, so a run has
                    // many rounds.
                    let rounds = if is_test { n } else { n.max(crowd * 10) };
                    limits(rounds, crowd, yields).mul_f64(n as f64 / rounds as f64)
                });
            });
        }
    }
    criterion.final_summary();
}

fn fibra_limits(n: u64, crowd: u64, yields: bool) -> Duration {
    fibra::run(|| {
        for i in 0..crowd {
            drop(fibra::spawn(move || fibra::sleep(LONG + Duration::from_millis(i))));
        }
        fibra::yield_now();
        let start = Instant::now();
        for i in 0..n {
            let value = fibra::time::timeout(LONG, || {
                if yields {
                    fibra::yield_now();
                }
                black_box(i)
            });
            assert_eq!(value, Ok(i));
        }
        start.elapsed()
    })
}

/// tokio's `timeout` polls the inner future first, and makes a timer only if that is not ready: the
/// row to compare is the one with a yield inside.
fn tokio_limits(n: u64, crowd: u64, yields: bool) -> Duration {
    tokio_runtime().block_on(async move {
        let inside = async move {
            for i in 0..crowd {
                drop(tokio::spawn(tokio::time::sleep(LONG + Duration::from_millis(i))));
            }
            tokio::task::yield_now().await;
            let start = Instant::now();
            for i in 0..n {
                let value = if yields {
                    tokio::time::timeout(LONG, async {
                        tokio::task::yield_now().await;
                        black_box(i)
                    })
                    .await
                } else {
                    tokio::time::timeout(LONG, future::ready(black_box(i))).await
                };
                assert_eq!(value, Ok(i));
            }
            start.elapsed()
        };
        // In a task, like the code of a server.
        tokio::spawn(inside).await.expect("the task ends")
    })
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// The deadline of sleeper `i`: all of them lie within 10 ms, in a mixed order.
fn deadline(start: Instant, i: u64) -> Instant {
    start + Duration::from_micros(i * 7_919 % 10_000)
}

/// Prints the memory of `count` sleepers, and the time until all of them have woken.
fn sleepers_of(contender: &str, count: u64) {
    let before = memory::held();
    // Long enough for all of them to have fallen asleep.
    let start = Instant::now() + Duration::from_micros(20_000 + count * 12);
    let (woken, held) = match contender {
        "fibra" => fibra_sleepers(count, start),
        _ => tokio_sleepers(count, start),
    };
    println!(
        "{count} sleepers/{contender}: {} ns each to wake, {} bytes each",
        (woken - start).as_nanos() / u128::from(count),
        held.saturating_sub(before) as u64 / count,
    );
}

fn fibra_sleepers(count: u64, start: Instant) -> (Instant, usize) {
    fibra::run(|| {
        let woken = Rc::new(Cell::new(0));
        let (sender, receiver) = fibra::channel::unbounded();
        for i in 0..count {
            let (woken, sender) = (woken.clone(), sender.clone());
            drop(fibra::spawn(move || {
                fibra::sleep_until(deadline(start, i));
                woken.set(woken.get() + 1);
                if woken.get() == count {
                    sender.send(Instant::now()).expect("main waits");
                }
                // Their ends are not measured: most of that time goes to freeing memory.
                fibra::park();
            }));
        }
        fibra::yield_now();
        let held = memory::held();
        assert!(Instant::now() < start, "they are not asleep in time");
        (receiver.recv().expect("the last sends"), held)
    })
}

fn tokio_sleepers(count: u64, start: Instant) -> (Instant, usize) {
    tokio_runtime().block_on(async move {
        let inside = async move {
            let woken = Arc::new(AtomicU64::new(0));
            let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
            for i in 0..count {
                let (woken, sender) = (woken.clone(), sender.clone());
                drop(tokio::spawn(async move {
                    tokio::time::sleep_until(deadline(start, i).into()).await;
                    if woken.fetch_add(1, Ordering::Relaxed) + 1 == count {
                        sender.send(Instant::now()).expect("main waits");
                    }
                    future::pending::<()>().await;
                }));
            }
            tokio::task::yield_now().await;
            let held = memory::held();
            assert!(Instant::now() < start, "they are not asleep in time");
            (receiver.recv().await.expect("the last sends"), held)
        };
        tokio::spawn(inside).await.expect("the task ends")
    })
}
