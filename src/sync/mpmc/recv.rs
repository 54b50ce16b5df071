//! The receiving end of a channel between threads.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Receiver, Shared, Slot, State, collect};
use crate::channel::error::{Cut, RecvError, RecvTimeoutError, TryRecvError};
use crate::collections::by_value::by_value;
use crate::sched::lowlevel::{Fate, OnDeadlock, WaitReason};
use crate::sync::waiter::{Site, Waiter, count_operation, deadline, locked, wait, wake_all};

static RECEIVING: WaitReason =
    WaitReason::new("receiving on an empty channel", OnDeadlock::Fail).ended_by_outsiders();

impl<T> Receiver<T> {
    /// Takes the first value, waiting while there is none.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the channel is empty and all senders are gone,
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        self.shared.receive(|| None).map_err(Cut::into_recv_error)
    }

    /// Takes the first value if there is one, and never waits.
    ///
    /// # Errors
    ///
    /// Says whether there is nothing now, or nothing ever again.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.shared.take().map_err(|nothing| match nothing {
            Nothing::Yet(_) => TryRecvError::Empty,
            Nothing::EverAgain => TryRecvError::Closed,
        })
    }

    /// As [`recv`](Receiver::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Says whether the time is over or all senders are gone.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.shared.receive(|| deadline(timeout)).map_err(Cut::into_recv_timeout_error)
    }

    /// As [`recv`](Receiver::recv), but waits no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Receiver::recv_timeout).
    #[track_caller]
    pub fn recv_deadline(&self, at: Instant) -> Result<T, RecvTimeoutError> {
        self.shared.receive(|| Some(at)).map_err(Cut::into_recv_timeout_error)
    }

    /// Receives until the channel is empty and all senders are gone.
    ///
    /// # Panics
    ///
    /// `next` panics with a report if nothing can ever run again.
    pub fn iter(&self) -> Values<'_, T> {
        Values { receiver: self }
    }

    /// Values that the channel holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.shared.state).buffer.len()
    }

    /// Whether the channel holds nothing now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why there is no value.
enum Nothing<'a, T> {
    /// The channel is still locked.
    Yet(MutexGuard<'a, State<T>>),
    EverAgain,
}

impl<T> Shared<T> {
    /// Takes from the buffer, whose free place goes to a waiting sender, or from that sender.
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
        // There is room now, if no sender has taken it.
        let watchers = if sender.is_none() { state.take_watchers() } else { Vec::new() };
        drop(state);
        sender.iter().for_each(|sender| sender.wake());
        wake_all(&watchers);
        Ok(value)
    }

    #[track_caller]
    fn receive(&self, by: impl FnOnce() -> Option<Instant>) -> Result<T, Cut> {
        count_operation();
        match self.take() {
            Ok(value) => Ok(value),
            Err(Nothing::EverAgain) => Err(Cut::Closed),
            Err(Nothing::Yet(state)) => self.wait_to_receive(state, by()),
        }
    }

    #[cold]
    #[track_caller]
    fn wait_to_receive(
        &self,
        mut state: MutexGuard<'_, State<T>>,
        by: Option<Instant>,
    ) -> Result<T, Cut> {
        let waiter = Arc::new(Waiter::new(Mutex::new(None)));
        state.waiting_receivers.push(waiter.clone());
        let watchers = state.take_watchers();
        drop(state);
        wake_all(&watchers);
        match wait(&Receivers(self), &waiter, by, &RECEIVING) {
            Ok(Fate::Served) => {
                let value = locked(&waiter.extra).take();
                Ok(value.expect("a sender has put its value in"))
            }
            Ok(_) => Err(Cut::Closed),
            Err(interrupt) => Err(Cut::Short(interrupt)),
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

/// What a [`Receiver`] receives. A type of its own, for a closure's wait would be reported as here.
pub struct Values<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Values<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match self.receiver.recv() {
            Ok(value) => Some(value),
            Err(RecvError::Closed | RecvError::Killed) => None,
            Err(RecvError::Deadlock(report)) => panic!("{report}"),
        }
    }
}

impl<T> fmt::Debug for Values<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Values").field(self.receiver).finish()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Values<'a, T>;

    fn into_iter(self) -> Values<'a, T> {
        self.iter()
    }
}

/// What a [`Receiver`] receives that the iterator owns: with it, one receiver less is there.
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
