//! Attacks on what jobs borrow: it must outlive them, whatever happens to the fiber that lends it.

#![allow(clippy::disallowed_methods, reason = "plain threads and jobs, which may block")]

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use fibra::blocking::{ThreadPool, uninterruptible};
use fibra::sync::Event;
use fibra::time::timeout;
use fibra::{spawn, stackless, yield_now};

use crate::support::{Noisy, OnDrop, check, log, ms, panic_of};

/// The two ends that report when a borrowing job has begun and let it end.
struct Control {
    begun: Receiver<()>,
    end: Sender<()>,
}

/// Returns a borrowing job that changes the lent values when it is allowed to end, and its control.
fn borrowing_job() -> (Control, impl FnOnce(&mut [u64]) + Send) {
    let (begin, begun) = channel();
    let (end, ended) = channel();
    let job = move |lent: &mut [u64]| {
        begin.send(()).unwrap();
        ended.recv().unwrap();
        lent.iter_mut().for_each(|n| *n += 1);
    };
    (Control { begun, end }, job)
}

#[test]
fn a_kill_is_met_when_the_borrowing_job_is_back() {
    fibra::run(|| {
        let (control, job) = borrowing_job();
        let caller = spawn(|| {
            let mut lent = [7; 100];
            uninterruptible(|| job(&mut lent));
            assert_eq!(lent, [8; 100]);
            log("back");
            yield_now();
            log("unreachable");
        });
        yield_now();
        control.begun.recv().unwrap();
        caller.kill();
        for _ in 0..100 {
            yield_now();
        }
        assert!(!caller.is_finished());
        caller.kill();
        control.end.send(()).unwrap();
        assert!(caller.join().unwrap_err().is_killed());
    });
    check("back");
}

#[test]
fn a_time_limit_is_met_when_the_borrowing_job_is_back() {
    fibra::run(|| {
        let (control, job) = borrowing_job();
        let ender = thread::spawn(move || {
            control.begun.recv().unwrap();
            thread::sleep(ms(10));
            control.end.send(()).unwrap();
        });
        let mut lent = [1; 8];
        let limited = timeout(ms(1), || {
            uninterruptible(|| job(&mut lent));
            log("back");
            yield_now();
            log("unreachable");
        });
        assert!(limited.is_err());
        assert_eq!(lent, [2; 8]);
        ender.join().unwrap();
    });
    check("back");
}

#[test]
fn the_end_of_run_waits_for_a_borrowing_job() {
    thread_local!(static MINE: Cell<u64> = const { Cell::new(0) });
    let over = Arc::new(AtomicBool::new(false));
    let done = over.clone();
    let (control, job) = borrowing_job();
    let ender = thread::spawn(move || {
        control.begun.recv().unwrap();
        thread::sleep(ms(10));
        done.store(true, Ordering::SeqCst);
        control.end.send(()).unwrap();
    });
    fibra::run(|| {
        drop(spawn(|| {
            let mut lent = vec![5; 1000];
            uninterruptible(|| job(&mut lent));
            MINE.set(lent.iter().sum());
            fibra::park();
        }));
        yield_now();
    });
    assert!(over.load(Ordering::SeqCst));
    assert_eq!(MINE.get(), 6000);
    ender.join().unwrap();
}

#[test]
fn a_failing_nursery_waits_for_the_borrowing_jobs_in_it() {
    fibra::run(|| {
        let mut lent = vec![1; 64];
        let (control, job) = borrowing_job();
        let (fail, failed) = channel();
        let ender = thread::spawn(move || {
            control.begun.recv().unwrap();
            failed.recv().unwrap();
            control.end.send(()).unwrap();
        });
        let text = panic_of(|| {
            fibra::nursery(|n| {
                n.spawn(|| uninterruptible(|| job(&mut lent)));
                n.spawn(move || {
                    let _tells = OnDrop(move || fail.send(()).unwrap());
                    panic!("a sibling")
                });
                fibra::park();
            });
        });
        assert_eq!(text, "a sibling");
        ender.join().unwrap();
        assert_eq!(lent, [2; 64]);
    });
}

