//! The cost of crossing between threads: messages between schedulers, remote wakes, and handles
//! that other threads hold.
//!
//! Criterion measures one number at a time and cannot report a median latency, so this is a plain
//! program. It prints the median and the range of several samples; the samples of all rows take
//! turns, so that a change of the machine's speed affects all of them.
//!
//! ```text
//! cargo bench --bench threads                    all rows, about a minute
//! cargo bench --bench threads -- ping            the rows whose name contains the word
//! ```

#![allow(clippy::disallowed_methods, reason = "starts threads, and measures time by itself")]

use std::env;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use fibra::Unparker;
use fibra::channel::Channel;

/// A row: its name, its unit, and the function that takes one sample. The argument is `true` for a
/// quick run that only checks the answer.
type Row = (&'static str, &'static str, fn(bool) -> f64);

const ROWS: &[Row] = &[
    ("ping-pong of unparkers, pinned apart", "ns/message", |quick| unparkers(quick, Place::Apart)),
    ("ping-pong of unparkers, not pinned", "ns/message", |quick| unparkers(quick, Place::Free)),
    ("ping-pong over mpmc, pinned apart", "ns/message", |quick| over_mpmc(quick, Place::Apart)),
    ("ping-pong over mpmc, not pinned", "ns/message", |quick| over_mpmc(quick, Place::Free)),
    ("ping-pong, std mpsc, pinned apart", "ns/message", |quick| over_std(quick, Place::Apart)),
    ("ping-pong, std mpsc, not pinned", "ns/message", |quick| over_std(quick, Place::Free)),
    ("ping-pong, crossbeam, pinned apart", "ns/message", |quick| {
        over_crossbeam(quick, Place::Apart)
    }),
    ("ping-pong, crossbeam, not pinned", "ns/message", |quick| over_crossbeam(quick, Place::Free)),
    ("1,000 ping-pongs over mpmc", "ns/message", |quick| many_pairs(quick)),
    ("unpark from a thread, each delivered", "ns", |quick| delivered(quick)),
    ("unpark from a thread, all merge", "ns", |quick| merged(quick)),
    ("wake_by_ref from a thread, all merge", "ns", |quick| woken(quick)),
    ("Unparker at home", "ns", |quick| at_home(quick, |_, unparker| unparker.unpark())),
    ("Fiber::unpark", "ns", |quick| at_home(quick, |fiber, _| fiber.unpark())),
    ("yield among 100 fibers, without mail", "ns", yields),
    ("into 10 fibers of 20 us turns, median", "us", |quick| into_busy(quick, 50)),
    ("into 10 fibers of 20 us turns, 99th of 100", "us", |quick| into_busy(quick, 99)),
    ("unpark to run, 1 held", "us", |quick| beside_held(quick, 1)),
    ("unpark to run, 1,000 held", "us", |quick| beside_held(quick, 1_000)),
    ("unpark to run, 10,000 held", "us", |quick| beside_held(quick, 10_000)),
    ("unpark to run, 100,000 held", "us", |quick| beside_held(quick, 100_000)),
    ("processor time of an idle run", "us/s", |quick| idle(quick)),
];

const SAMPLES: usize = 5;

fn main() {
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let quick = words.iter().any(|word| word == "--test");
    let words: Vec<&String> = words.iter().filter(|word| *word != "--test").collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(*word));
    let rows: Vec<&Row> = ROWS.iter().filter(|(name, ..)| wanted(name)).collect();
    let mut samples = vec![Vec::new(); rows.len()];
    for _ in 0..if quick { 1 } else { SAMPLES } {
        for (row, samples) in rows.iter().zip(&mut samples) {
            // Each sample has threads of its own, whose pinning ends with them.
            let take = row.2;
            samples.push(thread::spawn(move || take(quick)).join().expect("a sample"));
        }
    }
    if quick {
        return;
    }
    for ((name, unit, _), mut samples) in rows.iter().zip(samples) {
        samples.sort_by(f64::total_cmp);
        let (least, most) = (samples[0], samples[samples.len() - 1]);
        let median = samples[samples.len() / 2];
        println!("{name:45} {median:10.1} {unit:11} ({least:.1} to {most:.1})");
    }
}

