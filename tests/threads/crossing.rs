//! Crossing between threads: how soon a fiber runs that another thread wakes, and what it costs to
//! wait for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fibra::Unparker;
use rustix::time::{ClockId, clock_gettime};

use crate::support::{go, ms};

/// Computes for that long.
fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Returns the processor time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

#[test]
fn a_fiber_that_another_thread_wakes_runs_long_before_a_round_of_the_ring() {
    const FIBERS: usize = 400;
    fibra::run(|| {
        let turns = Arc::new(AtomicUsize::new(0));
        for _ in 0..FIBERS {
            let turns = turns.clone();
            go(move || {
                loop {
                    compute(Duration::from_micros(2));
                    turns.fetch_add(1, Ordering::SeqCst);
                    fibra::yield_now();
                }
            });
        }
        let unparker = fibra::current().unparker();
        let ran_at = Arc::new(AtomicUsize::new(0));
        let (counted, ran) = (turns.clone(), ran_at.clone());
        let thread = thread::spawn(move || {
            let mut waited = Vec::new();
            for _ in 0..100 {
                thread::sleep(Duration::from_micros(300));
                let before = counted.load(Ordering::SeqCst);
                ran.store(0, Ordering::SeqCst);
                unparker.unpark();
                while ran.load(Ordering::SeqCst) == 0 {
                    thread::yield_now();
                }
                waited.push(ran.load(Ordering::SeqCst) - before);
            }
            waited.sort_unstable();
            waited[50]
        });
        while !thread.is_finished() {
            fibra::park_timeout(ms(100));
            ran_at.store(turns.load(Ordering::SeqCst).max(1), Ordering::SeqCst);
        }
        let waited = thread.join().unwrap();
        assert!(waited < FIBERS / 4, "{waited} turns of others, in the median");
    });
}

#[test]
fn wakes_that_keep_coming_leave_turns_to_the_other_fibers() {
    let (woken, others) = fibra::run(|| {
        let (woken, others) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let unparkers: Vec<Unparker> = (0..4)
            .map(|_| {
                let woken = woken.clone();
                let parked = fibra::spawn(move || {
                    loop {
                        fibra::park();
                        woken.fetch_add(1, Ordering::Relaxed);
                    }
                });
                parked.fiber().unparker()
            })
            .collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                unparkers.iter().for_each(Unparker::unpark);
            }
        });
        let start = Instant::now();
        // On a busy machine, the other thread may begin later than that.
        let is_over = || ms(200) < start.elapsed() && woken.load(Ordering::Relaxed) != 0;
        while !is_over() && start.elapsed() < ms(20_000) {
            // Slow enough that there is always mail.
            compute(Duration::from_micros(1));
            others.fetch_add(1, Ordering::Relaxed);
            fibra::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        thread.join().unwrap();
        (woken.load(Ordering::Relaxed), others.load(Ordering::Relaxed))
    });
    assert!(0 < woken && woken <= 6 * others, "{woken} turns of 4 fibers, {others} of one");
}

#[test]
fn a_scheduler_that_waits_for_another_thread_uses_no_processor_time() {
    fibra::run(|| {
        let (unparker, parks) = (fibra::current().unparker(), Arc::new(AtomicUsize::new(0)));
        let counted = parks.clone();
        let thread = thread::spawn(move || {
            // After the first wakes, which come quickly, a spin is worth it.
            for round in 0..5 {
                while counted.load(Ordering::SeqCst) < round {
                    thread::yield_now();
                }
                thread::sleep(ms(if round == 4 { 300 } else { 0 }));
                unparker.unpark();
            }
        });
        for _ in 0..4 {
            fibra::park();
            parks.fetch_add(1, Ordering::SeqCst);
        }
        let before = used();
        fibra::park();
        thread.join().unwrap();
        let used = used() - before;
        // A spin for all that time would use most of it.
        assert!(used < ms(20), "{used:?} while it slept");
    });
}
