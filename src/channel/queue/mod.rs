//! Channels with a buffer: bounded and unbounded, with two ends.
//!
//! ```text
//!   senders wait (full) --> [ buffer, up to `capacity` ] --> receivers wait (empty)
//! ```
//!
//! Invariants:
//! - Receivers wait only while the buffer is empty, senders only while it is full. So a value goes
//!   directly to a waiting receiver, and a place that becomes free goes directly to the first
//!   waiting sender.
//! - Values arrive in the order in which their sends began.
//! - When the last handle of one end is dropped, the other end gets errors: receivers after the
//!   buffer is empty, senders immediately.
//! - Nothing is dropped while the buffer is borrowed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::channel::waiter::{Message, WaitOutcome, Waiters};
use crate::sched::lowlevel::scheduler;

pub(crate) mod arm;
mod recv;
mod send;

pub use recv::{IntoValues, Values};

/// Creates a channel that holds up to `capacity` values; a send waits while it is full.
///
/// With a capacity of 0 each send waits for its receiver, like `sync_channel(0)` of std. A send or
/// receive that does not have to wait does not switch either.
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
#[track_caller]
#[doc(alias("chan", "Queue"))]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let place = Location::caller();
    let shared = Rc::new(Shared {
        buffer: RefCell::new(VecDeque::new()),
        capacity,
        senders: Cell::new(1),
        receivers: Cell::new(1),
        waiting_senders: Waiters::of_channel(place),
        waiting_receivers: Waiters::of_channel(place),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// Creates a channel that holds any number of values; a send never waits.
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
#[track_caller]
#[doc(alias("chan", "Queue"))]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

struct Shared<T> {
    buffer: RefCell<VecDeque<T>>,
    capacity: usize,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiting_senders: Waiters<T>,
    waiting_receivers: Waiters<T>,
}

/// The sending end of a [`bounded`] or [`unbounded`] channel.
///
/// Clones share the channel. When the last is dropped, receivers get the values that are left and
/// then an error.
///
/// # Examples
///
/// ```
/// use fibra::channel::bounded;
///
/// fibra::run(|| {
///     let (sender, receiver) = bounded(1);
///     for name in ["a", "b"] {
///         let sender = sender.clone();
///         fibra::spawn(move || sender.send(name).unwrap());
///     }
///     drop(sender); // the clones are left
///     assert_eq!(receiver.iter().collect::<Vec<_>>(), ["a", "b"]);
/// });
/// ```
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// The receiving end of a [`bounded`] or [`unbounded`] channel.
///
/// Clones share the channel, and each value goes to one of them. When the last is dropped, sends
/// fail.
///
/// # Examples
///
/// ```
/// use fibra::channel::unbounded;
///
/// fibra::run(|| {
///     let (sender, receiver) = unbounded();
///     let workers: Vec<_> = (0..2)
///         .map(|_| {
///             let jobs = receiver.clone();
///             fibra::spawn(move || jobs.iter().count())
///         })
///         .collect();
///     drop(receiver); // the workers have handles of their own
///     (0..10).for_each(|job| sender.send(job).unwrap());
///     drop(sender); // ends the loops of the workers
///     assert_eq!(workers.into_iter().map(|w| w.join().unwrap()).sum::<usize>(), 10);
/// });
/// ```
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Shared<T> {
    fn release_all(&self, list: &Waiters<T>) {
        let Some(sched) = scheduler() else { return };
        while let Some(fiber) = list.release(WaitOutcome::Closed) {
            sched.make_ready(fiber);
        }
    }
}

/// Returns the value of `message`: these channels carry no unwinds.
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
            self.shared.release_all(&self.shared.waiting_receivers);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.set(self.shared.receivers.get() - 1);
        if self.shared.receivers.get() == 0 {
            self.shared.release_all(&self.shared.waiting_senders);
            // No receiver can ever take these. They are dropped after the borrow has ended.
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