/// Where the two threads of a sample run.
#[derive(Copy, Clone)]
enum Place {
    /// On one processor each.
    Apart,
    /// Wherever the kernel puts them.
    Free,
}

impl Place {
    /// Moves this thread, which is the first or the second of two, to its processor.
    fn take(self, second: bool) {
        #[cfg(target_os = "linux")]
        if let (Place::Apart, Ok(all)) = (self, rustix::thread::sched_getaffinity(None)) {
            let mut ours = (0..1024).filter(|&cpu| all.is_set(cpu));
            let cpu = if second { ours.next_back() } else { ours.next() };
            let mut one = rustix::thread::CpuSet::new();
            cpu.into_iter().for_each(|cpu| one.set(cpu));
            let _ = rustix::thread::sched_setaffinity(None, &one);
        }
        #[cfg(not(target_os = "linux"))]
        let _ = second;
    }
}

/// Runs `first` and `second` on a thread each. Returns the time per message of `first`, which
/// returns the number of messages that it has sent and received.
fn two_threads(
    place: Place,
    first: impl FnOnce() -> u64,
    second: impl FnOnce() + Send + 'static,
) -> f64 {
    let other = thread::spawn(move || {
        place.take(true);
        second();
    });
    place.take(false);
    let start = Instant::now();
    let messages = first();
    let elapsed = start.elapsed();
    other.join().unwrap();
    elapsed.as_nanos() as f64 / messages as f64
}

fn rounds(quick: bool, rounds: u64) -> u64 {
    if quick { 10 } else { rounds }
}

/// Two fibers of two schedulers, which count up in turns.
fn unparkers(quick: bool, place: Place) -> f64 {
    let turns = rounds(quick, 20_000);
    let turn = Arc::new(AtomicU64::new(0));
    let (to_second, at_second) = mpsc::channel::<Unparker>();
    let (to_first, at_first) = mpsc::channel::<Unparker>();
    let play = move |turn: &AtomicU64, parity, give: mpsc::Sender<_>, take: mpsc::Receiver<_>| {
        fibra::run(|| {
            give.send(fibra::current().unparker()).unwrap();
            let partner: Unparker = take.recv().unwrap();
            for round in 0..turns {
                while turn.load(Ordering::Acquire) != 2 * round + parity {
                    fibra::park();
                }
                turn.fetch_add(1, Ordering::Release);
                partner.unpark();
            }
        });
    };
    let shared = turn.clone();
    let first = || {
        play(&turn, 0, to_second, at_first);
        2 * turns
    };
    let time = two_threads(place, first, move || play(&shared, 1, to_first, at_second));
    assert_eq!(turn.load(Ordering::Relaxed), 2 * turns);
    time
}

/// Sends `n` numbers there and back, and checks each.
fn ping(n: u64, send: impl Fn(u64), recv: impl Fn() -> u64) -> u64 {
    for i in 0..n {
        send(i);
        assert_eq!(recv(), i + 1);
    }
    2 * n
}

/// Returns `n` numbers, each with one added.
fn pong(n: u64, send: impl Fn(u64), recv: impl Fn() -> u64) {
    (0..n).for_each(|_| send(recv() + 1));
}

fn over_mpmc(quick: bool, place: Place) -> f64 {
    let n = rounds(quick, 20_000);
    let (to_second, at_second) = fibra::sync::mpmc::bounded(1);
    let (to_first, at_first) = fibra::sync::mpmc::bounded(1);
    let first =
        || fibra::run(|| ping(n, |i| to_second.send(i).unwrap(), || at_first.recv().unwrap()));
    two_threads(place, first, move || {
        fibra::run(|| pong(n, |i| to_first.send(i).unwrap(), || at_second.recv().unwrap()));
    })
}

fn over_std(quick: bool, place: Place) -> f64 {
    let n = rounds(quick, 10_000);
    let (to_second, at_second) = mpsc::sync_channel(1);
    let (to_first, at_first) = mpsc::sync_channel(1);
    let first = || ping(n, |i| to_second.send(i).unwrap(), || at_first.recv().unwrap());
    two_threads(place, first, move || {
        pong(n, |i| to_first.send(i).unwrap(), || at_second.recv().unwrap());
    })
}

