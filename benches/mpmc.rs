//! Channels between two threads, and the same channels within one; time per message.
//!
//! ```text
//! cargo bench --bench mpmc                            all rows, half a minute
//! cargo bench --bench mpmc -- 128                     rows whose name contains 128
//! cargo bench --bench mpmc -- --rounds 21 --only fibra,tokio
//! ```
//!
//! A round takes one sample of every contender, and each round begins with a different one. The
//! table has the medians over the rounds, with the lowest and the highest sample. Each sample
//! checks the sum of what was received. `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "starts threads and reads the clock")]

use std::hint::black_box;
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use fibra::sync::{mpmc, oneshot};

/// The capacity of a channel; `None` if it is unbounded.
type Capacity = Option<usize>;

/// One row: `pairs` senders and as many receivers at one channel.
#[derive(Copy, Clone)]
struct Row {
    pairs: u64,
    capacity: Capacity,
    /// Whether all of them run on one thread.
    is_local: bool,
}

/// A contender sends `n` numbers per sender, and returns the sum of what was received and the time.
struct Contender {
    name: &'static str,
    run: fn(Row, u64) -> Option<(u64, Duration)>,
}

const CONTENDERS: &[Contender] = &[
    Contender { name: "fibra", run: fibra_fibers },
    Contender { name: "crossbeam", run: crossbeam },
    Contender { name: "tokio mpsc", run: tokio_mpsc },
    Contender { name: "async-channel", run: async_channels },
    Contender { name: "std mpsc", run: std_mpsc },
];

fn main() {
    let options = Options::read();
    for is_local in [false, true] {
        for pairs in [1, 2] {
            for capacity in [Some(1), Some(128), None] {
                measure(&options, Row { pairs, capacity, is_local });
            }
        }
    }
    operations(&options);
}

struct Options {
    rounds: usize,
    sample: Duration,
    only: Vec<String>,
    filter: Option<String>,
}

impl Options {
    fn read() -> Options {
        let mut args = std::env::args().skip(1);
        let (rounds, sample) = (7, Duration::from_millis(40));
        let mut options = Options { rounds, sample, only: Vec::new(), filter: None };
        while let Some(arg) = args.next() {
            let mut number = || args.next().and_then(|text| text.parse().ok()).expect("a number");
            match &*arg {
                "--bench" => {}
                "--test" => (options.rounds, options.sample) = (1, Duration::ZERO),
                "--rounds" => options.rounds = usize::max(1, number()),
                "--millis" => options.sample = Duration::from_millis(number() as u64),
                "--only" => {
                    let names = args.next().expect("names of contenders");
                    options.only = names.split(',').map(str::to_owned).collect();
                }
                _ => options.filter = Some(arg),
            }
        }
        options
    }

    fn is_asked(&self, contender: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| contender.starts_with(&**only))
    }
}

impl Row {
    fn name(self) -> String {
        let Row { pairs, capacity, is_local } = self;
        let threads = if is_local { "one thread" } else { "two threads" };
        let capacity = capacity.map_or("unbounded".to_owned(), |n| format!("capacity {n}"));
        format!("{threads}, {pairs}:{pairs}, {capacity}")
    }
}

fn measure(options: &Options, row: Row) {
    let name = row.name();
    if options.filter.as_ref().is_some_and(|filter| !name.contains(&**filter)) {
        return;
    }
    let asked = |contender: &&Contender| options.is_asked(contender.name);
    // As many messages as fit the time, by a first sample, which also shows who takes part.
    let sizes: Vec<_> = CONTENDERS
        .iter()
        .filter(asked)
        .filter_map(|contender| {
            let few = 200;
            let time = sample(contender, row, few)?.max(Duration::from_nanos(1));
            let fit = options.sample.as_nanos() / (time.as_nanos() / u128::from(few)).max(5);
            let first = u64::try_from(fit).unwrap().clamp(200, 2_000);
            let time = sample(contender, row, first)?.max(Duration::from_nanos(1));
            let fit = options.sample.as_nanos() / (time.as_nanos() / u128::from(first)).max(5);
            Some((contender, u64::try_from(fit).unwrap().clamp(200, 1_000_000)))
        })
        .collect();
    let mut samples = vec![Vec::new(); sizes.len()];
    for round in 0..options.rounds {
        for at in (0..sizes.len()).map(|at| (at + round) % sizes.len()) {
            let (contender, n) = sizes[at];
            let time = sample(contender, row, n).expect("it ran before");
            samples[at].push(time.as_nanos() as f64 / (n * row.pairs) as f64);
        }
    }
    println!("{name}");
    for ((contender, _), samples) in sizes.iter().zip(samples) {
        print(contender.name, samples);
    }
}

fn print(name: &str, mut samples: Vec<f64>) {
    samples.sort_by(f64::total_cmp);
    let (low, high) = (samples[0], samples[samples.len() - 1]);
    println!("    {name:<28} {:>9.1} ns  ({low:.1} .. {high:.1})", samples[samples.len() / 2]);
}

