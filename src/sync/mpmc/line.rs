//! The values of a channel, the fibers and threads that wait at it, and how they come together.
//!
//! ```text
//!   without a lock        under the lock
//!   [ ring ] <----------- [ overflow ] <---- [ senders wait ]      values move to the left
//!       \-----------------------------------> [ receivers wait ]
//!
//!   send:  push --> fence --> does a receiver wait?  -- no --> done, without a lock
//!                                 \-- yes --> lock: give the first value to the first receiver
//!   receive, nothing there:  lock --> join the line --> fence --> still nothing there? --> wait
//! ```
//!
//! Senders and receivers mirror each other: a receiver that has made room looks for a sender that
//! waits, and a sender that finds no room joins its line and looks once more.
//!
//! Invariants:
//! - The overflow and the lines change under the lock, and [`Side::word`] is published before the
//!   lock is released. A newcomer to a line publishes itself and then looks at the ring; the other
//!   side changes the ring and then looks at the word. There is a fence between the two on both
//!   sides (`collections/publish.rs`): either the newcomer finds the value or the room, or the
//!   other side finds the newcomer.
//! - A waiter is served with a value: a receiver is given one, a sender's is taken. If another
//!   thread has taken the value or the room at the last moment, the waiter is served with nothing,
//!   tries again, and keeps its place at the front of its line.
//! - Nothing passes a waiter that it could see: a call that finds a line on its own side takes the
//!   lock, and serves the line before itself. A send that finds values in the overflow puts its
//!   value behind them.
//! - A slot is changed under its lock, together with the outcome of its wait: a waiter that finds
//!   its wait served finds the slot as its partner left it.
//! - Under the lock values are moved, and never dropped.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::collections::publish::fence;
use crate::sched::lowlevel::WaitOutcome;
use crate::sync::mpmc::ring::Ring;
use crate::sync::queue::Queue;
use crate::sync::waiter::{Served, Waiter, locked};

/// The value of a waiting sender, or the place for the value of a waiting receiver.
pub(super) type Slot<T> = Mutex<Option<T>>;

/// The part of a channel that all its handles share.
pub(super) struct Shared<T> {
    pub(super) sending: Side,
    pub(super) receiving: Side,
    ring: Ring<T>,
    capacity: usize,
    lines: Mutex<Lines<T>>,
}

/// What one side of a channel publishes: how many handles it has, and whether any of them waits.
pub(super) struct Side {
    /// The number of handles.
    pub(super) handles: AtomicUsize,
    /// [`GONE`], [`OVERFLOW`], and [`ONE_WAITS`] for each waiter and watcher.
    word: AtomicUsize,
}

/// All handles of the side are gone.
const GONE: usize = 1;
/// Of the sending side: there are values in the overflow.
const OVERFLOW: usize = 2;
const ONE_WAITS: usize = 4;

impl Side {
    pub(super) fn new() -> Side {
        Side { handles: AtomicUsize::new(1), word: AtomicUsize::new(0) }
    }

    /// Returns whether a waiter, the overflow or the end of the side needs attention.
    #[inline(always)]
    pub(super) fn needs_attention(&self) -> bool {
        self.word.load(Ordering::Acquire) != 0
    }

    /// Returns whether any handle of the side waits.
    #[inline(always)]
    fn waits(&self) -> bool {
        ONE_WAITS <= self.word.load(Ordering::Acquire)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.word.load(Ordering::Acquire) & GONE != 0
    }

    /// Publishes that `waiting` handles wait, and `overflow`. The caller has locked the lines.
    fn publish(&self, waiting: usize, overflow: usize) {
        let word = self.word.load(Ordering::Relaxed);
        let new = waiting * ONE_WAITS | overflow | word & GONE;
        if new != word {
            self.word.store(new, Ordering::Release);
        }
    }

    /// Publishes that no handle is left. The caller has locked the lines.
    fn end(&self) {
        self.word.fetch_or(GONE, Ordering::Release);
    }
}

/// What stands behind the ring: values, and the waiters of both sides.
pub(super) struct Lines<T> {
    overflow: VecDeque<T>,
    pub(super) senders: Queue<Slot<T>>,
    pub(super) receivers: Queue<Slot<T>>,
    /// Fibers in a `select!` that send or receive. They are woken when they may succeed, and then
    /// try.
    pub(super) watching_senders: Queue,
    pub(super) watching_receivers: Queue,
}

/// The lines of a channel, locked; and the waiters to wake when they are unlocked.
pub(super) struct Locked<'a, T> {
    shared: &'a Shared<T>,
    pub(super) lines: MutexGuard<'a, Lines<T>>,
    served: Served<Slot<T>>,
    watchers: Served,
}

