//! The regions of a fiber's stack in which it can be cancelled, or is shielded from that.
//!
//! ```text
//!    fiber: killed?            outermost
//!      nursery: cancelled?
//!        shield                 a wait in here looks no further out
//!          nursery: cancelled?
//!            <- a wait looks from here outwards, up to the first shield
//! ```
//!
//! Invariants:
//! - A scope lies on the stack of its fiber and is linked for exactly the time of [`within`].
//! - Cancellation is a level and not an edge: as long as a scope is cancelled (or the fiber
//!   killed), each wait inside it is interrupted again.

#![allow(unsafe_code, reason = "a linked list of records on the fiber's stack")]

use std::cell::Cell;

use crate::fiber::header::{FiberPtr, Header};
use crate::fiber::state::Attention;

/// A region of the stack: cancellable, or shielded.
#[derive(Debug)]
pub(crate) struct CancelScope {
    outer: Cell<*const CancelScope>,
    shield: bool,
    cancelled: Cell<bool>,
}

impl CancelScope {
    pub(crate) fn cancellable() -> CancelScope {
        CancelScope {
            outer: Cell::new(std::ptr::null()),
            shield: false,
            cancelled: Cell::new(false),
        }
    }

    pub(crate) fn shield() -> CancelScope {
        CancelScope { shield: true, ..CancelScope::cancellable() }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }

    /// Cancels the region of `fiber`, whose stack the scope lies on. Waking it is the caller's.
    pub(crate) fn cancel(&self, fiber: &Header) {
        self.cancelled.set(true);
        fiber.notice(Attention::CANCEL);
    }
}

/// Runs `f` inside `scope`.
pub(crate) fn within<R>(fiber: FiberPtr, scope: &CancelScope, f: impl FnOnce() -> R) -> R {
    struct Leave(FiberPtr, *const CancelScope);
    impl Drop for Leave {
        fn drop(&mut self) {
            self.0.cancel_scopes.set(self.1);
        }
    }

    let outer = fiber.cancel_scopes.get();
    scope.outer.set(outer);
    fiber.cancel_scopes.set(scope);
    let _leave = Leave(fiber, outer);
    f()
}

/// Whether a wait of `fiber` at this place is to be interrupted.
pub(crate) fn is_pending(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: linked scopes are alive: `within` unlinks each before its frame is left.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.cancelled.get() {
            return true;
        }
        if scope.shield {
            return false;
        }
        at = scope.outer.get();
    }
    fiber.killed.get()
}

/// Whether `fiber` is inside a shield.
pub(crate) fn is_shielded(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: as in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.shield {
            return true;
        }
        at = scope.outer.get();
    }
    false
}

/// Whether any scope or the fiber itself is cancelled, shielded at present or not.
pub(crate) fn is_any(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: as in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.cancelled.get() {
            return true;
        }
        at = scope.outer.get();
    }
    fiber.killed.get()
}
