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
//! A fiber that waits for the first of several things has a node in each list. These nodes are
//! siblings, linked in a circle: taking one out to serve it takes out the others as well, so that
//! the fiber is served once. If another thread may serve the fiber, too, it is claimed before it is
//! taken out (`Extra::gate`), and passed over if the other thread was first.
//!
//! Invariants:
//! - A node is in at most one list, and does not move or die while it is: [`Enlisted`] borrows both
//!   during the wait, and its drop (even by an unwind) takes the node out.
//! - The scheduler takes out a fiber that never runs again, through `Header::waiting`.
//! - `len` is the number of linked nodes.
//! - The list allocates nothing, and touches no node after it was taken out.

#![allow(unsafe_code, reason = "an intrusive list of nodes on the waiting fibers' stacks")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::Location;
use std::ptr;

use crate::fiber::header::FiberPtr;

/// A first-in-first-out queue of waiting fibers.
#[derive(Debug)]
pub(crate) struct WaitList {
    head: Cell<*const WaitNode>,
    tail: Cell<*const WaitNode>,
    len: Cell<usize>,
    /// The place where its channel was made, if it belongs to a channel: for dumps.
    made_at: Option<&'static Location<'static>>,
}

/// One fiber's place in a [`WaitList`].
#[derive(Debug)]
pub(crate) struct WaitNode {
    fiber: FiberPtr,
    prev: Cell<*const WaitNode>,
    next: Cell<*const WaitNode>,
    /// The list in which it is linked; null if it is in none.
    list: Cell<*const WaitList>,
    /// The next node of the same fiber in the circle; null if this is the only one.
    sibling: Cell<*const WaitNode>,
}

impl WaitList {
    pub(crate) const fn new() -> WaitList {
        WaitList {
            head: Cell::new(ptr::null()),
            tail: Cell::new(ptr::null()),
            len: Cell::new(0),
            made_at: None,
        }
    }

    /// Creates the list of a channel that is made at `place`.
    pub(crate) const fn of_channel(place: &'static Location<'static>) -> WaitList {
        WaitList { made_at: Some(place), ..WaitList::new() }
    }

    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    /// Takes out the first node, and its siblings out of their lists, right after
    /// [`claim_front`](Self::claim_front). The node stays alive and in its place until its fiber
    /// runs again.
    #[inline(always)]
    pub(crate) fn pop_claimed(&self) -> Option<*const WaitNode> {
        let first = self.head.get();
        // SAFETY: linked nodes are alive (`Enlisted`).
        let node = unsafe { first.as_ref()? };
        // Asked before anything is written, so that the compiler asks once, here or in
        // `claim_front`.
        if node.sibling.get().is_null() {
            self.unlink_front(node);
        } else {
            node.unlink_with_siblings();
        }
        Some(first)
    }

    /// Returns whether there is a first fiber, which can be served then: the caller is about to
    /// take it out, and may do nothing else before. Fibers whose wait another thread has ended are
    /// taken out of all lists.
    #[inline(always)]
    pub(crate) fn claim_front(&self) -> bool {
        // SAFETY: linked nodes are alive (`Enlisted`).
        match unsafe { self.head.get().as_ref() } {
            Some(node) if node.sibling.get().is_null() => true,
            Some(_) => self.claim_first_chooser(),
            None => false,
        }
    }

    #[cold]
    #[inline(never)]
    fn claim_first_chooser(&self) -> bool {
        // SAFETY: linked nodes are alive (`Enlisted`).
        while let Some(node) = unsafe { self.head.get().as_ref() } {
            if node.sibling.get().is_null() || node.fiber.pass_gate() {
                return true;
            }
            node.unlink_with_siblings();
        }
        false
    }

    /// Returns the fibers that wait, in the order of the list.
    pub(crate) fn fibers(&self) -> Vec<FiberPtr> {
        // SAFETY: linked nodes are alive (`Enlisted`).
        let node_at = |at: *const WaitNode| unsafe { at.as_ref() };
        let nodes =
            std::iter::successors(node_at(self.head.get()), |node| node_at(node.next.get()));
        nodes.map(WaitNode::fiber).collect()
    }

    /// Returns the first fiber that waits.
    pub(crate) fn first(&self) -> Option<FiberPtr> {
        // SAFETY: linked nodes are alive (`Enlisted`).
        unsafe { self.head.get().as_ref() }.map(WaitNode::fiber)
    }

