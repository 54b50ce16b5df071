//! Tests `sync::RwLock`.

use std::sync::Arc;

use fibra::sync::{RwLock, RwLockWriteGuard, TimeoutError};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{check, log, ms, panic_of, run_virtually};

/// Spawns a fiber that reads, logs its name twice, with a turn in between.
fn reader(lock: &Arc<RwLock<u32>>, name: &'static str) -> JoinHandle<()> {
    let lock = lock.clone();
    spawn(move || {
        let _guard = lock.read();
        log(name);
        yield_now();
        log(name);
    })
}

/// Like `reader`, but the fiber writes.
fn writer(lock: &Arc<RwLock<u32>>, name: &'static str) -> JoinHandle<()> {
    let lock = lock.clone();
    spawn(move || {
        let mut guard = lock.write();
        *guard += 1;
        log(name);
        yield_now();
        log(name);
    })
}

fn join_all(handles: impl IntoIterator<Item = JoinHandle<()>>) {
    handles.into_iter().for_each(|handle| handle.join().unwrap());
}

#[test]
fn readers_share_it_and_writers_do_not() {
    fibra::run(|| {
        let lock = Arc::new(RwLock::new(0));
        join_all([reader(&lock, "r"), reader(&lock, "s"), writer(&lock, "w"), writer(&lock, "x")]);
        assert_eq!(*lock.read(), 2);
        assert!(!lock.is_locked());
    });
    check("r s r s w w x x");
}

#[test]
fn a_reader_behind_a_writer_waits_for_it() {
    fibra::run(|| {
        let lock = Arc::new(RwLock::new(0));
        let first = lock.read();
        let second = lock.try_read().unwrap();
        let fibers =
            [writer(&lock, "w"), reader(&lock, "r"), reader(&lock, "s"), writer(&lock, "x")];
        yield_now();
        assert!(lock.try_read().is_none() && lock.try_write().is_none());
        drop(first);
        yield_now();
        log("main");
        drop(second);
        join_all(fibers);
        assert!(!lock.is_locked());
    });
    check("main w w r s r s x x");
}

#[test]
fn a_writer_that_leaves_lets_the_readers_behind_it_in() {
    for killed in [true, false] {
        run_virtually(|| {
            let lock = Arc::new(RwLock::new(0));
            let main = lock.read();
            let other = lock.clone();
            let writer = spawn(move || drop(other.write_timeout(ms(5))));
            yield_now();
            let readers = [reader(&lock, "r"), reader(&lock, "s")];
            yield_now();
            check("");
            if killed {
                writer.kill();
            }
            join_all(readers);
            assert_eq!(writer.join().is_err(), killed);
            drop(main);
            assert!(lock.try_write().is_some());
        });
        check("r s r s");
    }
}

#[test]
fn readers_that_leave_do_not_keep_the_writer() {
    run_virtually(|| {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        assert_eq!(lock.read_timeout(ms(1)).unwrap_err(), TimeoutError::Timeout);
        assert_eq!(lock.write_deadline(fibra::now()).unwrap_err(), TimeoutError::Timeout);
        assert_eq!(lock.read_deadline(fibra::now()).unwrap_err(), TimeoutError::Timeout);
        let killed = reader(&lock, "killed");
        let last = writer(&lock, "last");
        yield_now();
        killed.kill();
        yield_now();
        drop(guard);
        last.join().unwrap();
        assert!(killed.join().is_err());
        assert!(lock.read_timeout(ms(1)).is_ok() && lock.write_timeout(ms(1)).is_ok());
    });
    check("last last");
}

#[test]
fn a_lock_that_was_handed_over_beats_a_kill() {
    fibra::run(|| {
        for writes in [true, false] {
            let lock = Arc::new(RwLock::new(0));
            let guard = lock.write();
            let waits = if writes { writer(&lock, "w") } else { reader(&lock, "r") };
            yield_now();
            drop(guard);
            waits.kill();
            assert!(waits.join().is_err());
            assert!(!lock.is_locked());
        }
    });
    check("w r");
}

#[test]
fn a_writer_may_go_on_as_a_reader() {
    fibra::run(|| {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.write();
        let fibers = [reader(&lock, "r"), writer(&lock, "w"), reader(&lock, "s")];
        yield_now();
        let guard = RwLockWriteGuard::downgrade(guard);
        yield_now();
        yield_now();
        log("main");
        drop(guard);
        join_all(fibers);
        assert!(!lock.is_locked());
    });
    check("r r main w w s s");
}

#[test]
fn the_data_is_reached_with_and_without_the_lock() {
    let mut lock = RwLock::new(1);
    *lock.write() += 1;
    *lock.get_mut() += 1;
    assert_eq!(format!("{lock:?} {:?} {}", lock.read(), lock.read()), "RwLock { data: 3, .. } 3 3");
    let guard = lock.write();
    assert_eq!(format!("{lock:?} {guard:?} {guard}"), "RwLock { data: <locked>, .. } 3 3");
    drop(guard);
    assert_eq!(lock.into_inner(), 3);
    assert_eq!(*RwLock::from(1).read() + *RwLock::<i32>::default().read(), 1);
}

#[test]
fn a_plain_thread_that_would_wait_for_itself_panics() {
    let lock = RwLock::new(());
    let _guard = lock.write();
    let text = panic_of(|| drop(lock.read()));
    assert_eq!(text, "this thread would wait forever: it holds the lock itself");
}

#[test]
fn fibers_and_threads_share_it() {
    static LOCK: RwLock<u64> = RwLock::new(0);
    let write = || (0..500).for_each(|_| *LOCK.write() += 1);
    let read = || {
        let mut last = 0;
        for _ in 0..500 {
            let now = *LOCK.read();
            assert!(last <= now);
            last = now;
        }
    };
    let threads = [elsewhere(write), elsewhere(read), thread(write), thread(read)];
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*LOCK.read(), 1_000);
}
