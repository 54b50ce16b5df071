//! Tests of how long busy fibers may delay a timer, on a clock that their work advances.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::run_on;
use crate::sched::api::spawn::spawn;
use crate::sched::core::park::{now, sleep, yield_now};
use crate::sched::core::scheduler::{Scheduler, current_fiber};
use crate::sched::time::clock::{Clock, RealClock};
use crate::sched::time::idle::ThreadIdle;
use crate::stack::SizeClass;

/// A clock that stands still until a fiber adds to the work done.
#[derive(Debug)]
struct WorkClock {
    start: Instant,
    worked: Rc<Cell<Duration>>,
}

impl Clock for WorkClock {
    fn now(&self) -> Instant {
        self.start + self.worked.get()
    }

    fn can_jump(&self) -> bool {
        true
    }

    fn jump_to(&self, at: Instant) {
        self.worked.set(self.worked.get().max(at.saturating_duration_since(self.start)));
    }
}

fn run_by_work(worked: Rc<Cell<Duration>>, main: impl FnOnce()) {
    let clock = WorkClock { start: RealClock.now(), worked };
    let scheduler =
        Scheduler::new(SizeClass::DEFAULT, Box::new(clock), Box::new(ThreadIdle::new()));
    run_on(Box::new(scheduler.unwrap()), main);
}

/// Runs `main` beside a number of fibers that work for `slice` between their yields.
fn beside_busy_fibers(fibers: u32, slice: Duration, main: impl FnOnce()) {
    let worked = Rc::new(Cell::new(Duration::ZERO));
    run_by_work(worked.clone(), || {
        for _ in 0..fibers {
            let worked = worked.clone();
            drop(spawn(move || {
                loop {
                    worked.set(worked.get() + slice);
                    yield_now();
                }
            }));
        }
        main();
    });
}

// On top of the millisecond, the current fiber continues to its next yield, however long that
// takes.
#[test]
fn a_timer_is_late_by_at_most_a_millisecond_and_one_revolution_of_the_ring() {
    let millisecond = Duration::from_millis(1);
    for (fibers, micros) in [(1, 1), (1, 20), (3, 100), (10, 100), (2, 1_000), (5, 3_000)] {
        let slice = Duration::from_micros(micros);
        beside_busy_fibers(fibers, slice, || {
            // The scheduler learns how slow they are.
            sleep(millisecond);
            for _ in 0..50 {
                let start = now();
                sleep(millisecond);
                let late = now() - start - millisecond;
                let bound = millisecond.max(slice) + slice * fibers;
                assert!(late <= bound, "{fibers} x {slice:?}: {late:?} late, not {bound:?}");
            }
        });
    }
}

#[test]
fn a_batch_shrinks_with_slow_fibers_and_grows_again_without() {
    let slow = Rc::new(Cell::new(true));
    let is_slow = slow.clone();
    let worked = Rc::new(Cell::new(Duration::ZERO));
    let its = worked.clone();
    run_by_work(worked, move || {
        let sched = current_fiber().sched;
        let full = sched.batch_mask.get();
        drop(spawn(|| sleep(Duration::from_secs(3_600))));
        drop(spawn(move || {
            loop {
                its.set(its.get() + Duration::from_micros(if is_slow.get() { 2_000 } else { 1 }));
                yield_now();
            }
        }));
        (0..200).for_each(|_| yield_now());
        assert!(sched.batch_mask.get() <= 1);
        slow.set(false);
        (0..200).for_each(|_| yield_now());
        assert_eq!(sched.batch_mask.get(), full);
    });
}
