//! Attacks on jobs whose fibers stop waiting: kills, time limits, the end of `run`, destructors
//! that panic or wait.

#![allow(clippy::disallowed_methods, reason = "plain threads and jobs, which may block")]

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, ThreadId};

use fibra::blocking::{self, ThreadPool, uninterruptible};
use fibra::time::timeout;
use fibra::{spawn, yield_now};

use crate::support::{OnDrop, check, join_panic, log, ms};

/// Sends the thread on which it is dropped, and whether it is dropped in a fiber.
struct Traced(Sender<(ThreadId, bool)>);

impl Drop for Traced {
    fn drop(&mut self) {
        self.0.send((thread::current().id(), fibra::in_fiber())).unwrap();
    }
}

fn traced() -> (Traced, Receiver<(ThreadId, bool)>) {
    let (sender, receiver) = channel();
    (Traced(sender), receiver)
}

/// Returns a pool of one thread, which is busy until the sender is used or dropped.
fn busy_pool() -> (ThreadPool, Sender<()>) {
    let pool = ThreadPool::new(1);
    let (open, opened) = channel::<()>();
    let (begin, begun) = channel();
    pool.spawn(move || {
        begin.send(()).unwrap();
        let _ = opened.recv();
    })
    .detach();
    begun.recv().unwrap();
    (pool, open)
}

#[test]
fn a_job_that_has_not_begun_is_dropped_with_its_fiber_and_never_runs() {
    let (pool, open) = busy_pool();
    let (witness, dropped) = traced();
    let ran = Arc::new(AtomicBool::new(false));
    let runs = ran.clone();
    fibra::run(|| {
        fibra::scope(|s| {
            let caller = s.spawn(|| {
                pool.run(move || {
                    let _witness = witness;
                    runs.store(true, Ordering::SeqCst);
                });
            });
            yield_now();
            assert_eq!(pool.stats().queued, 1);
            caller.kill();
            assert!(caller.join().unwrap_err().is_killed());
            // It was dropped although the only thread is busy.
            assert_eq!(dropped.try_recv().unwrap(), (thread::current().id(), true));
        });
        open.send(()).unwrap();
        assert_eq!(pool.run(|| "the next"), "the next");
    });
    assert!(!ran.load(Ordering::SeqCst));
    assert_eq!((pool.stats().threads, pool.stats().queued), (1, 0));
}

#[test]
fn a_job_that_has_begun_goes_on_and_its_result_is_dropped_on_its_thread() {
    for limited in [false, true] {
        let (witness, dropped) = traced();
        let (open, opened) = channel::<()>();
        let (begin, begun) = channel();
        let pool = ThreadPool::new(1);
        let job = move || {
            begin.send(thread::current().id()).unwrap();
            opened.recv().unwrap();
            witness
        };
        let pool_thread = fibra::run(|| {
            let worker = fibra::scope(|s| {
                let caller = s.spawn(|| {
                    if limited {
                        assert!(timeout(ms(20), || pool.run(job)).is_err());
                    } else {
                        pool.run(job);
                    }
                });
                yield_now();
                // This thread waits, so that the time is not over before the job has begun.
                let worker = begun.recv().unwrap();
                if limited {
                    caller.join().unwrap();
                } else {
                    caller.kill();
                    assert!(caller.join().unwrap_err().is_killed());
                }
                worker
            });
            assert!(dropped.try_recv().is_err());
            worker
        });
        open.send(()).unwrap();
        assert_eq!(dropped.recv().unwrap(), (pool_thread, false));
        // The thread has survived all of this.
        assert_eq!(pool.spawn(|| thread::current().id()).join().unwrap(), pool_thread);
    }
}

