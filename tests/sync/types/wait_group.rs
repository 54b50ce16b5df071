//! Tests `sync::WaitGroup`.

use std::sync::Arc;

use fibra::sync::{TimeoutError, WaitGroup};
use fibra::{spawn, yield_now};

use crate::support::sync::thread;
use crate::support::{check, go, log, ms, panic_of, run_virtually};

#[test]
fn it_waits_until_the_last_worker_is_done() {
    run_virtually(|| {
        let group: &'static WaitGroup = Box::leak(Box::default());
        group.wait();
        for i in 1..=3 {
            let worker = group.worker();
            go(move || {
                fibra::sleep(ms(i));
                log(i);
                drop(worker);
            });
        }
        let other = spawn(|| {
            group.wait();
            log("other");
        });
        assert_eq!(group.workers(), 3);
        group.wait();
        log("main");
        other.join().unwrap();
        assert_eq!(format!("{group:?}"), "WaitGroup { workers: 0, waiting: 0 }");
    });
    check("1 2 3 main other");
}

#[test]
fn workers_can_be_counted_by_hand() {
    fibra::run(|| {
        let group = Arc::new(WaitGroup::new());
        group.add(2);
        for _ in 0..2 {
            let group = group.clone();
            go(move || group.done());
        }
        group.wait();
        let text = panic_of(|| group.done());
        assert_eq!(text, "`done` was called on a wait group without workers");
        assert_eq!(group.workers(), 0);
        assert!(panic_of(|| group.add(usize::MAX)).contains("more workers"));
    });
}

#[test]
fn a_killed_worker_is_done() {
    fibra::run(|| {
        let group = Arc::new(WaitGroup::new());
        let other = group.clone();
        let killed = spawn(move || {
            let _worker = other.worker();
            fibra::park();
        });
        yield_now();
        killed.kill();
        group.wait();
        assert!(killed.join().is_err());
    });
}

#[test]
fn a_wait_ends_when_the_count_was_zero_also_if_it_rises_again() {
    fibra::run(|| {
        let group = Arc::new(WaitGroup::new());
        let worker = group.worker();
        let other = group.clone();
        let waits = spawn(move || other.wait());
        yield_now();
        drop(worker);
        let _again = group.worker();
        waits.join().unwrap();
        assert_eq!(group.workers(), 1);
    });
}

#[test]
fn a_deadline_ends_the_wait() {
    run_virtually(|| {
        let group = WaitGroup::new();
        let worker = group.worker();
        let start = fibra::now();
        assert_eq!(group.wait_timeout(ms(5)), Err(TimeoutError::Timeout));
        assert_eq!(group.wait_deadline(start + ms(6)), Err(TimeoutError::Timeout));
        assert_eq!(fibra::now() - start, ms(6));
        drop(worker);
        assert_eq!(group.wait_timeout(ms(5)), Ok(()));
    });
}

#[test]
fn workers_may_be_threads() {
    static GROUP: WaitGroup = WaitGroup::new();
    fibra::run(|| {
        let threads = [(); 4].map(|()| {
            let worker = GROUP.worker();
            thread(move || drop(worker))
        });
        GROUP.wait();
        assert_eq!(GROUP.workers(), 0);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