#[test]
fn a_borrowed_thread_local_outlives_the_job() {
    struct Owned(Mutex<Vec<u64>>);
    impl Drop for Owned {
        fn drop(&mut self) {
            self.0.lock().unwrap().fill(u64::MAX);
        }
    }
    thread_local!(static LENT: Owned = Owned(Mutex::new(vec![3; 256])));

    let (seen, sees) = channel();
    let (begin, begun) = channel();
    let (end, ended) = channel::<()>();
    let runner = thread::spawn(move || {
        fibra::run(|| {
            drop(spawn(move || {
                LENT.with(|lent| {
                    uninterruptible(move || {
                        begin.send(()).unwrap();
                        ended.recv().unwrap();
                        seen.send(lent.0.lock().unwrap().iter().sum::<u64>()).unwrap();
                    });
                });
            }));
            yield_now();
        });
    });
    begun.recv().unwrap();
    thread::sleep(ms(10));
    assert!(!runner.is_finished(), "the thread ended under the job");
    end.send(()).unwrap();
    assert_eq!(sees.recv().unwrap(), 768);
    runner.join().unwrap();
}

#[test]
fn what_is_thrown_at_a_tasklet_waits_for_the_borrowing_job() {
    fibra::run(|| {
        let (control, job) = borrowing_job();
        let task = stackless::tasklet(|()| {
            let mut lent = [1; 16];
            uninterruptible(|| job(&mut lent));
            log(lent.iter().sum::<u64>());
            let thrown = panic::catch_unwind(AssertUnwindSafe(stackless::schedule)).unwrap_err();
            log(thrown.downcast_ref::<&str>().unwrap());
        });
        let task = task.bind(());
        task.run().unwrap();
        control.begun.recv().unwrap();
        task.throw_pending("thrown later").unwrap();
        yield_now();
        check("");
        task.throw("thrown").unwrap();
        check("");
        control.end.send(()).unwrap();
        while task.is_alive() {
            yield_now();
        }
    });
    check("32 thrown");
}

/// Runs a fiber that lends, gets a late wake meanwhile, is removed from the ring before it runs
/// again, and is never put back; then `run` ends. Returns whether the fiber got into that state: it
/// depends on when the scheduler looks for mail, some switches after `yields` of them.
fn abandon_a_lender(over: &Arc<AtomicBool>, yields: usize) -> bool {
    static NEWS: Event = Event::new();
    static OTHER_NEWS: Event = Event::new();
    NEWS.clear();
    OTHER_NEWS.clear();
    fibra::run(|| {
        // Only the first wakes that are delivered together let their fibers run before all others.
        (0..100).for_each(|_| drop(spawn(|| OTHER_NEWS.wait())));
        let over = over.clone();
        let lender = spawn(move || {
            NEWS.wait();
            let mut lent = [1; 64];
            // In a shield: a killed fiber does not begin a job otherwise.
            let job = || {
                thread::sleep(ms(20));
                lent.fill(2);
                over.store(true, Ordering::SeqCst);
            };
            fibra::shield(|| uninterruptible(job));
            assert_eq!(lent, [2; 64]);
        });
        yield_now();
        (0..yields).for_each(|_| yield_now());
        // The event is set, and the wake is in the mailbox. The kill wakes the fiber first; its
        // event has come, so it continues and lends, and then the wake arrives.
        let set = || {
            OTHER_NEWS.set();
            NEWS.set();
        };
        thread::spawn(set).join().unwrap();
        lender.kill();
        (0..1_000).any(|_| {
            yield_now();
            lender.fiber().pause()
        })
    })
}

#[test]
fn a_fiber_is_abandoned_only_after_its_borrowing_job_has_ended() {
    let came_to_it = (0..20).any(|yields| {
        let over = Arc::new(AtomicBool::new(false));
        let abandoned = abandon_a_lender(&over, yields);
        assert!(over.load(Ordering::SeqCst), "`run` ended under the job");
        abandoned
    });
    assert!(came_to_it);
}

#[test]
fn a_fiber_that_catches_every_kill_is_not_abandoned_while_a_job_borrows_from_it() {
    fibra::run(|| {
        let (control, job) = borrowing_job();
        let caller = spawn(|| {
            for _ in 0..99 {
                let _ = panic::catch_unwind(fibra::park);
            }
            let mut lent = [1; 16];
            // A killed fiber does not begin a job otherwise.
            fibra::shield(|| uninterruptible(|| job(&mut lent)));
            assert_eq!(lent, [2; 16]);
            log("back");
        });
        yield_now();
        caller.kill();
        yield_now();
        control.begun.recv().unwrap();
        caller.kill();
        (0..10).for_each(|_| yield_now());
        assert!(!caller.is_finished());
        control.end.send(()).unwrap();
        drop(caller.join());
    });
    check("back");
}

