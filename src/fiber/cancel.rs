//! The regions of a fiber's stack in which it can be cancelled, or is shielded from that.
//!
//! ```text
//!    fiber: killed?            outermost
//!      nursery: cancelled?
//!        shield                 a wait inside it does not look further out
//!          nursery: cancelled?
//!            <- a wait looks from this place outwards, up to the first shield
//! ```
//!
//! Invariants:
//! - A scope lies on the stack of its fiber, or of one of the fiber's generators or greenlets, and
//!   is linked exactly during [`within`], or as long as an [`Inside`] exists. While that generator
//!   is suspended its scopes are not in the fiber's list. When it is resumed, the hinge of its
//!   [`Coroutine`](crate::fiber::coroutine::Coroutine), a scope that is neither cancelled nor a
//!   shield, joins them to the others.
//! - Cancellation is a level and not an edge: as long as a scope is cancelled (or the fiber
//!   killed), each wait inside it is interrupted again.
//! - The unwind of a cancellation goes out to the outermost scope (or the fiber) that is cancelled
//!   and not behind a shield, and no further: see [`ends_at`].

#![allow(unsafe_code, reason = "a linked list of records on the fiber's stack")]

use std::any::Any;

use crate::collections::timing_wheel::TimerKey;
pub(crate) use crate::fiber::cancel_scope::CancelScope;
use crate::fiber::header::{FiberPtr, Header};
use crate::fiber::payload;
use crate::fiber::state::Signals;

impl CancelScope {
    /// Cancels the region, which is of `fiber`. The caller wakes the fiber.
    pub(crate) fn cancel(&self, fiber: &Header) {
        self.cancelled.set(true);
        fiber.signal(Signals::CANCEL);
    }

    /// Applies the time limit of the region, which has passed: a shield ends, and another region is
    /// cancelled. The caller wakes `fiber`.
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

/// Enters `scope`, like [`within`], for callers that must not call a closure, because a closure
/// loses the location of its caller.
///
/// # Safety
///
/// The result must be dropped before `scope` is, and before a scope that was entered earlier is
/// left.
pub(crate) unsafe fn enter(fiber: FiberPtr, scope: &CancelScope) -> Inside {
    let outer = fiber.cancel_scopes.get();
    scope.outer.set(outer);
    fiber.cancel_scopes.set(scope);
    Inside { fiber, outer }
}

/// A region that was entered. It is left when this is dropped.
pub(crate) struct Inside {
    fiber: FiberPtr,
    outer: *const CancelScope,
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.fiber.cancel_scopes.set(self.outer);
    }
}

/// Returns whether a wait of `fiber` at this place must be interrupted.
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

/// Returns whether the innermost region that is cancelled where `fiber` waits was entered while the
/// thread unwound.
pub(crate) fn is_pending_in_unwind(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: like in `is_pending`.
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

/// Returns whether `fiber` is inside a shield.
pub(crate) fn is_shielded(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: like in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.shield.get() {
            return true;
        }
        at = scope.outer.get();
    }
    false
}

/// Returns whether any scope of the fiber, or the fiber itself, is cancelled, shielded at present
/// or not.
pub(crate) fn is_any(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: like in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        if scope.cancelled.get() {
            return true;
        }
        at = scope.outer.get();
    }
    fiber.killed.get()
}

/// Returns whether the unwind with `payload`, which has just left `scope`, ends there: it was that
/// of a cancellation, `scope` is cancelled, and nothing further out is.
pub(crate) fn ends_at(scope: &CancelScope, fiber: &Header, payload: &(dyn Any + Send)) -> bool {
    payload::is_cancellation(payload) && scope.is_cancelled() && !is_pending(fiber)
}

/// Returns whether a time limit may end a wait of `fiber` at this place: one that is armed further
/// in than every shield without a limit.
pub(crate) fn has_timer(fiber: &Header) -> bool {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: like in `is_pending`.
    while let Some(scope) = unsafe { at.as_ref() } {
        match (scope.timer.get() != TimerKey::NONE, scope.shield.get()) {
            (true, false) => return true,
            (false, true) => return false,
            // A shield that ends at its limit, or a region without a limit: look further out.
            (true, true) | (false, false) => {}
        }
        at = scope.outer.get();
    }
    false
}

/// Takes the time limits of all linked scopes of a fiber that will never run again, and passes each
/// to `disarm`.
pub(crate) fn take_timers(fiber: &Header, mut disarm: impl FnMut(TimerKey)) {
    let mut at = fiber.cancel_scopes.get();
    // SAFETY: like in `is_pending`; the stack of a fiber that never runs again is kept.
    while let Some(scope) = unsafe { at.as_ref() } {
        let timer = scope.timer.replace(TimerKey::NONE);
        if timer != TimerKey::NONE {
            disarm(timer);
        }
        at = scope.outer.get();
    }
}
