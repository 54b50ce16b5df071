//! Tests that a lock that is never released is an error even if something else is alive: a timer, a
//! listener, another thread.

#![allow(
    clippy::disallowed_methods,
    reason = "starts threads, which it joins, and reads the clock"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use fibra::sync::{Mutex, RwLock};
use fibra::{Builder, JoinHandle, yield_now};

use crate::support::{check, go, join_panic, log, ms, panic_of, run_virtually};

/// Spawns a fiber that waits for an event that may happen at any time during the `run`.
fn listen() {
    go(|| {
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.accept().unwrap();
    });
}

/// Spawns a fiber that locks `first`, lets others run, and locks `second`.
fn locker(name: &str, first: &Arc<Mutex<()>>, second: &Arc<Mutex<()>>) -> JoinHandle<()> {
    let (first, second) = (first.clone(), second.clone());
    Builder::new().name(name).spawn(move || {
        let _first = first.lock();
        yield_now();
        let _second = second.lock();
    })
}

fn two() -> [Arc<Mutex<()>>; 2] {
    [(); 2].map(|()| Arc::new(Mutex::new(())))
}

const CIRCLE: &str = "each waits for a lock that the next one holds: ";

#[test]
fn a_circle_is_found_beside_a_listener() {
    fibra::run(|| {
        listen();
        let [a, b] = two();
        let first = locker("first", &a, &b);
        let second = locker("second", &b, &a);
        let report = join_panic(second);
        assert!(
            report.starts_with(
                "deadlock: the lock that fiber 'second' (#4) waits for is never released"
            ),
            "{report}"
        );
        let circle = "fiber 'second' (#4) -> fiber 'first' (#3) -> fiber 'second' (#4)";
        assert!(report.ends_with(&format!("{CIRCLE}{circle}")), "{report}");
        first.join().unwrap();
    });
}

#[test]
fn a_circle_is_found_beside_a_timer_before_a_virtual_clock_jumps() {
    run_virtually(|| {
        go(|| {
            fibra::sleep(Duration::from_secs(3600));
            log("late");
        });
        let [a, b] = two();
        let (began, first) = (fibra::now(), locker("first", &a, &b));
        let second = locker("second", &b, &a);
        assert!(join_panic(second).contains(CIRCLE));
        first.join().unwrap();
        assert_eq!(fibra::now(), began);
    });
    check("");
}

#[test]
fn a_circle_is_found_while_other_fibers_are_busy() {
    fibra::run(|| {
        go(|| {
            loop {
                yield_now();
            }
        });
        let [a, b] = two();
        let first = locker("first", &a, &b);
        let second = locker("second", &b, &a);
        let panics = [first, second].map(|fiber| fiber.join().is_err());
        assert_eq!(panics, [false, true]);
    });
}

#[test]
fn a_wait_with_a_limit_is_in_no_circle() {
    run_virtually(|| {
        let [a, b] = two();
        let (first_lock, second_lock) = (a.clone(), b.clone());
        let first = fibra::spawn(move || {
            let _first = first_lock.lock();
            yield_now();
            second_lock.lock_timeout(ms(5)).map(drop)
        });
        let second = locker("second", &b, &a);
        let third = {
            let [c, d] = two();
            let fourth = locker("fourth", &d, &c);
            let third = fibra::spawn(move || {
                let _first = c.lock();
                yield_now();
                fibra::time::timeout(ms(7), || drop(d.lock()))
            });
            fourth.join().unwrap();
            third
        };
        assert!(first.join().unwrap().is_err());
        second.join().unwrap();
        assert!(third.join().unwrap().is_err());
    });
}

#[test]
fn a_reader_that_reads_again_behind_a_writer_is_found() {
    fibra::run(|| {
        listen();
        let lock = Arc::new(RwLock::new(()));
        let (reads, writes) = (lock.clone(), lock);
        let reader = Builder::new().name("reader").spawn(move || {
            let _once = reads.read();
            yield_now();
            let _twice = reads.read();
        });
        let writer = Builder::new().name("writer").spawn(move || drop(writes.write()));
        let panics = [reader, writer].map(|fiber| fiber.join().is_err());
        assert!(panics == [true, false] || panics == [false, true], "{panics:?}");
    });
}

