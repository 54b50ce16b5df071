//! Channels between fibers of any thread and plain threads, with any number of senders and
//! receivers.
//!
//! ```text
//!   senders wait (full) --> [ buffer, up to `capacity` ] --> receivers wait (empty)
//! ```
//!
//! The channels are [`fibra::channel::bounded`](crate::channel::bounded) and
//! [`unbounded`](crate::channel::unbounded) for several threads, with the same names and errors.
//! Within one thread, the channels of [`fibra::channel`](crate::channel) cost less and detect
//! deadlocks. A fiber that waits here can be woken by another thread as long as the channel has
//! another end, so its wait is not taken for a deadlock. A fiber that receives while it owns the
//! only sender waits forever: drop the sender first.
//!
//! # Order
//!
//! Values arrive in the order in which they were sent. Receivers that wait are served in the order
//! in which they came, and so are senders: each value is given to the first receiver in line, and
//! the room that it leaves to the first sender. A call that arrives later does not pass a waiter,
//! except if it began before the waiter was in line. So no waiter starves, and within one thread a
//! program runs the same way every time.
//!
//! A value that was given to a waiting receiver is received by it, even if the receiver is killed
//! or its time is over at the same moment. A waiter that leaves takes nothing with it.
//!
//! A fiber in a [`select!`](crate::select!) stands in line like any other. Two fibers that both
//! choose meet at a channel of capacity 0, on one thread or on two.
//!
//! # Costs
//!
//! A send or a receive that need not wait takes no lock once a second thread uses the channel.
//! While only one thread uses it, and with a capacity of 0 or 1, it takes a lock for a short time.
//! A call that would have to wait for another thread first looks for a few microseconds whether
//! that thread makes the wait unnecessary, if nothing else can run on its own thread. If it does
//! not, the next calls wait directly.
//! A channel takes memory for the values that it holds; one with a bounded capacity also has an
//! array of up to 16 KiB from the first use by a second thread on.
//!
//! # Examples
//!
//! ```
//! use fibra::sync::mpmc;
//!
//! let (sender, receiver) = mpmc::bounded(4);
//! let squares = std::thread::spawn(move || {
//!     fibra::run(|| {
//!         for i in 1..=10 {
//!             sender.send(i * i).unwrap();
//!         }
//!     });
//! });
//! let sum: u32 = fibra::run(|| receiver.iter().sum());
//! squares.join().unwrap();
//! assert_eq!(sum, 385);
//! ```

// Invariants:
// - A value is in one place: the buffer, a slot, or a stack.
// - When all handles of one side are gone, operations of the other side fail: receives once the
//   buffer is empty, sends immediately.
// - Neither a lock is held nor are the lines borrowed while values are dropped or waiters woken.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::sync::mpmc::line::Shared;

pub(crate) mod arm;
mod line;
mod locked;
mod patience;
#[cfg(test)]
mod publish;
mod recv;
mod ring;
mod send;
mod side;
#[cfg(feature = "stream")]
mod stream;
pub(super) mod task;

pub use recv::{IntoValues, Values};
#[cfg(feature = "stream")]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub use stream::{RecvStream, SendSink};

/// Creates a channel that holds up to `capacity` values; a send waits while it is full.
///
/// With a capacity of 0 each send waits for its receiver, like with std's `sync_channel(0)`.
///
/// # Examples
///
/// ```
/// use fibra::sync::mpmc;
///
/// let (sender, receiver) = mpmc::bounded(1);
/// sender.try_send(1).unwrap();
/// assert!(sender.try_send(2).is_err()); // full
/// assert_eq!(receiver.recv(), Ok(1));
/// ```
#[must_use]
#[track_caller]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(capacity, Location::caller()));
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// Creates a channel that holds any number of values; a send never waits.
#[must_use]
#[track_caller]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// The sending end. Clones share the channel; when the last one is dropped, the channel is closed
/// for its receivers.
///
/// # Examples
///
/// ```
/// use fibra::sync::mpmc;
///
/// let (sender, receiver) = mpmc::bounded(2);
/// let other = sender.clone();
/// let thread = std::thread::spawn(move || other.send(1).unwrap());
/// thread.join().unwrap();
/// assert_eq!(receiver.recv(), Ok(1));
/// drop(sender); // the last one: the channel is closed
/// assert!(receiver.recv().is_err());
/// ```
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving end. Clones share the channel, and each value is received by one of them.
///
/// # Examples
///
/// ```
/// use fibra::sync::mpmc;
///
/// let (sender, receiver) = mpmc::unbounded();
/// let workers: Vec<_> = (0..2)
///     .map(|_| {
///         let jobs = receiver.clone(); // each value goes to one of them
///         std::thread::spawn(move || fibra::run(|| jobs.iter().sum::<u32>()))
///     })
///     .collect();
/// (1..=4).for_each(|n| sender.send(n).unwrap());
/// drop(sender);
/// let sum: u32 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
/// assert_eq!(sum, 10);
/// ```
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.sending.add_handle();
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.receiving.add_handle();
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.sending.drop_handle() {
            self.shared.end_of_senders();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.shared.receiving.drop_handle() {
            self.shared.end_of_receivers();
        }
    }
}

impl<T> Shared<T> {
    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .field("senders", &self.sending.handles())
            .field("receivers", &self.receiving.handles())
            .finish()
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug("Sender", f)
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug("Receiver", f)
    }
}