#[test]
fn the_end_of_run_waits_for_no_job_and_drops_nothing_in_the_run_loop() {
    let (pool, open) = busy_pool();
    let (witness, dropped) = traced();
    let (begun_witness, begun_dropped) = traced();
    let (go_on, gone_on) = channel::<()>();
    let pool = Arc::new(pool);
    fibra::run(|| {
        let queued = pool.clone();
        drop(spawn(move || queued.run(move || drop(witness))));
        let (begin, begun) = channel();
        drop(spawn(move || {
            fibra::blocking(move || {
                begin.send(()).unwrap();
                let _ = gone_on.recv();
                begun_witness
            })
        }));
        yield_now();
        begun.recv().unwrap();
    });
    assert_eq!(dropped.recv().unwrap(), (thread::current().id(), true));
    assert!(begun_dropped.try_recv().is_err());
    go_on.send(()).unwrap();
    assert!(!begun_dropped.recv().unwrap().1);
    drop(open);
}

#[test]
fn a_join_that_is_left_leaves_the_job_to_itself() {
    let (pool, open) = busy_pool();
    let (witness, dropped) = traced();
    fibra::run(|| {
        let job = pool.spawn(move || witness);
        assert!(timeout(ms(1), || job.join()).is_err());
    });
    open.send(()).unwrap();
    let (at, in_fiber) = dropped.recv().unwrap();
    assert!(at != thread::current().id() && !in_fiber);
}

#[test]
fn a_result_that_is_not_joined_is_dropped_with_its_handle() {
    let (witness, dropped) = traced();
    let job = blocking::global().spawn(move || witness);
    while !job.is_finished() {
        thread::yield_now();
    }
    assert!(dropped.try_recv().is_err());
    drop(job);
    assert_eq!(dropped.try_recv().unwrap(), (thread::current().id(), false));
}

#[test]
fn kills_and_results_that_meet_lose_neither_results_nor_threads() {
    static LIVE: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Counted {
        fn new() -> Counted {
            LIVE.fetch_add(1, Ordering::SeqCst);
            Counted
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            LIVE.fetch_sub(1, Ordering::SeqCst);
        }
    }

    let pool = ThreadPool::new(2);
    fibra::run(|| {
        fibra::scope(|s| {
            for round in 0..2_000 {
                let pool = &pool;
                let caller = s.spawn(move || {
                    let owned = Counted::new();
                    pool.run(move || (owned, Counted::new()))
                });
                (0..round % 5).for_each(|_| yield_now());
                if round % 7 == 0 {
                    thread::yield_now();
                }
                caller.kill();
                drop(caller.join());
            }
        });
    });
    pool.shutdown();
    assert_eq!(LIVE.load(Ordering::SeqCst), 0);
}

#[test]
fn destructors_that_panic_or_wait_do_no_harm() {
    let (pool, open) = busy_pool();
    fibra::run(|| {
        fibra::scope(|s| {
            let panics = OnDrop(|| panic!("in the destructor of a closure"));
            let caller = s.spawn(|| pool.run(move || drop(panics)));
            yield_now();
            caller.kill();
            assert!(caller.join().unwrap_err().is_killed());

            let waits = OnDrop(|| {
                if fibra::in_fiber() {
                    fibra::sleep(ms(1));
                    log("slept");
                }
            });
            let caller = s.spawn(|| pool.run(move || drop(waits)));
            yield_now();
            caller.kill();
            assert!(caller.join().unwrap_err().is_killed());
            check("slept");
        });
        // On the pool's thread: a result with a panicking destructor, and a panic payload with one.
        pool.spawn(|| OnDrop(|| panic!("in the destructor of a result"))).detach();
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("in the destructor of a payload");
            }
        }
        pool.spawn(|| panic::panic_any(Bad)).detach();
        open.send(()).unwrap();
        assert_eq!(pool.run(|| 1), 1);
    });
    assert_eq!((pool.stats().threads, pool.stats().running), (1, 0));
}

#[test]
fn a_job_in_a_destructor_that_unwinds_is_waited_for() {
    fibra::run(|| {
        let child = spawn(|| {
            let _calls = OnDrop(|| {
                log(fibra::blocking(|| "blocking"));
                log(uninterruptible(|| "uninterruptible"));
            });
            panic!("the body");
        });
        assert_eq!(join_panic(child), "the body");
        let child = spawn(|| {
            let _calls = OnDrop(|| log(fibra::blocking(|| "killed")));
            fibra::park();
        });
        yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("blocking uninterruptible killed");
}
