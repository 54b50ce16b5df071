//! The token of `thread::park` belongs to the thread: no wait of this crate takes it.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::ms;

/// Returns whether `thread::park` on this thread returns immediately.
fn has_token() -> bool {
    let start = Instant::now();
    thread::park_timeout(Duration::from_secs(3));
    start.elapsed() < Duration::from_secs(2)
}

#[test]
fn a_scheduler_that_sleeps_leaves_it_there() {
    thread::current().unpark();
    fibra::run(|| fibra::sleep(ms(5)));
    assert!(has_token());
}

#[test]
fn a_scheduler_that_is_woken_by_another_thread_leaves_it_there() {
    let this = thread::current();
    fibra::run(|| {
        let unparker = fibra::current().unparker();
        let thread = thread::spawn(move || {
            thread::sleep(ms(5));
            this.unpark();
            unparker.unpark();
        });
        fibra::park();
        thread.join().unwrap();
    });
    assert!(has_token());
}

#[test]
fn a_scheduler_that_ends_leaves_none_behind() {
    fibra::run(|| {
        let unparker = fibra::current().unparker();
        let thread = thread::spawn(move || {
            thread::sleep(ms(5));
            unparker.unpark();
        });
        fibra::park();
        thread.join().unwrap();
    });
    assert!(!has_token());
}

#[test]
fn a_thread_that_waits_for_a_lock_keeps_it() {
    let lock = Arc::new(fibra::sync::Mutex::new(()));
    let held = lock.lock();
    let other = lock.clone();
    let waiter = thread::spawn(move || {
        thread::current().unpark();
        drop(other.lock());
        has_token()
    });
    thread::sleep(ms(20));
    drop(held);
    assert!(waiter.join().unwrap());
}

#[test]
fn a_thread_that_waits_for_a_future_keeps_it() {
    let (sender, receiver) = async_channel::bounded(1);
    let waiter = thread::spawn(move || {
        thread::current().unpark();
        fibra::future::block_on(receiver.recv()).unwrap();
        has_token()
    });
    thread::sleep(ms(20));
    sender.send_blocking(()).unwrap();
    assert!(waiter.join().unwrap());
}
