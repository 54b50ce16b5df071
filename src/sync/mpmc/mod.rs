//! Channels between fibers of any thread and plain threads, with any number of senders and
//! receivers.
//!
//! ```text
//!   senders wait (full) --> [ buffer, up to `capacity` ] --> receivers wait (empty)
//! ```
//!
//! They are [`fibra::channel::bounded`](crate::channel::bounded) and
//! [`unbounded`](crate::channel::unbounded) for several threads, with the same names and errors.
//! Within one thread, the channels of [`fibra::channel`](crate::channel) cost less and detect
//! deadlocks. A fiber that waits here can be woken by another thread as long as the channel has
//! another end, so its wait is not taken for a deadlock. A fiber that receives while it owns the
//! only sender waits forever: drop the sender first.
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
// - Receivers wait only while the buffer is empty, senders only while it is full. So a value is
//   given directly to a waiting receiver, and a free place directly to the first waiting sender.
// - A value is in one place: the buffer, a slot, or a stack. Under the lock of the channel values
//   are moved, and never dropped.
// - A slot is changed under its lock, together with the outcome of its wait: a waiter that finds
//   its wait served finds the slot as its partner left it.
// - When all ends of one side are gone, operations of the other side fail: receives once the buffer
//   is empty, sends immediately.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::sched::lowlevel::WaitOutcome;
use crate::sync::queue::Queue;
use crate::sync::waiter::{Waiter, locked, wake_all};

pub(crate) mod arm;
mod recv;
mod send;

pub use recv::{IntoValues, Values};

/// Creates a channel that holds up to `capacity` values; a send waits while it is full.
///
/// With a capacity of 0 each send waits for its receiver, like with std's `sync_channel(0)`.
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state = State {
        buffer: VecDeque::new(),
        waiting_senders: Queue::new(),
        waiting_receivers: Queue::new(),
        watchers: Queue::new(),
        senders: 1,
        receivers: 1,
    };
    let shared = Arc::new(Shared { state: Mutex::new(state), capacity });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// Creates a channel that holds any number of values; a send never waits.
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// The sending end. Clones share the channel; when the last one is dropped, the channel is closed
/// for its receivers.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving end. Clones share the channel, and each value is received by one of them.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    capacity: usize,
}

struct State<T> {
    buffer: VecDeque<T>,
    waiting_senders: Queue<Slot<T>>,
    waiting_receivers: Queue<Slot<T>>,
    /// Fibers in a `select!` over this channel. They are woken by each change that could concern
    /// them, and then try their operation.
    watchers: Queue,
    /// The number of sending handles.
    senders: usize,
    /// The number of receiving handles.
    receivers: usize,
}

/// The value of a waiting sender, or the place for the value of a waiting receiver.
type Slot<T> = Mutex<Option<T>>;

/// Gives `value` to the first waiting receiver. Returns that receiver; the caller wakes it.
fn serve<T>(queue: &mut Queue<Slot<T>>, value: T) -> Result<Arc<Waiter<Slot<T>>>, T> {
    while let Some(first) = queue.pop() {
        let mut slot = locked(&first.extra);
        if first.claim(WaitOutcome::Served) {
            *slot = Some(value);
            drop(slot);
            return Ok(first);
        }
    }
    Err(value)
}

/// Takes the value of the first waiting sender. Returns that sender as well; the caller wakes it.
fn collect<T>(queue: &mut Queue<Slot<T>>) -> Option<(Arc<Waiter<Slot<T>>>, T)> {
    while let Some(first) = queue.pop() {
        let mut slot = locked(&first.extra);
        if first.claim(WaitOutcome::Served) {
            if let Some(value) = slot.take() {
                drop(slot);
                return Some((first, value));
            }
        }
    }
    None
}

impl<T> State<T> {
    /// Removes and returns the watchers; the caller wakes them when it has unlocked the channel.
    fn take_watchers(&mut self) -> Vec<Arc<Waiter>> {
        if self.watchers.is_empty() {
            Vec::new()
        } else {
            self.watchers.claim_all(WaitOutcome::Served)
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        locked(&self.shared.state).senders += 1;
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        locked(&self.shared.state).receivers += 1;
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = locked(&self.shared.state);
        state.senders -= 1;
        if state.senders == 0 {
            let closed = state.waiting_receivers.claim_all(WaitOutcome::Closed);
            let watchers = state.take_watchers();
            drop(state);
            wake_all(&closed);
            wake_all(&watchers);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = locked(&self.shared.state);
        state.receivers -= 1;
        if state.receivers == 0 {
            let closed = state.waiting_senders.claim_all(WaitOutcome::Closed);
            // No receiver can take these values any more. They are dropped after the unlock.
            let left = std::mem::take(&mut state.buffer);
            let watchers = state.take_watchers();
            drop(state);
            wake_all(&closed);
            wake_all(&watchers);
            drop(left);
        }
    }
}

impl<T> Shared<T> {
    fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = locked(&self.state);
        let (len, senders, receivers) = (state.buffer.len(), state.senders, state.receivers);
        drop(state);
        f.debug_struct(name)
            .field("len", &len)
            .field("capacity", &self.capacity)
            .field("senders", &senders)
            .field("receivers", &receivers)
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