fn over_crossbeam(quick: bool, place: Place) -> f64 {
    let n = rounds(quick, 10_000);
    let (to_second, at_second) = crossbeam_channel::bounded(1);
    let (to_first, at_first) = crossbeam_channel::bounded(1);
    let first = || ping(n, |i| to_second.send(i).unwrap(), || at_first.recv().unwrap());
    two_threads(place, first, move || {
        pong(n, |i| to_first.send(i).unwrap(), || at_second.recv().unwrap());
    })
}

fn many_pairs(quick: bool) -> f64 {
    let (pairs, n) = (1_000, rounds(quick, 200));
    let (there, back): (Vec<_>, Vec<_>) =
        (0..pairs).map(|_| (fibra::sync::mpmc::bounded(1), fibra::sync::mpmc::bounded(1))).unzip();
    let (to_second, at_second): (Vec<_>, Vec<_>) = there.into_iter().unzip();
    let (to_first, at_first): (Vec<_>, Vec<_>) = back.into_iter().unzip();
    let first = || {
        fibra::run(move || {
            let ends = to_second.into_iter().zip(at_first);
            let fibers: Vec<_> = ends
                .map(|(to, at)| {
                    fibra::spawn(move || ping(n, |i| to.send(i).unwrap(), || at.recv().unwrap()))
                })
                .collect();
            fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum::<u64>()
        })
    };
    two_threads(Place::Free, first, move || {
        fibra::run(move || {
            let ends = to_first.into_iter().zip(at_second);
            let fibers: Vec<_> = ends
                .map(|(to, at)| {
                    fibra::spawn(move || pong(n, |i| to.send(i).unwrap(), || at.recv().unwrap()))
                })
                .collect();
            fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
        });
    })
}

/// Runs a scheduler on another thread that stays awake, with `parked` fibers that count how often
/// they are unparked. Returns what `f` returns, which gets their unparkers.
fn beside_awake<R>(parked: usize, f: impl FnOnce(&[Unparker], &AtomicU64) -> R) -> R {
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let (give, take) = mpsc::channel();
    let (stopped, counts) = (stop.clone(), count.clone());
    let thread = thread::spawn(move || {
        Place::Apart.take(true);
        fibra::run(move || {
            let fibers: Vec<_> = (0..parked)
                .map(|_| {
                    let counts = counts.clone();
                    fibra::spawn(move || {
                        loop {
                            fibra::park();
                            counts.fetch_add(1, Ordering::Release);
                        }
                    })
                })
                .collect();
            let unparkers: Vec<_> = fibers.iter().map(|it| it.fiber().unparker()).collect();
            give.send(unparkers).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                fibra::yield_now();
            }
            fibers.iter().for_each(|fiber| fiber.kill());
        });
    });
    Place::Apart.take(false);
    let unparkers = take.recv().unwrap();
    let result = f(&unparkers, &count);
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
    result
}

/// Unparks of a thousand fibers in turn, so that few merge; the time of a call.
fn delivered(quick: bool) -> f64 {
    let rounds = rounds(quick, 200);
    beside_awake(1_000, |unparkers, count| {
        let mut time = Duration::ZERO;
        for _ in 0..rounds {
            let before = count.load(Ordering::Acquire);
            let start = Instant::now();
            unparkers.iter().for_each(Unparker::unpark);
            time += start.elapsed();
            while count.load(Ordering::Acquire) < before + 1_000 {
                std::hint::spin_loop();
            }
        }
        time.as_nanos() as f64 / (rounds * 1_000) as f64
    })
}

/// Unparks of one fiber, most of which merge with one that is not delivered yet.
fn merged(quick: bool) -> f64 {
    let calls = rounds(quick, 500_000);
    beside_awake(1, |unparkers, count| {
        let start = Instant::now();
        (0..calls).for_each(|_| unparkers[0].unpark());
        let time = start.elapsed();
        while count.load(Ordering::Acquire) == 0 {
            std::hint::spin_loop();
        }
        time.as_nanos() as f64 / calls as f64
    })
}