/// Takes one sample, and checks the sum.
fn sample(contender: &Contender, row: Row, n: u64) -> Option<Duration> {
    let (sum, time) = (contender.run)(row, n)?;
    assert_eq!(sum, row.pairs * (n * (n + 1) / 2), "{}, {}", contender.name, row.name());
    Some(time)
}

/// Runs `senders` and `receivers`, each on a thread of its own, and returns the sum of what the
/// second returns. The clock starts when both have called the function that they are given.
fn on_two_threads(
    senders: impl FnOnce(&dyn Fn()) + Send,
    receivers: impl FnOnce(&dyn Fn()) -> u64 + Send,
) -> (u64, Duration) {
    let (ready, start) = (Barrier::new(2), OnceLock::new());
    let (ready, started) = (&ready, &start);
    thread::scope(|scope| {
        scope.spawn(move || {
            senders(&|| {
                ready.wait();
            });
        });
        let sum = scope.spawn(move || {
            receivers(&|| {
                ready.wait();
                started.get_or_init(Instant::now);
            })
        });
        let sum = sum.join().unwrap();
        (sum, started.get().expect("the receivers were ready").elapsed())
    })
}

fn fibra_fibers(row: Row, n: u64) -> Option<(u64, Duration)> {
    let (to, from) = match row.capacity {
        Some(capacity) => mpmc::bounded(capacity),
        None => mpmc::unbounded(),
    };
    let receive = move || {
        let receivers: Vec<_> = (0..row.pairs)
            .map(|_| {
                let from = from.clone();
                fibra::spawn(move || from.iter().sum::<u64>())
            })
            .collect();
        drop(from);
        receivers
    };
    let send = move || {
        let senders: Vec<_> = (0..row.pairs)
            .map(|_| {
                let to = to.clone();
                fibra::spawn(move || (1..=n).for_each(|i| to.send(black_box(i)).unwrap()))
            })
            .collect();
        drop(to);
        senders
    };
    let sum = |receivers: Vec<fibra::JoinHandle<u64>>| {
        receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum::<u64>()
    };
    if row.is_local {
        return Some(fibra::run(|| {
            let start = Instant::now();
            let senders = send();
            let sum = sum(receive());
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            (sum, start.elapsed())
        }));
    }
    Some(on_two_threads(
        |ready| {
            fibra::run(|| {
                ready();
                send().into_iter().for_each(|sender| sender.join().unwrap());
            });
        },
        |ready| {
            fibra::run(|| {
                ready();
                sum(receive())
            })
        },
    ))
}

fn crossbeam(row: Row, n: u64) -> Option<(u64, Duration)> {
    let (to, from) = match row.capacity {
        Some(capacity) => crossbeam_channel::bounded(capacity),
        None => crossbeam_channel::unbounded(),
    };
    (!row.is_local).then(|| {
        on_two_threads(
            |ready| {
                ready();
                thread::scope(|scope| {
                    for _ in 1..row.pairs {
                        scope.spawn(|| (1..=n).for_each(|i| to.send(black_box(i)).unwrap()));
                    }
                    (1..=n).for_each(|i| to.send(black_box(i)).unwrap());
                });
                drop(to);
            },
            |ready| {
                ready();
                thread::scope(|scope| {
                    let others: Vec<_> = (1..row.pairs)
                        .map(|_| {
                            let from = from.clone();
                            scope.spawn(move || from.iter().sum::<u64>())
                        })
                        .collect();
                    let sum: u64 = from.iter().sum();
                    sum + others.into_iter().map(|other| other.join().unwrap()).sum::<u64>()
                })
            },
        )
    })
}

fn std_mpsc(row: Row, n: u64) -> Option<(u64, Duration)> {
    use std::sync::mpsc;
    enum To {
        Bounded(mpsc::SyncSender<u64>),
        Unbounded(mpsc::Sender<u64>),
    }
    let (to, from) = match row.capacity {
        Some(capacity) => {
            let (to, from) = mpsc::sync_channel(capacity);
            (To::Bounded(to), from)
        }
        None => {
            let (to, from) = mpsc::channel();
            (To::Unbounded(to), from)
        }
    };
    (row.pairs == 1 && !row.is_local).then(|| {
        on_two_threads(
            |ready| {
                ready();
                match to {
                    To::Bounded(to) => (1..=n).for_each(|i| to.send(black_box(i)).unwrap()),
                    To::Unbounded(to) => (1..=n).for_each(|i| to.send(black_box(i)).unwrap()),
                }
            },
            move |ready| {
                ready();
                from.iter().sum()
            },
        )
    })
}

fn on_tokio<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, task)
}

