//! Tests of guards that are released by another fiber than the one that locked: no fiber that is
//! not part of a deadlock gets one reported.

#![allow(
    clippy::disallowed_methods,
    reason = "starts threads, which it joins, and reads the clock"
)]

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fibra::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use fibra::{sleep, spawn};

use crate::support::{ms, panic_of};

/// Longer than a wait for a lock lasts before the scheduler checks it for a deadlock.
const LONG: Duration = ms(100);

/// Keeps `guard` on another fiber for a while.
fn keep<T: 'static>(guard: T) {
    drop(spawn(move || {
        sleep(LONG);
        drop(guard);
    }));
}

#[test]
fn a_fiber_that_has_handed_a_guard_on_may_lock_again() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    static LOCK: RwLock<u32> = RwLock::new(0);
    fibra::run(|| {
        for _ in 0..3 {
            keep(MutexGuard::hand_on(MUTEX.lock()));
            keep(RwLockReadGuard::hand_on(LOCK.read()));
            keep(RwLockWriteGuard::hand_on(LOCK.write()));
        }
        assert_eq!((*MUTEX.lock(), *LOCK.read()), (0, 0));
    });
}

#[test]
fn a_guard_that_was_handed_on_closes_no_circle() {
    fibra::run(|| {
        let [a, b] = [(); 2].map(|()| Arc::new(Mutex::new(())));
        let lent: &'static Mutex<()> = Box::leak(Box::default());
        let other = b.clone();
        let first = spawn(move || {
            keep(MutexGuard::hand_on(lent.lock()));
            let _a = a.lock();
            sleep(ms(10));
            drop(other.lock());
        });
        let second = spawn(move || {
            let _b = b.lock();
            sleep(ms(5));
            drop(lent.lock());
        });
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn a_guard_that_was_handed_out_of_its_run_is_not_that_of_a_run_that_is_over() {
    static MUTEX: Mutex<u32> = Mutex::new(0);
    let guard = fibra::run(|| MutexGuard::hand_on(MUTEX.lock()));
    let (begin, begun) = mpsc::channel();
    let other = thread::spawn(move || {
        begin.send(()).unwrap();
        fibra::run(|| spawn(|| *MUTEX.lock() += 1).join().unwrap());
    });
    begun.recv().unwrap();
    thread::sleep(LONG);
    drop(guard);
    other.join().unwrap();
    assert_eq!(*MUTEX.lock(), 1);
}

#[test]
fn a_guard_that_was_handed_on_and_is_lost_is_reported_when_nothing_can_run() {
    let report = panic_of(|| {
        fibra::run(|| {
            let mutex = Mutex::new(());
            std::mem::forget(MutexGuard::hand_on(mutex.lock()));
            drop(mutex.lock());
        });
    });
    assert!(report.contains("locking a mutex held by the thread that called `run`"), "{report}");
}
