//! The queue in which fibers wait for something: first come, first served.
//!
//! ```text
//!   WaitList (in a channel)          nodes, each on the stack of the fiber that waits
//!   +------+   head   +---------+  next  +---------+  next  +---------+
//!   | len  |--------->| fiber A |------->| fiber B |------->| fiber C |---> null
//!   +------+          +---------+<-------+---------+<-------+---------+
//!       \_____________________________tail____________________/
//! ```
//!
//! Invariants:
//! - A node is in at most one list, and does not move or die while it is: [`Enlisted`] borrows both
//!   for the time of the wait, and its drop (also by an unwind) takes the node out.
//! - A fiber that never runs again is taken out by the scheduler, through `Header::waiting`.
//! - `len` is the number of linked nodes.
//! - Nothing is allocated, and no node is touched after it was taken out.

#![allow(unsafe_code, reason = "an intrusive list of nodes on the waiting fibers' stacks")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;

use crate::fiber::header::FiberPtr;

/// A first-in-first-out queue of waiting fibers.
#[derive(Debug)]
pub(crate) struct WaitList {
    head: Cell<*const WaitNode>,
    tail: Cell<*const WaitNode>,
    len: Cell<usize>,
}

/// One fiber's place in a [`WaitList`].
#[derive(Debug)]
pub(crate) struct WaitNode {
    fiber: FiberPtr,
    prev: Cell<*const WaitNode>,
    next: Cell<*const WaitNode>,
    /// The list it is linked in; null when it is in none.
    list: Cell<*const WaitList>,
}

impl WaitList {
    pub(crate) const fn new() -> WaitList {
        WaitList { head: Cell::new(ptr::null()), tail: Cell::new(ptr::null()), len: Cell::new(0) }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Takes out the first that waits. The node stays where it is until its fiber runs again.
    #[inline(always)]
    pub(crate) fn pop_front(&self) -> Option<*const WaitNode> {
        let first = self.head.get();
        // SAFETY: linked nodes are alive (`Enlisted`).
        let node = unsafe { first.as_ref()? };
        node.unlink();
        Some(first)
    }

    /// Appends the node at `at`.
    ///
    /// # Safety
    ///
    /// Neither the list nor the node may move or die before the node was taken out.
    #[inline(always)]
    unsafe fn push_back(&self, at: *const WaitNode) {
        // SAFETY: the node is alive (the caller's promise).
        let node = unsafe { &*at };
        debug_assert!(node.list.get().is_null(), "a node is in one list at a time");
        let last = self.tail.get();
        node.prev.set(last);
        node.next.set(ptr::null());
        node.list.set(self);
        // SAFETY: linked nodes are alive (`Enlisted`).
        match unsafe { last.as_ref() } {
            Some(last) => last.next.set(at),
            None => self.head.set(at),
        }
        self.tail.set(at);
        self.len.set(self.len.get() + 1);
    }
}

impl WaitNode {
    #[inline(always)]
    pub(crate) fn new(fiber: FiberPtr) -> WaitNode {
        WaitNode {
            fiber,
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            list: Cell::new(ptr::null()),
        }
    }

    #[inline(always)]
    pub(crate) fn fiber(&self) -> FiberPtr {
        self.fiber
    }

    /// Takes the node out of its list, if it is in one.
    #[inline(always)]
    pub(crate) fn unlink(&self) {
        // SAFETY: a linked node's list is alive (`Enlisted`).
        let Some(list) = (unsafe { self.list.get().as_ref() }) else { return };
        let (prev, next) = (self.prev.get(), self.next.get());
        // SAFETY: the neighbours of a linked node are linked, so alive.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => list.head.set(next),
        }
        // SAFETY: as above.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            None => list.tail.set(prev),
        }
        self.list.set(ptr::null());
        list.len.set(list.len.get() - 1);
    }
}

/// A node that stands in a list for as long as this value lives, unless it is taken out earlier.
#[derive(Debug)]
pub(crate) struct Enlisted<'a> {
    /// Good for all of the record that begins with the node, and not for the node only: whoever
    /// takes it out of the list finds there what the wait is about.
    node: *const WaitNode,
    fiber: FiberPtr,
    record: PhantomData<&'a WaitNode>,
}

impl<'a> Enlisted<'a> {
    /// Appends to `list` the node with which `record` begins.
    ///
    /// # Safety
    ///
    /// - `R` is `repr(C)` and begins with a `WaitNode`.
    /// - The result must be dropped, or never be reached again because its fiber has stopped for
    ///   ever: it must not be forgotten.
    #[inline(always)]
    pub(crate) unsafe fn new<R>(record: &'a R, list: &'a WaitList) -> Enlisted<'a> {
        let node: *const WaitNode = (&raw const *record).cast();
        // SAFETY: both are borrowed for the life of the result, whose drop takes the node out. A
        // fiber that never runs again keeps its stack, and with it the node, for ever.
        unsafe { list.push_back(node) };
        // SAFETY: the record begins with a node (the caller's promise).
        let fiber = unsafe { (*node).fiber };
        fiber.waiting.set(node);
        Enlisted { node, fiber, record: PhantomData }
    }
}

impl Drop for Enlisted<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.fiber.waiting.set(ptr::null());
        // SAFETY: the record is borrowed for the life of this value.
        unsafe { (*self.node).unlink() };
    }
}
