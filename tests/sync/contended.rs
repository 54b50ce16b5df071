//! Tests of locks for which several threads compete: a waiter that was woken to take a free lock,
//! and is interrupted before it does, passes the wake on; and no circle is missed.
//!
//! Each test runs in a process of its own with a time limit, because a lost wake is a hang.

#![allow(
    clippy::disallowed_methods,
    reason = "starts threads, which it joins, and reads the clock"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fibra::sync::{
    Mutex, MutexGuard, Permit, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore,
};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::{Random, elsewhere, in_time, thread, wait_for};
use crate::support::{ms, name_of};

#[derive(Copy, Clone, Debug)]
enum Kind {
    Mutex,
    Write,
    Read,
    Permit,
}

const KINDS: [Kind; 4] = [Kind::Mutex, Kind::Write, Kind::Read, Kind::Permit];

#[allow(dead_code, reason = "guards are kept to be dropped")]
enum Held<'a> {
    Mutex(MutexGuard<'a, ()>),
    Write(RwLockWriteGuard<'a, ()>),
    Read(RwLockReadGuard<'a, ()>),
    Permit(Permit<'a>),
}

/// One lock of each kind, and the number of fibers and threads that ask for one.
struct Locks {
    mutex: Mutex<()>,
    lock: RwLock<()>,
    semaphore: Semaphore,
    asking: AtomicUsize,
}

impl Locks {
    fn new() -> Arc<Locks> {
        Arc::new(Locks {
            mutex: Mutex::new(()),
            lock: RwLock::new(()),
            semaphore: Semaphore::new(1),
            asking: AtomicUsize::new(0),
        })
    }

    fn take(&self, kind: Kind) -> Held<'_> {
        self.asking.fetch_add(1, Ordering::Relaxed);
        match kind {
            Kind::Mutex => Held::Mutex(self.mutex.lock()),
            Kind::Write => Held::Write(self.lock.write()),
            Kind::Read => Held::Read(self.lock.read()),
            Kind::Permit => Held::Permit(self.semaphore.acquire()),
        }
    }

    fn take_within(&self, kind: Kind, timeout: Duration) -> Option<Held<'_>> {
        self.asking.fetch_add(1, Ordering::Relaxed);
        match kind {
            Kind::Mutex => self.mutex.lock_timeout(timeout).ok().map(Held::Mutex),
            Kind::Write => self.lock.write_timeout(timeout).ok().map(Held::Write),
            Kind::Read => self.lock.read_timeout(timeout).ok().map(Held::Read),
            Kind::Permit => self.semaphore.acquire_timeout(timeout).ok().map(Held::Permit),
        }
    }

    /// Takes the lock that keeps all others of that kind out.
    fn take_alone(&self, kind: Kind) -> Held<'_> {
        self.take(if let Kind::Read = kind { Kind::Write } else { kind })
    }

    fn is_free(&self, kind: Kind) -> bool {
        match kind {
            Kind::Mutex => !self.mutex.is_locked(),
            Kind::Write | Kind::Read => !self.lock.is_locked(),
            Kind::Permit => self.semaphore.available() == 1,
        }
    }

    /// Waits, without letting other fibers run, until `n` have asked and probably are in the queue.
    fn wait_for(&self, n: usize) {
        wait_for(|| self.asking.load(Ordering::Relaxed) == n);
        spin(Duration::from_micros(30));
    }
}

/// Keeps this thread busy.
fn spin(time: Duration) {
    let began = Instant::now();
    wait_for(|| time <= began.elapsed());
}

/// What happens to the first waiter, once it was woken and before it runs.
#[derive(Copy, Clone, Debug)]
enum Blow {
    Kill,
    Timeout,
    Cancel,
    EndOfRun,
    None,
}

