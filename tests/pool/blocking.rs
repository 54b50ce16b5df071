//! Tests `fibra::blocking` and offload pools: which thread runs which part, panics, limits, ends.

#![allow(clippy::disallowed_methods, reason = "plain threads and jobs, which may block")]

use std::collections::HashSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use fibra::blocking::{self, ThreadPool, uninterruptible};
use fibra::{spawn, yield_now};

use crate::support::{check, log, ms, panic_of, run_virtually, text_of};

/// Returns a job that reports its start and then waits for a value from the returned sender.
fn gate<T: Send + 'static>() -> (Sender<T>, Receiver<()>, impl FnOnce() -> T + Send) {
    let (open, opened) = channel();
    let (begin, begun) = channel();
    let job = move || {
        begin.send(()).unwrap();
        opened.recv().unwrap()
    };
    (open, begun, job)
}

#[test]
fn other_fibers_run_while_a_job_does() {
    fibra::run(|| {
        let (open, _begun, job) = gate();
        let caller = spawn(move || {
            log("calls");
            log(fibra::blocking(job));
        });
        spawn(move || {
            for step in ["a", "b", "c"] {
                log(step);
                yield_now();
            }
            open.send("back").unwrap();
        });
        caller.join().unwrap();
    });
    check("calls a b c back");
}

#[test]
fn a_job_runs_on_a_thread_of_its_pool_and_outside_of_any_fiber() {
    let scheduler = thread::current().id();
    fibra::run(|| {
        let (thread, name, in_fiber) = fibra::blocking(|| {
            let thread = thread::current();
            (thread.id(), thread.name().map(String::from), fibra::in_fiber())
        });
        assert_ne!(thread, scheduler);
        assert!(name.unwrap().starts_with("fibra-job-"));
        assert!(!in_fiber);
    });
}

#[test]
fn a_plain_thread_calls_the_closure_itself() {
    let me = thread::current().id();
    let pool = ThreadPool::new(1);
    assert_eq!(fibra::blocking(|| thread::current().id()), me);
    assert_eq!(uninterruptible(|| thread::current().id()), me);
    assert_eq!(pool.run(|| thread::current().id()), me);
    assert_eq!(pool.run_uninterruptible(|| thread::current().id()), me);
    assert_eq!(pool.stats().threads, 0);
    assert_ne!(pool.spawn(|| thread::current().id()).join().unwrap(), me);
}

#[test]
fn a_job_that_calls_into_its_own_pool_does_not_wait_for_itself() {
    fibra::run(|| {
        let pool = Arc::new(ThreadPool::new(1));
        let inner = pool.clone();
        assert_eq!(pool.run(move || inner.run(|| 7)), 7);
    });
}

#[test]
fn a_panic_goes_on_in_the_caller() {
    fibra::run(|| {
        assert_eq!(panic_of(|| fibra::blocking(|| panic!("in a job"))), "in a job");
        assert_eq!(panic_of(|| uninterruptible(|| panic!("in a job"))), "in a job");
        let handle = blocking::global().spawn(|| panic!("in a spawned job"));
        assert_eq!(text_of(&*handle.join().unwrap_err()), "in a spawned job");
        let raised = panic::catch_unwind(|| fibra::blocking(|| panic::resume_unwind(Box::new(42))));
        assert_eq!(*raised.unwrap_err().downcast::<i32>().unwrap(), 42);
        assert_eq!(fibra::blocking(|| 1), 1);
    });
}

#[test]
fn at_most_as_many_jobs_run_as_the_pool_has_threads() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let pool = ThreadPool::new(3);
    fibra::run(|| {
        fibra::scope(|s| {
            for _ in 0..200 {
                let (now, most, pool) = (now.clone(), most.clone(), &pool);
                s.spawn(move || {
                    pool.run(move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                });
            }
        });
    });
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    assert!(pool.stats().threads <= 3);
}

#[test]
fn threads_are_started_on_demand_and_all_of_them_work() {
    let pool = ThreadPool::new(4);
    let meeting = Arc::new(Barrier::new(4));
    fibra::run(|| {
        let jobs: Vec<_> = (0..4)
            .map(|_| {
                let meeting = meeting.clone();
                pool.spawn(move || meeting.wait().is_leader())
            })
            .collect();
        let leaders = jobs.into_iter().map(|job| job.join().unwrap());
        assert_eq!(leaders.filter(|leads| *leads).count(), 1);
        assert_eq!((pool.stats().threads, pool.stats().idle), (4, 4));
    });
}