#[test]
fn a_lock_of_a_run_that_is_over_is_dead() {
    for elsewhere in [false, true] {
        let mutex: &'static Mutex<()> = Box::leak(Box::default());
        let leak = move || fibra::run(|| std::mem::forget(mutex.lock()));
        if elsewhere {
            thread::spawn(leak).join().unwrap()
        } else {
            leak()
        }
        for listens in [false, true] {
            let report = panic_of(|| {
                fibra::run(|| {
                    if listens {
                        listen();
                    }
                    drop(mutex.lock());
                });
            });
            assert!(report.contains("held by a fiber of a `run` that is over"), "{report}");
            assert!(!report.contains(CIRCLE), "{report}");
        }
    }
}

#[test]
fn a_wait_for_a_run_that_ends_while_it_lasts_is_found() {
    static MUTEX: Mutex<()> = Mutex::new(());
    let [holds, waits] = [(); 2].map(|()| Arc::new(Barrier::new(2)));
    let (held, waited) = (holds.clone(), waits.clone());
    let leaks = thread::spawn(move || {
        fibra::run(|| {
            std::mem::forget(MUTEX.lock());
            held.wait();
            waited.wait();
            fibra::sleep(ms(50));
        });
    });
    holds.wait();
    let report = panic_of(|| {
        fibra::run(|| {
            waits.wait();
            drop(MUTEX.lock());
        });
    });
    assert!(report.contains("held by a fiber of a `run` that is over"), "{report}");
    leaks.join().unwrap();
}

#[test]
fn a_circle_of_two_threads_is_found() {
    for listens in [false, true] {
        let [a, b] = two();
        let meet = Arc::new(Barrier::new(2));
        let other = {
            let (a, b, meet) = (a.clone(), b.clone(), meet.clone());
            thread::spawn(move || circle_member("other", &b, &a, &meet, listens))
        };
        let near = circle_member("near", &a, &b, &meet, listens);
        let far = other.join().unwrap();
        let reports: Vec<_> = [near, far].into_iter().flatten().collect();
        assert_eq!(reports.len(), 1, "one of them fails: {reports:?}");
        let report = &reports[0];
        assert!(report.contains(CIRCLE) && report.contains("of another thread"), "{report}");
        assert!(report.contains("'near'") && report.contains("'other'"), "{report}");
    }
}

/// In a `run` of its own, locks `first`, meets the other thread, and locks `second`. Returns the
/// panic.
fn circle_member(
    name: &str,
    first: &Arc<Mutex<()>>,
    second: &Arc<Mutex<()>>,
    meet: &Barrier,
    listens: bool,
) -> Option<String> {
    fibra::run(|| {
        if listens {
            listen();
            go(|| {
                loop {
                    fibra::sleep(ms(1));
                }
            });
        }
        fibra::scope(|s| {
            let locks = || {
                let _first = first.lock();
                meet.wait();
                let _second = second.lock();
            };
            let fiber = s.spawn_with(Builder::new().name(name), move || {
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(locks)).err()
            });
            let payload = fiber.join().unwrap()?;
            Some(crate::support::text_of(payload.as_ref()))
        })
    })
}

#[test]
fn a_circle_through_a_join_in_another_thread_is_found() {
    let [a, b] = two();
    let meet = Arc::new(Barrier::new(2));
    let other = {
        let (a, b, meet) = (a.clone(), b.clone(), meet.clone());
        thread::spawn(move || {
            fibra::run(|| {
                let _b = b.lock();
                meet.wait();
                // The fiber holds `b` and waits for no lock itself.
                fibra::spawn(move || drop(a.lock())).join().is_err()
            })
        })
    };
    let near = fibra::run(|| {
        let _a = a.lock();
        meet.wait();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(b.lock()))).is_err()
    });
    assert_eq!(u32::from(near) + u32::from(other.join().unwrap()), 1);
}

