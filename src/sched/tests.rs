//! Tests of the ring under pauses, and of other state that no public call reports.

mod fairness;
#[cfg(loom)]
mod loom;
mod publish;

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::fiber::header::FiberPtr;
use crate::sched::api::join::JoinHandle;
use crate::sched::api::run::{Killed, fail, run_to_its_end};
use crate::sched::api::shield::shield;
use crate::sched::api::spawn::spawn;
use crate::sched::core::park::yield_now;
use crate::sched::core::scheduler::{Scheduler, SchedulerPtr, current_fiber};
use crate::sched::threads::remote;
use crate::sched::time::clock::VirtualClock;
use crate::sched::time::idle::ThreadIdle;
use crate::stack::SizeClass;

type Trace = Rc<RefCell<Vec<String>>>;

/// Runs `f` as the main fiber of a scheduler of its own.
fn run(f: impl FnOnce(SchedulerPtr, Trace)) {
    let clock = Box::new(VirtualClock::new());
    let scheduler = Scheduler::new(SizeClass::DEFAULT, clock, Box::new(ThreadIdle::new())).unwrap();
    run_on(Box::new(scheduler), || f(current_fiber().sched, Trace::default()));
}

/// Runs `f` as the main fiber of `sched`.
pub(crate) fn run_on<T>(sched: Box<Scheduler>, f: impl FnOnce() -> T) -> T {
    run_to_its_end(sched, f).unwrap_or_else(|error| fail(error))
}

/// Spawns a fiber that logs its name each time it runs.
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
fn a_fiber_paused_and_resumed_in_a_loop_runs_once_per_round_and_the_ring_does_not_grow() {
    run(|sched, trace| {
        let [a, _b] = ["a", "b"].map(|name| looping(name, &trace));
        yield_now();
        check(&trace, "a b");
        for _ in 0..100_000 {
            assert!(sched.pause(record(&a)));
            assert!(sched.unpause(record(&a)));
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
fn pausing_and_resuming_in_turns_never_runs_a_fiber_twice() {
    run(|sched, trace| {
        let [a, b] = ["a", "b"].map(|name| looping(name, &trace));
        yield_now();
        for _ in 0..1_000 {
            trace.borrow_mut().clear();
            // Both have a void entry in front of their valid one, in both orders.
            for fiber in [&a, &b, &a] {
                assert!(sched.pause(record(fiber)));
                assert!(sched.unpause(record(fiber)));
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
            assert!(sched.pause(record(&quick)));
            assert!(sched.unpause(record(&quick)));
        }
        quick.join().unwrap();
        // Its void entries that are left in the ring are skipped.
        (0..3).for_each(|_| yield_now());
        check(&trace, "ends");
        assert_eq!(sched.ring(|ring| (ring.stored(), ring.queued())), (0, 0));
    });
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the sender is on another thread")]
fn a_wake_whose_sender_is_gone_is_no_deadlock() {
    run(|sched, _| {
        assert!(!sched.outsiders_may_wake());
        let unparker = remote::unparker(current_fiber().fiber);
        thread::spawn(move || unparker.unpark()).join().unwrap();
        // The run loop would ask this if it had announced its sleep before the unpark.
        assert!(sched.outsiders_may_wake());
        sched.open_mail();
        assert!(!sched.outsiders_may_wake());
    });
}

#[test]
#[allow(clippy::disallowed_methods, reason = "threads stand for signal handlers")]
fn a_shielded_main_fiber_keeps_running_while_two_threads_keep_requesting_its_kill() {
    let ended = catch_unwind(|| {
        run(|sched, _| {
            let request = sched.accept_kill_request();
            let stop = AtomicBool::new(false);
            shield(|| {
                thread::scope(|threads| {
                    // At least once, however late the thread starts.
                    let ask = || {
                        request.ask();
                        while !stop.load(Ordering::Relaxed) {
                            request.ask();
                        }
                    };
                    threads.spawn(ask);
                    threads.spawn(ask);
                    (0..5_000).for_each(|_| yield_now());
                    stop.store(true, Ordering::Relaxed);
                });
            });
            // The last request is seen in the next turn, which may be some switches away.
            (0..1_000).for_each(|_| yield_now());
            unreachable!("it was killed");
        });
    });
    assert!(ended.unwrap_err().is::<Killed>());
}