#[test]
fn one_job_after_the_other_keeps_one_thread() {
    let pool = ThreadPool::new(4);
    fibra::run(|| {
        let threads: HashSet<_> = (0..1_000).map(|_| pool.run(|| thread::current().id())).collect();
        assert_eq!(threads.len(), 1);
        let borrowed = (0..100).map(|_| pool.run_uninterruptible(|| thread::current().id()));
        assert_eq!(borrowed.collect::<HashSet<_>>(), threads);
    });
    assert_eq!(pool.stats().threads, 1);
}

#[test]
fn a_full_pool_takes_jobs_in_the_order_in_which_they_came() {
    let pool = ThreadPool::new(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    fibra::run(|| {
        let (open, begun, job) = gate();
        let first = pool.spawn(job);
        begun.recv().unwrap();
        let jobs: Vec<_> = (0..50)
            .map(|n| {
                let order = order.clone();
                pool.spawn(move || order.lock().unwrap().push(n))
            })
            .collect();
        let stats = pool.stats();
        assert_eq!((stats.threads, stats.idle, stats.running, stats.queued), (1, 0, 1, 50));
        open.send(()).unwrap();
        first.join().unwrap();
        jobs.into_iter().for_each(|job| job.join().unwrap());
    });
    assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

#[test]
fn idle_threads_end_and_new_ones_come() {
    let pool =
        ThreadPool::builder().max_threads(3).idle_timeout(ms(1)).thread_name("brief").build();
    let meeting = Arc::new(Barrier::new(3));
    for round in 0..3 {
        let jobs = [(); 3].map(|()| {
            let meeting = meeting.clone();
            pool.spawn(move || {
                meeting.wait();
                thread::current().name().map(String::from)
            })
        });
        let names = jobs.map(|job| job.join().unwrap().unwrap());
        assert!(names.iter().all(|name| name.starts_with("brief-")), "round {round}: {names:?}");
        while pool.stats().threads != 0 {
            thread::yield_now();
        }
        assert_eq!(pool.stats(), blocking::Stats::default());
    }
}

#[test]
fn ten_thousand_jobs() {
    let pool = ThreadPool::new(2);
    let sum: u64 = fibra::run(|| {
        let jobs: Vec<_> = (0..10_000u64).map(|n| pool.spawn(move || n)).collect();
        jobs.into_iter().map(|job| job.join().unwrap()).sum()
    });
    assert_eq!(sum, 49_995_000);
    let from_fibers: u64 = fibra::run(|| {
        let waits = |n| {
            let pool = &pool;
            move || pool.run(move || n)
        };
        fibra::scope(|s| {
            let fibers: Vec<_> = (0..1_000u64).map(|n| s.spawn(waits(n))).collect();
            fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum()
        })
    });
    assert_eq!(from_fibers, 499_500);
    assert_eq!((pool.stats().queued, pool.stats().running), (0, 0));
}

#[test]
fn schedulers_of_several_threads_share_a_pool() {
    let pool = ThreadPool::new(2);
    thread::scope(|s| {
        for t in 0..4u64 {
            let pool = &pool;
            s.spawn(move || {
                fibra::run(|| {
                    fibra::scope(|fibers| {
                        for n in 0..100 {
                            fibers.spawn(move || assert_eq!(pool.run(move || t * n), t * n));
                        }
                    });
                });
            });
        }
    });
    assert!(pool.stats().threads <= 2);
}

#[test]
fn a_handle_is_joined_by_a_fiber_of_another_thread() {
    let pool = ThreadPool::new(1);
    let (open, begun, job) = gate();
    let handle = fibra::run(|| pool.spawn(job));
    begun.recv().unwrap();
    assert!(!handle.is_finished());
    thread::scope(|s| {
        s.spawn(|| fibra::run(|| assert_eq!(handle.join().unwrap(), "over")));
        open.send("over").unwrap();
    });
}

#[test]
fn a_fiber_that_waits_for_a_job_is_not_part_of_a_deadlock() {
    fibra::run(|| {
        for borrows in [false, true] {
            let (open, begun, job) = gate();
            // Sent when all fibers wait already, or nearly all.
            let opener = thread::spawn(move || {
                begun.recv().unwrap();
                thread::sleep(ms(20));
                open.send(5).unwrap();
            });
            let never = spawn(fibra::park);
            assert_eq!(if borrows { uninterruptible(job) } else { fibra::blocking(job) }, 5);
            never.kill();
            opener.join().unwrap();
        }
    });
}

#[test]
fn the_rest_can_still_be_a_deadlock() {
    let text = panic_of(|| {
        fibra::run(|| {
            spawn(|| {
                fibra::blocking(|| ());
                fibra::park();
            });
            fibra::park();
        });
    });
    assert!(text.contains("deadlock"), "{text}");
}

#[test]
fn on_a_virtual_clock_time_goes_on_as_real_time_does_while_a_job_is_waited_for() {
    let (open, begun, job) = gate::<()>();
    run_virtually(|| {
        let hour = Duration::from_secs(3600);
        let limited = spawn(move || fibra::time::timeout(hour, || fibra::blocking(job)).is_ok());
        let short = fibra::time::timeout(ms(2), || {
            let (_never_opened, _begun, job) = gate::<()>();
            fibra::blocking(job);
        });
        assert!(short.is_err());
        begun.recv().unwrap();
        open.send(()).unwrap();
        assert!(limited.join().unwrap(), "an hour did not pass");
        fibra::sleep(hour); // and now an hour passes
    });
}

#[test]
fn a_dropped_pool_finishes_what_is_queued() {
    let done = Arc::new(AtomicUsize::new(0));
    let pool = ThreadPool::new(2);
    let (open, begun, job) = gate();
    let first = pool.spawn(job);
    begun.recv().unwrap();
    let jobs: Vec<_> = (0..20)
        .map(|_| {
            let done = done.clone();
            pool.spawn(move || done.fetch_add(1, Ordering::SeqCst))
        })
        .collect();
    drop(pool);
    open.send(()).unwrap();
    first.join().unwrap();
    let sum: usize = fibra::run(|| jobs.into_iter().map(|job| job.join().unwrap()).sum());
    assert_eq!((sum, done.load(Ordering::SeqCst)), (190, 20));
}

#[test]
fn shutdown_waits_for_all_and_lets_fibers_run() {
    fibra::run(|| {
        let done = Arc::new(AtomicUsize::new(0));
        let pool = ThreadPool::new(2);
        for _ in 0..20 {
            let done = done.clone();
            pool.spawn(move || {
                thread::yield_now();
                done.fetch_add(1, Ordering::SeqCst)
            })
            .detach();
        }
        let turns = spawn(|| {
            loop {
                yield_now();
            }
        });
        pool.shutdown();
        assert_eq!(done.load(Ordering::SeqCst), 20);
        turns.kill();
        ThreadPool::new(1).shutdown(); // this pool has no thread
    });
}

#[test]
fn settings_are_checked_and_shown() {
    assert!(panic_of(|| ThreadPool::new(0)).contains("0 threads would never run a job"));
    let pool = ThreadPool::builder().max_threads(2).thread_name("x").build();
    assert!(
        format!("{pool:?}")
            .starts_with(r#"ThreadPool { name: "x", max_threads: 2, stats: Stats {"#)
    );
    let job = pool.spawn(|| ());
    while !job.is_finished() {
        thread::yield_now();
    }
    assert_eq!(format!("{job:?}"), "JobHandle { is_finished: true }");
    let text = blocking::ThreadPoolBuilder::new().max_threads(9).build_global();
    // Another test of this program may have used the pool.
    assert!(text.is_ok() || text.unwrap_err().to_string().contains("in use"));
}

#[test]
fn a_pool_that_can_start_no_thread_panics_with_the_cause() {
    // More than an address space: the system refuses it.
    let pool = ThreadPool::builder().stack_size(1 << 60).build();
    let text = fibra::run(|| panic_of(|| pool.run(|| ())));
    assert!(text.starts_with("cannot run a blocking job: its pool has no thread"), "{text}");
    let text = fibra::run(|| panic_of(|| pool.run_uninterruptible(|| ())));
    assert!(text.starts_with("cannot run a blocking job: its pool has no thread"), "{text}");
    let spawned = panic::catch_unwind(AssertUnwindSafe(|| pool.spawn(|| ())));
    assert!(spawned.is_err());
    assert_eq!(pool.stats(), blocking::Stats::default());
}

#[test]
fn a_dump_shows_where_a_fiber_waits_for_a_job() {
    fibra::run(|| {
        let gates = [gate::<()>(), gate(), gate()];
        let [(open_a, begun_a, a), (open_b, begun_b, b), (open_c, begun_c, c)] = gates;
        let fibers = [
            spawn(move || fibra::blocking(a)),
            spawn(move || uninterruptible(b)),
            spawn(move || blocking::global().spawn(c).join().unwrap()),
        ];
        yield_now();
        let dump = fibra::dump().to_string();
        for (what, times) in [("waiting for a job on", 2), ("waiting for the end of a job", 1)] {
            assert_eq!(dump.matches(what).count(), times, "{dump}");
        }
        assert_eq!(dump.matches(&format!(" thread at {}", file!())).count(), 3, "{dump}");
        for (begun, open) in [(begun_a, open_a), (begun_b, open_b), (begun_c, open_c)] {
            begun.recv().unwrap();
            open.send(()).unwrap();
        }
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
}