#[test]
fn threads_that_contend_for_locks_in_one_order_report_no_circle() {
    let locks: Arc<[Mutex<u32>; 3]> = Arc::default();
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let locks = locks.clone();
            thread::spawn(move || {
                fibra::run(|| {
                    let fibers: Vec<_> = (0..3_usize)
                        .map(|fiber| {
                            let locks = locks.clone();
                            fibra::spawn(move || {
                                for i in 0..10 {
                                    let first = (thread + fiber + i) % 2;
                                    let mut low = locks[first].lock();
                                    fibra::sleep(ms(1));
                                    let mut high = locks[first + 1].lock();
                                    (*low, *high) = (*low + 1, *high + 1);
                                    fibra::sleep(ms(if i == 5 { 25 } else { 1 }));
                                }
                            })
                        })
                        .collect();
                    fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(locks.iter().map(|lock| *lock.lock()).sum::<u32>(), 2 * 90);
}

#[test]
fn fibers_that_lock_in_any_order_on_several_threads_come_to_their_end() {
    let locks: Arc<[Mutex<u32>; 4]> = Arc::default();
    let threads: Vec<_> = (0..3_u64)
        .map(|thread| {
            let locks = locks.clone();
            thread::spawn(move || {
                fibra::run(|| {
                    listen();
                    let fibers: Vec<_> = (0..3)
                        .map(|fiber| {
                            let locks = locks.clone();
                            fibra::spawn(move || lock_at_random(&locks, thread * 3 + fiber))
                        })
                        .collect();
                    fibers.into_iter().map(|fiber| fiber.join().unwrap()).sum::<u32>()
                })
            })
        })
        .collect();
    let done: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(locks.iter().map(|lock| *lock.lock()).sum::<u32>(), done);
}

/// Takes two locks at a time, in any order, with turns of other fibers in between. Returns how many
/// values it has changed.
fn lock_at_random(locks: &[Mutex<u32>; 4], seed: u64) -> u32 {
    let (mut random, mut done) = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, 0);
    for _ in 0..15 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (first, second) = (random as usize % 4, (random >> 8) as usize % 4);
        let both = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut one = locks[first].lock();
            if random & 1 << 20 == 0 {
                yield_now()
            } else {
                fibra::sleep(ms(1))
            }
            if first != second {
                *locks[second].lock() += 1;
            }
            *one += 1;
            if first == second { 1 } else { 2 }
        }));
        match both {
            Ok(changed) => done += changed,
            Err(payload) => {
                let report = crate::support::text_of(payload.as_ref());
                assert!(report.contains("never released"), "{report}");
            }
        }
    }
    done
}

#[test]
fn a_reader_behind_a_writer_of_another_thread_is_no_deadlock() {
    let lock = Arc::new(RwLock::new(()));
    let meet = Arc::new(Barrier::new(2));
    let seen = Arc::new(AtomicBool::new(false));
    let writer = {
        let (lock, meet, seen) = (lock.clone(), meet.clone(), seen.clone());
        thread::spawn(move || {
            meet.wait();
            // It leaves the queue after a while, and comes again if it was not seen there.
            while !seen.load(Ordering::SeqCst) {
                assert!(lock.write_timeout(ms(60)).is_err());
            }
        })
    };
    fibra::run(|| {
        let _holds = lock.read();
        meet.wait();
        // The writer is in the queue before the second read.
        while lock.try_read().is_some() {
            fibra::sleep(ms(1));
        }
        seen.store(true, Ordering::SeqCst);
        drop(lock.read());
        // Until then, this fiber holds the lock.
        fibra::blocking(move || writer.join().unwrap());
    });
}

#[test]
fn a_writer_learns_of_its_own_readers_when_a_foreign_one_has_left() {
    let lock = Arc::new(RwLock::new(()));
    let meet = Arc::new(Barrier::new(2));
    let foreign = {
        let (lock, meet) = (lock.clone(), meet.clone());
        thread::spawn(move || {
            let reader = lock.read();
            meet.wait();
            meet.wait();
            thread::park_timeout(ms(50));
            drop(reader);
        })
    };
    let report = panic_of(|| {
        fibra::run(|| {
            meet.wait();
            let (one, two) = (lock.read(), lock.read());
            meet.wait();
            drop(lock.write());
            drop((one, two));
        });
    });
    assert!(report.contains("held by 2 readers"), "{report}");
    foreign.join().unwrap();
}

#[test]
fn a_virtual_clock_does_not_jump_while_another_thread_has_the_lock() {
    let mutex = Arc::new(Mutex::new(()));
    let meet = Arc::new(Barrier::new(2));
    let holder = {
        let (mutex, meet) = (mutex.clone(), meet.clone());
        thread::spawn(move || {
            let _guard = mutex.lock();
            meet.wait();
            thread::park_timeout(ms(30));
        })
    };
    meet.wait();
    let began = Instant::now();
    run_virtually(|| drop(mutex.lock_timeout(Duration::from_secs(10)).unwrap()));
    assert!(began.elapsed() < Duration::from_secs(5));
    holder.join().unwrap();
}
