//! Tests `sync::Event`.

use std::sync::Arc;

use fibra::sync::{Event, TimeoutError};
use fibra::{JoinHandle, spawn, yield_now};

use crate::support::sync::{elsewhere, thread};
use crate::support::{check, go, log, ms, run_virtually};

fn waiter(event: &Arc<Event>, name: &'static str) -> JoinHandle<()> {
    let event = event.clone();
    spawn(move || {
        event.wait();
        log(name);
    })
}

#[test]
fn all_waiters_continue_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let event = Arc::new(Event::new());
        let waiters = ["a", "b", "c"].map(|name| waiter(&event, name));
        yield_now();
        assert_eq!(format!("{event:?}"), "Event { is_set: false, waiting: 3 }");
        event.set();
        event.set();
        log("set");
        event.wait();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert!(event.is_set());
    });
    check("set a b c");
}

#[test]
fn a_woken_waiter_continues_also_if_the_event_is_cleared_before() {
    fibra::run(|| {
        let event = Arc::new(Event::new());
        let before = waiter(&event, "before");
        yield_now();
        event.set();
        event.clear();
        let after = waiter(&event, "after");
        before.join().unwrap();
        assert!(!event.is_set());
        log("again");
        event.set();
        after.join().unwrap();
    });
    check("before again after");
}

#[test]
fn a_deadline_ends_the_wait() {
    run_virtually(|| {
        let event = Arc::new(Event::new());
        let start = fibra::now();
        assert_eq!(event.wait_timeout(ms(5)), Err(TimeoutError::Timeout));
        assert_eq!(event.wait_deadline(start + ms(7)), Err(TimeoutError::Timeout));
        assert_eq!(fibra::now() - start, ms(7));
        let late = event.clone();
        go(move || {
            fibra::sleep(ms(3));
            late.set();
        });
        assert_eq!(event.wait_timeout(ms(5)), Ok(()));
        assert_eq!(fibra::now() - start, ms(10));
        assert_eq!(event.wait_timeout(ms(0)), Ok(()));
    });
}

#[test]
fn a_fiber_that_is_killed_leaves_the_others() {
    fibra::run(|| {
        let event = Arc::new(Event::default());
        let [a, b] = ["a", "b"].map(|name| waiter(&event, name));
        yield_now();
        a.kill();
        assert!(a.join().is_err());
        event.set();
        b.join().unwrap();
    });
    check("b");
}

#[test]
fn a_loop_of_waits_that_need_not_wait_lets_others_run() {
    fibra::run(|| {
        let event = Event::new();
        event.set();
        go(|| log("other"));
        (0..200).for_each(|_| event.wait());
        log("main");
    });
    check("other main");
}

#[test]
fn fibers_and_threads_wait_for_one_event() {
    static EVENT: Event = Event::new();
    let fibers = elsewhere(|| {
        let fibers: Vec<_> = (0..3).map(|_| spawn(|| EVENT.wait())).collect();
        fibers.into_iter().for_each(|fiber| fiber.join().unwrap());
    });
    let plain = thread(|| EVENT.wait());
    let late = thread(|| EVENT.wait_timeout(ms(1)));
    assert_eq!(late.join().unwrap(), Err(TimeoutError::Timeout));
    EVENT.set();
    fibers.join().unwrap();
    plain.join().unwrap();
}
