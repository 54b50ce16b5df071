//! What a scheduler keeps for a façade above it, without knowing what it is.
//!
//! Invariant: what belongs to users in there is dropped on the main fiber, when `run` begins to end.

use std::any::Any;
use std::cell::{OnceCell, RefCell};
use std::fmt;

use crate::fiber::header::FiberRef;
use crate::fiber::state::State;

/// A façade's record of a scheduler.
pub(crate) trait Facade: fmt::Debug {
    /// Itself, for the façade that knows its type.
    fn as_any(&self) -> &dyn Any;

    /// Drops everything that belongs to users, and takes no more of it: `run` is ending.
    fn close(&self);
}

/// What `tasklet/` and `stackless/` keep in a scheduler.
#[derive(Debug)]
pub(crate) struct Tasklets {
    /// The fibers that wait until no other can run, the innermost last.
    pub(crate) watchers: RefCell<Vec<Watcher>>,
    /// What `stackless/` keeps.
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

    /// Returns the innermost watcher that was not retired.
    pub(crate) fn innermost(&self) -> Option<Watcher> {
        let watchers = self.watchers.borrow();
        let alive = |watcher: &&Watcher| watcher.fiber.state.get() != State::Abandoned;
        watchers.iter().rev().find(alive).cloned()
    }
}