#[test]
fn a_borrowing_job_inside_a_generator_holds_all_its_stacks() {
    fibra::run(|| {
        let (control, job) = borrowing_job();
        let caller = spawn(|| {
            let mut outer = [1; 16];
            let sum: u64 = fibra::generator::scope(|s| {
                let numbers = s.iter(|y| {
                    uninterruptible(|| job(&mut outer));
                    outer.iter().for_each(|n| y.yield_(*n));
                });
                numbers.sum()
            });
            log(sum);
            yield_now();
            log("unreachable");
        });
        yield_now();
        control.begun.recv().unwrap();
        caller.kill();
        (0..10).for_each(|_| yield_now());
        assert!(!caller.is_finished());
        control.end.send(()).unwrap();
        assert!(caller.join().unwrap_err().is_killed());
    });
    check("32");
}

#[test]
fn where_nothing_can_be_unwound_a_borrowing_job_is_waited_for() {
    // A `run` in a destructor, on a thread that unwinds.
    let text = panic_of(|| {
        let _runs = OnDrop(|| {
            fibra::run(|| {
                let (control, job) = borrowing_job();
                let caller = spawn(|| {
                    let mut lent = [1; 16];
                    uninterruptible(|| job(&mut lent));
                    assert_eq!(lent, [2; 16]);
                    log("back");
                });
                yield_now();
                control.begun.recv().unwrap();
                caller.kill();
                (0..10).for_each(|_| yield_now());
                assert!(!caller.is_finished());
                thread::spawn(move || {
                    thread::sleep(ms(10));
                    control.end.send(()).unwrap();
                });
            });
        });
        panic!("outside");
    });
    assert_eq!(text, "outside");
    check("back");
}

#[test]
fn a_panic_of_a_borrowing_job_leaves_the_borrowed_data_intact() {
    fibra::run(|| {
        let mut lent = vec![String::from("a")];
        let text = panic_of(|| {
            uninterruptible(|| {
                lent.push(String::from("b"));
                panic!("half-way");
            })
        });
        assert_eq!(text, "half-way");
        assert_eq!(lent, ["a", "b"]);
        // The closure's captures are dropped before the caller continues.
        let noisy = Noisy("dropped");
        let (pool, order) = (ThreadPool::new(1), &Mutex::new(Vec::new()));
        pool.run_uninterruptible(move || {
            let _guard = OnDrop(|| order.lock().unwrap().push("in the job"));
            std::mem::forget(noisy);
        });
        assert_eq!(*order.lock().unwrap(), ["in the job"]);
    });
}

#[test]
fn results_may_borrow_as_well() {
    fibra::run(|| {
        let text = String::from("a longer text");
        let words: Vec<&str> = uninterruptible(|| text.split(' ').collect());
        assert_eq!(words, ["a", "longer", "text"]);
        let longest: &str = uninterruptible(|| words.iter().max_by_key(|word| word.len()).unwrap());
        assert_eq!(longest, "longer");
    });
}

#[test]
fn many_borrowing_jobs_and_kills_at_random() {
    // Threads write to the stacks of fibers that are killed all the time. Their values must arrive
    // there, and nothing else may change.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    let pool = ThreadPool::new(2);
    let finished = AtomicUsize::new(0);
    fibra::run(|| {
        fibra::scope(|s| {
            let mut alive = Vec::new();
            for n in 0..3_000u64 {
                let (pool, finished) = (&pool, &finished);
                alive.push(s.spawn(move || {
                    let fence = [n; 16];
                    let mut lent = [n; 64];
                    let fence2 = [!n; 16];
                    pool.run_uninterruptible(|| {
                        lent.iter_mut().for_each(|word| *word = word.wrapping_mul(3));
                    });
                    assert_eq!(lent, [n.wrapping_mul(3); 64]);
                    assert_eq!((fence, fence2), ([n; 16], [!n; 16]));
                    finished.fetch_add(1, Ordering::SeqCst);
                    yield_now();
                }));
                (0..random(3)).for_each(|_| yield_now());
                if random(2) == 0 {
                    let i = random(alive.len() as u64) as usize;
                    alive[i].kill();
                }
                if random(10) == 0 {
                    let i = random(alive.len() as u64) as usize;
                    drop(alive.swap_remove(i));
                }
            }
        });
    });
    assert!(1_000 < finished.load(Ordering::SeqCst));
}
