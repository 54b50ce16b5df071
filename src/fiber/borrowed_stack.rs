//! A call on a stack that is borrowed from the pool for it: one that is larger than the fiber's
//! own, or one that is in the cache because another fiber has just left it.
//!
//! ```text
//!     the fiber's own stack              a stack of the pool, for the time of the call
//!    +--------------------------+       +---------------------------+
//!    | .. block_on, the record  | ----> | f: poll, parse, encode .. |
//!    +--------------------------+       +---------------------------+
//! ```
//!
//! A fiber that waits for a large future keeps little on its stack, and needs kilobytes to poll it.
//! Where a thousand of them take turns, such kilobytes are in no cache any more. The stack that the
//! pool gives out is the one that came back last, which the fiber before has used.
//!
//! Invariants:
//! - The record owns the stack from before the call until after it; forever, if the fiber or the
//!   coroutine that it lies on is abandoned.
//! - The call may park. The fiber is then suspended on the borrowed stack and goes on there.
//! - The borrowed stacks of a fiber are a list, the youngest first. One that was borrowed on a
//!   coroutine may be given back before a younger one, because coroutines are suspended and resumed
//!   in any order.

#![allow(unsafe_code, reason = "links the borrowed stacks of a fiber")]

use std::cell::Cell;
use std::io;
use std::mem::{self, ManuallyDrop};
#[cfg(feature = "diagnostics")]
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use crate::fiber::context;
use crate::fiber::current;
use crate::fiber::frame::Frame;
use crate::fiber::header::{FiberPtr, Header};
use crate::stack::{SizeClass, Stack};

/// Calls `f` on a stack of `class`. `fiber` is the running fiber, on any of its stacks, or `None`
/// on a coroutine of the thread's frame.
///
/// # Errors
///
/// Returns the error and `f` if no stack can be had.
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
            // SAFETY: the pool has just given the stack out, and the record keeps it until `f` has
            // ended.
            Ok(unsafe { context::call_on(&borrowed.stack, f) })
        }
        Err(error) => Err((error, f)),
    }
}

/// A stack that a fiber has borrowed for a call.
#[derive(Debug)]
pub(crate) struct BorrowedStack {
    /// The fiber in whose list it is. A thread has no list, because nothing would read it.
    fiber: Option<FiberPtr>,
    stack: ManuallyDrop<Stack>,
    /// Whether the fiber has left its own stack for this one.
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

/// Returns the size of the borrowed stack of `fiber` in whose guard `fault` lies, if there is one.
/// A signal handler may call this.
pub(crate) fn overflowed(fiber: &Header, fault: usize) -> Option<usize> {
    let mut guarded =
        borrowed_stacks(fiber).filter(|borrowed| borrowed.stack.guard().contains(&fault));
    guarded.next().map(|borrowed| borrowed.stack.class().bytes())
}

/// Returns the address at which `fiber` has left its own stack for a borrowed one, if it has.
pub(crate) fn own_mark(fiber: &Header) -> Option<usize> {
    fiber.peek_extra(|extra| extra.own_mark).flatten()
}

/// Returns the addresses of the stacks that `fiber` has borrowed.
#[cfg(feature = "diagnostics")]
pub(crate) fn ranges(fiber: &Header) -> impl Iterator<Item = Range<usize>> {
    borrowed_stacks(fiber).map(|borrowed| borrowed.stack.range())
}

fn is_on_own_stack(fiber: &Header) -> bool {
    let on_coroutine = |frame: &Rc<Frame>| frame.runs_coroutine();
    let on_coroutine = fiber.peek_extra(|extra| extra.frame.as_ref().is_some_and(on_coroutine));
    on_coroutine != Some(true) && own_mark(fiber).is_none()
}

/// Returns the borrowed stacks of a fiber, the youngest first.
fn borrowed_stacks(fiber: &Header) -> impl Iterator<Item = &BorrowedStack> {
    let mut next = fiber.peek_extra(|extra| extra.borrowed_stack).flatten();
    std::iter::from_fn(move || {
        let borrowed = listed(&next?);
        next = borrowed.older.get();
        Some(borrowed)
    })
}

/// Returns the record behind a pointer of a list.
fn listed<'a>(borrowed: &NonNull<BorrowedStack>) -> &'a BorrowedStack {
    // SAFETY: a record links itself when it does not move any more, and takes itself out when it is
    // dropped. If it is never dropped, its fiber or the coroutine that it lies on is abandoned: in
    // both cases the stack under it is kept forever.
    unsafe { borrowed.as_ref() }
}
