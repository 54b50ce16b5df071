//! Work in parallel: scopes, maps, two closures, streams.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fibra::{Runtime, par};

fn on<T>(threads: usize, f: impl FnOnce() -> T) -> T {
    Runtime::builder().threads(threads).build().unwrap().run(f)
}

#[test]
fn maps_give_the_results_in_the_order_of_the_items() {
    for threads in 1..4 {
        on(threads, || {
            for len in [0, 1, 2, 7, 1000] {
                let items: Vec<usize> = (0..len).collect();
                assert_eq!(par::map(&items, |n| n + 1), (1..=len).collect::<Vec<_>>());
            }
        });
    }
}

#[test]
fn jobs_of_a_scope_borrow_from_it() {
    on(2, || {
        let mut counts = vec![0; 100];
        par::scope(|s| {
            for (at, count) in counts.iter_mut().enumerate() {
                s.spawn(move || {
                    fibra::yield_now();
                    *count = at;
                });
            }
        });
        assert_eq!(counts, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_job_may_spawn_siblings() {
    on(2, || {
        let count = AtomicUsize::new(0);
        par::scope(|s| {
            s.spawn(|| {
                for _ in 0..10 {
                    s.spawn(|| count.fetch_add(1, Ordering::Relaxed));
                }
            });
        });
        assert_eq!(count.into_inner(), 10);
    });
}

#[test]
fn the_first_panic_that_nothing_joins_is_raised_by_the_scope() {
    on(2, || {
        let ended = AtomicUsize::new(0);
        let failed = panic::catch_unwind(AssertUnwindSafe(|| {
            par::scope(|s| {
                s.spawn(|| panic!("out of milk"));
                s.spawn(|| {
                    fibra::sleep(Duration::from_millis(5));
                    ended.fetch_add(1, Ordering::Relaxed);
                });
            });
        }));
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"out of milk"));
        assert_eq!(ended.into_inner(), 1);
    });
}

#[test]
fn a_panic_of_the_body_waits_for_the_jobs() {
    on(2, || {
        let ended = AtomicUsize::new(0);
        let failed = panic::catch_unwind(AssertUnwindSafe(|| {
            par::scope(|s| {
                s.spawn(|| {
                    fibra::sleep(Duration::from_millis(5));
                    ended.fetch_add(1, Ordering::Relaxed);
                });
                panic!("the body");
            });
        }));
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"the body"));
        assert_eq!(ended.into_inner(), 1);
    });
}

#[test]
fn a_kill_of_the_caller_kills_the_jobs_and_waits_for_them() {
    struct Ends<'a>(&'a AtomicUsize);
    impl Drop for Ends<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    on(2, || {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        static ENDED: AtomicUsize = AtomicUsize::new(0);
        let fiber = fibra::spawn(|| {
            par::scope(|s| {
                for _ in 0..10 {
                    s.spawn(|| {
                        let _ends = Ends(&ENDED);
                        STARTED.fetch_add(1, Ordering::Relaxed);
                        fibra::park();
                    });
                }
                fibra::park();
            });
        });
        crate::sleep_until(|| STARTED.load(Ordering::Relaxed) == 10);
        fiber.kill();
        assert!(fiber.join().unwrap_err().is_killed());
        assert_eq!(ENDED.load(Ordering::Relaxed), 10);
    });
}

#[test]
fn a_kill_of_a_scope_ends_its_jobs() {
    on(2, || {
        par::scope(|s| {
            let jobs: Vec<_> = (0..10).map(|_| s.spawn(fibra::park)).collect();
            s.kill();
            jobs.into_iter().for_each(|job| assert!(job.join().unwrap_err().is_killed()));
        });
    });
}

#[test]
fn a_time_limit_around_a_scope_ends_its_jobs() {
    on(2, || {
        let limited = fibra::time::timeout(Duration::from_millis(5), || {
            par::scope(|s| {
                s.spawn(fibra::park);
            });
        });
        assert!(limited.is_err());
    });
}

#[test]
fn two_closures_are_joined_recursively() {
    fn fibonacci(n: u32) -> u64 {
        if n < 2 {
            return u64::from(n);
        }
        let (a, b) = par::join(|| fibonacci(n - 1), || fibonacci(n - 2));
        a + b
    }
    for threads in 1..4 {
        assert_eq!(on(threads, || fibonacci(16)), 987);
    }
}

#[test]
fn a_stream_takes_few_items_ahead() {
    on(2, || {
        let taken = std::rc::Rc::new(std::cell::Cell::new(0));
        let source = taken.clone();
        let items = std::iter::from_fn(move || {
            source.set(source.get() + 1);
            Some(source.get())
        });
        let mut results = par::imap(items, |n: u32| n * 2);
        assert_eq!(results.by_ref().take(10).collect::<Vec<_>>().last(), Some(&20));
        assert_eq!(taken.get(), 10 + 2 * 4 - 1);
    });
}

#[test]
fn a_panic_in_a_map_is_raised_by_it() {
    on(2, || {
        let failed = panic::catch_unwind(|| {
            par::map(&[1, 2, 3], |n| if *n == 2 { panic!("two") } else { *n })
        });
        assert_eq!(failed.unwrap_err().downcast_ref(), Some(&"two"));
    });
}