impl<T> Shared<T> {
    pub(super) fn new(capacity: usize) -> Shared<T> {
        let lines = Lines {
            overflow: VecDeque::new(),
            senders: Queue::new(),
            receivers: Queue::new(),
            watching_senders: Queue::new(),
            watching_receivers: Queue::new(),
        };
        Shared {
            sending: Side::new(),
            receiving: Side::new(),
            ring: Ring::new(capacity),
            capacity,
            lines: Mutex::new(lines),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn len(&self) -> usize {
        let lines = locked(&self.lines);
        self.ring.len() + lines.overflow.len()
    }

    /// Returns whether the channel is full, and no look at the lines could change that.
    pub(super) fn is_full(&self) -> bool {
        !self.receiving.needs_attention()
            && self.capacity == self.ring.size()
            && !self.ring.has_room()
    }

    /// Returns whether the channel is empty, and no look at the lines could change that.
    pub(super) fn is_idle(&self) -> bool {
        !self.sending.needs_attention() && self.ring.is_empty()
    }

    pub(super) fn lock(&self) -> Locked<'_, T> {
        let lines = locked(&self.lines);
        Locked { shared: self, lines, served: Served::none(), watchers: Served::none() }
    }

    /// Appends `value` to the ring, unless that needs a look at the lines before.
    #[inline(always)]
    pub(super) fn push(&self, value: T) -> Result<(), T> {
        if self.receiving.needs_attention() || self.sending.needs_attention() {
            return Err(value);
        }
        self.ring.push(value)?;
        fence();
        if self.receiving.needs_attention() {
            self.serve_receivers();
        }
        Ok(())
    }

    /// Takes the first value of the ring, unless that needs a look at the lines before.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<T> {
        if self.receiving.waits() {
            return None;
        }
        let value = self.ring.pop()?;
        // Senders never wait at a channel without a limit.
        if self.capacity != usize::MAX {
            fence();
            if self.sending.waits() {
                self.admit_senders();
            }
        }
        Some(value)
    }

    #[cold]
    fn admit_senders(&self) {
        self.lock().release();
    }

    #[cold]
    fn serve_receivers(&self) {
        self.lock().release();
        if self.receiving.is_gone() {
            self.discard();
        }
    }

    /// Drops the values that are left when all receivers are gone. This and a send that began
    /// before look at the ring and at each other's word: one of the two finds the last value.
    #[cold]
    fn discard(&self) {
        /// Continues with the rest if a destructor panics.
        struct Rest<'a, T>(&'a Ring<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while let Some(value) = self.0.pop() {
                    drop(value);
                }
            }
        }

        let overflow = std::mem::take(&mut locked(&self.lines).overflow);
        let rest = Rest(&self.ring);
        while let Some(value) = rest.0.pop() {
            drop(value);
        }
        drop(overflow);
    }

    /// Ends the waits of the receivers, when the last sender is gone.
    #[cold]
    pub(super) fn end_of_senders(&self) {
        let mut channel = self.lock();
        channel.settle();
        self.sending.end();
        let ended = channel.lines.receivers.claim_all(WaitOutcome::Closed);
        channel.served.extend(ended);
        channel.release();
    }

    /// Ends the waits of the senders, when the last receiver is gone, and drops the values that are
    /// left.
    #[cold]
    pub(super) fn end_of_receivers(&self) {
        let mut channel = self.lock();
        self.receiving.end();
        let ended = channel.lines.senders.claim_all(WaitOutcome::Closed);
        channel.served.extend(ended);
        channel.release();
        fence();
        self.discard();
    }
}

