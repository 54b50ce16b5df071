//! Tests `sync::Semaphore`.

use std::sync::Arc;

use fibra::sync::{Permit, Semaphore, TimeoutError};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::thread;
use crate::support::{check, go, log, ms, panic_of, run_virtually};

/// Spawns a fiber that acquires `permits`, logs its name, and holds them for a turn.
fn worker(semaphore: &Arc<Semaphore>, name: &'static str, permits: usize) -> JoinHandle<()> {
    let semaphore = semaphore.clone();
    spawn(move || {
        let _permit = semaphore.acquire_many(permits);
        log(name);
        yield_now();
    })
}

fn join_all(handles: impl IntoIterator<Item = JoinHandle<()>>) {
    handles.into_iter().for_each(|handle| handle.join().unwrap());
}

#[test]
fn as_many_as_there_are_permits_come_in_at_once() {
    run_virtually(|| {
        let semaphore = Arc::new(Semaphore::new(3));
        let start = fibra::now();
        let workers: Vec<_> = (0..7)
            .map(|_| {
                let semaphore = semaphore.clone();
                spawn(move || {
                    let _permit = semaphore.acquire();
                    fibra::sleep(ms(10));
                })
            })
            .collect();
        yield_now();
        assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 0, waiting: 4 }");
        join_all(workers);
        assert_eq!(fibra::now() - start, ms(30));
        assert_eq!(semaphore.available(), 3);
    });
}

#[test]
fn a_big_request_is_not_passed_by_small_ones() {
    fibra::run(|| {
        let semaphore = Arc::new(Semaphore::new(3));
        let one = semaphore.acquire();
        let workers = [("big", 3), ("small", 1), ("none", 0)];
        let workers = workers.map(|(name, permits)| worker(&semaphore, name, permits));
        yield_now();
        assert_eq!(semaphore.available(), 2);
        assert!(semaphore.try_acquire().is_none(), "somebody waits");
        log("main");
        drop(one);
        join_all(workers);
        assert_eq!(semaphore.available(), 3);
    });
    check("main big small none");
}

#[test]
fn a_waiter_that_leaves_lets_the_ones_behind_it_in() {
    for killed in [true, false] {
        run_virtually(|| {
            let semaphore = Arc::new(Semaphore::new(2));
            let one = semaphore.acquire();
            let other = semaphore.clone();
            let big = spawn(move || drop(other.acquire_many_timeout(2, ms(5))));
            yield_now();
            let small = worker(&semaphore, "small", 1);
            yield_now();
            check("");
            if killed {
                big.kill();
            }
            small.join().unwrap();
            assert_eq!(big.join().is_err(), killed);
            drop(one);
            assert_eq!(semaphore.available(), 2);
        });
        check("small");
    }
}

#[test]
fn permits_can_be_added_forgotten_and_taken_without_waiting() {
    let semaphore = Semaphore::new(1);
    let first = semaphore.try_acquire().unwrap();
    assert_eq!(first.permits(), 1);
    assert!(semaphore.try_acquire().is_none());
    semaphore.add_permits(2);
    let two = semaphore.try_acquire_many(2).unwrap();
    assert!(semaphore.try_acquire_many(1).is_none());
    first.forget();
    drop(two);
    assert_eq!(semaphore.available(), 2);
    assert_eq!(format!("{:?}", semaphore.acquire_many(2)), "Permit { permits: 2, .. }");
    let text = panic_of(|| semaphore.add_permits(Semaphore::MAX_PERMITS));
    assert_eq!(text, "more permits than a semaphore can have");
}

#[test]
fn added_permits_go_to_the_waiting_fibers_in_order() {
    fibra::run(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let workers = [("a", 1), ("b", 2), ("c", 1)];
        let workers = workers.map(|(name, permits)| worker(&semaphore, name, permits));
        yield_now();
        semaphore.add_permits(2);
        yield_now();
        log("two");
        join_all(workers);
    });
    check("a two b c");
}

#[test]
fn a_deadline_ends_the_wait() {
    run_virtually(|| {
        let semaphore = Semaphore::new(1);
        let start = fibra::now();
        let permit = semaphore.acquire();
        assert_eq!(semaphore.acquire_timeout(ms(5)).unwrap_err(), TimeoutError::Timeout);
        assert_eq!(semaphore.acquire_deadline(start + ms(8)).unwrap_err(), TimeoutError::Timeout);
        assert_eq!(fibra::now() - start, ms(8));
        drop(permit);
        assert!(semaphore.acquire_deadline(start).is_ok());
        assert!(semaphore.acquire_timeout(ms(0)).is_ok());
    });
}

#[test]
fn a_permit_that_was_given_beats_a_kill_and_goes_back() {
    fibra::run(|| {
        let semaphore = Arc::new(Semaphore::new(0));
        let other = semaphore.clone();
        let killed = spawn(move || {
            let _permit = other.acquire();
            log("has it");
            yield_now();
            log("never");
        });
        yield_now();
        semaphore.add_permits(1);
        killed.kill();
        assert!(killed.join().unwrap_err().is_killed());
        assert_eq!(semaphore.available(), 1);
    });
    check("has it");
}

#[test]
fn a_permit_may_be_dropped_in_another_thread() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    fibra::run(|| {
        let permit: Permit<'static> = SEMAPHORE.acquire();
        go(|| drop((SEMAPHORE.acquire(), log("fiber"))));
        yield_now();
        thread(move || drop(permit)).join().unwrap();
        drop(SEMAPHORE.acquire());
    });
    check("fiber");
}
