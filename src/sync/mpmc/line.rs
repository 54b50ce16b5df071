//! The values of a channel, the fibers and threads that wait at it, and how they come together.
//!
//! ```text
//!   without a lock        under the lock
//!   [ ring ] <----------- [ stored ] <------ [ senders wait ]      values move to the left
//!       \-----------------------------------> [ receivers wait ]
//!
//!   send:  push --> fence --> does a receiver wait?  -- no --> done, without a lock
//!                                 \-- yes --> lock: give the first value to the first receiver
//!   receive, nothing there:  lock --> join the line --> fence --> still nothing there? --> wait
//! ```
//!
//! A channel begins without a ring: while only the thread that has created it uses it, a lock for
//! which no one competes and a plain queue cost less. The first call of another thread moves the
//! values into a ring. A channel for one value, or without a buffer, never gets one.
//!
//! Senders and receivers mirror each other: a receiver that has made room looks for a sender that
//! waits, and a sender that finds no room joins its line and looks once more.
//!
//! Invariants:
//! - What is stored behind the ring and the lines change under the lock, and [`Side::word`] is
//!   published before the lock is released. A newcomer to a line publishes itself and then looks at
//!   the ring; the other side changes the ring and then looks at the word. There is a fence between
//!   the two on both sides (`collections/publish.rs`): either the newcomer finds the value or the
//!   room, or the other side finds the newcomer.
//! - A waiter is served with a value: a receiver is given one, a sender's is taken. If another
//!   thread has taken the value or the room at the last moment, the waiter is served with nothing,
//!   tries again, and keeps its place at the front of its line.
//! - Nothing passes a waiter that it could see: a call that finds a line on its own side takes the
//!   lock, and serves the line before itself. A send that finds values stored behind the ring puts
//!   its value behind them.
//! - A slot is changed under its lock, together with the outcome of its wait: a waiter that finds
//!   its wait served finds the slot as its partner left it.
//! - Under the lock values are moved, and never dropped.
//! - While there are values in front of the ring, both words are marked `RETURNED`, so that every
//!   call takes the lock: they come before all others.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::collections::publish::fence;
use crate::sched::lowlevel::{Owner, WaitOutcome};
use crate::sync::mpmc::locked::{Locked, refill};
use crate::sync::mpmc::ring::Ring;
use crate::sync::mpmc::side::{LOCKED, Side};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Waiter, locked};

/// The value of a waiting sender, or the place for the value of a waiting receiver.
pub(super) type Slot<T> = Mutex<Option<T>>;

/// Takes the value out of the slot of `waiter`, after its wait. In most cases the partner no longer
/// holds the waiter, and no lock is needed.
pub(super) fn take_left<T>(waiter: Arc<Waiter<Slot<T>>>) -> Option<T> {
    match Arc::try_unwrap(waiter) {
        Ok(waiter) => waiter.extra.into_inner().unwrap_or_else(PoisonError::into_inner),
        Err(waiter) => locked(&waiter.extra).take(),
    }
}

/// The part of a channel that all its handles share.
pub(super) struct Shared<T> {
    pub(super) sending: Side,
    pub(super) receiving: Side,
    /// There is one when the words are not marked [`LOCKED`].
    pub(super) ring: OnceLock<Ring<T>>,
    pub(super) capacity: usize,
    /// The thread that has used the channel first; 0 before. It is set under the lock.
    home: AtomicU64,
    /// The number of values in `Lines::stored`, as published under the lock. Without the lock it is
    /// a hint.
    pub(super) stored: AtomicUsize,
    lines: Mutex<Lines<T>>,
    /// The place where it was made, which dumps show.
    pub(super) made_at: &'static Location<'static>,
}

