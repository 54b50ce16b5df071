//! Tests `sync::Condvar`.

use std::sync::Arc;

use fibra::sync::{Condvar, Mutex};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{check, go, log, ms, run_virtually};

type Pair = Arc<(Mutex<u32>, Condvar)>;

/// Spawns a fiber that waits for one notification, and logs its name with the lock.
fn waiter(pair: &Pair, name: &'static str) -> JoinHandle<()> {
    let pair = pair.clone();
    spawn(move || {
        let _guard = pair.1.wait(pair.0.lock());
        log(name);
    })
}

fn join_all(handles: impl IntoIterator<Item = JoinHandle<()>>) {
    handles.into_iter().for_each(|handle| handle.join().unwrap());
}

#[test]
fn notifications_end_waits_in_the_order_in_which_they_began() {
    fibra::run(|| {
        let pair = Pair::default();
        pair.1.notify_all();
        let waiters = ["a", "b", "c", "d", "e"].map(|name| waiter(&pair, name));
        yield_now();
        pair.1.notify_one();
        yield_now();
        log("one");
        pair.1.notify_many(2);
        yield_now();
        log("two");
        assert_eq!(format!("{:?}", pair.1), "Condvar { waiting: 2 }");
        pair.1.notify_all();
        join_all(waiters);
    });
    check("a one b c two d e");
}

#[test]
fn a_wait_has_the_lock_when_it_returns() {
    fibra::run(|| {
        let pair = Pair::default();
        let waits = waiter(&pair, "waiter");
        yield_now();
        let guard = pair.0.lock();
        pair.1.notify_one();
        yield_now();
        log("main");
        drop(guard);
        waits.join().unwrap();
    });
    check("main waiter");
}

#[test]
fn a_condition_is_waited_for() {
    fibra::run(|| {
        let pair = Pair::default();
        let other = pair.clone();
        let waits = spawn(move || *other.1.wait_while(other.0.lock(), |n| *n < 3));
        for _ in 0..5 {
            yield_now();
            *pair.0.lock() += 1;
            pair.1.notify_one();
        }
        assert!(3 <= waits.join().unwrap());
    });
}

#[test]
fn a_deadline_ends_the_wait_and_the_lock_is_the_callers_again() {
    run_virtually(|| {
        let pair = Pair::default();
        let start = fibra::now();
        let (guard, result) = pair.1.wait_timeout(pair.0.lock(), ms(5));
        assert!(result.timed_out() && pair.0.is_locked());
        let (guard, result) = pair.1.wait_deadline(guard, start + ms(7));
        assert!(result.timed_out());
        assert_eq!(fibra::now() - start, ms(7));
        let (guard, result) = pair.1.wait_timeout_while(guard, ms(3), |n| *n == 0);
        assert!(result.timed_out());
        let other = pair.clone();
        go(move || {
            fibra::sleep(ms(1));
            *other.0.lock() = 1;
            other.1.notify_one();
        });
        let (guard, result) = pair.1.wait_timeout_while(guard, ms(3), |n| *n == 0);
        assert!(!result.timed_out());
        assert_eq!((*guard, fibra::now() - start), (1, ms(11)));
    });
}

#[test]
fn a_fiber_that_is_killed_unwinds_without_the_lock() {
    fibra::run(|| {
        let pair = Pair::default();
        let [a, b] = ["a", "b"].map(|name| waiter(&pair, name));
        yield_now();
        a.kill();
        let guard = pair.0.lock();
        assert!(a.join().is_err(), "it needs no lock to unwind");
        drop(guard);
        pair.1.notify_one();
        b.join().unwrap();
    });
    check("b");
}

#[test]
fn a_notification_of_a_killed_fiber_goes_to_the_next_one() {
    fibra::run(|| {
        let pair = Pair::default();
        let [a, b] = ["a", "b"].map(|name| waiter(&pair, name));
        yield_now();
        let guard = pair.0.lock();
        pair.1.notify_one();
        yield_now();
        a.kill(); // it was notified and waits for the mutex
        yield_now();
        drop(guard);
        b.join().unwrap();
        assert!(a.join().is_err());
    });
    check("b");
}

#[test]
fn fibers_and_threads_pass_jobs() {
    static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    static CHANGED: Condvar = Condvar::new();
    let consume = || {
        let mut sum = 0;
        loop {
            let mut queue = CHANGED.wait_while(QUEUE.lock(), |queue| queue.is_empty());
            match queue.pop() {
                Some(0) | None => return sum,
                Some(n) => sum += n,
            }
        }
    };
    let consumers = [elsewhere(consume), elsewhere(consume), thread(consume)];
    for n in 1..=300 {
        QUEUE.lock().push(n);
        CHANGED.notify_one();
    }
    while !QUEUE.lock().is_empty() {
        std::thread::yield_now();
    }
    QUEUE.lock().extend([0; 3]);
    CHANGED.notify_all();
    let sum: u32 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
    assert_eq!(sum, 300 * 301 / 2);
}
