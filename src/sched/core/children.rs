//! The record of a scope: the number of children that have not ended, and their first panic.
//!
//! Invariants:
//! - It lies on the stack of the fiber that opened the scope, and that frame is left only when
//!   `running` is zero. So the address in a child's header is valid until that child has ended,
//!   which is when `running` is decremented, and for the child's handle, whose lifetime ends before
//!   the scope does.
//! - The first panic of a child that no fiber joins is kept, and the frame raises it again.

#![allow(unsafe_code, reason = "children point to a record on their parent's stack")]

use std::any::Any;
use std::cell::{Cell, RefCell};

use crate::fiber::cancel::CancelScope;
use crate::fiber::header::{FiberPtr, Header};
use crate::sched::core::scheduler::Scheduler;
use crate::sched::core::work;

/// The record of a scope.
pub(crate) struct Children {
    /// The fiber that opened the scope.
    pub(crate) parent: FiberPtr,
    /// The number of children that have not ended.
    pub(crate) running: Cell<usize>,
    /// Whether the parent waits for `running` to become zero.
    pub(crate) awaited: Cell<bool>,
    /// Whether the first failure kills the siblings and cancels the body.
    pub(crate) fail_fast: bool,
    pub(crate) failed: Cell<bool>,
    /// Whether a kill of the parent was passed on to the children.
    pub(crate) cut_short: Cell<bool>,
    /// Whether a time limit that was set while the thread unwound has ended the scope.
    pub(crate) ended_in_unwind: Cell<bool>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
    /// The part of the parent's stack that a failure cancels.
    pub(crate) body: CancelScope,
}

impl Children {
    pub(crate) fn new(parent: FiberPtr, fail_fast: bool) -> Children {
        Children {
            parent,
            running: Cell::new(0),
            awaited: Cell::new(false),
            fail_fast,
            failed: Cell::new(false),
            cut_short: Cell::new(false),
            ended_in_unwind: Cell::new(false),
            panic: RefCell::new(None),
            body: CancelScope::cancellable(),
        }
    }

    /// Returns the scope of `child`, if it is in one. Only code of a child that has not ended, and
    /// its handle, may call this.
    pub(crate) fn of(child: &Header) -> Option<&Children> {
        if work::of(child).is_some() {
            return None;
        }
        // SAFETY: `adopt` has set the address, since it is not a mark of `work`. The record
        // outlives the child, and its one handle (the first invariant). No other code calls this.
        unsafe { child.owner.get().cast::<Children>().as_ref() }
    }

    pub(crate) fn adopt(&self, child: FiberPtr) {
        child.owner.set((&raw const *self).cast());
        self.running.set(self.running.get() + 1);
        if self.fail_fast && self.failed.get() {
            child.killed.set(true);
        }
    }

    /// Records the end of a child. The child's header keeps the address of this record, for its
    /// handle, which may still be dropped and pass a panic on: it cannot leave the scope.
    pub(crate) fn one_ended(&self, sched: &Scheduler) {
        let running = self.running.get() - 1;
        self.running.set(running);
        if running == 0 && self.awaited.get() {
            sched.make_ready(self.parent);
        }
    }

    /// Keeps the first panic. Returns `payload` if there was one before.
    pub(crate) fn keep_panic(&self, payload: Box<dyn Any + Send>) -> Option<Box<dyn Any + Send>> {
        let mut kept = self.panic.borrow_mut();
        if kept.is_some() {
            return Some(payload);
        }
        *kept = Some(payload);
        None
    }

    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.borrow_mut().take()
    }
}
