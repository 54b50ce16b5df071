//! Tests that a stack that can never be unwound is kept forever, with all that it may have lent.

#![allow(clippy::disallowed_methods, reason = "threads borrow from a stack that is given up")]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use fibra::generator::{Generator, Yielder};

use crate::support::{Noisy, apart, check, log, run_virtually};

fibra::local! {
    static LENT: Noisy<&'static str> = Noisy("the local is dropped");
    static OTHER: Noisy<&'static str> = Noisy("the other local is dropped");
}

/// Yields forever, whatever is raised.
fn refuse_to_end(yielder: &Yielder<(), ()>) -> ! {
    loop {
        let _ = catch_unwind(AssertUnwindSafe(|| yielder.yield_(())));
    }
}

/// Creates a generator that lends a fiber-local to a fiber of a scope, and never leaves the scope.
fn lender(begin: impl FnOnce() + 'static) -> Generator<(), (), ()> {
    Generator::new(move |yielder, ()| {
        LENT.with(|lent| {
            fibra::scope(|scope| {
                scope.spawn(move || {
                    (0..10).for_each(|_| fibra::yield_now());
                    log(format!("the child reads, {}", lent.0.len()));
                });
                begin();
                refuse_to_end(yielder);
            });
        });
    })
}

#[test]
fn fiber_locals_outlive_an_abandoned_generator_that_lends_them() {
    apart(|| {
        run_virtually(|| {
            fibra::spawn(|| {
                lender(|| {}).try_resume(()).unwrap();
                OTHER.with(|_| ());
            })
            .join()
            .unwrap();
            log("the lender has ended");
            (0..20).for_each(|_| fibra::yield_now());
        });
    });
    check("the lender has ended the child reads, 20");
}

#[test]
fn fiber_locals_of_the_main_fiber_outlive_an_abandoned_generator_as_well() {
    apart(|| {
        run_virtually(|| {
            lender(|| {}).try_resume(()).unwrap();
        });
        log("run is over");
    });
    check("run is over");
}

#[test]
fn a_child_that_panics_in_a_nursery_whose_fiber_is_gone_finds_its_record() {
    apart(|| {
        run_virtually(|| {
            let lender = fibra::spawn(|| {
                let mut generator = Generator::new(|yielder: &Yielder<(), ()>, ()| {
                    fibra::nursery(|nursery| {
                        nursery.spawn(|| {
                            (0..10).for_each(|_| fibra::yield_now());
                            std::panic::resume_unwind(Box::new("late"));
                        });
                        refuse_to_end(yielder)
                    })
                });
                generator.try_resume(()).unwrap();
            });
            lender.join().unwrap();
            // These fibers take the place of the record if it is free.
            let others: Vec<_> = (0..3)
                .map(|i| fibra::spawn(move || (0..i).for_each(|_| fibra::yield_now())))
                .collect();
            (0..20).for_each(|_| fibra::yield_now());
            others.into_iter().for_each(|other| other.join().unwrap());
            log("over");
        });
    });
    check("over");
}

/// Sends a message when its thread destroys its thread-locals.
struct ReportsEnd(Cell<Option<mpsc::Sender<&'static str>>>);

impl Drop for ReportsEnd {
    fn drop(&mut self) {
        if let Some(to) = self.0.take() {
            let _ = to.send("destroyed");
        }
    }
}

thread_local! {
    static REPORTS_END: ReportsEnd = const { ReportsEnd(Cell::new(None)) };
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Runs a fiber that lends a thread-local to another thread and never ends.
fn lend_a_thread_local(to: mpsc::Sender<&'static str>) {
    fibra::run(|| {
        let lends = fibra::spawn(move || {
            REPORTS_END.with(|reports| {
                reports.0.set(Some(to.clone()));
                let shared = to.clone();
                std::thread::scope(|threads| {
                    threads.spawn(move || {
                        while !STOP.load(Ordering::SeqCst) {
                            std::thread::yield_now();
                        }
                        let _ = shared.send("read");
                    });
                    loop {
                        let _ = catch_unwind(AssertUnwindSafe(fibra::park));
                    }
                });
            });
        });
        fibra::yield_now();
        lends.kill();
        assert!(lends.join().unwrap_err().is_killed());
    });
}

#[test]
fn a_thread_does_not_destroy_thread_locals_that_an_abandoned_stack_uses() {
    let (to, from) = mpsc::channel();
    let (ran, has_run) = mpsc::channel();
    std::thread::spawn(move || {
        lend_a_thread_local(to);
        ran.send(()).unwrap();
    });
    has_run.recv().unwrap();
    assert_eq!(from.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout));
    STOP.store(true, Ordering::SeqCst);
    assert_eq!(from.recv(), Ok("read"));
    assert_eq!(from.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout));
}

#[test]
fn thread_locals_created_since_then_are_kept_when_another_stack_is_abandoned() {
    let (to, from) = mpsc::channel();
    let (ran, has_run) = mpsc::channel();
    std::thread::spawn(move || {
        let give_up = || {
            fibra::frame(|| {
                let mut generator =
                    Generator::new(|yielder: &Yielder<(), ()>, ()| refuse_to_end(yielder));
                generator.try_resume(()).unwrap();
            });
        };
        give_up();
        REPORTS_END.with(|reports| reports.0.set(Some(to)));
        give_up();
        ran.send(()).unwrap();
    });
    has_run.recv().unwrap();
    assert_eq!(from.recv_timeout(Duration::from_millis(200)), Err(mpsc::RecvTimeoutError::Timeout));
}

#[test]
fn a_thread_on_which_all_stacks_were_unwound_ends() {
    let (to, from) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        REPORTS_END.with(|reports| reports.0.set(Some(to)));
        fibra::run(|| {
            drop(fibra::spawn(fibra::park));
            fibra::yield_now();
        });
    });
    thread.join().unwrap();
    assert_eq!(from.recv(), Ok("destroyed"));
}
