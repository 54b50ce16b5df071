//! Channels that hold values: bounded and unbounded, with two ends.
//!
//! ```text
//!   senders wait (full) --> [ buffer, up to `capacity` ] --> receivers wait (empty)
//! ```
//!
//! Invariants:
//! - Receivers wait only while the buffer is empty, senders only while it is full. So a value goes
//!   straight to a waiting receiver, and a freed place straight to the first waiting sender.
//! - Values arrive in the order in which their sends began.
//! - When one end is gone the other is told: receivers after the buffer is empty, senders at once.
//! - Nothing is dropped while the buffer is borrowed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use crate::channel::waiter::{self, Message};
use crate::sched::lowlevel::{WaitList, scheduler};

pub(crate) mod arm;
mod recv;
mod send;

pub use recv::{IntoValues, Values};

/// A channel that holds up to `capacity` values; a send waits while it is full.
///
/// With a capacity of 0 each send waits for its receiver, as std's `sync_channel(0)`. A send or
/// receive that need not wait does not switch either.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = fibra::channel::bounded(2);
///     fibra::spawn(move || (1..=5).for_each(|i| sender.send(i).unwrap()));
///     assert_eq!(receiver.iter().sum::<u32>(), 15);
/// });
/// ```
#[must_use]
#[doc(alias("chan", "Queue"))]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        buffer: RefCell::new(VecDeque::new()),
        capacity,
        senders: Cell::new(1),
        receivers: Cell::new(1),
        waiting_senders: WaitList::new(),
        waiting_receivers: WaitList::new(),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// A channel that holds any number of values; a send never waits.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = fibra::channel::unbounded();
///     sender.send("a").unwrap();
///     sender.send("b").unwrap();
///     drop(sender);
///     assert_eq!(receiver.iter().collect::<String>(), "ab");
/// });
/// ```
#[must_use]
#[doc(alias("chan", "Queue"))]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

struct Shared<T> {
    buffer: RefCell<VecDeque<T>>,
    capacity: usize,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiting_senders: WaitList,
    waiting_receivers: WaitList,
}

/// The sending end. Clones share the channel; when the last is dropped, receivers learn of it.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// The receiving end. Clones share the channel, and each value goes to one of them.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Shared<T> {
    fn turn_all_away(&self, list: &WaitList) {
        let Some(sched) = scheduler() else { return };
        while let Some(fiber) = waiter::turn_away::<T>(list) {
            sched.make_ready(fiber);
        }
    }
}

/// Only values travel through these channels.
#[inline(always)]
fn into_value<T>(message: Message<T>) -> T {
    match message {
        Message::Value(value) => value,
        Message::Unwind(_) => unreachable!("these channels carry no unwinds"),
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.receivers.set(self.shared.receivers.get() + 1);
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.senders.set(self.shared.senders.get() - 1);
        if self.shared.senders.get() == 0 {
            self.shared.turn_all_away(&self.shared.waiting_receivers);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.set(self.shared.receivers.get() - 1);
        if self.shared.receivers.get() == 0 {
            self.shared.turn_all_away(&self.shared.waiting_senders);
            // Nobody can ever take these. They are dropped after the borrow has ended.
            let left = std::mem::take(&mut *self.shared.buffer.borrow_mut());
            drop(left);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).finish_non_exhaustive()
    }
}