/// Wakes of one task, most of which merge with one that is not delivered yet.
fn woken(quick: bool) -> f64 {
    let calls = rounds(quick, 500_000);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let (give, take) = mpsc::channel::<Waker>();
    let thread = thread::spawn(move || {
        Place::Apart.take(true);
        fibra::run(move || {
            let main = fibra::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    fibra::yield_now();
                }
            });
            let polls = Arc::new(Mutex::new(0));
            let counted = polls.clone();
            let waits = fibra::spawn(move || {
                fibra::future::block_on(poll_fn(|cx| {
                    *counted.lock().unwrap() += 1;
                    give.send(cx.waker().clone()).unwrap_or(());
                    Poll::<()>::Pending
                }));
            });
            main.join().unwrap();
            waits.kill();
            *polls.lock().unwrap()
        })
    });
    Place::Apart.take(false);
    let waker = take.recv().unwrap();
    drop(take);
    let start = Instant::now();
    (0..calls).for_each(|_| waker.wake_by_ref());
    let time = start.elapsed();
    thread::sleep(Duration::from_millis(1));
    stop.store(true, Ordering::Relaxed);
    let polls = thread.join().unwrap();
    assert!((2..=calls + 1).contains(&polls), "{polls} polls");
    time.as_nanos() as f64 / calls as f64
}

/// Two fibers of one scheduler that unpark each other; the time of an unpark, a park and a switch.
fn at_home(quick: bool, unpark: fn(&fibra::Fiber, &Unparker)) -> f64 {
    let cycles = rounds(quick, 100_000);
    fibra::run(move || {
        let main = fibra::current();
        let to_main = main.unparker();
        let parked = fibra::spawn(move || {
            for _ in 0..cycles {
                fibra::park();
                unpark(&main, &to_main);
            }
            cycles
        });
        fibra::yield_now();
        let (fiber, unparker) = (parked.fiber().clone(), parked.fiber().unparker());
        let start = Instant::now();
        for _ in 0..cycles {
            unpark(&fiber, &unparker);
            fibra::park();
        }
        let time = start.elapsed();
        assert_eq!(parked.join().unwrap(), cycles);
        time.as_nanos() as f64 / (2 * cycles) as f64
    })
}

/// Yields among a hundred fibers of a scheduler that gets no mail; the time of one.
fn yields(quick: bool) -> f64 {
    let each = rounds(quick, 20_000);
    fibra::run(|| {
        let yields = move || {
            (0..each).for_each(|_| fibra::yield_now());
            each
        };
        let start = Instant::now();
        let fibers: Vec<_> = (0..100).map(|_| fibra::spawn(yields)).collect();
        let done: u64 = fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum();
        let time = start.elapsed();
        assert_eq!(done, 100 * each);
        time.as_nanos() as f64 / done as f64
    })
}

/// Computes for that long.
fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// The latency of an unpark into a scheduler with ten fibers that compute: the value below which
/// that percentage of the samples are, in microseconds.
fn into_busy(quick: bool, percentage: usize) -> f64 {
    let samples = if quick { 5 } else { 300 };
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let start = Instant::now();
    let woken_at = Arc::new(AtomicU64::new(0));
    let woken = woken_at.clone();
    let (give, take) = mpsc::channel();
    let thread = thread::spawn(move || {
        Place::Apart.take(true);
        fibra::run(move || {
            let busy: Vec<_> = (0..10)
                .map(|_| {
                    let stopped = stopped.clone();
                    fibra::spawn(move || {
                        while !stopped.load(Ordering::Relaxed) {
                            compute(Duration::from_micros(20));
                            fibra::yield_now();
                        }
                    })
                })
                .collect();
            give.send(fibra::current().unparker()).unwrap();
            while !stopped.load(Ordering::Relaxed) {
                fibra::park();
                woken.store(start.elapsed().as_nanos() as u64, Ordering::Release);
            }
            busy.into_iter().for_each(|fiber| fiber.join().unwrap());
        });
    });
    Place::Apart.take(false);
    let unparker: Unparker = take.recv().unwrap();
    let mut latencies = Vec::new();
    for i in 0..samples {
        thread::sleep(Duration::from_micros(700 + i * 37 % 300));
        woken_at.store(0, Ordering::Release);
        let before = start.elapsed().as_nanos() as u64;
        unparker.unpark();
        let woken = loop {
            match woken_at.load(Ordering::Acquire) {
                0 => std::hint::spin_loop(),
                at => break at,
            }
        };
        latencies.push(woken.checked_sub(before).expect("it was woken by this unpark"));
    }
    stop.store(true, Ordering::Relaxed);
    unparker.unpark();
    thread.join().unwrap();
    latencies.sort_unstable();
    latencies[latencies.len() * percentage / 100] as f64 / 1_000.0
}

