//! Tests `fibra::sync` under load: schedulers and plain threads at one lock, with random deadlines
//! and kills at every wait.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use fibra::sync::{
    Barrier, Condvar, Event, Mutex, OnceCell, ReentrantMutex, RwLock, Semaphore, WaitGroup, mpmc,
};
use fibra::{in_fiber, spawn, yield_now};

use crate::support::sync::{Random, elsewhere, thread};

const SCHEDULERS: u64 = 3;
const PLAIN: u64 = 2;
const FIBERS: u64 = 6;
const ROUNDS: u64 = 1_000;

/// Runs `work` on each of many fibers, in several threads, and on plain threads, each with its own
/// seed. Some of the fibers are killed somewhere on their way.
fn storm(work: impl Fn(Random) + Send + Sync + 'static) {
    let work = Arc::new(work);
    let schedulers = (0..SCHEDULERS).map(|n| {
        let work = work.clone();
        elsewhere(move || {
            let mut random = Random::new(n + 1);
            let fibers: Vec<_> = (0..FIBERS)
                .map(|i| {
                    let work = work.clone();
                    spawn(move || work(Random::new(100 * n + i)))
                })
                .collect();
            for victim in [0, 3] {
                (0..random.below(40)).for_each(|_| yield_now());
                fibers[victim].kill();
            }
            // The last fiber is left to the end of `run`, which unwinds it where it waits.
            for fiber in fibers.into_iter().take(FIBERS as usize - 1) {
                match fiber.join() {
                    Err(error) if !error.is_killed() => panic!("{error}"),
                    _ => {}
                }
            }
        })
    });
    let plain = (0..PLAIN).map(|n| {
        let work = work.clone();
        thread(move || work(Random::new(1_000 + n)))
    });
    let threads: Vec<_> = schedulers.chain(plain).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Lets others run, sometimes.
fn pause(random: &mut Random) {
    match random.below(4) {
        0 if in_fiber() => yield_now(),
        1 => std::thread::yield_now(),
        _ => {}
    }
}

fn brief(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(300))
}

/// A section for one visitor at a time: it detects a second visitor.
#[derive(Default)]
struct Alone {
    inside: AtomicBool,
    visits: AtomicU64,
}

impl Alone {
    fn visit(&self, random: &mut Random) {
        /// Leaves the section, even if the visitor is killed inside.
        struct Leave<'a>(&'a AtomicBool);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }

        assert!(!self.inside.swap(true, Ordering::Relaxed), "two are inside");
        let _leave = Leave(&self.inside);
        pause(random);
        self.visits.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_mutex_lets_one_in() {
    static MUTEX: Mutex<u64> = Mutex::new(0);
    let alone = Arc::new(Alone::default());
    let inside = alone.clone();
    storm(move |mut random| {
        for _ in 0..ROUNDS {
            let guard = match random.below(4) {
                0 => MUTEX.try_lock(),
                1 => MUTEX.lock_timeout(brief(&mut random)).ok(),
                _ => Some(MUTEX.lock()),
            };
            if let Some(mut guard) = guard {
                inside.visit(&mut random);
                *guard += 1;
            }
        }
    });
    assert!(!MUTEX.is_locked());
    assert_eq!(*MUTEX.lock(), alone.visits.load(Ordering::Relaxed));
}

#[test]
fn a_reentrant_mutex_lets_one_in() {
    static MUTEX: ReentrantMutex<Cell<u64>> = ReentrantMutex::new(Cell::new(0));
    let alone = Arc::new(Alone::default());
    let inside = alone.clone();
    storm(move |mut random| {
        for _ in 0..ROUNDS {
            let Ok(outer) = MUTEX.lock_timeout(brief(&mut random)) else { continue };
            let inner = MUTEX.lock();
            drop(outer);
            inside.visit(&mut random);
            inner.set(inner.get() + 1);
        }
    });
    assert_eq!(MUTEX.lock().get(), alone.visits.load(Ordering::Relaxed));
}

#[test]
fn a_read_write_lock_lets_many_readers_or_one_writer_in() {
    static LOCK: RwLock<(u64, u64)> = RwLock::new((0, 0));
    storm(|mut random| {
        for _ in 0..ROUNDS {
            match random.below(6) {
                0 | 1 => {
                    let mut pair = LOCK.write();
                    pair.0 += 1;
                    pause(&mut random); // A kill in here leaves the two unequal: see below.
                    pair.1 = pair.0;
                }
                2 => drop(LOCK.write_timeout(brief(&mut random))),
                3 => drop(LOCK.read_timeout(brief(&mut random))),
                _ => {
                    let pair = LOCK.read();
                    let before = *pair;
                    pause(&mut random);
                    assert_eq!(before, *pair);
                }
            }
        }
    });
    assert!(!LOCK.is_locked());
}

#[test]
fn a_semaphore_neither_loses_nor_invents_permits() {
    const PERMITS: usize = 4;
    static SEMAPHORE: Semaphore = Semaphore::new(PERMITS);
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    struct Taken(usize);
    impl Drop for Taken {
        fn drop(&mut self) {
            TAKEN.fetch_sub(self.0, Ordering::Relaxed);
        }
    }

    storm(|mut random| {
        for _ in 0..ROUNDS {
            let wanted = 1 + random.below(PERMITS as u64) as usize;
            let permit = match random.below(4) {
                0 => SEMAPHORE.try_acquire_many(wanted),
                1 => SEMAPHORE.acquire_many_timeout(wanted, brief(&mut random)).ok(),
                _ => Some(SEMAPHORE.acquire_many(wanted)),
            };
            if permit.is_some() {
                let before = TAKEN.fetch_add(wanted, Ordering::Relaxed);
                let _taken = Taken(wanted);
                assert!(before + wanted <= PERMITS);
                pause(&mut random);
            }
        }
    });
    assert_eq!(SEMAPHORE.available(), PERMITS);
}

