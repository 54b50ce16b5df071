//! Support for the tests of the rules of Stackless: tasklets that log, and pictures of the ring and
//! of a tasklet's state.
//!
//! In a trace, `m` is main, `T!` is the end of T by `TaskletExit`, and `T:E` its end by the payload
//! E.

use std::any::Any;
use std::fmt::Debug;
use std::panic::{self, AssertUnwindSafe, catch_unwind, resume_unwind};

use fibra::stackless::{self, Channel, Tasklet, TaskletError, TaskletExit, Tempval};

use crate::support::{log, text_of};

/// Creates a tasklet at the end of the ring that logs its name.
pub(crate) fn logs(name: &'static str) -> Tasklet {
    stackless::spawn(move || log(name))
}

/// Creates a paused tasklet, not started, that logs its name.
pub(crate) fn paused(name: &'static str) -> Tasklet {
    stackless::tasklet(move |()| log(name)).bind(())
}

/// Creates a tasklet at the end of the ring that logs its name and raises `payload`.
pub(crate) fn raises(name: &'static str, payload: &'static str) -> Tasklet {
    stackless::spawn(move || {
        log(name);
        raise(payload)
    })
}

/// Creates a tasklet that has started and is paused. It logs `name` and 2 when it continues.
pub(crate) fn floating(name: &'static str) -> Tasklet {
    let tasklet = stackless::tasklet(move |()| {
        logs_end(name, || {
            stackless::schedule_remove();
            log(format!("{name}2"));
        });
    });
    let tasklet = tasklet.bind(());
    tasklet.run().unwrap();
    assert_eq!(state(&tasklet), "alive paused");
    tasklet
}

/// Creates a tasklet that is blocked in a receive on `channel`. It logs `name` and the value.
pub(crate) fn receiving<T: Debug + 'static>(name: &'static str, channel: &Channel<T>) -> Tasklet {
    let channel = channel.clone();
    let body = move |()| {
        logs_end(name, || match channel.receive() {
            Ok(value) => log(format!("{name}{value:?}")),
            Err(error) => log(format!("{name} {error}")),
        });
    };
    let tasklet = stackless::tasklet(body).bind(());
    tasklet.run().unwrap();
    assert_eq!(state(&tasklet), "alive blocked scheduled");
    tasklet
}

/// Creates a tasklet that is blocked in a send of `value` on `channel`. It then logs its name.
pub(crate) fn sending<T: 'static>(name: &'static str, channel: &Channel<T>, value: T) -> Tasklet {
    let channel = channel.clone();
    let body = move |()| {
        logs_end(name, || match channel.send(value) {
            Ok(()) => log(name),
            Err(error) => log(format!("{name} {error}")),
        });
    };
    let tasklet = stackless::tasklet(body).bind(());
    tasklet.run().unwrap();
    assert_eq!(state(&tasklet), "alive blocked scheduled");
    tasklet
}

/// Calls `body`. If it unwinds with a `TaskletExit` or a text, logs that, and continues to unwind.
pub(crate) fn logs_end(name: &str, body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        if payload.is::<TaskletExit>() {
            log(format!("{name}!"));
        } else if payload.is::<&str>() || payload.is::<String>() {
            log(format!("{name}:{}", text_of(payload.as_ref())));
        }
        resume_unwind(payload);
    }
}

/// Unwinds with `payload`, without the message of a panic.
pub(crate) fn raise(payload: impl Any + Send) -> ! {
    panic::resume_unwind(Box::new(payload))
}

/// Returns the payload with which `f` unwinds.
#[track_caller]
pub(crate) fn payload_of<R>(f: impl FnOnce() -> R) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it did not unwind"),
        Err(payload) => payload,
    }
}

/// Returns the ring from the running tasklet on, by the names in `names`; main is `m`.
pub(crate) fn ring(names: &[(&str, &Tasklet)]) -> String {
    let first = stackless::getcurrent();
    let mut shown = Vec::new();
    let mut tasklet = first.clone();
    loop {
        let name = names.iter().find(|(_, named)| **named == tasklet).map(|(name, _)| *name);
        shown.push(name.unwrap_or(if tasklet.is_main() { "m" } else { "?" }));
        let next = tasklet.next().expect("a member of the ring has a next one");
        assert!(next.prev() == Some(tasklet), "the ring is linked both ways");
        if next == first {
            break;
        }
        tasklet = next;
    }
    assert_eq!(shown.len(), stackless::getruncount(), "{shown:?}");
    shown.join(" ")
}

/// Returns the flags that are set in the state of `tasklet`, in alphabetical order; `dead` if none
/// is.
pub(crate) fn state(tasklet: &Tasklet) -> String {
    let flags = [
        ("alive", tasklet.is_alive()),
        ("blocked", tasklet.is_blocked()),
        ("current", tasklet.is_current()),
        ("paused", tasklet.is_paused()),
        ("scheduled", tasklet.is_scheduled()),
    ];
    let set: Vec<_> = flags.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    if set.is_empty() { "dead".into() } else { set.join(" ") }
}

/// Asserts that `result` is an error whose text holds `text`, and returns the error.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, TaskletError>, text: &str) -> TaskletError {
    let error = result.err().unwrap_or_else(|| panic!("it was not refused: {text}"));
    assert!(error.to_string().contains(text), "{error}");
    error
}

/// Returns a tempval that holds `value`.
pub(crate) fn some<T: Any>(value: T) -> Tempval {
    Some(Box::new(value))
}

/// Returns the value in `tempval`, if there is one. Panics if it is not a `T`.
pub(crate) fn value_of<T: Any>(tempval: Tempval) -> Option<T> {
    Some(*tempval?.downcast().expect("the type of the tempval"))
}

/// Returns the text of the payload with which `f` unwinds.
#[track_caller]
pub(crate) fn raised<R>(f: impl FnOnce() -> R) -> String {
    text_of(payload_of(f).as_ref())
}

/// Calls `f` and discards the payload if it unwinds. (A kill of fibra's own is raised again at the
/// next wait.)
pub(crate) fn quietly(f: impl FnOnce()) {
    drop(catch_unwind(AssertUnwindSafe(f)));
}
