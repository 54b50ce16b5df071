//! Support for the tests of greenlets: a value like Python's, short names, panics that print
//! nothing.

use std::any::Any;
use std::fmt::{self, Display};
use std::panic::{self, AssertUnwindSafe};

use fibra::greenlet::{Greenlet, GreenletExit, SwitchError};

/// The values that Python's greenlets pass to each other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Unit,
    Int(i64),
    Text(&'static str),
    Tuple(Vec<Value>),
    Dict(Vec<(&'static str, Value)>),
    Exit(GreenletExit),
}

impl From<i64> for Value {
    fn from(int: i64) -> Value {
        Value::Int(int)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Value {
        Value::Text(text)
    }
}

/// Returns the value that `switch` with these arguments delivers (G-033).
pub(crate) fn args<const N: usize, const M: usize>(
    positional: [i64; N],
    keywords: [(&'static str, i64); M],
) -> Value {
    let mut positional: Vec<_> = positional.into_iter().map(Value::Int).collect();
    let keywords: Vec<_> = keywords.into_iter().map(|(k, v)| (k, Value::Int(v))).collect();
    match (positional.len(), keywords.is_empty()) {
        (0, true) => Value::Unit,
        (1, true) => positional.remove(0),
        (_, true) => Value::Tuple(positional),
        (0, false) => Value::Dict(keywords),
        (_, false) => Value::Tuple(vec![Value::Tuple(positional), Value::Dict(keywords)]),
    }
}

/// Raises `payload` like a Python exception: nothing is printed.
pub(crate) fn raise(payload: impl Any + Send) -> ! {
    panic::resume_unwind(Box::new(payload))
}

/// An exception with a name.
#[derive(Debug, PartialEq)]
pub(crate) struct KeyError(pub(crate) &'static str);

/// Returns the payload that `f` raises.
#[track_caller]
pub(crate) fn raised<T>(f: impl FnOnce() -> T) -> Box<dyn Any + Send> {
    match panic::catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("nothing was raised"),
        Err(payload) => payload,
    }
}

/// Returns the `KeyError` that `f` raises.
#[track_caller]
pub(crate) fn key_error<T>(f: impl FnOnce() -> T) -> &'static str {
    match raised(f).downcast::<KeyError>() {
        Ok(error) => error.0,
        Err(_) => panic!("it raised something else"),
    }
}

/// Returns the exit that came instead of a value.
#[track_caller]
pub(crate) fn exit_of<V: fmt::Debug, T>(result: Result<V, SwitchError<T>>) -> GreenletExit {
    match result {
        Err(SwitchError::Exit(exit)) => exit,
        Err(error) => panic!("it failed: {error}"),
        Ok(value) => panic!("a value came: {value:?}"),
    }
}

/// Calls `f`, then `cleanup` whatever happened, while nothing unwinds; then continues to unwind: a
/// `try .. finally` that may switch.
pub(crate) fn try_finally<T>(f: impl FnOnce() -> T, cleanup: impl FnOnce()) -> T {
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    cleanup();
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// Returns the words of G-018, as they are printed.
pub(crate) fn words<V>(greenlet: &Greenlet<V>) -> String {
    let text = format!("{greenlet:?}");
    text.trim_start_matches("Greenlet(").trim_end_matches(')').into()
}

/// Formats a list like Python, but without the spaces.
pub(crate) fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(" ")
}
