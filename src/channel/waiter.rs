//! Fibers that wait at a channel, each with the value that it sends or room for the one it
//! receives.
//!
//! ```text
//!   stack of the receiver            stack of the sender
//!   +----------------------+         +--------+
//!   | Waiter               |         | send   |
//!   |   node (in the list) |         |        |
//!   |   slot: Empty  <-----+---------+- value |   one move, nothing allocated
//!   |   outcome: Waiting   |         |        |
//!   +----------------------+         +--------+
//! ```
//!
//! The lines of `pool/` consist of the same waiters, without values.
//!
//! Invariants:
//! - The slot is touched by the waiting fiber while it runs, and by the one partner that has taken
//!   the node off the list. Never by both: they share a thread, and neither holds a reference to
//!   the slot across a switch.
//! - A value is in exactly one place: moved out of the slot, or dropped with it.
//! - The outcome of a wait is set once, by the party that takes the node off the list. What a fiber
//!   was given it keeps, even if it is killed before it runs again.

#![allow(unsafe_code, reason = "values move between the stacks of two fibers")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomData;
use std::panic::Location;

use crate::sched::lowlevel::{
    CurrentFiber, Deadline, Enlisted, FiberPtr, Interrupt, Place, WaitList, WaitNode, WaitReason,
    wait_until,
};

/// The contents of a transfer.
pub(crate) enum Message<T> {
    Value(T),
    /// The payload of an unwind that the receiver raises.
    Unwind(Box<dyn Any + Send>),
}

impl<T: 'static> Message<T> {
    /// Returns a reference to the value, if it is one.
    pub(crate) fn value(&self) -> Option<&dyn Any> {
        match self {
            Message::Value(value) => Some(value),
            Message::Unwind(_) => None,
        }
    }
}

/// The outcome of a wait.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum WaitOutcome {
    Waiting,
    /// A partner has put its message into the slot, or taken the message out of it.
    Served,
    /// The fiber was released without being served: the channel was closed, for example.
    Closed,
}

/// One waiting fiber.
#[repr(C)]
pub(crate) struct Waiter<T> {
    node: WaitNode,
    outcome: Cell<WaitOutcome>,
    slot: UnsafeCell<Option<Message<T>>>,
}

/// A queue of [`Waiter`]s of one type, first come, first served.
#[derive(Debug)]
pub(crate) struct Waiters<T> {
    /// Each of its nodes begins a `Waiter<T>`: only the methods of `Waiter<T>` append to it.
    list: WaitList,
    /// Values go in through one waiter and come out through another. So the queue must be invariant
    /// in `T`, or the two types could differ in a lifetime.
    of: PhantomData<Cell<T>>,
}

impl<T> Waiter<T> {
    /// Creates a waiter that sends `message`, or receives one if there is none.
    #[inline(always)]
    pub(crate) fn new(fiber: FiberPtr, message: Option<Message<T>>) -> Waiter<T> {
        Waiter {
            node: WaitNode::new(fiber),
            outcome: Cell::new(WaitOutcome::Waiting),
            slot: UnsafeCell::new(message),
        }
    }

    /// Waits in `queue` until a partner has come, the fiber is released, or the wait is
    /// interrupted; with a deadline, no longer than until `by`.
    ///
    /// The deadline is armed in this function and nowhere further out: if the wait is interrupted
    /// it is disarmed before the message is dropped, whose destructor may wait with a deadline of
    /// its own.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait_in(
        &self,
        current: CurrentFiber,
        queue: &Waiters<T>,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<WaitOutcome, Interrupt> {
        // SAFETY: `Waiter` is `repr(C)` and begins with its node. The value is dropped at the end
        // of this function, also by an unwind.
        let _enlisted = unsafe { Enlisted::new(self, &queue.list) };
        let is_over = || self.outcome.get() != WaitOutcome::Waiting;
        match by {
            None => wait_until(current, reason, is_over)?,
            Some(at) => {
                let _deadline = Deadline::arm(current, at);
                wait_until(current, reason, is_over)?;
            }
        }
        Ok(self.outcome.get())
    }

    /// Returns its place in `queue`, where partners find it.
    pub(crate) fn place<'a>(&'a self, queue: &'a Waiters<T>) -> Place<'a> {
        // SAFETY: `Waiter` is `repr(C)` and begins with its node.
        unsafe { Place::new(self, &queue.list) }
    }

    /// Returns the outcome of the wait so far.
    #[inline(always)]
    pub(crate) fn outcome(&self) -> WaitOutcome {
        self.outcome.get()
    }

