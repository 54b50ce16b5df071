//! What a layer above keeps for one fiber: a façade's own record of it, and a payload thrown at it.
//!
//! Invariants:
//! - Both may hold user values. They are taken out on the fiber, before it counts as ended
//!   (`sched/core/end.rs`): a record that is freed holds neither.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

/// What an unwind carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// A façade's record of a fiber.
pub(crate) trait Identity: fmt::Debug {
    /// Itself, for the façade that knows its type.
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;

    /// The fiber, which runs this, is about to end: lets go of everything that is the user's.
    ///
    /// `unmet` is what was thrown at the fiber and never went off; `killed` says whether the fiber
    /// was killed, so that nobody will miss it.
    fn ended(&self, unmet: Option<Payload>, killed: bool);
}
