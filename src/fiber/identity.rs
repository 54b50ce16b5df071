//! The data that a layer above keeps for one fiber: a façade's own record of it, and a payload that
//! was thrown at it.
//!
//! Invariants:
//! - Both may hold user values. They are taken out on the fiber, before it counts as ended
//!   (`sched/core/end.rs`): a header that is freed holds neither.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

/// The payload of an unwind.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A façade's record of a fiber.
pub(crate) trait Identity: fmt::Debug {
    /// Returns itself, for the façade that knows its type.
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;

    /// Drops every user value that the record holds. The fiber, which runs this, is about to end.
    ///
    /// `unmet` is the payload that was thrown at the fiber and never raised, if there is one.
    /// `killed` is whether the fiber was killed: then losing `unmet` is no error.
    fn ended(&self, unmet: Option<Payload>, killed: bool);
}
