//! Tests `yield_now`: all other fibers run, then the caller continues. It is a kill point, and it
//! starves no fiber.

use std::cell::Cell;
use std::rc::Rc;

use crate::support::{Noisy, check, go, log, ms};

#[test]
fn every_other_fiber_runs_once_before_the_caller_goes_on() {
    fibra::run(|| {
        for name in ["a", "b", "c"] {
            go(move || {
                loop {
                    log(name);
                    fibra::yield_now();
                }
            });
        }
        fibra::yield_now();
        log("m");
        fibra::yield_now();
    });
    check("a b c m a b c");
}

#[test]
fn alone_it_returns() {
    fibra::run(|| {
        (0..10_000).for_each(|_| fibra::yield_now());
        assert!(10_000 / 2 < fibra::stats().switches);
    });
}

#[test]
fn a_kill_is_met_where_the_fiber_yielded() {
    fibra::run(|| {
        let child = fibra::spawn(|| {
            let _unwound = Noisy("unwound");
            loop {
                log("turn");
                fibra::yield_now();
            }
        });
        fibra::yield_now();
        child.kill();
        assert!(child.join().unwrap_err().is_killed());
    });
    check("turn unwound");
}

#[test]
fn a_yield_loop_does_not_hold_up_a_deadline() {
    fibra::run(|| {
        let done = Rc::new(Cell::new(false));
        let flag = done.clone();
        go(move || {
            fibra::sleep(ms(1));
            flag.set(true);
        });
        while !done.get() {
            fibra::yield_now();
        }
    });
}

#[test]
fn a_pair_that_never_has_to_wait_gives_way_to_others() {
    fibra::run(|| {
        let (sender, receiver) = fibra::channel::unbounded();
        let done = Rc::new(Cell::new(false));
        let flag = done.clone();
        go(move || flag.set(true));
        // Neither the send nor the receive ever waits: only their budget lets the other fiber run.
        for i in 0.. {
            if done.get() {
                break;
            }
            assert!(i < 1_000, "the other fiber starves");
            sender.send(i).unwrap();
            assert_eq!(receiver.recv().unwrap(), i);
        }
    });
}

#[test]
fn a_loop_of_unparked_parks_gives_way_to_others() {
    fibra::run(|| {
        let done = Rc::new(Cell::new(false));
        let flag = done.clone();
        go(move || flag.set(true));
        for i in 0.. {
            if done.get() {
                break;
            }
            assert!(i < 1_000, "the other fiber starves");
            fibra::current().unpark();
            fibra::park();
        }
    });
}
