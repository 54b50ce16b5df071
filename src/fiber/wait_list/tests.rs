//! Tests the lists against queues of numbers: alone, and with fibers that wait in several at once.

#![allow(unsafe_code, reason = "puts nodes into lists, and follows the circle of siblings")]

use std::collections::VecDeque;
use std::panic::Location;

use proptest::prelude::*;

use super::*;
use crate::fiber::header::FiberRef;
use crate::fiber::id::{FiberId, Parent};
use crate::fiber::task;
use crate::stack::SizeClass;

const WAITERS: usize = 12;
const LISTS: usize = 2;

#[derive(Clone, Debug)]
enum Op {
    Enlist(usize, usize),
    /// The wait ends: returned or unwound.
    Leave(usize),
    /// A partner serves the first waiter.
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
    let origin = (Location::caller(), Parent::NONE);
    // SAFETY: the closure borrows nothing.
    let fiber = unsafe { task::allocate(|| (), id, SizeClass::DEFAULT, origin) };
    Record { node: WaitNode::new(fiber.ptr()), fiber }
}

/// Takes out the first node, like a partner does.
fn pop(list: &WaitList) -> Option<*const WaitNode> {
    if list.claim_front() { list.pop_claimed() } else { None }
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
                    let node = pop(&lists[list]);
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

/// An event for fibers of which each has a node for every list.
#[derive(Clone, Debug)]
enum CircleOp {
    /// Fiber, list.
    Enlist(usize, usize),
    /// One of its waits ends, while the others go on.
    Leave(usize, usize),
    /// All of its waits end: the fiber goes on.
    LeaveAll(usize),
    /// A partner serves the first fiber of a list, which takes it out of all lists.
    Pop(usize),
    /// One node is taken out, and its siblings stay where they are.
    Unlink(usize, usize),
    /// The scheduler takes out a fiber that never runs again.
    Withdraw(usize),
}

const FIBERS: usize = 4;
const EVENTS: usize = 4;

fn circle_ops() -> impl Strategy<Value = Vec<CircleOp>> {
    use CircleOp::{Enlist, Leave, LeaveAll, Pop, Unlink, Withdraw};
    let op = prop_oneof![
        12 => (0..FIBERS, 0..EVENTS).prop_map(|(fiber, list)| Enlist(fiber, list)),
        4 => (0..FIBERS, 0..EVENTS).prop_map(|(fiber, list)| Leave(fiber, list)),
        1 => (0..FIBERS).prop_map(LeaveAll),
        2 => (0..EVENTS).prop_map(Pop),
        1 => (0..FIBERS, 0..EVENTS).prop_map(|(fiber, list)| Unlink(fiber, list)),
        1 => (0..FIBERS).prop_map(Withdraw),
    ];
    prop::collection::vec(op, 0..200)
}

/// Panics unless the enlisted nodes of a fiber are one circle, in which each stands once.
fn assert_circle(waiting: *const WaitNode, enlisted: &[*const WaitNode]) {
    // SAFETY: a node that is recorded in a header is alive, and so are its siblings.
    let Some(node) = (unsafe { waiting.as_ref() }) else {
        assert!(enlisted.is_empty(), "the header has lost the nodes of its waits");
        return;
    };
    // A circle that does not come back to its first node would never end.
    let round = node.and_siblings().take(enlisted.len() + 1).map(ptr::from_ref);
    let mut round: Vec<_> = round.collect();
    let mut enlisted = enlisted.to_vec();
    round.sort_unstable();
    enlisted.sort_unstable();
    assert_eq!(round, enlisted, "the circle and the waits of a fiber");
    assert_eq!(node.sibling.get().is_null(), enlisted.len() == 1, "a single node has no sibling");
}

proptest! {
    #[test]
    fn a_fiber_that_is_served_in_one_list_is_taken_out_of_the_others(ops in circle_ops()) {
        let lists = [const { WaitList::new() }; EVENTS];
        let fibers: Vec<FiberRef> = (0..FIBERS).map(|number| record(number).fiber).collect();
        let nodes: Vec<[WaitNode; EVENTS]> = fibers
            .iter()
            .map(|fiber| std::array::from_fn(|_| WaitNode::new(fiber.ptr())))
            .collect();
        let mut waits: Vec<[Option<Enlisted>; EVENTS]> =
            (0..FIBERS).map(|_| std::array::from_fn(|_| None)).collect();
        // The fibers that wait in each list, in its order.
        let mut model = [const { VecDeque::<usize>::new() }; EVENTS];
        for op in ops {
            match op {
                CircleOp::Enlist(fiber, list) if waits[fiber][list].is_none() => {
                    let node = &nodes[fiber][list];
                    // SAFETY: the node is a record of its own, and the result is dropped.
                    waits[fiber][list] = Some(unsafe { Enlisted::new(node, &lists[list]) });
                    model[list].push_back(fiber);
                }
                CircleOp::Enlist(..) => {}
                CircleOp::Leave(fiber, list) => {
                    waits[fiber][list] = None;
                    model[list].retain(|&other| other != fiber);
                }
                CircleOp::LeaveAll(fiber) => {
                    waits[fiber] = [const { None }; EVENTS];
                    model.iter_mut().for_each(|queue| queue.retain(|&other| other != fiber));
                }
                CircleOp::Pop(list) => {
                    let first = model[list].front().copied();
                    let expected = first.map(|fiber| &raw const nodes[fiber][list]);
                    assert_eq!(pop(&lists[list]), expected);
                    model.iter_mut().for_each(|queue| queue.retain(|&at| Some(at) != first));
                }
                CircleOp::Unlink(fiber, list) => {
                    nodes[fiber][list].unlink();
                    model[list].retain(|&other| other != fiber);
                }
                CircleOp::Withdraw(fiber) => {
                    withdraw(fibers[fiber].ptr());
                    model.iter_mut().for_each(|queue| queue.retain(|&other| other != fiber));
                }
            }
            for (at, (list, queue)) in lists.iter().zip(&model).enumerate() {
                let expected: Vec<_> =
                    queue.iter().map(|&fiber| &raw const nodes[fiber][at]).collect();
                assert_eq!(list.assert_valid(), expected);
                for (number, fiber) in fibers.iter().enumerate() {
                    let node = queue.contains(&number).then_some(&raw const nodes[number][at]);
                    assert_eq!(list.node_of(fiber.ptr()), node);
                }
            }
            for ((fiber, nodes), waits) in fibers.iter().zip(&nodes).zip(&waits) {
                let enlisted = nodes.iter().zip(waits).filter(|(_, wait)| wait.is_some());
                let enlisted: Vec<_> = enlisted.map(|(node, _)| ptr::from_ref(node)).collect();
                assert_circle(fiber.waiting.get(), &enlisted);
            }
        }
    }
}

#[test]
fn a_fiber_that_is_served_first_in_a_list_is_taken_out_of_the_middle_of_another() {
    let lists = [const { WaitList::new() }; 2];
    let [first, chooser, last] = [1, 2, 3].map(record);
    let second_node = WaitNode::new(chooser.fiber.ptr());
    // SAFETY: each record begins with a node, and the results are dropped.
    let waits = unsafe {
        [
            Enlisted::new(&first, &lists[0]),
            Enlisted::new(&chooser, &lists[0]),
            Enlisted::new(&last, &lists[0]),
            Enlisted::new(&second_node, &lists[1]),
        ]
    };
    assert_eq!(pop(&lists[1]), Some(&raw const second_node));
    let left = [&raw const first.node, &raw const last.node];
    assert_eq!(lists[0].assert_valid(), left);
    assert_eq!(neighbours(last.fiber.ptr()), (Some(first.fiber.ptr()), None));
    // The waits end in any order, and have nothing to take out.
    drop(waits);
    assert!(lists.iter().all(|list| list.assert_valid().is_empty()));
    assert!(chooser.fiber.waiting.get().is_null());
}

#[test]
fn a_node_that_was_taken_out_may_stand_in_another_list() {
    let (one, other) = (WaitList::new(), WaitList::new());
    let waiter = record(1);
    // SAFETY: the record begins with its node, and the result is dropped.
    let first = unsafe { Enlisted::new(&waiter, &one) };
    assert_eq!(pop(&one), Some(&raw const waiter.node));
    drop(first);
    // SAFETY: the record begins with its node, and the result is dropped.
    let _second = unsafe { Enlisted::new(&waiter, &other) };
    assert_eq!((one.assert_valid().len(), other.assert_valid().len()), (0, 1));
}
