//! A call on a stack that is borrowed for it from the pool: a larger one than the fiber's own, or one
//! that is warm because somebody else has just left it.
//!
//! ```text
//!     the fiber's own stack              a stack of the pool, for the time of the call
//!    +--------------------------+       +---------------------------+
//!    | .. block_on, Loan        | ----> | f: poll, parse, encode .. |
//!    +--------------------------+       +---------------------------+
//! ```
//!
//! A fiber that waits for a large future keeps little on its stack, and needs kilobytes to poll it.
//! Where a thousand of them take turns these are in no cache any more. The stack that the pool gives
//! out is the one that came back last: that of the fiber before.
//!
//! Invariants:
//! - The stack is the loan's from before the call until after it; for ever, if the fiber is retired or
//!   the coroutine given up.
//! - The call may park. The fiber is then suspended on the borrowed stack and goes on there.
//! - A fiber's loans are a list, the youngest first. One that began on a coroutine may end before a
//!   younger one does, for coroutines are suspended and resumed as they like.

#![allow(unsafe_code, reason = "links the loans of a fiber")]

use std::cell::Cell;
use std::io;
use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::fiber::context;
use crate::fiber::current;
use crate::fiber::frame::Frame;
use crate::fiber::header::{FiberPtr, Header};
use crate::stack::{SizeClass, Stack};

/// Calls `f` on a stack of `class`. The caller is `fiber`, on whichever stack; or none, on a coroutine of
/// its thread's frame.
///
/// # Errors
///
/// If no stack can be had; `f` comes back.
#[inline]
pub(crate) fn call<R, F>(
    fiber: Option<FiberPtr>,
    class: SizeClass,
    f: F,
) -> Result<R, (io::Error, F)>
where
    F: FnOnce() -> R,
{
    debug_assert_eq!(current::fiber(), fiber);
    match current::with_pool(|pool| pool.take(class)) {
        Ok(stack) => {
            let borrowed = BorrowedStack::new(fiber, stack);
            // It does not move from here on, until it is dropped.
            borrowed.link();
            // SAFETY: the pool has just given it out, and the loan keeps it until `f` has ended.
            Ok(unsafe { context::call_on(&borrowed.stack, f) })
        }
        Err(error) => Err((error, f)),
    }
}

/// A stack that a fiber has borrowed for a call.
#[derive(Debug)]
pub(crate) struct BorrowedStack {
    /// In whose list it stands. There is none for a thread: nobody looks at one.
    fiber: Option<FiberPtr>,
    stack: ManuallyDrop<Stack>,
    /// Whether it is for this one that the fiber has left its own stack.
    leaves_own: bool,
    older: Cell<Option<NonNull<BorrowedStack>>>,
    younger: Cell<Option<NonNull<BorrowedStack>>>,
}

impl BorrowedStack {
    #[inline(always)]
    fn new(fiber: Option<FiberPtr>, stack: Stack) -> BorrowedStack {
        let leaves_own = fiber.is_some_and(|fiber| is_on_own_stack(&fiber));
        let stack = ManuallyDrop::new(stack);
        BorrowedStack { fiber, stack, leaves_own, older: Cell::new(None), younger: Cell::new(None) }
    }

    fn link(&self) {
        let Some(fiber) = self.fiber else { return };
        let this = Some(NonNull::from(self));
        self.older.set(fiber.with_extra(|extra| {
            if self.leaves_own {
                extra.own_mark = Some(ptr::from_ref(self).addr());
            }
            mem::replace(&mut extra.borrowed_stack, this)
        }));
        if let Some(older) = self.older.get() {
            listed(&older).younger.set(this);
        }
    }

    fn unlink(&self) {
        let Some(fiber) = self.fiber else { return };
        let (older, younger) = (self.older.get(), self.younger.get());
        if let Some(older) = &older {
            listed(older).younger.set(younger);
        }
        if let Some(younger) = &younger {
            listed(younger).older.set(older);
        }
        fiber.with_extra(|extra| {
            if younger.is_none() {
                extra.borrowed_stack = older;
            }
            if self.leaves_own {
                extra.own_mark = None;
            }
        });
    }
}

impl Drop for BorrowedStack {
    fn drop(&mut self) {
        self.unlink();
        // SAFETY: a value is dropped once, and this is the only place that takes the stack.
        let stack = unsafe { ManuallyDrop::take(&mut self.stack) };
        current::with_pool(|pool| pool.give(stack));
    }
}

/// If `fault` lies in the guard of a stack that `fiber` has borrowed: the size of that. Fit for a
/// signal handler.
pub(crate) fn overflowed(fiber: &Header, fault: usize) -> Option<usize> {
    let mut guarded =
        borrowed_stacks(fiber).filter(|borrowed| borrowed.stack.guard().contains(&fault));
    guarded.next().map(|borrowed| borrowed.stack.class().bytes())
}

/// Where `fiber` has left its own stack for a borrowed one, if it has.
pub(crate) fn own_mark(fiber: &Header) -> Option<usize> {
    fiber.peek_extra(|extra| extra.own_mark).flatten()
}

fn is_on_own_stack(fiber: &Header) -> bool {
    let on_coroutine = |frame: &Rc<Frame>| frame.runs_coroutine();
    let on_coroutine = fiber.peek_extra(|extra| extra.frame.as_ref().is_some_and(on_coroutine));
    on_coroutine != Some(true) && own_mark(fiber).is_none()
}

/// The loans of a fiber, the youngest first.
fn borrowed_stacks(fiber: &Header) -> impl Iterator<Item = &BorrowedStack> {
    let mut next = fiber.peek_extra(|extra| extra.borrowed_stack).flatten();
    std::iter::from_fn(move || {
        let borrowed = listed(&next?);
        next = borrowed.older.get();
        Some(borrowed)
    })
}

/// A loan that stands in a list.
fn listed<'a>(borrowed: &NonNull<BorrowedStack>) -> &'a BorrowedStack {
    // SAFETY: a loan links itself when it has found its place, and takes itself out when it is dropped.
    // If that never happens its fiber is retired, or the coroutine that it lies on given up: either way
    // the stack under it is kept for ever.
    unsafe { borrowed.as_ref() }
}
