//! Time limits that are not reached, timers that are removed, reads of many connections with a
//! limit each, and a million sleepers: fibra beside tokio.
//!
//! `benches/README.md` defines the measured regions.
//!
//! ```text
//! cargo bench --bench timers                        everything; some minutes
//! cargo bench --bench timers -- --crowds 5          connections and sleepers only, 5 rounds
//! ```

#![allow(clippy::disallowed_methods, reason = "measures time by itself")]

#[path = "../examples/memory/mod.rs"]
mod memory;

use criterion::Criterion;
use std::cell::Cell;
use std::env;
use std::future;
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A limit that no iteration reaches.
const LONG: Duration = Duration::from_secs(3_600);
/// The number of pending timers beside the measured one.
const CROWD: u64 = 100_000;
/// The number of connections that are read with a limit.
const CONNECTIONS: u64 = 100_000;
/// The reads of each connection.
const READS: u64 = 10;
/// Runs only the samples that have a process of their own, with that many rounds.
const CROWDS: &str = "--crowds";
/// Names, in the arguments of a child process, the sample that it takes.
const CHILD: &str = "--sample";

/// The samples that have a process of their own: a title and the contenders, of which the second is
/// the reference.
const SAMPLES: [(&str, &str, [&str; 2]); 3] = [
    ("reads", "a read of one of many connections, without a limit", ["fibra", "tokio"]),
    ("limited", "the same with a limit per read", ["fibra", "tokio"]),
    ("sleepers", "a sleeper that wakes", ["fibra", "tokio"]),
];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let after = |name: &str| arguments.iter().position(|argument| argument == name);
    if let Some(at) = after(CHILD) {
        let [count, patience] = [3, 4].map(|i| arguments[at + i].parse().expect("a number"));
        return take_sample(&arguments[at + 1], &arguments[at + 2], count, patience);
    }
    if let Some(at) = after(CROWDS) {
        return crowds(arguments[at + 1].parse().expect("a number of rounds"), false);
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    limits(is_test);
    crowds(if is_test { 1 } else { 3 }, is_test);
}

/// Takes the samples that have a process of their own: freed memory would hide the memory that the
/// next contender takes. Contenders take turns, and ratios are computed within a round.
fn crowds(rounds: u64, is_test: bool) {
    for (what, title, contenders) in SAMPLES {
        let count = match what {
            _ if is_test => 1_000,
            "sleepers" => 1_000_000,
            _ => CONNECTIONS,
        };
        let taken: Vec<[Sample; 2]> = (0..rounds)
            .map(|_| contenders.map(|contender| sample_in_child(what, contender, count)))
            .collect();
        println!("\n{title}; {count} of them, median (lowest .. highest) of {rounds} processes");
        for (i, contender) in contenders.iter().enumerate() {
            let [low, cost, high] = spread(taken.iter().map(|round| round[i].nanos).collect());
            let [least, ratio, most] =
                spread(taken.iter().map(|round| round[i].nanos / round[1].nanos).collect());
            let [_, bytes, _] = spread(taken.iter().map(|round| round[i].bytes).collect());
            println!(
                "  {contender:<6} {cost:>6.0} ns ({low:.0} .. {high:.0})   of tokio's \
                 {ratio:.2} ({least:.2} .. {most:.2})   {bytes:.0} bytes each"
            );
        }
    }
}

/// Nanoseconds per operation, and bytes per task that waits.
#[derive(Clone, Copy)]
struct Sample {
    nanos: f64,
    bytes: f64,
}

/// Returns the lowest, the median and the highest.
fn spread(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_unstable_by(f64::total_cmp);
    [0, numbers.len() / 2, numbers.len() - 1].map(|i| numbers[i])
}

fn sample_in_child(what: &str, contender: &str, count: u64) -> Sample {
    let this = env::current_exe().expect("this program has a path");
    let run = |patience: u64| {
        let numbers = [count, patience].map(|number| number.to_string());
        let mut child = Command::new(&this);
        child.args([CHILD, what, contender]).args(numbers);
        child.output().expect("this program can be run again")
    };
    let mut output = run(12);
    if !output.status.success() {
        output = run(40); // The machine is busy.
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} of {contender} has failed\n{stderr}");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [nanos, bytes] = numbers[..] else { panic!("{text}\n{stderr}") };
    Sample { nanos, bytes }
}

/// Takes one sample and prints it. Sleepers have `patience` microseconds each to fall asleep.
fn take_sample(what: &str, contender: &str, count: u64, patience: u64) {
    let before = memory::held();
    let (nanos, operations, held) = match (what, contender) {
        ("sleepers", _) => {
            let start = Instant::now() + Duration::from_micros(20_000 + count * patience);
            let (woken, held) = match contender {
                "fibra" => fibra_sleepers(count, start),
                _ => tokio_sleepers(count, start),
            };
            ((woken - start).as_nanos(), count, held)
        }
        (_, "fibra") => {
            let (elapsed, held) = fibra_reads(count, (what == "limited").then_some(LONG));
            (elapsed.as_nanos(), count * READS, held)
        }
        _ => {
            let (elapsed, held) = tokio_reads(count, (what == "limited").then_some(LONG));
            (elapsed.as_nanos(), count * READS, held)
        }
    };
    let bytes = held.saturating_sub(before) as f64 / count as f64;
    println!("{} {bytes}", nanos as f64 / operations as f64);
}

