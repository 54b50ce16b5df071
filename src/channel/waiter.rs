//! A fiber that waits at a channel, with the value it brings or the place for the one it wants.
//!
//! ```text
//!   stack of the receiver            stack of the sender
//!   +----------------------+         +--------+
//!   | Waiter               |         | send   |
//!   |   node (in the list) |         |        |
//!   |   slot: Empty  <-----+---------+- value |   one move, nothing allocated
//!   |   fate: Waiting      |         |        |
//!   +----------------------+         +--------+
//! ```
//!
//! Invariants:
//! - The slot is touched by the waiting fiber while it runs, and by the one partner that has taken
//!   the node off the list. Never by both: they share a thread, and neither holds a reference to
//!   the slot across a switch.
//! - A value is in exactly one place: moved out of the slot, or dropped with it.

#![allow(unsafe_code, reason = "values move between the stacks of two fibers")]

use std::any::Any;
use std::cell::{Cell, UnsafeCell};

use crate::sched::lowlevel::{
    Deadline, Enlisted, FiberPtr, Here, Interrupt, Place, WaitList, WaitNode, WaitReason,
    wait_until,
};

/// What travels through a channel.
pub(crate) enum Message<T> {
    Value(T),
    /// To be raised by the receiver as an unwind.
    Unwind(Box<dyn Any + Send>),
}

impl<T: 'static> Message<T> {
    /// The value, for those who only look.
    pub(crate) fn value(&self) -> Option<&dyn Any> {
        match self {
            Message::Value(value) => Some(value),
            Message::Unwind(_) => None,
        }
    }
}

/// How a wait at a channel came out.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    Waiting,
    /// A partner has put its message in, or taken this one's out.
    Served,
    /// The channel was closed under it.
    Closed,
}

/// One waiting fiber.
#[repr(C)]
pub(crate) struct Waiter<T> {
    node: WaitNode,
    fate: Cell<Fate>,
    slot: UnsafeCell<Option<Message<T>>>,
}

impl<T> Waiter<T> {
    /// A waiter that brings `message`, or wants one if there is none.
    #[inline(always)]
    pub(crate) fn new(fiber: FiberPtr, message: Option<Message<T>>) -> Waiter<T> {
        Waiter {
            node: WaitNode::new(fiber),
            fate: Cell::new(Fate::Waiting),
            slot: UnsafeCell::new(message),
        }
    }

    /// Waits in `list` until a partner has come, the channel was closed, or the wait is cut short,
    /// at the latest `by` a deadline.
    ///
    /// The deadline is armed in here and nowhere further out: when the wait is cut short it is
    /// gone before the message is dropped, whose destructor may wait and have a deadline itself.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait_in(
        &self,
        here: Here,
        list: &WaitList,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<Fate, Interrupt> {
        // SAFETY: `Waiter` is `repr(C)` and begins with its node. The value is dropped at the end
        // of this function, also by an unwind.
        let _enlisted = unsafe { Enlisted::new(self, list) };
        let _deadline = by.map(|at| Deadline::arm(here, at));
        wait_until(here, reason, || self.fate.get() != Fate::Waiting)?;
        Ok(self.fate.get())
    }

    /// Its place in `list`, where partners find it.
    pub(crate) fn place<'a>(&'a self, list: &'a WaitList) -> Place<'a> {
        // SAFETY: `Waiter` is `repr(C)` and begins with its node.
        unsafe { Place::new(self, list) }
    }

    /// How the wait has come out so far.
    #[inline(always)]
    pub(crate) fn fate(&self) -> Fate {
        self.fate.get()
    }

    /// What is in the slot: the message received, or the one that was not sent.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<Message<T>> {
        // SAFETY: no reference to the slot exists: see the top. The old value is moved out, so no
        // user code runs.
        unsafe { (*self.slot.get()).take() }
    }

    #[inline(always)]
    fn put(&self, message: Message<T>) {
        // SAFETY: as in `take`; the slot of a receiver is empty, so nothing is dropped.
        unsafe { *self.slot.get() = Some(message) };
    }
}

/// The first waiter of `list`, taken off it. All nodes of `list` must begin a `Waiter<T>`.
#[inline(always)]
fn pop<T>(list: &WaitList) -> Option<&Waiter<T>> {
    let node = list.pop_front()?;
    // SAFETY: the node begins a `Waiter<T>`: each channel has lists of its own, to which only
    // waiters of its type are appended. (All handles of a channel agree on that type, lifetimes
    // included: channels are invariant in it, which `tests/types` holds.) It lives on the stack of a fiber that does not
    // run before the caller switches, and callers use the reference no longer than that.
    Some(unsafe { &*node.cast::<Waiter<T>>() })
}

/// Gives `message` to the first receiver of `list`, which must not be empty. Returns the receiver,
/// to be made ready.
#[inline(always)]
pub(crate) fn serve<T>(list: &WaitList, message: Message<T>) -> Result<FiberPtr, Message<T>> {
    let Some(waiter) = pop::<T>(list) else { return Err(message) };
    waiter.put(message);
    waiter.fate.set(Fate::Served);
    Ok(waiter.node.fiber())
}

/// Takes the message of the first sender of `list`. Returns the sender too, to be made ready.
#[inline(always)]
pub(crate) fn collect<T>(list: &WaitList) -> Option<(FiberPtr, Message<T>)> {
    let waiter = pop::<T>(list)?;
    let message = waiter.take()?;
    waiter.fate.set(Fate::Served);
    Some((waiter.node.fiber(), message))
}

/// Exchanges the value that `sender`, which waits in `list`, has brought. All nodes of `list` must
/// begin a `Waiter<T>`.
pub(crate) fn replace<T>(list: &WaitList, sender: FiberPtr, value: T) -> Result<T, T> {
    let Some(node) = list.node_of(sender) else { return Err(value) };
    // SAFETY: as in `pop`; nobody switches before the end of this function.
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

/// Tells the first waiter of `list` that the channel is closed.
pub(crate) fn turn_away<T>(list: &WaitList) -> Option<FiberPtr> {
    let waiter = pop::<T>(list)?;
    waiter.fate.set(Fate::Closed);
    Some(waiter.node.fiber())
}
