//! Tests what only this crate can do so far: take a fiber out of the ring and put it in again.

use std::cell::RefCell;
use std::rc::Rc;

use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::clock::VirtualClock;
use crate::sched::handle::current;
use crate::sched::idle::ThreadIdle;
use crate::sched::join::JoinHandle;
use crate::sched::park::yield_now;
use crate::sched::run::run_on;
use crate::sched::scheduler::{Scheduler, SchedulerPtr, here};
use crate::sched::spawn::spawn;
use crate::stack::SizeClass;

static REMOVED: WaitReason = WaitReason::new("taken out of the ring", OnDeadlock::Last);

type Trace = Rc<RefCell<Vec<String>>>;

/// Runs `f` as the main fiber of a scheduler of its own.
fn run(f: impl FnOnce(SchedulerPtr, Trace)) {
    let clock = Box::new(VirtualClock::new());
    let scheduler = Scheduler::new(SizeClass::DEFAULT, clock, Box::new(ThreadIdle)).unwrap();
    run_on(Box::new(scheduler), || f(here().sched, Trace::default()));
}

/// A fiber that logs its name in each of its turns.
fn looping(name: &'static str, trace: &Trace) -> JoinHandle<()> {
    let trace = trace.clone();
    spawn(move || {
        loop {
            trace.borrow_mut().push(name.to_owned());
            yield_now();
        }
    })
}

fn record(handle: &JoinHandle<()>) -> FiberPtr {
    handle.fiber().record()
}

#[track_caller]
fn check(trace: &Trace, expected: &str) {
    assert_eq!(trace.take().join(" "), expected);
}

#[test]
fn a_removed_fiber_does_not_run_until_it_is_inserted_at_the_end() {
    run(|sched, trace| {
        let [a, _b, _c] = ["a", "b", "c"].map(|name| looping(name, &trace));
        yield_now();
        sched.remove(record(&a), &REMOVED);
        yield_now();
        yield_now();
        check(&trace, "a b c b c b c");
        sched.make_ready(record(&a));
        yield_now();
        check(&trace, "b c a");
    });
}

#[test]
fn removed_and_inserted_in_a_loop_it_runs_once_a_turn_and_the_ring_does_not_grow() {
    run(|sched, trace| {
        let [a, _b] = ["a", "b"].map(|name| looping(name, &trace));
        yield_now();
        check(&trace, "a b");
        for _ in 0..100_000 {
            sched.remove(record(&a), &REMOVED);
            sched.make_ready(record(&a));
        }
        assert_eq!(sched.ring(|ring| ring.queued()), 2);
        let stored = sched.ring(|ring| ring.stored());
        assert!(stored <= 128, "{stored} entries for two fibers");
        yield_now();
        check(&trace, "b a");
        yield_now();
        check(&trace, "b a");
    });
}

#[test]
fn removing_and_inserting_in_turns_never_runs_a_fiber_twice() {
    run(|sched, trace| {
        let [a, b] = ["a", "b"].map(|name| looping(name, &trace));
        yield_now();
        for _ in 0..1_000 {
            trace.borrow_mut().clear();
            // Both have a void entry in front of their valid one, in both orders.
            for fiber in [&a, &b, &a] {
                sched.remove(record(fiber), &REMOVED);
                sched.make_ready(record(fiber));
            }
            yield_now();
            check(&trace, "b a");
        }
    });
}

#[test]
fn a_fiber_may_end_and_its_record_be_freed_while_void_entries_of_it_are_stored() {
    run(|sched, trace| {
        let quick = {
            let trace = trace.clone();
            spawn(move || {
                yield_now();
                trace.borrow_mut().push("ends".to_owned());
            })
        };
        yield_now();
        for _ in 0..10 {
            sched.remove(record(&quick), &REMOVED);
            sched.make_ready(record(&quick));
        }
        quick.join().unwrap();
        // What is left of it in the ring is skipped.
        (0..3).for_each(|_| yield_now());
        check(&trace, "ends");
        assert_eq!(sched.ring(|ring| (ring.stored(), ring.queued())), (0, 0));
    });
}

#[test]
fn a_removed_fiber_can_be_killed_and_is_unwound_at_the_end() {
    run(|sched, trace| {
        let [a, b] = ["a", "b"].map(|name| looping(name, &trace));
        yield_now();
        sched.remove(record(&a), &REMOVED);
        sched.remove(record(&b), &REMOVED);
        a.kill();
        assert!(a.join().unwrap_err().is_killed());
        check(&trace, "a b");
        assert_eq!(current().id().number(), 1);
        // `b` is left for the end of `run`.
    });
}
