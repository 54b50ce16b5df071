//! The receiving end of a channel between threads.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Receiver, Shared, Slot, State, collect};
use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError, WaitError};
use crate::channel::face::Receive;
use crate::collections::by_value::{by_reference, by_value};
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::waiter::{Site, Waiter, count_operation, locked, wait, wake_all};

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
        self.shared.take().map_err(|nothing| match nothing {
            Nothing::Yet(_) => TryRecvError::Empty,
            Nothing::EverAgain => TryRecvError::Closed,
        })
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
        locked(&self.shared.state).buffer.len()
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
        match self.shared.take() {
            Ok(value) => Ok(value),
            Err(Nothing::EverAgain) => Err(error(WaitError::Closed)),
            Err(Nothing::Yet(state)) => {
                self.shared.wait_to_receive(state, limit.instant()).map_err(error)
            }
        }
    }
}

/// The reason why there is no value.
enum Nothing<'a, T> {
    /// The channel is empty. It is still locked.
    Yet(MutexGuard<'a, State<T>>),
    /// The channel is empty and all senders are gone.
    EverAgain,
}

impl<T> Shared<T> {
    /// Takes the first value: of the buffer, whose free place the value of the first waiting sender
    /// fills, or of that sender if the buffer is empty.
    fn take(&self) -> Result<T, Nothing<'_, T>> {
        let mut state = locked(&self.state);
        let first = state.buffer.pop_front();
        let from_sender = collect(&mut state.waiting_senders);
        let (value, sender) = match (first, from_sender) {
            (Some(value), Some((sender, next))) => {
                state.buffer.push_back(next);
                (value, Some(sender))
            }
            (Some(value), None) => (value, None),
            (None, Some((sender, value))) => (value, Some(sender)),
            (None, None) if state.senders == 0 => return Err(Nothing::EverAgain),
            (None, None) => return Err(Nothing::Yet(state)),
        };
        // There is room now unless a sender has filled it.
        let watchers = if sender.is_none() { state.take_watchers() } else { Vec::new() };
        drop(state);
        sender.iter().for_each(|sender| sender.wake());
        wake_all(&watchers);
        Ok(value)
    }

    #[cold]
    #[track_caller]
    fn wait_to_receive(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        by: Option<Instant>,
    ) -> Result<T, WaitError> {
        let waiter = Arc::new(Waiter::new(Mutex::new(None)));
        state.waiting_receivers.push(waiter.clone());
        let watchers = state.take_watchers();
        drop(state);
        wake_all(&watchers);
        match wait(&Receivers(self), &waiter, by, &RECEIVING) {
            Ok(WaitOutcome::Served) => {
                let value = locked(&waiter.extra).take();
                Ok(value.expect("a sender has put its value in"))
            }
            Ok(_) => Err(WaitError::Closed),
            Err(interrupt) => Err(WaitError::Interrupted(interrupt)),
        }
    }
}

/// The side of a channel on which receivers wait.
struct Receivers<'a, T>(&'a Shared<T>);

impl<T> Site for Receivers<'_, T> {
    type Extra = Slot<T>;

    fn withdraw(&self, waiter: &Waiter<Slot<T>>) -> bool {
        locked(&self.0.state).waiting_receivers.withdraw(waiter)
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
