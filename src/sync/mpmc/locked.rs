//! The work under the lock of a channel: values meet waiters.
//!
//! [`line`](super::line) states the invariants.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use crate::collections::publish::fence;
use crate::sched::lowlevel::WaitOutcome;
use crate::sync::mpmc::line::{Lines, Shared, Slot};
use crate::sync::mpmc::ring::Ring;
use crate::sync::mpmc::side::{LOCKED, RETURNED, STORED};
use crate::sync::waiter::{Served, Waiter, locked};

/// The lines of a channel, locked; and the waiters to wake when they are unlocked.
pub(super) struct Locked<'a, T> {
    shared: &'a Shared<T>,
    pub(super) lines: MutexGuard<'a, Lines<T>>,
    served: Served<Slot<T>>,
}

impl<'a, T> Locked<'a, T> {
    pub(super) fn new(shared: &'a Shared<T>, lines: MutexGuard<'a, Lines<T>>) -> Locked<'a, T> {
        Locked { shared, lines, served: Served::none() }
    }
}

impl<T> Locked<'_, T> {
    /// Publishes that one more handle waits, looks once more whether it must, unlocks the lines,
    /// and wakes those that were served; the newcomer may be one of them. The caller has looked at
    /// the lines and the values behind the ring since it has locked them.
    pub(super) fn announce_and_release(self) {
        if self.shared.ring.get().is_some() {
            self.announce_settle_and_release();
        } else {
            self.unlock();
        }
    }

    /// Like [`announce_and_release`](Locked::announce_and_release), for a caller that has not
    /// looked at the lines since it has locked them.
    pub(super) fn announce_settle_and_release(mut self) {
        self.publish();
        fence();
        self.settle();
        self.unlock();
    }

    /// Moves values as far as they go, unlocks the lines, and wakes those that were served.
    pub(super) fn release(mut self) {
        self.settle();
        self.unlock();
    }

    /// Like [`release`](Locked::release), and also wakes waiters whose wait has `ended`.
    pub(super) fn release_with(mut self, ended: Vec<Arc<Waiter<Slot<T>>>>) {
        self.served.extend(ended);
        self.release();
    }

    /// Unlocks the lines, and wakes those that were served.
    #[inline]
    pub(super) fn unlock(self) {
        self.publish();
        let Locked { lines, served, .. } = self;
        drop(lines);
        served.wake();
    }

    fn publish(&self) {
        let lines = &self.lines;
        self.shared.stored.store(lines.stored.len(), Ordering::Relaxed);
        let (for_both, of_senders) = match self.shared.ring.get() {
            None => (LOCKED, 0),
            Some(_) if !lines.returned.is_empty() => (RETURNED, 0),
            Some(_) if lines.stored.is_empty() => (0, 0),
            Some(_) => (0, STORED),
        };
        self.shared.sending.publish(lines.senders.len(), for_both | of_senders);
        self.shared.receiving.publish(lines.receivers.len(), for_both);
    }

    /// Gives the values that are there to the receivers that wait, and the room to the senders.
    pub(super) fn settle(&mut self) {
        while !self.lines.receivers.is_empty() && self.holds_values() {
            let first = self.lines.receivers.pop();
            first.into_iter().for_each(|first| self.give_stored(first));
        }
        self.admit_senders();
    }

    /// Like [`settle`](Locked::settle), for a ring, which changes without the lock. What is only
    /// changed under the lock is settled when it is unlocked.
    fn settle_ring(&mut self) {
        if self.shared.ring.get().is_some() {
            self.settle();
        }
    }

    fn admit_senders(&mut self) {
        while !self.lines.senders.is_empty() && self.has_room() {
            let first = self.lines.senders.pop();
            first.into_iter().for_each(|first| self.admit(first));
        }
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

    /// Gives `value` to the first receiver that waits, or stores it after all that was sent before.
    /// Returns it if there is neither a receiver nor room.
    pub(super) fn give(&mut self, value: T) -> Result<(), T> {
        self.settle_ring();
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
        self.settle_ring();
        if let Some(value) = self.take_stored() {
            self.admit_senders();
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

    /// Stores `value` in front of all others, even if there is no room.
    pub(super) fn put_back(&mut self, value: T) {
        let lines = &mut *self.lines;
        if self.shared.ring.get().is_none() {
            lines.stored.push_front(value);
        } else {
            lines.returned.push_front(value);
        }
    }

    fn holds_values(&self) -> bool {
        let in_ring = || self.shared.ring.get().is_some_and(|ring| !ring.is_empty());
        !self.lines.returned.is_empty() || !self.lines.stored.is_empty() || in_ring()
    }

    fn has_room(&self) -> bool {
        let in_ring = || self.shared.ring.get().is_some_and(Ring::has_room);
        self.lines.stored.len() < self.limit() || in_ring()
    }

    /// Returns how many values may be behind the ring, so that they and a full ring are `capacity`.
    fn limit(&self) -> usize {
        self.shared.capacity - self.shared.ring.get().map_or(0, Ring::size)
    }

    /// Stores `value` behind all others, or returns it if there is no room.
    fn store(&mut self, value: T) -> Result<(), T> {
        let (mut value, limit) = (value, self.limit());
        if let Some(ring) = self.shared.ring.get() {
            if limit <= self.lines.stored.len() {
                refill(ring, &mut self.lines.stored);
            }
            if self.lines.stored.is_empty() {
                match ring.push(value) {
                    Ok(()) => return Ok(()),
                    Err(back) => value = back,
                }
            }
        }
        if limit <= self.lines.stored.len() {
            return Err(value);
        }
        self.lines.stored.push_back(value);
        Ok(())
    }

    /// Takes the first value that is stored. An empty ring is filled again.
    fn take_stored(&mut self) -> Option<T> {
        if let Some(value) = self.lines.returned.pop_front() {
            return Some(value);
        }
        let ring = self.shared.ring.get();
        if let Some(value) = ring.filter(|ring| !ring.is_empty()).and_then(Ring::pop) {
            return Some(value);
        }
        let value = self.lines.stored.pop_front();
        if let Some(ring) = ring.filter(|_| !self.lines.stored.is_empty()) {
            refill(ring, &mut self.lines.stored);
        }
        value
    }
}

/// Moves values into the ring as far as there is room.
pub(super) fn refill<T>(ring: &Ring<T>, stored: &mut VecDeque<T>) {
    while let Some(value) = stored.pop_front() {
        if let Err(value) = ring.push(value) {
            stored.push_front(value);
            break;
        }
    }
}
