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

    /// Those who wait, the first first.
    pub(crate) fn fibers(&self) -> Vec<FiberPtr> {
        // SAFETY: linked nodes are alive (`Enlisted`).
        let node_at = |at: *const WaitNode| unsafe { at.as_ref() };
        let nodes =
            std::iter::successors(node_at(self.head.get()), |node| node_at(node.next.get()));
        nodes.map(WaitNode::fiber).collect()
    }

    /// The first that waits.
    pub(crate) fn first(&self) -> Option<FiberPtr> {
        // SAFETY: linked nodes are alive (`Enlisted`).
        unsafe { self.head.get().as_ref() }.map(WaitNode::fiber)
    }

    /// The node of `fiber`, if it waits here.
    pub(crate) fn node_of(&self, fiber: FiberPtr) -> Option<*const WaitNode> {
        let at = fiber.waiting.get();
        // SAFETY: a node that is recorded there is alive: its `Enlisted` takes the record back.
        let node = unsafe { at.as_ref()? };
        ptr::eq(node.list.get(), self).then_some(at)
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

/// Takes `fiber` out of the list in which it waits, if it waits in one: nothing is handed to it.
pub(crate) fn withdraw(fiber: FiberPtr) {
    // SAFETY: a node that is recorded here is alive: its `Enlisted` takes the record back before
    // it goes.
    if let Some(node) = unsafe { fiber.waiting.get().as_ref() } {
        node.unlink();
    }
}

/// The fibers before and behind `fiber` in the list in which it waits.
pub(crate) fn neighbours(fiber: FiberPtr) -> (Option<FiberPtr>, Option<FiberPtr>) {
    // SAFETY: as in `withdraw`.
    let Some(node) = (unsafe { fiber.waiting.get().as_ref() }) else { return (None, None) };
    if node.list.get().is_null() {
        return (None, None);
    }
    // SAFETY: the neighbours of a linked node are linked, so alive.
    let (prev, next) = unsafe { (node.prev.get().as_ref(), node.next.get().as_ref()) };
    (prev.map(WaitNode::fiber), next.map(WaitNode::fiber))
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
mod tests {
    use std::collections::VecDeque;
    use std::panic::Location;

    use proptest::prelude::*;

    use super::*;
    use crate::fiber::header::FiberRef;
    use crate::fiber::id::FiberId;
    use crate::fiber::task;
    use crate::stack::SizeClass;

    const WAITERS: usize = 12;
    const LISTS: usize = 2;

    #[derive(Clone, Debug)]
    enum Op {
        Enlist(usize, usize),
        /// The wait ends: returned or unwound.
        Leave(usize),
        /// A partner serves the first.
        Pop(usize),
        /// The scheduler takes out a fiber that never runs again.
        Unlink(usize),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            5 => (0..WAITERS, 0..LISTS).prop_map(|(waiter, list)| Op::Enlist(waiter, list)),
            2 => (0..WAITERS).prop_map(Op::Leave),
            2 => (0..LISTS).prop_map(Op::Pop),
            1 => (0..WAITERS).prop_map(Op::Unlink),
        ];
        prop::collection::vec(op, 0..200)
    }

    #[repr(C)]
    struct Record {
        node: WaitNode,
        fiber: FiberRef,
    }

    fn record(number: usize) -> Record {
        let id = FiberId { scheduler: 1, number: number as u64 };
        // SAFETY: the closure borrows nothing.
        let fiber = unsafe { task::allocate(|| (), id, SizeClass::DEFAULT, Location::caller()) };
        Record { node: WaitNode::new(fiber.ptr()), fiber }
    }

    proptest! {
        #[test]
        fn behaves_as_queues_from_which_members_may_leave(ops in ops()) {
            let lists = [const { WaitList::new() }; LISTS];
            let records: Vec<Record> = (0..WAITERS).map(record).collect();
            let mut enlisted: Vec<Option<Enlisted>> = (0..WAITERS).map(|_| None).collect();
            let mut model = [const { VecDeque::<usize>::new() }; LISTS];
            for op in ops {
                match op {
                    Op::Enlist(at, list) if enlisted[at].is_none() => {
                        // SAFETY: a record begins with its node, and the result is dropped.
                        enlisted[at] = Some(unsafe { Enlisted::new(&records[at], &lists[list]) });
                        model[list].push_back(at);
                    }
                    Op::Leave(at) => {
                        enlisted[at] = None;
                        model.iter_mut().for_each(|queue| queue.retain(|&other| other != at));
                    }
                    Op::Pop(list) => {
                        let node = lists[list].pop_front();
                        let expected = model[list].pop_front().map(|at| &raw const records[at].node);
                        assert_eq!(node, expected);
                    }
                    Op::Unlink(at) => {
                        records[at].node.unlink();
                        model.iter_mut().for_each(|queue| queue.retain(|&other| other != at));
                    }
                    Op::Enlist(..) => {}
                }
                for (list, queue) in lists.iter().zip(&model) {
                    let nodes: Vec<_> =
                        queue.iter().map(|&at| &raw const records[at].node).collect();
                    assert_eq!(list.assert_valid(), nodes);
                    let fibers: Vec<_> = queue.iter().map(|&at| records[at].fiber.ptr()).collect();
                    assert_eq!(list.fibers(), fibers);
                    for (at, record) in records.iter().enumerate() {
                        let node = queue.contains(&at).then_some(&raw const record.node);
                        assert_eq!(list.node_of(record.fiber.ptr()), node);
                    }
                }
                for (record, enlisted) in records.iter().zip(&enlisted) {
                    let waiting = record.fiber.waiting.get();
                    let expected = if enlisted.is_some() { &raw const record.node } else { ptr::null() };
                    assert_eq!(waiting, expected, "the header knows the node of its wait");
                }
            }
        }
    }

    #[test]
    fn a_node_that_was_taken_out_may_stand_in_another_list() {
        let (one, other) = (WaitList::new(), WaitList::new());
        let waiter = record(1);
        // SAFETY: as above.
        let first = unsafe { Enlisted::new(&waiter, &one) };
        assert_eq!(one.pop_front(), Some(&raw const waiter.node));
        drop(first);
        // SAFETY: as above.
        let _second = unsafe { Enlisted::new(&waiter, &other) };
        assert_eq!((one.assert_valid().len(), other.assert_valid().len()), (0, 1));
    }
}
