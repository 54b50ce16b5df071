//! The sending end of a channel between threads.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Sender, Shared, Slot, State, serve};
use crate::channel::error::{Cut, SendError, SendTimeoutError, TrySendError};
use crate::sched::lowlevel::{Fate, OnDeadlock, WaitReason};
use crate::sync::waiter::{Site, Waiter, count_operation, deadline, locked, wait, wake_all};

static SENDING: WaitReason =
    WaitReason::new("sending on a full channel", OnDeadlock::Fail).ended_by_outsiders();

impl<T> Sender<T> {
    /// Appends `value`, waiting while the channel is full.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if all receivers are gone, [`SendError::Deadlock`] if nothing can ever
    /// run again. The value comes back.
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.shared.send(value, || None).map_err(|(value, cut)| cut.into_send_error(value))
    }

    /// Appends `value` if there is room, and never waits.
    ///
    /// # Errors
    ///
    /// Gives the value back if the channel is full or all receivers are gone.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.offer(value).map_err(|refused| match refused {
            Refused::Full(value, _) => TrySendError::Full(value),
            Refused::Closed(value) => TrySendError::Closed(value),
        })
    }

    /// As [`send`](Sender::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Gives the value back if there was no room in time or all receivers are gone.
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, || deadline(timeout))
    }

    /// As [`send`](Sender::send), but waits no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Sender::send_timeout).
    #[track_caller]
    pub fn send_deadline(&self, value: T, at: Instant) -> Result<(), SendTimeoutError<T>> {
        self.send_until(value, || Some(at))
    }

    #[track_caller]
    fn send_until(
        &self,
        value: T,
        by: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        self.shared.send(value, by).map_err(|(value, cut)| cut.into_send_timeout_error(value))
    }
}

/// A value that cannot be taken now.
enum Refused<'a, T> {
    /// The channel is still locked.
    Full(T, MutexGuard<'a, State<T>>),
    Closed(T),
}

impl<T> Shared<T> {
    /// Gives `value` to a receiver that waits, or to the buffer.
    fn offer(&self, value: T) -> Result<(), Refused<'_, T>> {
        let mut state = locked(&self.state);
        if state.receivers == 0 {
            return Err(Refused::Closed(value));
        }
        let value = match serve(&mut state.waiting_receivers, value) {
            Ok(receiver) => {
                drop(state);
                receiver.wake();
                return Ok(());
            }
            Err(value) => value,
        };
        if self.capacity <= state.buffer.len() {
            return Err(Refused::Full(value, state));
        }
        state.buffer.push_back(value);
        let watchers = state.take_watchers();
        drop(state);
        wake_all(&watchers);
        Ok(())
    }

    #[track_caller]
    fn send(&self, value: T, by: impl FnOnce() -> Option<Instant>) -> Result<(), (T, Cut)> {
        count_operation();
        match self.offer(value) {
            Ok(()) => Ok(()),
            Err(Refused::Closed(value)) => Err((value, Cut::Closed)),
            Err(Refused::Full(value, state)) => self.wait_to_send(value, state, by()),
        }
    }

    #[cold]
    #[track_caller]
    fn wait_to_send(
        &self,
        value: T,
        mut state: MutexGuard<'_, State<T>>,
        by: Option<Instant>,
    ) -> Result<(), (T, Cut)> {
        let waiter = Arc::new(Waiter::new(Mutex::new(Some(value))));
        state.waiting_senders.push(waiter.clone());
        let watchers = state.take_watchers();
        drop(state);
        wake_all(&watchers);
        // If this unwinds the value goes with the waiter, which is in no queue then.
        let cut = match wait(&Senders(self), &waiter, by, &SENDING) {
            Ok(Fate::Served) => return Ok(()),
            Ok(_) => Cut::Closed,
            Err(interrupt) => Cut::Short(interrupt),
        };
        let value = locked(&waiter.extra).take();
        Err((value.expect("nobody has taken it"), cut))
    }
}

/// The side of a channel on which senders wait.
struct Senders<'a, T>(&'a Shared<T>);

impl<T> Site for Senders<'_, T> {
    type Extra = Slot<T>;

    fn withdraw(&self, waiter: &Waiter<Slot<T>>) -> bool {
        locked(&self.0.state).waiting_senders.withdraw(waiter)
    }
}
