//! Tests `sync::ReentrantMutex`.

use std::cell::Cell;
use std::sync::Arc;

use fibra::sync::{ReentrantMutex, TimeoutError};
use fibra::{spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{check, log, ms, run_virtually};

#[test]
fn its_owner_locks_it_again_and_others_wait_for_the_last_guard() {
    fibra::run(|| {
        let mutex = Arc::new(ReentrantMutex::new(Cell::new(0)));
        let other = mutex.clone();
        let first = mutex.lock();
        let second = mutex.lock();
        let third = mutex.try_lock().unwrap();
        third.set(first.get() + second.get() + 1);
        let waits = spawn(move || {
            assert!(other.try_lock().is_none());
            let outer = other.lock();
            let inner = other.lock();
            log(inner.get());
            drop(outer);
            yield_now();
            drop(inner);
        });
        yield_now();
        drop(first);
        drop(third);
        yield_now();
        log("main");
        drop(second);
        yield_now();
        assert!(mutex.try_lock().is_none(), "it has the inner guard");
        waits.join().unwrap();
        assert!(!mutex.is_locked());
    });
    check("main 1");
}

#[test]
fn a_deadline_ends_the_wait() {
    run_virtually(|| {
        let mutex: &'static ReentrantMutex<u8> = Box::leak(Box::default());
        let guard = mutex.lock();
        let other = spawn(|| {
            let early = mutex.lock_timeout(ms(5)).map(|guard| *guard);
            (early, mutex.lock_deadline(fibra::now() + ms(1)).is_err())
        });
        assert_eq!(other.join().unwrap(), (Err(TimeoutError::Timeout), true));
        assert!(mutex.lock_timeout(ms(0)).is_ok() && mutex.lock_deadline(fibra::now()).is_ok());
        drop(guard);
    });
}

#[test]
fn a_kill_releases_all_guards() {
    fibra::run(|| {
        let mutex = Arc::new(ReentrantMutex::new(()));
        let other = mutex.clone();
        let killed = spawn(move || {
            let _guards = (other.lock(), other.lock());
            fibra::park();
        });
        yield_now();
        killed.kill();
        drop(mutex.lock());
        assert!(killed.join().is_err());
    });
}

#[test]
fn the_data_is_reached_with_and_without_the_lock() {
    let mut mutex = ReentrantMutex::new(1);
    *mutex.get_mut() += 1;
    let guard = mutex.lock();
    assert_eq!(format!("{mutex:?} {guard:?} {guard}"), "ReentrantMutex { data: 2, .. } 2 2");
    drop(guard);
    assert_eq!(mutex.into_inner() + ReentrantMutex::from(1).into_inner(), 3);
}

#[test]
fn fibers_and_threads_take_turns() {
    static MUTEX: ReentrantMutex<Cell<u32>> = ReentrantMutex::new(Cell::new(0));
    let add = || {
        for _ in 0..500 {
            let outer = MUTEX.lock();
            let inner = MUTEX.lock();
            inner.set(outer.get() + 1);
        }
    };
    let threads = [elsewhere(add), elsewhere(add), thread(add)];
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(MUTEX.lock().get(), 1_500);
}
