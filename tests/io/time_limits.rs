//! Every blocking call, with a time limit around it, and with a kill of its fiber.

#![allow(clippy::disallowed_methods, reason = "real time")]

use std::cell::Cell;
use std::fmt::{Debug, Display};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::time::timeout;

use crate::support::net::check_end;
use crate::support::{HOUR, in_child, name_of};

#[path = "../abort/calls.rs"]
mod calls;

const MS: Duration = Duration::from_millis(1);
/// A call that has not returned by then never will.
const LATE: Duration = Duration::from_secs(10);

#[test]
fn each_blocking_call_is_left_when_its_time_is_over_and_when_its_fiber_is_killed() {
    let test =
        name_of!(each_blocking_call_is_left_when_its_time_is_over_and_when_its_fiber_is_killed);
    check_end(&in_child(test, &[], || fibra::run(calls::all)));
}

fn say(text: impl Display) {
    let text = text.to_string();
    assert!(!text.contains("WRONG"), "{text}");
}

fn debug<T: Debug>(result: T) -> String {
    format!("{result:?}")
}

fn kill(name: &str, mut call: impl FnMut() -> String + 'static) {
    let (outcomes, has_outcome) = (Rc::new(Cell::new(None)), Rc::new(Cell::new(false)));
    let (outcome, has_one) = (outcomes.clone(), has_outcome.clone());
    let fiber = fibra::spawn(move || {
        let started = Instant::now();
        let limited = timeout(2 * MS, &mut call);
        outcome.set(Some((limited, started.elapsed())));
        has_one.set(true);
        call()
    });
    let started = Instant::now();
    while !has_outcome.get() && started.elapsed() < LATE {
        fibra::sleep(MS);
    }
    fibra::sleep(MS);
    fiber.kill();
    while !fiber.is_finished() && started.elapsed() < LATE {
        fibra::sleep(MS);
    }
    assert!(fiber.is_finished(), "{name} goes on when it is killed");
    let (limited, took) = outcomes.take().unwrap_or_else(|| panic!("{name} is not left"));
    assert!(limited.is_err(), "{name} is not left: {limited:?}");
    assert!(took < LATE, "{name} was left after {took:?}");
    let killed = fiber.join();
    assert!(killed.as_ref().is_err_and(fibra::JoinError::is_killed), "{name}: {killed:?}");
}

fn wait_on(name: &str, call: impl FnOnce() + 'static, end: impl FnOnce()) {
    let started = Instant::now();
    let _ = timeout(2 * MS, call);
    end();
    assert!(started.elapsed() < LATE, "{name} is left too late");
}