/// The time from an unpark to the turn of the fiber, of a scheduler that has nothing else to run.
/// This thread also holds `held` unparkers of fibers that wait for something else. Ten fibers are
/// unparked in turn, the last one first.
fn beside_held(quick: bool, held: usize) -> f64 {
    let held = if quick { held.min(100) } else { held };
    let samples = if quick { 20 } else { 300 };
    let start = Instant::now();
    let woken_at = Arc::new(AtomicU64::new(0));
    let woken = woken_at.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let (give, take) = mpsc::channel::<Vec<Unparker>>();
    let (ask, asked) = mpsc::channel::<Unparker>();
    let thread = thread::spawn(move || {
        Place::Apart.take(true);
        fibra::run(move || {
            let go_on: Vec<Channel<()>> = (0..10).map(|_| Channel::new()).collect();
            let done = Channel::new();
            for go_on in &go_on {
                let (go_on, woken) = (go_on.clone(), woken.clone());
                let (ask, done) = (ask.clone(), done.clone());
                fibra::spawn(move || {
                    let unparker = fibra::current().unparker();
                    while go_on.recv().is_ok() {
                        ask.send(unparker.clone()).unwrap();
                        fibra::park();
                        woken.store(start.elapsed().as_nanos() as u64, Ordering::Release);
                        done.send(()).unwrap();
                    }
                });
            }
            fibra::yield_now();
            let never = Channel::<()>::new();
            let waiting = (0..held).map(|_| {
                let never = never.clone();
                let waiting = fibra::Builder::new().stack_size(16 << 10);
                waiting.spawn(move || drop(never.recv())).fiber().unparker()
            });
            give.send(waiting.collect()).unwrap();
            fibra::yield_now();
            for go_on in go_on.iter().rev().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                go_on.send(()).unwrap();
                done.recv().unwrap();
            }
        });
    });
    Place::Apart.take(false);
    let held = take.recv().unwrap();
    let mut latencies = Vec::new();
    for i in 0..=samples {
        let unparker = asked.recv().unwrap();
        if i == samples {
            stop.store(true, Ordering::Relaxed);
        }
        // The scheduler spins or sleeps by then.
        compute(Duration::from_micros(5));
        woken_at.store(0, Ordering::Release);
        let before = start.elapsed().as_nanos() as u64;
        unparker.unpark();
        let woken = loop {
            match woken_at.load(Ordering::Acquire) {
                0 => std::hint::spin_loop(),
                at => break at,
            }
        };
        latencies.push(woken.checked_sub(before).expect("it was woken by this unpark"));
    }
    thread.join().unwrap();
    drop(held);
    latencies.sort_unstable();
    latencies[latencies.len() / 2] as f64 / 1_000.0
}

/// The processor time of a scheduler whose one fiber waits for another thread, per second.
fn idle(quick: bool) -> f64 {
    let wait = Duration::from_millis(if quick { 5 } else { 500 });
    let (give, take) = mpsc::channel::<Unparker>();
    let thread = thread::spawn(move || {
        fibra::run(|| {
            give.send(fibra::current().unparker()).unwrap();
            fibra::park();
            let before = used();
            fibra::park();
            used() - before
        })
    });
    let unparker = take.recv().unwrap();
    unparker.unpark();
    thread::sleep(wait);
    unparker.unpark();
    let used = thread.join().unwrap();
    used.as_micros() as f64 / wait.as_secs_f64()
}

/// Returns the processor time of this thread.
fn used() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
    }
    #[cfg(not(target_os = "linux"))]
    Duration::ZERO
}