    /// Returns the node of `fiber`, if it waits in this list.
    pub(crate) fn node_of(&self, fiber: FiberPtr) -> Option<*const WaitNode> {
        // SAFETY: a node that is recorded in `waiting` is alive: the drop of its `Enlisted` removes
        // it from there.
        let node = unsafe { fiber.waiting.get().as_ref()? };
        node.and_siblings().find(|node| ptr::eq(node.list.get(), self)).map(ptr::from_ref)
    }

    /// Takes out `node`, which is the first.
    #[inline(always)]
    fn unlink_front(&self, node: &WaitNode) {
        debug_assert!(ptr::eq(node.list.get(), self) && node.prev.get().is_null());
        let next = node.next.get();
        self.head.set(next);
        // SAFETY: linked nodes are alive (`Enlisted`).
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(ptr::null()),
            None => self.tail.set(ptr::null()),
        }
        node.list.set(ptr::null());
        self.len.set(self.len.get() - 1);
    }

    /// Appends the node at `at`.
    ///
    /// # Safety
    ///
    /// Neither the list nor the node may move or be freed before the node was taken out.
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
            sibling: Cell::new(ptr::null()),
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
        // SAFETY: like `prev`.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            None => list.tail.set(prev),
        }
        self.list.set(ptr::null());
        list.len.set(list.len.get() - 1);
    }

    /// Returns this node, then the other nodes of its fiber.
    fn and_siblings(&self) -> impl Iterator<Item = &WaitNode> {
        std::iter::successors(Some(self), move |node| {
            let next = node.sibling.get();
            if ptr::eq(next, self) {
                return None;
            }
            // SAFETY: siblings are alive: each leaves the circle before it is freed.
            unsafe { next.as_ref() }
        })
    }

    #[cold]
    #[inline(never)]
    fn unlink_with_siblings(&self) {
        self.and_siblings().for_each(WaitNode::unlink);
    }

    /// Joins the circle of `other`, which belongs to the same fiber.
    #[cold]
    #[inline(never)]
    fn join_circle(&self, other: &WaitNode) {
        let next = if other.sibling.get().is_null() {
            other
        } else {
            // SAFETY: siblings are alive.
            unsafe { &*other.sibling.get() }
        };
        self.sibling.set(next);
        other.sibling.set(self);
    }

    /// Leaves the circle. Returns a node that is still in it.
    #[cold]
    #[inline(never)]
    fn leave_circle(&self) -> *const WaitNode {
        let next = self.sibling.replace(ptr::null());
        // SAFETY: siblings are alive.
        let Some(next) = (unsafe { next.as_ref() }) else { return ptr::null() };
        let mut before = next;
        while !ptr::eq(before.sibling.get(), self) {
            // SAFETY: siblings are alive, and the circle comes back to this node.
            before = unsafe { &*before.sibling.get() };
        }
        before.sibling.set(if ptr::eq(before, next) { ptr::null() } else { next });
        next
    }
}

/// Takes `fiber` out of the lists in which it waits, if it waits in any. From then on no partner
/// hands anything to it.
pub(crate) fn withdraw(fiber: FiberPtr) {
    // SAFETY: a node that is recorded in `waiting` is alive: the drop of its `Enlisted` removes it
    // from there before the node is freed.
    if let Some(node) = unsafe { fiber.waiting.get().as_ref() } {
        node.and_siblings().for_each(WaitNode::unlink);
    }
}

/// Returns the lists in which `fiber` waits, each with the place where its channel was made, if it
/// belongs to a channel. The addresses are to be compared only.
pub(crate) fn lists_of(
    fiber: FiberPtr,
) -> Vec<(*const WaitList, Option<&'static Location<'static>>)> {
    // SAFETY: like in `withdraw`.
    let Some(node) = (unsafe { fiber.waiting.get().as_ref() }) else { return Vec::new() };
    let lists = node.and_siblings().map(|node| node.list.get());
    // SAFETY: a linked node's list is alive (`Enlisted`).
    lists.filter_map(|at| unsafe { at.as_ref() }.map(|list| (at, list.made_at))).collect()
}

/// Returns the fibers before and behind `fiber` in the list in which it waits.
pub(crate) fn neighbours(fiber: FiberPtr) -> (Option<FiberPtr>, Option<FiberPtr>) {
    // SAFETY: like in `withdraw`.
    let Some(node) = (unsafe { fiber.waiting.get().as_ref() }) else { return (None, None) };
    if node.list.get().is_null() {
        return (None, None);
    }
    // SAFETY: the neighbours of a linked node are linked, so alive.
    let (prev, next) = unsafe { (node.prev.get().as_ref(), node.next.get().as_ref()) };
    (prev.map(WaitNode::fiber), next.map(WaitNode::fiber))
}

