//! As `tests/support`, with a trace that can be looked at: some of these programs have no one order.

#[path = "../../support/mod.rs"]
mod shared;

#[allow(unused_imports, reason = "each test file uses a part of it")]
pub(crate) use shared::*;

use std::cell::RefCell;
use std::fmt::Display;

thread_local! {
    static TRACE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Appends `entry` to this thread's trace.
pub(crate) fn log(entry: impl Display) {
    let entry = entry.to_string();
    // A destructor of a thread-local may come here when the trace is gone.
    let _ = TRACE.try_with(|trace| trace.borrow_mut().push(entry));
}

/// This thread's trace, which is empty afterwards.
pub(crate) fn trace() -> Vec<String> {
    TRACE.with(RefCell::take)
}

/// Compares this thread's trace, one space between entries, with `expected`, and empties it.
#[track_caller]
pub(crate) fn check(expected: &str) {
    assert_eq!(trace().join(" "), expected);
}

/// Logs its text when it is dropped.
pub(crate) struct Noisy<S: Display>(pub(crate) S);

impl<S: Display> Drop for Noisy<S> {
    fn drop(&mut self) {
        log(&self.0);
    }
}