/// What stands behind the ring: values, and the waiters of both sides.
pub(super) struct Lines<T> {
    pub(super) stored: VecDeque<T>,
    /// The values in front of the ring, if there is one: receivers that did not need them have put
    /// them back.
    pub(super) returned: VecDeque<T>,
    pub(super) senders: Queue<Slot<T>>,
    pub(super) receivers: Queue<Slot<T>>,
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize, made_at: &'static Location<'static>) -> Shared<T> {
        let lines = Lines {
            stored: VecDeque::new(),
            returned: VecDeque::new(),
            senders: Queue::new(),
            receivers: Queue::new(),
        };
        Shared {
            sending: Side::new(),
            receiving: Side::new(),
            ring: OnceLock::new(),
            capacity,
            home: AtomicU64::new(0),
            stored: AtomicUsize::new(0),
            lines: Mutex::new(lines),
            made_at,
        }
    }

    pub(super) fn len(&self) -> usize {
        let lines = locked(&self.lines);
        lines.returned.len() + lines.stored.len() + self.ring.get().map_or(0, Ring::len)
    }

    /// Returns whether the channel is full, and no look at the lines could change that.
    pub(super) fn is_full(&self) -> bool {
        let is_full = |ring: &Ring<T>| ring.size() == self.capacity && !ring.has_room();
        self.receiving.word() == 0 && self.ring.get().is_some_and(is_full)
    }

    /// Returns whether the channel is empty, and no look at the lines could change that.
    pub(super) fn is_idle(&self) -> bool {
        self.sending.word() == 0 && self.ring.get().is_some_and(Ring::is_empty)
    }

    /// Locks the lines. The caller releases what this returns, even if it changes nothing.
    pub(super) fn lock(&self) -> Locked<'_, T> {
        let mut lines = locked(&self.lines);
        if self.ring.get().is_none() && !self.is_home() {
            self.leave_home(&mut lines);
        }
        Locked::new(self, lines)
    }

    /// Returns whether this is the only thread that has used the channel, or the channel never gets
    /// a ring.
    #[inline(always)]
    fn is_home(&self) -> bool {
        self.capacity < 2 || self.home.load(Ordering::Relaxed) == Owner::this_thread().bits()
    }

    /// Makes this thread the first that uses the channel. If another was the first, moves the
    /// values into a ring, if a ring is worth it; the caller publishes that before it unlocks the
    /// lines.
    #[cold]
    fn leave_home(&self, lines: &mut Lines<T>) {
        if self.home.load(Ordering::Relaxed) == 0 {
            self.home.store(Owner::this_thread().bits(), Ordering::Relaxed);
        } else if let Some(ring) = Ring::new(self.capacity) {
            refill(&ring, &mut lines.stored);
            let is_first = self.ring.set(ring).is_ok();
            debug_assert!(is_first, "it is set under the lock, once");
        }
    }

    /// Appends `value`, unless that needs a look at the lines before.
    #[inline(always)]
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        match (self.receiving.word() | self.sending.word(), self.ring.get()) {
            (0, Some(ring)) => ring.push(value)?,
            (LOCKED, _) => return self.push_at_home(value),
            _ => return Err(value),
        }
        fence();
        if self.receiving.word() != 0 {
            self.serve_receivers();
        }
        Ok(())
    }

    /// Takes the first value, unless that needs a look at the lines before.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<T> {
        let value = match (self.receiving.word(), self.ring.get()) {
            (0, Some(ring)) => ring.pop()?,
            (LOCKED, _) => return self.pop_at_home(),
            _ => return None,
        };
        // Senders never wait at a channel without a limit.
        if self.capacity != usize::MAX {
            fence();
            if self.sending.waits() {
                self.admit_senders();
            }
        }
        Some(value)
    }

    #[inline(never)]
    fn push_at_home(&self, value: T) -> Result<(), T> {
        if !self.is_home() || self.capacity <= self.stored.load(Ordering::Relaxed) {
            return Err(value);
        }
        let mut lines = locked(&self.lines);
        if !self.is_quiet() || self.capacity <= lines.stored.len() {
            return Err(value);
        }
        lines.stored.push_back(value);
        self.stored.store(lines.stored.len(), Ordering::Relaxed);
        Ok(())
    }

    #[inline(never)]
    fn pop_at_home(&self) -> Option<T> {
        let is_empty = self.stored.load(Ordering::Relaxed) == 0;
        if !self.is_home() || is_empty || self.sending.waits() {
            return None;
        }
        let mut lines = locked(&self.lines);
        let value = if self.is_quiet() { lines.stored.pop_front() } else { None };
        self.stored.store(lines.stored.len(), Ordering::Relaxed);
        value
    }

    /// Returns whether there is no ring, no one waits, and a receiver is left. The caller has
    /// locked the lines.
    fn is_quiet(&self) -> bool {
        self.receiving.word() == LOCKED && !self.sending.waits()
    }

    #[cold]
    fn admit_senders(&self) {
        self.lock().release();
    }

    #[cold]
    fn serve_receivers(&self) {
        self.lock().release();
        if self.receiving.is_gone() {
            self.empty_ring();
        }
    }

    /// Ends the waits of the receivers, when the last sender is gone.
    #[cold]
    pub(super) fn end_of_senders(&self) {
        let lines = locked(&self.lines);
        self.sending.end();
        if self.receiving.waits() {
            let mut channel = Locked::new(self, lines);
            let ended = channel.lines.receivers.claim_all(WaitOutcome::Closed);
            channel.release_with(ended);
        }
    }

    /// Ends the waits of the senders, when the last receiver is gone, and drops the values that are
    /// left.
    #[cold]
    pub(super) fn end_of_receivers(&self) {
        let mut lines = locked(&self.lines);
        self.receiving.end();
        let stored = (std::mem::take(&mut lines.returned), std::mem::take(&mut lines.stored));
        if self.sending.waits() {
            let mut channel = Locked::new(self, lines);
            let ended = channel.lines.senders.claim_all(WaitOutcome::Closed);
            channel.release_with(ended);
        } else {
            drop(lines);
        }
        self.empty_ring();
        drop(stored);
    }

    /// Drops the values in the ring when all receivers are gone. This and a send that began before
    /// look at the ring and at each other's word: one of the two finds the last value.
    fn empty_ring(&self) {
        if let Some(ring) = self.ring.get() {
            fence();
            Rest(ring).discard();
        }
    }
}

/// The values that are left in a ring. It continues with the others if a destructor panics.
struct Rest<'a, T>(&'a Ring<T>);

impl<T> Rest<'_, T> {
    fn discard(&self) {
        while let Some(value) = self.0.pop() {
            drop(value);
        }
    }
}

impl<T> Drop for Rest<'_, T> {
    fn drop(&mut self) {
        self.discard();
    }
}
