//! The records that a scheduler keeps for a façade above it, without knowing their types.
//!
//! Invariant: the user values in them are dropped on the main fiber, when `run` begins to end.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::fmt;

use crate::fiber::header::FiberRef;
use crate::fiber::state::State;

/// A façade's record of a scheduler.
pub(crate) trait Facade: fmt::Debug {
    /// Returns itself, for the façade that knows its type.
    fn as_any(&self) -> &dyn Any;

    /// Drops all user values, and accepts none any more: `run` is ending.
    fn close(&self);
}

/// The data that `tasklet/` and `stackless/` keep in a scheduler.
#[derive(Debug)]
pub(crate) struct Tasklets {
    /// The fibers that wait until no other can run, the innermost last.
    pub(crate) watchers: RefCell<Vec<Watcher>>,
    /// The record of `stackless/`.
    pub(crate) facade: OnceCell<Box<dyn Facade>>,
}

/// A fiber that waits until no other can run.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) fiber: FiberRef,
    /// Whether it waits for timers and other threads as well.
    pub(crate) patient: bool,
}

impl Tasklets {
    pub(crate) const fn new() -> Tasklets {
        Tasklets { watchers: RefCell::new(Vec::new()), facade: OnceCell::new() }
    }

    /// Returns the innermost watcher that was not abandoned.
    pub(crate) fn innermost(&self) -> Option<Watcher> {
        let watchers = self.watchers.borrow();
        let alive = |watcher: &&Watcher| watcher.fiber.state.get() != State::Abandoned;
        watchers.iter().rev().find(alive).cloned()
    }
}
