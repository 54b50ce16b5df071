//! What a scheduler keeps for a façade above it, without knowing what it is.
//!
//! Invariant: what is the user's in there is let go on the main fiber, when `run` begins to end.

use std::any::Any;
use std::fmt;

use crate::fiber::header::FiberPtr;
use crate::sched::core::end;
use crate::sched::core::scheduler::Scheduler;

/// A façade's record of a scheduler.
pub(crate) trait Facade: fmt::Debug {
    /// Itself, for the façade that knows its type.
    fn as_any(&self) -> &dyn Any;

    /// `run` is ending: lets go of everything that is the user's, and takes no more of it.
    fn close(&self);
}

impl Scheduler {
    /// On the main fiber, when `run` begins to end.
    pub(crate) fn close_facade(&self, main: FiberPtr) {
        if let Some(facade) = self.tasklets.get() {
            end::quietly(&main, || facade.close());
        }
    }
}
