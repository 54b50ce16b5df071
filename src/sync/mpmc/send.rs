//! The sending end of a channel between threads.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::{Sender, Shared, Slot, State, serve};
use crate::channel::error::{SendError, SendTimeoutError, TrySendError, WaitError};
use crate::channel::face::Deliver;
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitOutcome, WaitReason};
use crate::sync::waiter::{Site, Waiter, count_operation, locked, wait, wake_all};

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
        self.shared.offer(value).map_err(|refused| match refused {
            Refused::Full(value, _) => TrySendError::Full(value),
            Refused::Closed(value) => TrySendError::Closed(value),
        })
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
        match self.shared.offer(value) {
            Ok(()) => Ok(()),
            Err(Refused::Closed(value)) => Err(error(WaitError::Closed, value)),
            Err(Refused::Full(value, state)) => {
                let sent = self.shared.wait_to_send(value, state, limit.instant());
                sent.map_err(|(value, cut)| error(cut, value))
            }
        }
    }
}

/// A value that the channel did not accept, with the reason.
enum Refused<'a, T> {
    /// The channel is full. It is still locked.
    Full(T, MutexGuard<'a, State<T>>),
    /// All receivers are gone.
    Closed(T),
}

impl<T> Shared<T> {
    /// Gives `value` to the first waiting receiver, or appends it to the buffer.
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

    #[cold]
    #[track_caller]
    fn wait_to_send(
        &self,
        value: T,
        mut state: MutexGuard<'_, State<T>>,
        by: Option<Instant>,
    ) -> Result<(), (T, WaitError)> {
        let waiter = Arc::new(Waiter::new(Mutex::new(Some(value))));
        state.waiting_senders.push(waiter.clone());
        let watchers = state.take_watchers();
        drop(state);
        wake_all(&watchers);
        // If this unwinds, the waiter has left the queue, and the value is dropped with it.
        let cut = match wait(&Senders(self), &waiter, by, &SENDING) {
            Ok(WaitOutcome::Served) => return Ok(()),
            Ok(_) => WaitError::Closed,
            Err(interrupt) => WaitError::Interrupted(interrupt),
        };
        let value = locked(&waiter.extra).take();
        Err((value.expect("no receiver has taken it"), cut))
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