/// Makes `n` limits, beside `crowd` pending timers, around a yield or around nothing.
type Limits = fn(u64, u64, bool) -> Duration;

/// Makes and removes `n` timers, beside `crowd` pending ones.
type Timers = fn(u64, u64) -> Duration;

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
    for crowd in [0, if is_test { 10 } else { CROWD }] {
        let mut group = criterion.benchmark_group(format!("timer made and removed/{crowd} others"));
        let contenders: [(&str, Timers); 2] =
            [("fibra", |n, crowd| fibra_limits(n, crowd, false)), ("tokio", tokio_timers)];
        for (name, timers) in contenders {
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|n| {
                    let rounds = if is_test { n } else { n.max(crowd * 10) };
                    timers(rounds, crowd).mul_f64(n as f64 / rounds as f64)
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

/// tokio's `Sleep` is put among the timers when it is polled, and is removed when it is dropped.
fn tokio_timers(n: u64, crowd: u64) -> Duration {
    tokio_runtime().block_on(async move {
        let inside = async move {
            for i in 0..crowd {
                drop(tokio::spawn(tokio::time::sleep(LONG + Duration::from_millis(i))));
            }
            tokio::task::yield_now().await;
            let start = Instant::now();
            for i in 0..n {
                let value = future::poll_fn(|context| {
                    let sleep = pin!(tokio::time::sleep(LONG));
                    assert!(sleep.poll(context).is_pending());
                    Poll::Ready(black_box(i))
                });
                assert_eq!(value.await, i);
            }
            start.elapsed()
        };
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

/// The connection that gets message `i`: all in turn, in a mixed order.
fn mixed(i: u64, count: u64) -> usize {
    (i * 7_919 % count) as usize
}

/// Returns the sum of the bytes that all connections receive.
fn received(count: u64) -> u64 {
    READS * count * (count - 1) / 2
}

/// Reads from `count` connections, each with a fiber of its own and at most `limit` per read, while
/// another fiber sends to one connection after another. A connection is a queue for one message in
/// memory: sockets would need two descriptors each, and measure the kernel.
fn fibra_reads(count: u64, limit: Option<Duration>) -> (Duration, usize) {
    fibra::run(|| {
        let (sum, open) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(count)));
        let (ended, all_ended) = fibra::channel::unbounded();
        let connect = |_| {
            let (sender, receiver) = fibra::channel::bounded::<u64>(1);
            let (sum, open, ended) = (sum.clone(), open.clone(), ended.clone());
            drop(fibra::spawn(move || {
                for _ in 0..READS {
                    let message = match limit {
                        Some(limit) => fibra::time::timeout(limit, || receiver.recv()),
                        None => Ok(receiver.recv()),
                    };
                    let message = message.expect("the limit is not reached");
                    sum.set(sum.get() + message.expect("a message for each read"));
                }
                open.set(open.get() - 1);
                if open.get() == 0 {
                    ended.send(Instant::now()).expect("main waits");
                }
                // The end is not measured.
                fibra::park();
            }));
            sender
        };
        let connections: Vec<_> = (0..count).map(connect).collect();
        fibra::yield_now();
        let held = memory::held();
        let start = Instant::now();
        for i in 0..READS * count {
            let i = mixed(i, count);
            connections[i].send(i as u64).expect("it is read");
        }
        let elapsed = all_ended.recv().expect("the last sends") - start;
        assert_eq!(sum.get(), received(count));
        (elapsed, held)
    })
}

/// The same with tasks of tokio.
fn tokio_reads(count: u64, limit: Option<Duration>) -> (Duration, usize) {
    tokio_runtime().block_on(async move {
        let inside = async move {
            let (sum, open) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(count)));
            let (ended, mut all_ended) = tokio::sync::mpsc::unbounded_channel();
            let connect = |_| {
                let (sender, mut receiver) = tokio::sync::mpsc::channel::<u64>(1);
                let (sum, open, ended) = (sum.clone(), open.clone(), ended.clone());
                tokio::spawn(async move {
                    for _ in 0..READS {
                        let message = match limit {
                            Some(limit) => tokio::time::timeout(limit, receiver.recv()).await,
                            None => Ok(receiver.recv().await),
                        };
                        let message = message.expect("the limit is not reached");
                        let message = message.expect("a message for each read");
                        sum.store(sum.load(Ordering::Relaxed) + message, Ordering::Relaxed);
                    }
                    if open.fetch_sub(1, Ordering::Relaxed) == 1 {
                        ended.send(Instant::now()).expect("main waits");
                    }
                    future::pending::<()>().await;
                });
                sender
            };
            let connections: Vec<_> = (0..count).map(connect).collect();
            tokio::task::yield_now().await;
            let held = memory::held();
            let start = Instant::now();
            for i in 0..READS * count {
                let i = mixed(i, count);
                connections[i].send(i as u64).await.expect("it is read");
            }
            let elapsed = all_ended.recv().await.expect("the last sends") - start;
            assert_eq!(sum.load(Ordering::Relaxed), received(count));
            (elapsed, held)
        };
        tokio::spawn(inside).await.expect("the task ends")
    })
}
