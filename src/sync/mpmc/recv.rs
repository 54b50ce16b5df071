//! The receiving end of a channel between threads.

use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError, WaitError};
use crate::channel::face::Receive;
use crate::collections::by_value::{by_reference, by_value};
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::mpmc::Receiver;
use crate::sync::mpmc::line::{Shared, Slot, take_left};
use crate::sync::waiter::{Site, Waiter, count_operation, wait};

static RECEIVING: WaitReason =
    WaitReason::new("receiving on an empty channel", OnDeadlock::Fail).ended_by_outsiders();

impl<T> Receiver<T> {
    /// Takes the first value, waiting while the channel is empty.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the channel is empty and all senders are gone,
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = fibra::sync::mpmc::unbounded();
    /// let thread = std::thread::spawn(move || sender.send(5).unwrap());
    /// fibra::run(|| {
    ///     assert_eq!(receiver.recv(), Ok(5));
    ///     assert!(receiver.recv().unwrap_err().is_closed());
    /// });
    /// thread.join().unwrap();
    /// ```
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.receive()
    }

    /// Takes the first value if there is one, and never waits.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if the channel is empty, [`TryRecvError::Closed`] if all senders are
    /// gone as well.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.shared.pop().map_or_else(|| self.shared.look(), Ok)
    }

    /// Receives like [`recv`](Receiver::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] if the time is over, and the errors of
    /// [`recv`](Receiver::recv).
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::After(timeout))
    }

    /// Like [`recv`](Receiver::recv), but waits no longer than until `at` by the clock of the
    /// caller.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Receiver::recv_timeout).
    #[track_caller]
    pub fn recv_deadline(&self, at: Instant) -> Result<T, RecvTimeoutError> {
        self.receive_within(Limit::At(at))
    }

    /// Returns an iterator that receives until the channel is empty and all senders are gone.
    ///
    /// # Panics
    ///
    /// `next` panics with a report if nothing can ever run again.
    pub fn iter(&self) -> Values<'_, T> {
        Values { source: self }
    }

    /// Returns the number of values that the channel holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len()
    }

    /// Returns whether the channel holds no value now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Receive<T> for Receiver<T> {
    #[inline(always)]
    #[track_caller]
    fn receive_until<E>(&self, limit: Limit, error: impl FnOnce(WaitError) -> E) -> Result<T, E> {
        count_operation();
        match self.shared.pop() {
            Some(value) => Ok(value),
            None => self.shared.receive_slowly(limit.instant()).map_err(error),
        }
    }
}

impl<T> Shared<T> {
    /// Takes the first value if no one must be waited for.
    #[cold]
    fn look(&self) -> Result<T, TryRecvError> {
        if self.is_idle() {
            return Err(TryRecvError::Empty);
        }
        let mut channel = self.lock();
        let is_last = self.sending.is_gone();
        let value = channel.take();
        channel.unlock();
        value.ok_or(if is_last { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    #[cold]
    #[track_caller]
    fn receive_slowly(&self, by: Option<Instant>) -> Result<T, WaitError> {
        if let Some(value) = self.receive_soon() {
            return Ok(value);
        }
        let mut again = false;
        loop {
            let new = || Arc::new(Waiter::new(Mutex::new(None)));
            let waiter = match self.take_or_join(again, new) {
                Ok(received) => return received.ok_or(WaitError::Closed),
                Err(waiter) => waiter,
            };
            match wait(&Receivers(self), &waiter, by, &RECEIVING) {
                Ok(WaitOutcome::Served) => {}
                Ok(_) => return Err(WaitError::Closed),
                Err(interrupt) => return Err(WaitError::Interrupted(interrupt)),
            }
            if let Some(value) = take_left(waiter) {
                return Ok(value);
            }
            // Another thread has taken the value.
            again = true;
        }
    }
}

impl<T> Shared<T> {
    /// Takes the first value, if one comes soon from a sender on another thread.
    fn receive_soon(&self) -> Option<T> {
        let ring = self.ring.get()?;
        let changes = || !ring.is_empty() || self.receiving.word() != 0 || self.sending.is_gone();
        if self.receiving.word() == 0 && self.receiving.patience.look(changes) {
            self.pop()
        } else {
            None
        }
    }

    /// Takes the first value; `None` if there is none and all senders are gone. Otherwise queues
    /// the waiter that `new` makes, in front if it was there before (`again`), and returns it.
    pub(super) fn take_or_join(
        &self,
        again: bool,
        new: impl FnOnce() -> Arc<Waiter<Slot<T>>>,
    ) -> Result<Option<T>, Arc<Waiter<Slot<T>>>> {
        let mut channel = self.lock();
        let value = channel.take();
        if value.is_some() || self.sending.is_gone() {
            channel.unlock();
            return Ok(value);
        }
        let waiter = new();
        channel.lines.receivers.join(waiter.clone(), again);
        channel.announce_and_release();
        Err(waiter)
    }

    /// Gives a value, which was received and is not needed, to the first receiver that waits, or
    /// puts it in front of all others.
    #[cold]
    pub(super) fn put_back(&self, value: T) {
        let mut channel = self.lock();
        channel.put_back(value);
        channel.release();
    }
}

/// The side of a channel on which receivers wait.
pub(super) struct Receivers<'a, T>(pub(super) &'a Shared<T>);

impl<T> Site for Receivers<'_, T> {
    type Extra = Slot<T>;

    fn made_at(&self) -> Option<&'static Location<'static>> {
        Some(self.0.made_at)
    }

    fn withdraw(&self, waiter: &Waiter<Slot<T>>) -> bool {
        let mut channel = self.0.lock();
        let withdrawn = channel.lines.receivers.withdraw(waiter);
        channel.unlock();
        withdrawn
    }
}

/// An iterator over the values that a [`Receiver`] receives.
///
/// # Examples
///
/// ```
/// use fibra::sync::mpmc;
///
/// let (sender, receiver) = mpmc::unbounded();
/// (1..=3).for_each(|n| sender.send(n).unwrap());
/// drop(sender); // ends the iteration
/// assert_eq!(receiver.iter().sum::<u32>(), 6);
/// ```
pub struct Values<'a, T> {
    source: &'a Receiver<T>,
}

by_reference!([T] Receiver => Values<T>, T, Receiver::receive_next);

/// An iterator over the values that a [`Receiver`] receives. It owns the receiver, and drops it
/// with itself.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = fibra::sync::mpmc::bounded(3);
///     (1..=3).for_each(|n| sender.send(n).unwrap());
///     drop(sender);
///     let mut sum = 0;
///     for n in receiver {
///         sum += n;
///     }
///     assert_eq!(sum, 6);
/// });
/// ```
pub struct IntoValues<T> {
    source: Receiver<T>,
}

by_value!([T] Receiver => IntoValues<T>, T);
