//! The fiber that calls wakers which are not fibra's own: whatever they do, each call is made, and
//! the fiber is not seen.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;

use fibra::future::{block_on, sleep};
use fibra::sync::Event;

use crate::support::{check, log, ms};

struct Calls<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

fn waker(f: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Calls(f)))
}

/// Calls `wakers` by one event, in their order.
fn call_all(wakers: impl IntoIterator<Item = Waker>) {
    let event = Event::new();
    let wakers: Vec<_> = wakers.into_iter().collect();
    let mut waits: Vec<_> = wakers.iter().map(|_| Box::pin(event.wait_async())).collect();
    for (wait, waker) in waits.iter_mut().zip(&wakers) {
        assert!(wait.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    event.set();
}

fn quiet() -> fibra::Runtime {
    fibra::Runtime::builder().virtual_clock().build().unwrap()
}

#[test]
fn one_fiber_calls_all_wakers_of_a_scheduler() {
    fibra::run(|| {
        let name = || waker(|| log(fibra::current().id()));
        call_all((0..3).map(|_| name()));
        fibra::yield_now();
        call_all((0..2).map(|_| name()));
        fibra::yield_now();
        assert_eq!(fibra::stats().spawned, 2);
    });
    check("#2 #2 #2 #2 #2");
}

#[test]
fn a_caller_that_rests_is_not_seen() {
    quiet().run(|| {
        call_all([waker(|| ())]);
        fibra::yield_now();
        assert_eq!(fibra::dump().fibers.len(), 1);
        assert_eq!(fibra::stats().fibers, 1);
        fibra::testing::wait_all_blocked();
        // The virtual clock jumps, and a deadlock is found.
        fibra::sleep(ms(3_600_000));
        let report = std::panic::catch_unwind(fibra::park).unwrap_err();
        let report = report.downcast::<String>().unwrap();
        assert!(report.contains("deadlock") && !report.contains("#2"), "{report}");
    });
}

#[test]
fn a_call_that_waits_holds_up_no_other() {
    quiet().run(|| {
        let all = (0..4).map(|n| {
            waker(move || {
                log(format_args!("begins-{n}"));
                fibra::sleep(ms(10 * (4 - n)));
                log(format_args!("ends-{n}"));
            })
        });
        call_all(all);
        fibra::sleep(ms(100));
        call_all([waker(|| log("last"))]);
        fibra::yield_now();
        assert_eq!(fibra::stats().fibers, 1);
    });
    check("begins-0 begins-1 begins-2 begins-3 ends-3 ends-2 ends-1 ends-0 last");
}

#[test]
fn a_call_that_panics_or_is_killed_holds_up_no_other() {
    fibra::run(|| {
        call_all([
            waker(|| panic!("of a waker")),
            waker(|| log("second")),
            waker(|| {
                fibra::current().kill();
                fibra::park();
            }),
            waker(|| log("fourth")),
            waker(|| fibra::current().kill()),
            waker(|| log("sixth")),
        ]);
        (0..8).for_each(|_| fibra::yield_now());
        call_all([waker(|| log("late"))]);
        (0..2).for_each(|_| fibra::yield_now());
    });
    check("second fourth sixth late");
}

#[test]
fn a_call_may_make_others() {
    fibra::run(|| {
        call_all([waker(|| {
            log("outer");
            call_all([waker(|| log("inner"))]);
            log("made");
        })]);
        fibra::yield_now();
    });
    check("outer made inner");
}

#[test]
fn calls_are_made_when_run_ends() {
    fibra::run(|| {
        let held = Arc::new(Event::new());
        let sets = held.clone();
        let third = waker(move || {
            log("third");
            sets.set();
        });
        call_all([waker(|| log("first")), waker(move || held.wait()), third]);
        log("over");
    });
    check("over first third");
}

#[test]
fn calls_that_come_while_run_ends_are_made() {
    fibra::run(|| {
        call_all([waker(|| ())]);
        fibra::yield_now(); // there is a caller, and it rests
        fibra::spawn(|| {
            fibra::finally(fibra::park, || call_all([waker(|| log("late"))]));
        });
        fibra::yield_now();
    });
    check("late");
}

#[test]
fn wakers_of_other_threads_and_timers_are_called() {
    fibra::run(|| {
        let event = Arc::new(Event::new());
        let sets = event.clone();
        let set = waker(move || sets.set());
        let mut late = pin!(sleep(ms(2)));
        assert!(late.as_mut().poll(&mut Context::from_waker(&set)).is_pending());
        event.wait();
        event.clear();
        let elsewhere = Arc::new(Event::new());
        let there = elsewhere.clone();
        let mut waits = pin!(elsewhere.wait_async());
        assert!(waits.as_mut().poll(&mut Context::from_waker(&set)).is_pending());
        // The thread calls it itself.
        #[allow(clippy::disallowed_methods, reason = "another thread is what is tested")]
        let thread = thread::spawn(move || there.set());
        event.wait();
        block_on(waits);
        fibra::blocking(move || thread.join().unwrap());
    });
}
