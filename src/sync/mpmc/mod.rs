//! Channels between fibers of any thread and plain threads, with many ends on both sides.
//!
//! ```text
//!   senders wait (full) --> [ buffer, up to `capacity` ] --> receivers wait (empty)
//! ```
//!
//! They are [`fibra::channel::bounded`](crate::channel::bounded) and
//! [`unbounded`](crate::channel::unbounded) for several threads: the same names and errors. Within
//! one thread those cost less, and know a deadlock when there is one; a fiber that waits here may
//! always be woken by another thread, as long as the channel has another end. So one that waits for a
//! sender while it has the only one itself waits forever: drop the sender first.
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
// - Receivers wait only while the buffer is empty, senders only while it is full. So a value goes
//   straight to a waiting receiver, and a freed place straight to the first waiting sender.
// - A value is in one place: the buffer, a slot, or on a stack. Under the lock of the channel values
//   are moved, and never dropped.
// - A slot is changed under its lock, together with the fate of its waiter: who finds its wait
//   served finds the slot as the partner has left it.
// - When one end is gone the other is told: receivers after the buffer is empty, senders at once.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::sched::lowlevel::Fate;
use crate::sync::queue::Queue;
use crate::sync::waiter::{Waiter, locked, wake_all};

pub(crate) mod arm;
mod recv;
mod send;

pub use recv::{IntoValues, Values};

/// A channel that holds up to `capacity` values; a send waits while it is full.
///
/// With a capacity of 0 each send waits for its receiver, as std's `sync_channel(0)`.
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

/// A channel that holds any number of values; a send never waits.
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

/// The sending end. Clones share the channel; when the last is dropped, receivers learn of it.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The receiving end. Clones share the channel, and each value goes to one of them.
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
    /// Fibers in a `select!` over this channel. They are told of every change that could concern them,
    /// and look for themselves.
    watchers: Queue,
    /// Handles.
    senders: usize,
    receivers: usize,
}

/// The value that a waiting sender brings, or the place for that of a receiver.
type Slot<T> = Mutex<Option<T>>;

/// Gives `value` to the first receiver that waits. Returns it, to be woken.
fn serve<T>(queue: &mut Queue<Slot<T>>, value: T) -> Result<Arc<Waiter<Slot<T>>>, T> {
    while let Some(first) = queue.pop() {
        let mut slot = locked(&first.extra);
        if first.claim(Fate::Served) {
            *slot = Some(value);
            drop(slot);
            return Ok(first);
        }
    }
    Err(value)
}

/// Takes the value of the first sender that waits. Returns the sender too, to be woken.
fn collect<T>(queue: &mut Queue<Slot<T>>) -> Option<(Arc<Waiter<Slot<T>>>, T)> {
    while let Some(first) = queue.pop() {
        let mut slot = locked(&first.extra);
        if first.claim(Fate::Served) {
            if let Some(value) = slot.take() {
                drop(slot);
                return Some((first, value));
            }
        }
    }
    None
}

impl<T> State<T> {
    /// Those who watch the channel, to be woken when it is unlocked.
    fn take_watchers(&mut self) -> Vec<Arc<Waiter>> {
        if self.watchers.is_empty() { Vec::new() } else { self.watchers.claim_all(Fate::Served) }
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
            let closed = state.waiting_receivers.claim_all(Fate::Closed);
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
            let closed = state.waiting_senders.claim_all(Fate::Closed);
            // Nobody can ever take these. They are dropped without the lock.
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