/// A node that is in a list as long as this value lives, unless it is taken out earlier.
#[derive(Debug)]
pub(crate) struct Enlisted<'a> {
    /// Derived from a reference to the whole record that begins with the node, and valid for all of
    /// it: the code that takes the node out of the list reads the rest of the record.
    node: *const WaitNode,
    fiber: FiberPtr,
    record: PhantomData<&'a WaitNode>,
}

/// A node, and the list to which it will be appended.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    node: *const WaitNode,
    list: &'a WaitList,
    record: PhantomData<&'a WaitNode>,
}

impl<'a> Place<'a> {
    /// Returns the place of the node with which `record` begins in `list`.
    ///
    /// # Safety
    ///
    /// `R` is `repr(C)` and begins with a `WaitNode`.
    pub(crate) unsafe fn new<R>(record: &'a R, list: &'a WaitList) -> Place<'a> {
        Place { node: (&raw const *record).cast(), list, record: PhantomData }
    }

    /// Appends the node to the list.
    ///
    /// # Safety
    ///
    /// The result must be dropped, or never be reached again, like that of [`Enlisted::new`].
    pub(crate) unsafe fn enlist(self) -> Enlisted<'a> {
        // SAFETY: the node begins a record that is borrowed for `'a` (`new`), and the rest is the
        // caller's promise.
        unsafe { Enlisted::at(self.node, self.list) }
    }
}

impl<'a> Enlisted<'a> {
    /// Appends to `list` the node with which `record` begins.
    ///
    /// # Safety
    ///
    /// - `R` is `repr(C)` and begins with a `WaitNode`.
    /// - The result must be dropped, or never be reached again because its fiber is abandoned: it
    ///   must not be forgotten.
    #[inline(always)]
    pub(crate) unsafe fn new<R>(record: &'a R, list: &'a WaitList) -> Enlisted<'a> {
        // SAFETY: the record is borrowed for `'a` and begins with a node (the caller's promise).
        unsafe { Enlisted::at((&raw const *record).cast(), list) }
    }

    /// Appends the node to `list`.
    ///
    /// # Safety
    ///
    /// The promises of [`new`](Enlisted::new), for the record that begins at `node` and is borrowed
    /// for `'a`.
    #[inline(always)]
    unsafe fn at(node: *const WaitNode, list: &'a WaitList) -> Enlisted<'a> {
        // SAFETY: both are borrowed for the life of the result, whose drop takes the node out. The
        // stack of a fiber that never runs again is kept forever, and with it the node.
        unsafe { list.push_back(node) };
        // SAFETY: the record begins with a node (the caller's promise).
        let this = unsafe { &*node };
        let fiber = this.fiber;
        // SAFETY: a node that is recorded there is alive, like in `withdraw`.
        if let Some(other) = unsafe { fiber.waiting.get().as_ref() } {
            this.join_circle(other);
        }
        fiber.waiting.set(node);
        Enlisted { node, fiber, record: PhantomData }
    }
}

impl Drop for Enlisted<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the record is borrowed for the life of this value.
        let node = unsafe { &*self.node };
        let other = if node.sibling.get().is_null() { ptr::null() } else { node.leave_circle() };
        self.fiber.waiting.set(other);
        node.unlink();
    }
}

#[cfg(test)]
impl WaitList {
    /// Panics unless the links, the ends and the length agree. Returns the nodes, first to last.
    pub(crate) fn assert_valid(&self) -> Vec<*const WaitNode> {
        let mut nodes = Vec::new();
        let (mut before, mut at) = (ptr::null(), self.head.get());
        // SAFETY: linked nodes are alive (`Enlisted`).
        while let Some(node) = unsafe { at.as_ref() } {
            assert_eq!(node.prev.get(), before, "the way back is the way there");
            assert!(ptr::eq(node.list.get(), self), "a node knows its list");
            nodes.push(at);
            assert!(nodes.len() <= self.len.get(), "longer than its length: a loop?");
            (before, at) = (at, node.next.get());
        }
        assert_eq!(self.tail.get(), before, "the tail is the last node");
        assert_eq!(self.len.get(), nodes.len());
        nodes
    }
}

#[cfg(test)]
mod tests;
