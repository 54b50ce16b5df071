//! Two threads that compete for a lock: each gets its share, and none waits for long.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fibra::sync::{Mutex, RwLock, Semaphore};

use crate::support::{measure_until, ms};

const FIBERS: usize = 10;

/// How often a share is measured, until it is fair once: on a busy machine, one of the threads may
/// not run for most of the time.
const ATTEMPTS: usize = 6;

/// Calls `operation` in a loop on both threads for a while, and returns how often each has.
fn contest(
    on_first: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> u64 + Send,
    on_second: impl FnOnce(&(dyn Fn() -> bool + Sync)) -> u64 + Send,
    operation: impl Fn() + Sync,
) -> [u64; 2] {
    let (over, ready) = (AtomicBool::new(false), Barrier::new(3));
    let step = || {
        operation();
        !over.load(Ordering::Relaxed)
    };
    thread::scope(|s| {
        let first = s.spawn(|| {
            ready.wait();
            on_first(&step)
        });
        let second = s.spawn(|| {
            ready.wait();
            on_second(&step)
        });
        ready.wait();
        thread::sleep(ms(150));
        over.store(true, Ordering::Relaxed);
        [first.join().unwrap(), second.join().unwrap()]
    })
}

fn plainly(step: &(dyn Fn() -> bool + Sync)) -> u64 {
    1 + std::iter::repeat_with(step).take_while(|goes_on| *goes_on).count() as u64
}

fn on_fibers(step: &(dyn Fn() -> bool + Sync)) -> u64 {
    fibra::run(|| {
        fibra::scope(|s| {
            let fibers: Vec<_> = (0..FIBERS).map(|_| s.spawn(|| plainly(step))).collect();
            fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum()
        })
    })
}

/// Checks that each thread gets at least a quarter of the operations, which is half of its share;
/// and that `count` returns the number of all operations since it was last called.
fn check_shares(operation: impl Fn() + Sync, count: impl Fn() -> u64) {
    let attempts: Vec<[u64; 2]> = (0..ATTEMPTS)
        .flat_map(|_| {
            [
                contest(on_fibers, on_fibers, &operation),
                contest(on_fibers, plainly, &operation),
                contest(plainly, plainly, &operation),
            ]
        })
        .collect();
    let sum: u64 = attempts.iter().flatten().sum();
    assert_eq!(count(), sum);
    for pair in 0..3 {
        let shares = attempts.iter().skip(pair).step_by(3);
        let is_fair = |[first, second]: &[u64; 2]| first + second <= 4 * first.min(second);
        assert!(shares.clone().any(is_fair), "{:?}", shares.collect::<Vec<_>>());
    }
}

#[test]
fn each_thread_gets_its_share_of_a_mutex() {
    let mutex = Mutex::new(0);
    check_shares(|| *mutex.lock() += 1, || *mutex.lock());
}

#[test]
fn each_thread_gets_its_share_of_a_read_write_lock() {
    let lock = RwLock::new(0);
    check_shares(|| *lock.write() += 1, || *lock.read());
}

#[test]
fn each_thread_gets_its_share_of_a_semaphore() {
    let (semaphore, count) = (Semaphore::new(1), std::sync::atomic::AtomicU64::new(0));
    let operation = || {
        let _permit = semaphore.acquire();
        let before = count.load(Ordering::Relaxed);
        count.store(before + 1, Ordering::Relaxed);
    };
    check_shares(operation, || count.load(Ordering::Relaxed));
}

/// A thread that takes the lock again directly after each release, and holds it almost always.
fn hog<G>(over: &AtomicBool, take: impl Fn() -> G) {
    while !over.load(Ordering::Relaxed) {
        let held = take();
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(100) {}
        drop(held);
    }
}

/// Checks that a waiter gets a lock that `hog` holds in about half a millisecond.
fn check_wait<A, B>(hold: impl Fn() -> A + Sync, take: impl Fn() -> B + Sync) {
    // Waiting for luck would take longer.
    measure_until(|took| *took < ms(200) * TIMES, || wait_beside_a_hog(&hold, &take));
}

const TIMES: u32 = 40;

/// Returns how long it takes to get the lock [`TIMES`] times.
fn wait_beside_a_hog<A, B>(
    hold: &(impl Fn() -> A + Sync),
    take: &(impl Fn() -> B + Sync),
) -> Duration {
    let over = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| hog(&over, hold));
        let began = Instant::now();
        let wait = || {
            for _ in 0..TIMES / 2 {
                drop(take());
                thread::sleep(ms(1));
            }
        };
        wait();
        fibra::run(wait);
        let elapsed = began.elapsed();
        over.store(true, Ordering::Relaxed);
        elapsed
    })
}

#[test]
fn a_waiter_gets_a_lock_that_another_thread_takes_again_and_again() {
    let mutex = Mutex::new(());
    check_wait(|| mutex.lock(), || mutex.lock());
    let lock = RwLock::new(());
    check_wait(|| lock.write(), || lock.write());
    check_wait(|| lock.write(), || lock.read());
    check_wait(|| lock.read(), || lock.write());
    let semaphore = Semaphore::new(2);
    check_wait(|| semaphore.acquire(), || semaphore.acquire_many(2));
}