#[test]
fn an_event_wakes_all_waiters() {
    static EVENT: Event = Event::new();
    static OVER: AtomicBool = AtomicBool::new(false);
    let setter = thread(|| {
        while !OVER.load(Ordering::Relaxed) {
            EVENT.set();
            std::thread::yield_now();
            EVENT.clear();
        }
        EVENT.set();
    });
    storm(|mut random| {
        for _ in 0..ROUNDS {
            match random.below(3) {
                0 => drop(EVENT.wait_timeout(brief(&mut random))),
                _ => EVENT.wait(),
            }
        }
    });
    OVER.store(true, Ordering::Relaxed);
    setter.join().unwrap();
}

#[test]
fn a_condition_is_never_missed() {
    static TOKENS: Mutex<u64> = Mutex::new(0);
    static CHANGED: Condvar = Condvar::new();
    static OVER: AtomicBool = AtomicBool::new(false);
    let giver = thread(|| {
        while !OVER.load(Ordering::Relaxed) {
            let mut tokens = TOKENS.lock();
            if *tokens < 3 {
                *tokens += 1;
                drop(tokens);
                CHANGED.notify_one();
            } else {
                drop(tokens);
                std::thread::yield_now();
            }
        }
    });
    storm(|mut random| {
        for _ in 0..ROUNDS {
            let tokens = TOKENS.lock();
            let mut tokens = match random.below(3) {
                0 => {
                    let timeout = brief(&mut random);
                    CHANGED.wait_timeout_while(tokens, timeout, |n| *n == 0).0
                }
                _ => CHANGED.wait_while(tokens, |n| *n == 0),
            };
            *tokens = tokens.saturating_sub(1);
        }
    });
    OVER.store(true, Ordering::Relaxed);
    giver.join().unwrap();
}

#[test]
fn a_channel_delivers_what_was_sent_once() {
    let (to, from) = mpmc::bounded::<u64>(3);
    let sent = Arc::new(AtomicU64::new(0));
    let (total, received) = (sent.clone(), Arc::new(AtomicU64::new(0)));
    let receivers: Vec<_> = (0..3)
        .map(|i| {
            let (from, received) = (from.clone(), received.clone());
            let receive = move || {
                for n in from.iter() {
                    received.fetch_add(n, Ordering::Relaxed);
                }
            };
            if i == 0 { thread(receive) } else { elsewhere(receive) }
        })
        .collect();
    drop(from);
    let to = Mutex::new(Some(to));
    let to = Arc::new(to);
    let senders = to.clone();
    storm(move |mut random| {
        let to = senders.lock().clone().expect("it is taken when the storm is over");
        for _ in 0..ROUNDS {
            let n = 1 + random.below(1_000);
            let is_sent = match random.below(3) {
                0 => to.try_send(n).is_ok(),
                1 => to.send_timeout(n, brief(&mut random)).is_ok(),
                _ => to.send(n).is_ok(),
            };
            // No kill point lies between the end of the send and this.
            if is_sent {
                sent.fetch_add(n, Ordering::Relaxed);
            }
        }
    });
    drop(to.lock().take());
    receivers.into_iter().for_each(|receiver| receiver.join().unwrap());
    assert_eq!(received.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
}

#[test]
fn a_value_is_made_by_the_first_that_is_not_killed() {
    for _ in 0..20 {
        let cell = Arc::new(OnceCell::new());
        let shared = cell.clone();
        storm(move |mut random| {
            let value = shared.get_or_init(|| {
                (0..20).for_each(|_| pause(&mut random));
                7
            });
            assert_eq!(*value, 7);
        });
        assert_eq!(cell.get(), Some(&7));
    }
}

#[test]
fn rounds_at_a_barrier_do_not_mix() {
    const PARTIES: usize = 4;
    static BARRIER: Barrier = Barrier::new(PARTIES);
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    let walk = || {
        for round in 1..=ROUNDS as usize {
            ARRIVED.fetch_add(1, Ordering::Relaxed);
            BARRIER.wait();
            assert!(round * PARTIES <= ARRIVED.load(Ordering::Relaxed));
            BARRIER.wait();
        }
    };
    let pair = move || {
        let other = spawn(walk);
        walk();
        other.join().unwrap();
    };
    let threads = [elsewhere(pair), thread(walk), thread(walk)];
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_group_is_done_when_all_are() {
    static GROUP: WaitGroup = WaitGroup::new();
    static WORKING: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..50 {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let worker = GROUP.worker();
                WORKING.fetch_add(1, Ordering::Relaxed);
                elsewhere(move || {
                    let inner = GROUP.worker();
                    drop(worker);
                    yield_now();
                    WORKING.fetch_sub(1, Ordering::Relaxed);
                    drop(inner);
                })
            })
            .collect();
        fibra::run(|| {
            let other = spawn(|| GROUP.wait());
            GROUP.wait();
            assert_eq!(WORKING.load(Ordering::Relaxed), 0);
            other.join().unwrap();
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}