    /// Takes the message out of the slot: the one that was received, or the one that was not sent.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<Message<T>> {
        // SAFETY: no reference to the slot exists: see the top. The old value is moved out, so no
        // user code runs.
        unsafe { (*self.slot.get()).take() }
    }

    #[inline(always)]
    fn put(&self, message: Message<T>) {
        // SAFETY: as in `take`; the slot of a receiver is empty, so there is nothing to drop.
        unsafe { self.slot.get().write(Some(message)) };
    }
}

impl<T> Waiters<T> {
    pub(crate) const fn new() -> Waiters<T> {
        Waiters { list: WaitList::new(), of: PhantomData }
    }

    /// Creates a queue of a channel that is made at `place`, which dumps show.
    pub(crate) const fn of_channel(place: &'static Location<'static>) -> Waiters<T> {
        Waiters { list: WaitList::of_channel(place), of: PhantomData }
    }

    /// Returns whether a fiber waits. If so, the caller serves the first by
    /// [`serve_claimed`](Self::serve_claimed) or [`collect_claimed`](Self::collect_claimed), and
    /// does nothing else before.
    #[inline(always)]
    pub(crate) fn claim(&self) -> bool {
        self.list.claim_front()
    }

    /// Returns the number of fibers that wait.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns the first fiber that waits.
    pub(crate) fn first(&self) -> Option<FiberPtr> {
        self.list.first()
    }

    /// Returns the fibers that wait, in the order in which they came.
    pub(crate) fn fibers(&self) -> Vec<FiberPtr> {
        self.list.fibers()
    }

    /// Gives `message` to the first receiver, and takes that off the queue. Returns the receiver,
    /// which the caller makes ready; or the message if there is none.
    #[inline(always)]
    pub(crate) fn serve(&self, message: Message<T>) -> Result<FiberPtr, Message<T>> {
        if self.claim() { self.serve_claimed(message) } else { Err(message) }
    }

    /// Gives `message` to the first receiver like [`serve`](Self::serve), right after
    /// [`claim`](Self::claim).
    #[inline(always)]
    pub(crate) fn serve_claimed(&self, message: Message<T>) -> Result<FiberPtr, Message<T>> {
        let Some(waiter) = self.pop_claimed() else { return Err(message) };
        waiter.put(message);
        waiter.outcome.set(WaitOutcome::Served);
        Ok(waiter.node.fiber())
    }

    /// Takes the message of the first sender, and takes that off the queue. Returns the sender as
    /// well, which the caller makes ready.
    #[inline(always)]
    pub(crate) fn collect(&self) -> Option<(FiberPtr, Message<T>)> {
        if self.claim() { self.collect_claimed() } else { None }
    }

    /// Takes the message of the first sender like [`collect`](Self::collect), right after
    /// [`claim`](Self::claim).
    #[inline(always)]
    pub(crate) fn collect_claimed(&self) -> Option<(FiberPtr, Message<T>)> {
        let waiter = self.pop_claimed()?;
        let message = waiter.take()?;
        waiter.outcome.set(WaitOutcome::Served);
        Some((waiter.node.fiber(), message))
    }

    /// Exchanges the value that `sender`, which waits in the queue, sends.
    pub(crate) fn replace(&self, sender: FiberPtr, value: T) -> Result<T, T> {
        let Some(node) = self.list.node_of(sender) else { return Err(value) };
        // SAFETY: as in `pop_claimed`; no fiber switches before the end of this function.
        let waiter = unsafe { &*node.cast::<Waiter<T>>() };
        match waiter.take() {
            Some(Message::Value(old)) => {
                waiter.put(Message::Value(value));
                Ok(old)
            }
            other => {
                if let Some(other) = other {
                    waiter.put(other);
                }
                Err(value)
            }
        }
    }

    /// Ends the wait of the first fiber with `outcome`, and leaves its slot unchanged. Returns the
    /// fiber, which the caller makes ready.
    pub(crate) fn release(&self, outcome: WaitOutcome) -> Option<FiberPtr> {
        let waiter = if self.claim() { self.pop_claimed()? } else { return None };
        waiter.outcome.set(outcome);
        Some(waiter.node.fiber())
    }

    /// Takes the first waiter off the queue, right after [`claim`](Self::claim).
    #[inline(always)]
    fn pop_claimed(&self) -> Option<&Waiter<T>> {
        let node = self.list.pop_claimed()?;
        // SAFETY: the node begins a `Waiter<T>`: the list is private, and only `Waiter::wait_in`
        // and `Waiter::place` hand it out, for a waiter of the type of this queue. (Lifetimes
        // included: the queue is invariant in `T`.) The waiter lives on the stack of a fiber that
        // does not run before the caller switches, and the methods above use the reference no
        // longer than that.
        Some(unsafe { &*node.cast::<Waiter<T>>() })
    }
}
