//! Switching to a fiber and away from it.
//!
//! Invariants:
//! - Only the run loop calls [`resume`], on the thread's own stack, for a fiber that is suspended.
//!   The only exception is a walk of the fiber's stack (`fiber/walk.rs`), which may be made on any
//!   stack, and in which the fiber suspends again before it does anything else.
//!   Only `sched/core/leave.rs` calls [`suspend`], for the fiber that runs. The caller of `suspend`
//!   may run on a stack on top of the fiber's own: then all of these stacks are left, and the next
//!   resume goes on in the topmost one.

#![allow(unsafe_code, reason = "context switches")]

use std::mem::MaybeUninit;

use crate::fiber::header::FiberPtr;
use crate::stack::Stack;

/// Puts `entry` on `stack`, to run when `fiber` is first resumed.
///
/// # Safety
///
/// - `fiber`'s context must be empty.
/// - `entry` must not unwind.
/// - The fiber must be alive until its context has ended.
pub(crate) unsafe fn create<E>(fiber: FiberPtr, stack: Stack, entry: E)
where
    E: FnOnce(FiberPtr) + 'static,
{
    let begin = move |base| {
        fiber.context.begin(base);
        entry(fiber);
    };
    // SAFETY: the caller's promises; a fiber's record does not move.
    unsafe { fiber.context.create(stack, begin) };
}

/// Runs `fiber` until it suspends or ends. Returns its stack if it has ended.
///
/// # Safety
///
/// `fiber` must be suspended (or freshly created). The caller must be on the thread's own stack, or
/// the fiber must suspend before it does anything else.
#[inline(always)]
pub(crate) unsafe fn resume(fiber: FiberPtr) -> Option<Stack> {
    // SAFETY: the caller's promise.
    unsafe { fiber.context.enter() }
}

/// Leaves the running `fiber`'s stack for the run loop; returns when it is resumed.
///
/// # Safety
///
/// `fiber` must be the fiber that runs now.
#[inline(always)]
pub(crate) unsafe fn suspend(fiber: FiberPtr) {
    let mark = MaybeUninit::<u8>::uninit();
    fiber.sp_mark.set(mark.as_ptr().addr());
    // SAFETY: the fiber runs now (the caller's promise): the caller is on its stack, or on the
    // stack of one of its generators, greenlets or calls that was entered from there.
    unsafe { fiber.context.leave() }
}
