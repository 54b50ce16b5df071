//! Contexts that travel with fibers, coroutines and tasklets: when they are on the thread.

#![allow(clippy::disallowed_methods, reason = "threads beside the scheduler are tested")]

#[path = "../support/mod.rs"]
mod support;

mod coroutines;
mod door;
mod ends;
mod hooks;
#[cfg(feature = "tracing")]
mod spans;
mod waits;

use std::cell::RefCell;

use fibra::context::{Carried, carry};
use support::log;

thread_local! {
    /// The names that are current on the thread, the innermost last.
    static CURRENT: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// A context that logs `+name` and `-name`, and keeps [`CURRENT`].
struct Named(&'static str);

impl Carried for Named {
    fn enter(&self) {
        log(format_args!("+{}", self.0));
        CURRENT.with_borrow_mut(|names| names.push(self.0));
    }

    fn leave(&self) {
        log(format_args!("-{}", self.0));
        let left = CURRENT.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(self.0), "contexts are left in another order");
    }
}

/// Runs `f` with a [`Named`] context.
fn named<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    carry(&Named(name), f)
}

/// Logs `text` and the names that are current.
fn show(text: &str) {
    CURRENT.with_borrow(|names| log(format_args!("{text}[{}]", names.join(","))));
}