/// A thread holds the lock. A fiber waits for it, and behind that fiber `behind` waits. The thread
/// releases the lock, and the fiber is struck before it runs. Returns whether the lock was free
/// then: it is, if the fiber has not waited for long.
fn strike(kind: Kind, blow: Blow, behind: impl FnOnce(&Locks) + Send + 'static) -> bool {
    let locks = Locks::new();
    let [release, released, queue] = [(); 3].map(|()| Arc::new(AtomicBool::new(false)));
    let is_set = |flag: &Arc<AtomicBool>| {
        let flag = flag.clone();
        move || wait_for(|| flag.load(Ordering::Acquire))
    };
    let holder = {
        let (locks, until, released) = (locks.clone(), is_set(&release), released.clone());
        thread(move || {
            let held = locks.take_alone(kind);
            until();
            drop(held);
            released.store(true, Ordering::Release);
        })
    };
    let next = {
        let (locks, until) = (locks.clone(), is_set(&queue));
        thread(move || {
            until();
            behind(&locks);
        })
    };
    wait_for(|| !locks.is_free(kind));
    let (near, is_released) = (locks.clone(), is_set(&released));
    let struck = elsewhere(move || {
        let victim = victim(&near, kind, blow);
        yield_now();
        queue.store(true, Ordering::Release);
        near.wait_for(3);
        release.store(true, Ordering::Release);
        is_released();
        let was_free = near.is_free(kind);
        match blow {
            Blow::Kill => victim.kill(),
            Blow::Timeout | Blow::Cancel => spin(LIMIT),
            Blow::EndOfRun => return was_free,
            Blow::None => {}
        }
        let _ = victim.join();
        was_free
    });
    let was_free = struck.join().unwrap();
    [holder, next].into_iter().for_each(|thread| thread.join().unwrap());
    drop(locks.take_alone(kind));
    assert!(locks.is_free(kind));
    was_free
}

const LIMIT: Duration = ms(2);

fn victim(locks: &Arc<Locks>, kind: Kind, blow: Blow) -> JoinHandle<()> {
    let locks = locks.clone();
    spawn(move || match blow {
        Blow::Timeout => drop(locks.take_within(kind, LIMIT)),
        Blow::Cancel => drop(fibra::time::timeout(LIMIT, || drop(locks.take(kind)))),
        _ => drop(locks.take(kind)),
    })
}

/// Strikes waiters of all kinds. `behind` runs the second waiter.
fn strike_all(behind: fn(&mut dyn FnMut())) {
    for kind in KINDS {
        for blow in BLOWS {
            let free = (0..20).filter(|&i| {
                let take = move |locks: &Locks| match i % 2 {
                    0 => drop(locks.take_alone(kind)),
                    _ => drop(locks.take(kind)),
                };
                strike(kind, blow, move |locks| behind(&mut || take(locks)))
            });
            let free = free.count();
            println!("{kind:?}, {blow:?}: {free} of 20 were woken to compete");
        }
    }
}

const BLOWS: [Blow; 5] = [Blow::Kill, Blow::Timeout, Blow::Cancel, Blow::EndOfRun, Blow::None];

#[test]
fn a_thread_gets_the_lock_if_the_fiber_before_it_is_interrupted() {
    in_time(name_of!(a_thread_gets_the_lock_if_the_fiber_before_it_is_interrupted), || {
        strike_all(|take| take());
    });
}

#[test]
fn a_fiber_of_another_scheduler_gets_the_lock_if_the_one_before_it_is_interrupted() {
    let name =
        name_of!(a_fiber_of_another_scheduler_gets_the_lock_if_the_one_before_it_is_interrupted);
    in_time(name, || strike_all(|take| fibra::run(take)));
}

#[test]
fn two_schedulers_that_kill_waiters_and_time_out_lose_no_wake() {
    in_time(name_of!(two_schedulers_that_kill_waiters_and_time_out_lose_no_wake), || {
        for kind in KINDS {
            let locks = Locks::new();
            let began = Instant::now();
            let threads: Vec<_> = (1..=2)
                .map(|seed| {
                    let locks = locks.clone();
                    elsewhere(move || storm(&locks, kind, seed, began))
                })
                .collect();
            let plain = {
                let locks = locks.clone();
                thread(move || {
                    while began.elapsed() < ms(800) {
                        drop(locks.take(kind));
                        drop(locks.take_within(kind, Duration::from_micros(50)));
                    }
                })
            };
            threads.into_iter().chain([plain]).for_each(|thread| thread.join().unwrap());
            assert!(locks.is_free(kind));
            drop(locks.take_alone(kind));
        }
    });
}

