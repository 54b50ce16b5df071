//! The payload with which a fiber unwinds when it is killed, and the texts of payloads.
//!
//! Invariants:
//! - A kill unwinds with a private payload that no user code can name. Only [`raise`] and
//!   [`raise_exit`] raise it, with `resume_unwind`: no panic hook runs and no message is printed.

use std::any::Any;
use std::panic;

/// Returns the text of a panic payload, like std's panic hook prints it, or a description of a
/// payload that is not a string.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return text;
    }
    payload.downcast_ref::<String>().map_or_else(|| other_text(payload), String::as_str)
}

/// Returns a description of a payload that is not a string. The payload of a kill comes here if
/// code has caught it and raised it again in another place.
pub(crate) fn other_text(payload: &(dyn Any + Send)) -> &'static str {
    if is_unwind(payload) {
        return "the unwind of a kill or of a time limit, which was caught elsewhere and raised again";
    }
    "a value that is not a string"
}

/// The payload of a kill, of a cancelled scope, and of `exit`.
struct Unwind {
    /// Whether it is the unwind of `exit`, which no scope ends.
    is_exit: bool,
}

/// Unwinds the running fiber to its outermost cancelled scope that is not behind a shield, or to
/// its root.
pub(crate) fn raise() -> ! {
    panic::resume_unwind(Box::new(Unwind { is_exit: false }))
}

/// Unwinds the running fiber to its root, out of all scopes and shields that it is in.
pub(crate) fn raise_exit() -> ! {
    panic::resume_unwind(Box::new(Unwind { is_exit: true }))
}

/// Returns whether `payload` is that of a kill, of a cancelled scope or of `exit`.
pub(crate) fn is_unwind(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwind>()
}

/// Returns whether `payload` is that of a kill or of a cancelled scope.
pub(crate) fn is_cancellation(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<Unwind>().is_some_and(|unwind| !unwind.is_exit)
}
