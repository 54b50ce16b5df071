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
//! - A scope lies on the stack of its fiber, or of one of the fiber's generators or greenlets, and
//!   is linked for exactly the time of [`within`], or of an [`Inside`]. While that generator is
//!   suspended its scopes are out of the fiber's sight: the hinge of its
//!   [`Coroutine`](crate::fiber::coroutine::Coroutine), a scope that is neither cancelled nor a shield, joins
//!   them to the others when it is resumed.
//! - Cancellation is a level and not an edge: as long as a scope is cancelled (or the fiber
//!   killed), each wait inside it is interrupted again.
//! - The unwind of a cancellation goes out to the outermost scope (or the fiber) that is cancelled
//!   in its sight, and no further: see [`ends_at`].

#![allow(unsafe_code, reason = "a linked list of records on the fiber's stack")]

use std::any::Any;

use crate::collections::timing_wheel::TimerKey;
pub(crate) use crate::fiber::cancel_scope::CancelScope;
use crate::fiber::header::{FiberPtr, Header};
use crate::fiber::payload;
use crate::fiber::state::Signals;

impl CancelScope {
    /// Cancels the region of `fiber`, whose stack the scope lies on. Waking it is the caller's.
    pub(crate) fn cancel(&self, fiber: &Header) {
        self.cancelled.set(true);
        fiber.signal(Signals::CANCEL);
    }

    /// The time limit of the region has come: it is cancelled, or shielded no more. Waking the
    /// fiber is the caller's.
    pub(crate) fn time_is_up(&self, fiber: &Header) {
        if !self.shield.replace(false) {
            self.cancelled.set(true);
        }
        fiber.signal(Signals::CANCEL);
    }
}

/// Runs `f` inside `scope`.
pub(crate) fn within<R>(fiber: FiberPtr, scope: &CancelScope, f: impl FnOnce() -> R) -> R {
    // SAFETY: it is dropped when `f` is left, in this function.
    let _inside = unsafe { enter(fiber, scope) };
    f()
}

/// As [`within`], for who may not call a closure: a closure has no caller's location.
///
/// # Safety
///
/// The result must be dropped before `scope` goes, and before a scope that was entered earlier is left.
pub(crate) unsafe fn enter(fiber: FiberPtr, scope: &CancelScope) -> Inside {
    let outer = fiber.cancel_scopes.get();
    scope.outer.set(outer);
    fiber.cancel_scopes.set(scope);
    Inside { fiber, outer }
}

/// A region that is entered; left when this is dropped.
pub(crate) struct Inside {
    fiber: FiberPtr,
    outer: *const CancelScope,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.fiber.cancel_scopes.set(self.outer);
    }
}

/// Whether a wait of `fiber` at this place is to be interrupted.
pub(crate) fn is_pending(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: linked scopes are alive: `within` unlinks each before its frame is left.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.cancelled.get() {
            return true;
        }
        if scope.shield.get() {
            return false;
        }
        at = scope.outer.get();
    }
    fiber.killed.get()
}

/// Whether the innermost region that is cancelled where `fiber` waits was entered while the thread unwound.
pub(crate) fn is_pending_in_unwind(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: as in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.cancelled.get() {
            return scope.in_unwind.get();
        }
        if scope.shield.get() {
            return false;
        }
        at = scope.outer.get();
    }
    false
}

/// Whether `fiber` is inside a shield.
pub(crate) fn is_shielded(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: as in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.shield.get() {
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

/// Whether the unwind with `payload`, which has just left `scope`, was that of its cancellation, and
/// of no other further out: then it ends here.
pub(crate) fn ends_at(scope: &CancelScope, fiber: &Header, payload: &(dyn Any + Send)) -> bool {
    payload::is_cancellation(payload) && scope.is_cancelled() && !is_pending(fiber)
}

/// Whether a time limit may end a wait of `fiber` at this place: one that is armed inside of all shields
/// that last.
pub(crate) fn has_timer(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: as in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        match (scope.timer.get() != TimerKey::NONE, scope.shield.get()) {
            (true, false) => return true,
            (false, true) => return false,
            // A shield that lasts so long, or a region without a limit.
            (true, true) | (false, false) => {}
        }
        at = scope.outer.get();
    }
    false
}

/// Takes the time limits of all scopes in sight, for a fiber that will never run again.
pub(crate) fn take_timers(fiber: &Header, mut disarm: impl FnMut(TimerKey)) {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: as in `is_pending`; the stack of a fiber that never runs again is kept.
    while let Some(scope) = unsafe { at.as_ref() } {
        let timer = scope.timer.replace(TimerKey::NONE);
        if timer != TimerKey::NONE {
            disarm(timer);
        }
        at = scope.outer.get();
    }
}
