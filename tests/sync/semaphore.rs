//! Tests of the bounds of a semaphore, and of its end.

#![allow(
    clippy::disallowed_methods,
    reason = "starts threads, which it joins, and reads the clock"
)]

use std::time::Duration;

use fibra::sync::{Semaphore, TimeoutError};

use crate::support::{check, go, join_panic, log, panic_of};

#[test]
fn permits_that_are_out_count_so_that_giving_them_back_never_overflows() {
    let semaphore = Semaphore::new(Semaphore::MAX_PERMITS);
    let out = semaphore.acquire_many(Semaphore::MAX_PERMITS);
    let text = panic_of(|| semaphore.add_permits(1));
    assert!(text.contains("more permits than a semaphore can have"), "{text}");
    drop(out);
    assert_eq!(semaphore.available(), Semaphore::MAX_PERMITS);
    semaphore.acquire_many(5).forget();
    semaphore.add_permits(5);
    assert_eq!(semaphore.available(), Semaphore::MAX_PERMITS);
}

#[test]
fn a_closed_semaphore_refuses_waiting_and_later_callers() {
    fibra::run(|| {
        let semaphore: &Semaphore = Box::leak(Box::new(Semaphore::new(1)));
        let permit = semaphore.acquire();
        go(|| log(semaphore.acquire_timeout(Duration::MAX).unwrap_err()));
        let panics = fibra::spawn(|| drop(semaphore.acquire()));
        fibra::yield_now();
        semaphore.close();
        let text = join_panic(panics);
        assert!(text.contains("cannot acquire a permit: the semaphore is closed"), "{text}");
        drop(permit);
        assert!(semaphore.is_closed() && semaphore.try_acquire().is_none());
        assert_eq!(semaphore.acquire_timeout(Duration::ZERO).unwrap_err(), TimeoutError::Closed);
        assert_eq!(semaphore.available(), 1);
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_none());
    });
    check("closed");
}

#[test]
fn a_thread_that_waits_at_a_semaphore_that_is_closed_goes_on() {
    static SEMAPHORE: Semaphore = Semaphore::new(0);
    let waits = std::thread::spawn(|| SEMAPHORE.acquire_timeout(Duration::from_secs(60)).map(drop));
    while !format!("{SEMAPHORE:?}").contains("waiting: 1") {
        std::hint::spin_loop();
    }
    SEMAPHORE.close();
    assert_eq!(waits.join().unwrap(), Err(TimeoutError::Closed));
}