impl<T> Locked<'_, T> {
    /// Publishes that one more handle waits, looks once more whether it must, unlocks the lines,
    /// and wakes those that were served; the newcomer may be one of them.
    pub(super) fn announce_and_release(self) {
        self.publish();
        if self.shared.ring.size() != 0 {
            fence();
        }
        self.release();
    }

    /// Moves values as far as they go, unlocks the lines, and wakes those that were served.
    pub(super) fn release(mut self) {
        self.settle();
        self.publish();
        let Locked { lines, served, watchers, .. } = self;
        drop(lines);
        served.wake();
        watchers.wake();
    }

    fn publish(&self) {
        let lines = &self.lines;
        let overflow = if lines.overflow.is_empty() { 0 } else { OVERFLOW };
        let senders = lines.senders.len() + lines.watching_senders.len();
        self.shared.sending.publish(senders, overflow);
        let receivers = lines.receivers.len() + lines.watching_receivers.len();
        self.shared.receiving.publish(receivers, 0);
    }

    /// Gives the values that are there to the receivers that wait, and the room to the senders.
    pub(super) fn settle(&mut self) {
        while !self.lines.receivers.is_empty() && self.holds_values() {
            let first = self.lines.receivers.pop();
            first.into_iter().for_each(|first| self.give_stored(first));
        }
        while !self.lines.senders.is_empty() && self.has_room() {
            let first = self.lines.senders.pop();
            first.into_iter().for_each(|first| self.admit(first));
        }
        self.tell_watchers();
    }

    /// Gives the first value that is there to `receiver`; or nothing, if another thread has taken
    /// it.
    fn give_stored(&mut self, receiver: Arc<Waiter<Slot<T>>>) {
        let mut slot = locked(&receiver.extra);
        if receiver.claim(WaitOutcome::Served) {
            *slot = self.take_stored();
            drop(slot);
            self.served.push(receiver);
        }
    }

    /// Stores the value of `sender`; or leaves it there, if another thread has taken the room.
    fn admit(&mut self, sender: Arc<Waiter<Slot<T>>>) {
        let mut slot = locked(&sender.extra);
        if sender.claim(WaitOutcome::Served) {
            *slot = slot.take().and_then(|value| self.store(value).err());
            drop(slot);
            self.served.push(sender);
        }
    }

    /// Ends the waits of the watchers whose operation may be possible now.
    fn tell_watchers(&mut self) {
        if !self.lines.watching_receivers.is_empty() {
            let may_receive = self.holds_values() || !self.lines.senders.is_empty();
            if may_receive || self.shared.sending.is_gone() {
                let told = self.lines.watching_receivers.claim_all(WaitOutcome::Served);
                self.watchers.extend(told);
            }
        }
        if !self.lines.watching_senders.is_empty() {
            let may_send = self.has_room() || !self.lines.receivers.is_empty();
            if may_send || self.shared.receiving.is_gone() {
                let told = self.lines.watching_senders.claim_all(WaitOutcome::Served);
                self.watchers.extend(told);
            }
        }
    }

    /// Gives `value` to the first receiver that waits, or stores it after all that was sent before.
    /// Returns it if there is neither a receiver nor room.
    pub(super) fn give(&mut self, value: T) -> Result<(), T> {
        self.settle();
        while let Some(first) = self.lines.receivers.pop() {
            let mut slot = locked(&first.extra);
            if first.claim(WaitOutcome::Served) {
                *slot = Some(value);
                drop(slot);
                self.served.push(first);
                return Ok(());
            }
        }
        if self.lines.senders.is_empty() { self.store(value) } else { Err(value) }
    }

    /// Takes the first value: the first that is stored, or else that of the first sender that
    /// waits.
    pub(super) fn take(&mut self) -> Option<T> {
        self.settle();
        if let Some(value) = self.take_stored() {
            return Some(value);
        }
        while let Some(first) = self.lines.senders.pop() {
            let mut slot = locked(&first.extra);
            if first.claim(WaitOutcome::Served) {
                let value = slot.take();
                drop(slot);
                self.served.push(first);
                return value;
            }
        }
        None
    }

    fn holds_values(&self) -> bool {
        !self.lines.overflow.is_empty() || !self.shared.ring.is_empty()
    }

    fn has_room(&self) -> bool {
        self.lines.overflow.len() < self.overflow_limit() || self.shared.ring.has_room()
    }

    /// Returns how many values the overflow may hold, so that it and a full ring hold `capacity`.
    fn overflow_limit(&self) -> usize {
        self.shared.capacity - self.shared.ring.size()
    }

    /// Stores `value` behind all others, or returns it if there is no room.
    fn store(&mut self, value: T) -> Result<(), T> {
        if self.overflow_limit() <= self.lines.overflow.len() {
            self.refill();
        }
        let mut value = value;
        if self.lines.overflow.is_empty() {
            match self.shared.ring.push(value) {
                Ok(()) => return Ok(()),
                Err(back) => value = back,
            }
        }
        if self.overflow_limit() <= self.lines.overflow.len() {
            return Err(value);
        }
        self.lines.overflow.push_back(value);
        Ok(())
    }

    /// Takes the first value that is stored. An empty ring is filled again.
    fn take_stored(&mut self) -> Option<T> {
        if !self.shared.ring.is_empty() {
            if let Some(value) = self.shared.ring.pop() {
                return Some(value);
            }
        }
        let value = self.lines.overflow.pop_front();
        if !self.lines.overflow.is_empty() {
            self.refill();
        }
        value
    }

    /// Moves values from the overflow into the ring as far as there is room.
    fn refill(&mut self) {
        let overflow = &mut self.lines.overflow;
        while let Some(value) = overflow.pop_front() {
            if let Err(value) = self.shared.ring.push(value) {
                overflow.push_front(value);
                break;
            }
        }
        // A flood does not keep its memory.
        if KEPT_OVERFLOW < overflow.capacity() && overflow.len() < overflow.capacity() / 4 {
            overflow.shrink_to(overflow.len() * 2);
        }
    }
}

/// The number of values for which an overflow keeps its memory.
const KEPT_OVERFLOW: usize = 1_024;
