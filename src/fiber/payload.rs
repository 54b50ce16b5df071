//! What a fiber unwinds with when it is killed, and the texts of payloads.
//!
//! Invariants:
//! - A kill unwinds with a private payload that no user code can name. It is raised by [`raise`] and
//!   [`raise_exit`] only, with `resume_unwind`: no panic hook runs and no message is printed.

use std::any::Any;
use std::panic;

/// The text of a panic payload, as std's panic hook shows it.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return text;
    }
    payload.downcast_ref::<String>().map_or_else(|| other_text(payload), String::as_str)
}

/// What is known of a payload that is not a string. That of a kill is seen where code has caught
/// one and raised it again somewhere else.
pub(crate) fn other_text(payload: &(dyn Any + Send)) -> &'static str {
    if is_unwind(payload) {
        return "the unwind of a kill or of a time limit, which was caught elsewhere and raised again";
    }
    "a value that is not a string"
}

/// The payload of a kill, of a cancelled scope, and of `exit`.
struct Unwind {
    /// No scope ends it.
    is_exit: bool,
}

/// Unwinds the running fiber to its outermost cancelled scope in sight, or to its root.
pub(crate) fn raise() -> ! {
    panic::resume_unwind(Box::new(Unwind { is_exit: false }))
}

/// Unwinds the running fiber to its root, whatever scopes and shields it is in.
pub(crate) fn raise_exit() -> ! {
    panic::resume_unwind(Box::new(Unwind { is_exit: true }))
}

/// Whether `payload` is one of those above.
pub(crate) fn is_unwind(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwind>()
}

/// Whether `payload` is that of a kill or of a cancelled scope.
pub(crate) fn is_cancellation(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<Unwind>().is_some_and(|unwind| !unwind.is_exit)
}
