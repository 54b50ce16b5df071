//! `run`, its limits, and the events outside of the ring that it sees.

#![allow(clippy::disallowed_methods, reason = "plain threads, and a limit in real time")]

use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use fibra::channel::Preference;
use fibra::stackless::{self, Channel, Run};

use crate::support::{check, log, text_of};

/// Calls `run` until `done` returns true.
#[track_caller]
fn run_until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        stackless::run();
        assert!(began.elapsed() < Duration::from_secs(20), "`run` does not see it");
    }
}

/// The fiber whose `run` has the limit ends while the schedule callback waits, and its header
/// goes to another fiber, which waits in a `run` as well.
#[test]
fn a_limit_whose_run_has_ended_interrupts_nothing() {
    fibra::run(|| {
        let limited = fibra::spawn(|| drop(Run::new().ticks(1).run()));
        let victim = fibra::spawn(|| {
            let first = Cell::new(true);
            stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
                if first.replace(false) {
                    fibra::park();
                }
            })));
            stackless::tick();
            log("the victim goes on");
        });
        fibra::yield_now();
        limited.kill();
        fibra::yield_now();
        drop(limited);
        let other = fibra::spawn(stackless::run);
        fibra::yield_now();
        victim.fiber().unpark();
        victim.join().unwrap();
        other.join().unwrap();
    });
    check("the victim goes on");
}

#[test]
fn a_limit_that_was_replaced_meanwhile_does_not_hand_its_victim_to_the_new_one() {
    fibra::run(|| {
        let again = Rc::new(Cell::new(false));
        let second = again.clone();
        let limited = fibra::spawn(move || {
            log(Run::new().ticks(1).run().is_some());
            second.set(true);
            log(Run::new().ticks(1_000).run().is_some());
        });
        let victim = fibra::spawn(move || {
            let first = Cell::new(true);
            stackless::set_schedule_callback(Some(Rc::new(move |_, _| {
                if first.replace(false) {
                    while !again.get() {
                        fibra::yield_now();
                    }
                    fibra::yield_now();
                }
            })));
            stackless::tick();
            log("the victim goes on");
        });
        fibra::yield_now();
        assert!(stackless::getcurrent().is_main());
        let other = limited.fiber().clone();
        assert!(other.resume(), "its first `run` returns");
        victim.join().unwrap();
        limited.join().unwrap();
    });
    check("false the victim goes on false");
}

#[test]
fn run_alone_carries_out_what_another_thread_has_ordered() {
    fibra::run(|| {
        let paused = stackless::tasklet(|()| log("ran")).bind(());
        let remote = paused.remote();
        thread::spawn(move || remote.insert().unwrap()).join().unwrap();
        stackless::run();
        assert!(!paused.is_alive());
    });
    check("ran");
}

#[test]
fn run_alone_in_a_loop_sees_other_threads() {
    fibra::run(|| {
        let paused = stackless::tasklet(|()| log("ran")).bind(());
        let remote = paused.remote();
        let thread = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            remote.insert().unwrap();
        });
        run_until(|| !paused.is_alive());
        thread.join().unwrap();
    });
    check("ran");
}

#[test]
fn run_alone_in_a_loop_sees_timers() {
    fibra::run(|| {
        let sleeper = stackless::spawn(|| fibra::sleep(Duration::from_millis(2)));
        run_until(|| !sleeper.is_alive());
    });
}

#[test]
fn run_alone_still_returns_while_others_only_wait() {
    fibra::run(|| {
        let channel = Channel::<()>::new();
        let waiting = channel.clone();
        stackless::spawn(move || drop(waiting.receive()));
        let sleeper = fibra::spawn(|| fibra::sleep(Duration::from_secs(3600)));
        stackless::run();
        stackless::run();
        assert_eq!(channel.balance(), -1);
        sleeper.kill();
    });
}

/// Receives from a tasklet that fails before main continues.
fn leave_an_error_for_main() {
    let channel = Channel::new();
    channel.set_preference(Preference::Sender);
    let to = channel.clone();
    stackless::spawn(move || {
        to.send(1).unwrap();
        resume_unwind(Box::new("E"));
    });
    log(channel.receive().unwrap());
}

/// S-161: a wait that was handed its value returns it, and the error stays for the next call.
#[test]
fn an_error_that_is_left_for_main_is_raised_by_a_run_alone() {
    fibra::run(|| {
        leave_an_error_for_main();
        assert_eq!(stackless::getruncount(), 1);
        log(text_of(catch_unwind(stackless::run).unwrap_err().as_ref()));
        stackless::run();
    });
    check("1 E");
}

#[test]
fn an_error_that_is_left_for_main_is_raised_by_a_run_that_may_not_switch() {
    fibra::run(|| {
        leave_an_error_for_main();
        let _trapped = stackless::switch_trapped();
        log(text_of(catch_unwind(stackless::run).unwrap_err().as_ref()));
    });
    check("1 E");
}
