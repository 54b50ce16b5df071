//! The sending end of a channel between threads.

use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::channel::error::{SendError, SendTimeoutError, TrySendError, WaitError};
use crate::channel::face::Deliver;
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::mpmc::Sender;
use crate::sync::mpmc::line::{Shared, Slot, take_left};
use crate::sync::mpmc::ring::Ring;
use crate::sync::waiter::{Site, Waiter, count_operation, wait};

static SENDING: WaitReason =
    WaitReason::new("sending on a full channel", OnDeadlock::Fail).ended_by_outsiders();

impl<T> Sender<T> {
    /// Appends `value`, waiting while the channel is full.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if all receivers are gone, [`SendError::Deadlock`] if nothing can ever
    /// run again. The error contains the value.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = fibra::sync::mpmc::bounded(1);
    /// let thread = std::thread::spawn(move || receiver.recv());
    /// fibra::run(|| sender.send("hello").unwrap());
    /// assert_eq!(thread.join().unwrap(), Ok("hello"));
    /// assert_eq!(sender.send("again").unwrap_err().into_inner(), "again");
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.deliver(value)
    }

    /// Appends `value` if there is room, and never waits.
    ///
    /// # Errors
    ///
    /// Returns the value in the error if the channel is full or all receivers are gone.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.push(value).or_else(|value| self.shared.offer(value))
    }

    /// Sends like [`send`](Sender::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`SendTimeoutError::Timeout`] if there was no room in time, and the errors of
    /// [`send`](Sender::send). The error contains the value.
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(value, Limit::After(timeout))
    }

    /// Like [`send`](Sender::send), but waits no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// Those of [`send_timeout`](Sender::send_timeout).
    #[track_caller]
    pub fn send_deadline(&self, value: T, at: Instant) -> Result<(), SendTimeoutError<T>> {
        self.deliver_within(value, Limit::At(at))
    }
}

impl<T> Deliver<T> for Sender<T> {
    #[inline(always)]
    #[track_caller]
    fn deliver_until<E>(
        &self,
        value: T,
        limit: Limit,
        error: impl FnOnce(WaitError, T) -> E,
    ) -> Result<(), E> {
        count_operation();
        match self.shared.push(value) {
            Ok(()) => Ok(()),
            Err(value) => {
                let sent = self.shared.send_slowly(value, limit.instant());
                sent.map_err(|(value, cut)| error(cut, value))
            }
        }
    }
}

impl<T> Shared<T> {
    /// Sends `value` if no one must be waited for.
    #[cold]
    fn offer(&self, value: T) -> Result<(), TrySendError<T>> {
        if self.is_full() {
            return Err(TrySendError::Full(value));
        }
        let mut channel = self.lock();
        if self.receiving.is_gone() {
            channel.unlock();
            return Err(TrySendError::Closed(value));
        }
        let given = channel.give(value);
        channel.unlock();
        given.map_err(TrySendError::Full)
    }

    #[cold]
    #[track_caller]
    fn send_slowly(&self, value: T, by: Option<Instant>) -> Result<(), (T, WaitError)> {
        let mut value = match self.send_soon(value) {
            Ok(()) => return Ok(()),
            Err(value) => value,
        };
        let mut again = false;
        loop {
            let new = |slot| Arc::new(Waiter::new(slot));
            let waiter = match self.give_or_join(value, again, new) {
                Ok(sent) => return sent.map_err(|value| (value, WaitError::Closed)),
                Err(waiter) => waiter,
            };
            // If this unwinds, the waiter has left the line, and the value is dropped with it.
            let cut = match wait(&Senders(self), &waiter, by, &SENDING) {
                Ok(WaitOutcome::Served) => None,
                Ok(_) => Some(WaitError::Closed),
                Err(interrupt) => Some(WaitError::Interrupted(interrupt)),
            };
            let left = take_left(waiter);
            value = match (left, cut) {
                (None, _) => return Ok(()),
                (Some(value), Some(cut)) => return Err((value, cut)),
                // Another thread has taken the room.
                (Some(value), None) => value,
            };
            again = true;
        }
    }
}

impl<T> Shared<T> {
    /// Sends `value`, if a receiver on another thread makes room soon.
    fn send_soon(&self, value: T) -> Result<(), T> {
        let ring = self.ring.get().filter(|ring| ring.size() == self.capacity);
        let changes = |ring: &Ring<T>| ring.has_room() || !self.is_quiet_with_ring();
        let is_worth_it = ring.is_some_and(|ring| {
            self.is_quiet_with_ring() && self.sending.patience.look(|| changes(ring))
        });
        if is_worth_it { self.push(value) } else { Err(value) }
    }

    /// Returns whether no one waits, and nothing is behind or in front of the ring.
    fn is_quiet_with_ring(&self) -> bool {
        self.receiving.word() | self.sending.word() == 0
    }

    /// Sends `value`, or returns it if all receivers are gone. If it must wait, queues the waiter
    /// that `new` makes with the value, in front if it was there before (`again`), and returns it.
    pub(super) fn give_or_join(
        &self,
        value: T,
        again: bool,
        new: impl FnOnce(Slot<T>) -> Arc<Waiter<Slot<T>>>,
    ) -> Result<Result<(), T>, Arc<Waiter<Slot<T>>>> {
        let mut channel = self.lock();
        if self.receiving.is_gone() {
            channel.unlock();
            return Ok(Err(value));
        }
        let value = match channel.give(value) {
            Ok(()) => {
                channel.unlock();
                return Ok(Ok(()));
            }
            Err(value) => value,
        };
        let waiter = new(Mutex::new(Some(value)));
        channel.lines.senders.join(waiter.clone(), again);
        channel.announce_and_release();
        Err(waiter)
    }
}

/// The side of a channel on which senders wait.
pub(super) struct Senders<'a, T>(pub(super) &'a Shared<T>);

impl<T> Site for Senders<'_, T> {
    type Extra = Slot<T>;

    fn made_at(&self) -> Option<&'static Location<'static>> {
        Some(self.0.made_at)
    }

    fn withdraw(&self, waiter: &Waiter<Slot<T>>) -> bool {
        let mut channel = self.0.lock();
        let withdrawn = channel.lines.senders.withdraw(waiter);
        channel.unlock();
        withdrawn
    }
}