fn tokio_mpsc(row: Row, n: u64) -> Option<(u64, Duration)> {
    use tokio::sync::mpsc;
    #[derive(Clone)]
    enum To {
        Bounded(mpsc::Sender<u64>),
        Unbounded(mpsc::UnboundedSender<u64>),
    }
    enum From {
        Bounded(mpsc::Receiver<u64>),
        Unbounded(mpsc::UnboundedReceiver<u64>),
    }
    let (to, from) = match row.capacity {
        Some(capacity) => {
            let (to, from) = mpsc::channel(capacity);
            (To::Bounded(to), From::Bounded(from))
        }
        None => {
            let (to, from) = mpsc::unbounded_channel();
            (To::Unbounded(to), From::Unbounded(from))
        }
    };
    let send = async move {
        match to {
            To::Bounded(to) => {
                for i in 1..=n {
                    to.send(black_box(i)).await.unwrap();
                }
            }
            To::Unbounded(to) => {
                for i in 1..=n {
                    to.send(black_box(i)).unwrap();
                    // Otherwise all values would be sent before the receiver runs on this thread.
                    tokio::task::consume_budget().await;
                }
            }
        }
    };
    let receive = async move {
        let mut sum = 0;
        match from {
            From::Bounded(mut from) => {
                while let Some(i) = from.recv().await {
                    sum += i;
                }
            }
            From::Unbounded(mut from) => {
                while let Some(i) = from.recv().await {
                    sum += i;
                }
            }
        }
        sum
    };
    if row.pairs != 1 {
        return None;
    }
    if row.is_local {
        return Some(on_tokio(async move {
            let start = Instant::now();
            let sending = tokio::task::spawn_local(send);
            let sum = tokio::task::spawn_local(receive).await.unwrap();
            sending.await.unwrap();
            (sum, start.elapsed())
        }));
    }
    Some(on_two_threads(
        |ready| {
            on_tokio(async {
                ready();
                tokio::task::spawn_local(send).await.unwrap();
            });
        },
        |ready| {
            on_tokio(async {
                ready();
                tokio::task::spawn_local(receive).await.unwrap()
            })
        },
    ))
}

fn async_channels(row: Row, n: u64) -> Option<(u64, Duration)> {
    let (to, from) = match row.capacity {
        Some(capacity) => async_channel::bounded(capacity),
        None => async_channel::unbounded(),
    };
    let senders = async move {
        for _ in 0..row.pairs {
            let to = to.clone();
            tokio::task::spawn_local(async move {
                for i in 1..=n {
                    to.send(black_box(i)).await.unwrap();
                    tokio::task::consume_budget().await;
                }
            });
        }
        drop(to);
    };
    let receivers = async move {
        let tasks: Vec<_> = (0..row.pairs)
            .map(|_| {
                let from = from.clone();
                tokio::task::spawn_local(async move {
                    let mut sum = 0;
                    while let Ok(i) = from.recv().await {
                        sum += i;
                    }
                    sum
                })
            })
            .collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    };
    if row.is_local {
        return Some(on_tokio(async move {
            let start = Instant::now();
            senders.await;
            (receivers.await, start.elapsed())
        }));
    }
    Some(on_two_threads(
        |ready| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async {
                ready();
                senders.await;
            });
            runtime.block_on(local);
        },
        |ready| {
            on_tokio(async {
                ready();
                receivers.await
            })
        },
    ))
}

/// Measures operations of one fiber that never wait, and a single value.
fn operations(options: &Options) {
    const N: u64 = 10_000;
    let asked = options.filter.as_ref().is_none_or(|filter| "operations".contains(&**filter));
    if !asked || !options.is_asked("fibra") {
        return;
    }
    println!("operations, one fiber");
    let send_and_receive = |capacity: Capacity| {
        let (to, from) = capacity.map_or_else(mpmc::unbounded, mpmc::bounded);
        let pair = |i| {
            to.send(black_box(i)).unwrap();
            from.recv().unwrap()
        };
        (1..=N).map(pair).sum()
    };
    let single = || {
        let one = |i| {
            let (to, from) = oneshot();
            to.send(black_box(i)).unwrap();
            from.recv().unwrap()
        };
        (1..=N).map(one).sum()
    };
    let answered = || {
        let one = |i| {
            let (to, from) = oneshot();
            let asks = fibra::spawn(move || from.recv().unwrap());
            fibra::yield_now();
            to.send(black_box(i)).unwrap();
            asks.join().unwrap()
        };
        (1..=N).map(one).sum()
    };
    let rows: [(&str, &dyn Fn() -> u64); 4] = [
        ("send, recv, capacity 128", &|| send_and_receive(Some(128))),
        ("send, recv, unbounded", &|| send_and_receive(None)),
        ("oneshot", &single),
        ("oneshot, waited for", &answered),
    ];
    for (name, run) in rows {
        let samples = (0..options.rounds.max(3)).map(|_| {
            fibra::run(|| {
                let start = Instant::now();
                assert_eq!(run(), N * (N + 1) / 2);
                start.elapsed().as_nanos() as f64 / N as f64
            })
        });
        print(name, samples.collect());
    }
}