/// Spawns fibers that lock in several ways, and kills each of them after a while.
fn storm(locks: &Arc<Locks>, kind: Kind, seed: u64, began: Instant) {
    let mut random = Random::new(seed);
    let mut fibers = Vec::new();
    while began.elapsed() < ms(800) {
        let (locks, seed) = (locks.clone(), random.below(1 << 32));
        fibers.push(spawn(move || {
            let mut random = Random::new(seed);
            for _ in 0..20 {
                let held = match random.below(4) {
                    0 => locks.take_within(kind, Duration::from_micros(random.below(200))),
                    1 => Some(locks.take_alone(kind)),
                    _ => Some(locks.take(kind)),
                };
                if random.below(3) == 0 {
                    yield_now();
                }
                drop(held);
            }
        }));
        if 8 <= fibers.len() {
            let victim = fibers.swap_remove(random.below(8) as usize);
            victim.kill();
            let _ = victim.join();
        }
        (0..random.below(4)).for_each(|_| yield_now());
        if random.below(10) == 0 {
            fibra::sleep(Duration::from_micros(random.below(300)));
        }
    }
    fibers.into_iter().for_each(|fiber| drop(fiber.join()));
}

#[test]
fn a_circle_is_found_if_a_newcomer_has_taken_the_lock_before_the_waiters() {
    let name = name_of!(a_circle_is_found_if_a_newcomer_has_taken_the_lock_before_the_waiters);
    in_time(name, || {
        let failed: Vec<u32> = (0..10).map(|_| take_before_waiters()).collect();
        assert!(failed.iter().all(|&waits| waits <= 1), "one wait of a circle fails: {failed:?}");
        println!("{failed:?}");
    });
}

/// On one scheduler, a fiber waits for a lock, and behind it another one that holds a second lock.
/// When the first lock is released, a fiber of another scheduler takes it before they run, and
/// waits for the second. Returns how many of the waits fail: none if the first lock was handed
/// over, because a thread was slow.
fn take_before_waiters() -> u32 {
    let [first, second] = [(); 2].map(|()| Arc::new(Mutex::new(())));
    let [release, over] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let holder = {
        let (first, release) = (first.clone(), release.clone());
        thread(move || {
            let held = first.lock();
            wait_for(|| release.load(Ordering::Acquire));
            drop(held);
        })
    };
    wait_for(|| first.is_locked());
    let fails = |lock: &Mutex<()>| {
        let lock = std::panic::AssertUnwindSafe(|| drop(lock.lock()));
        u32::from(std::panic::catch_unwind(lock).is_err())
    };
    let waiters = {
        let (first, second, over) = (first.clone(), second.clone(), over.clone());
        elsewhere(move || {
            let behind = first.clone();
            let next = {
                let first = first.clone();
                spawn(move || drop(first.lock()))
            };
            yield_now();
            let member = spawn(move || {
                let _second = second.lock();
                fails(&behind)
            });
            yield_now();
            release.store(true, Ordering::Release);
            holder.join().unwrap();
            // The newcomer takes it, while this thread keeps the waiters from running.
            wait_for(|| first.is_locked());
            next.join().unwrap();
            let failed = member.join().unwrap();
            over.store(true, Ordering::Release);
            failed
        })
    };
    let newcomer = elsewhere(move || {
        while !second.is_locked() || first.is_locked() {
            if over.load(Ordering::Acquire) {
                return 0;
            }
            std::thread::yield_now();
        }
        let _held = first.lock();
        fails(&second)
    });
    waiters.join().unwrap() + newcomer.join().unwrap()
}

#[test]
fn a_lonely_waiter_is_woken_by_each_release() {
    in_time(name_of!(a_lonely_waiter_is_woken_by_each_release), || {
        for kind in KINDS {
            let locks = Locks::new();
            let near = locks.clone();
            let waiter = elsewhere(move || (0..3_000).for_each(|_| drop(near.take_alone(kind))));
            for _ in 0..3_000 {
                drop(locks.take_alone(kind));
                std::thread::yield_now();
            }
            waiter.join().unwrap();
        }
    });
}
