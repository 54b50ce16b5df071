//! What can go wrong at a channel: one type for each kind of operation. A failed send gives the
//! value back.

use std::error::Error;

use crate::sched::lowlevel::{Deadlock, Interrupt};

mod text;

/// A send that failed, with the value that was not sent.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
    /// Nothing can ever run again, so nobody will receive it.
    Deadlock(T, Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(T),
}

/// A send that would have had to wait, with the value that was not sent.
#[derive(Clone, Eq, PartialEq)]
pub enum TrySendError<T> {
    /// The channel is full; for a rendezvous channel, nobody waits to receive.
    Full(T),
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
}

/// A send that did not happen in time, with the value that was not sent.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// The time is over.
    Timeout(T),
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
    /// Nothing can ever run again, so nothing will receive it. Only if the time is longer than the
    /// clock can show, so that it will never be over.
    Deadlock(T, Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(T),
}

/// A receive that failed.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecvError {
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
    /// Nothing can ever run again, so nobody will send.
    Deadlock(Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

/// A receive that would have had to wait.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum TryRecvError {
    /// There is nothing to receive now.
    Empty,
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
}

/// A receive that did not happen in time.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// The time is over.
    Timeout,
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
    /// Nothing can ever run again, so nothing will be sent. Only if the time is longer than the
    /// clock can show, so that it will never be over.
    Deadlock(Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendError::Closed(value) | SendError::Deadlock(value, _) | SendError::Killed(value) => {
                value
            }
        }
    }

    /// Returns whether the channel is closed, or all handles of the other side are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, SendError::Closed(..))
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, SendError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, SendError::Killed(..))
    }
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }

    /// Returns whether the channel had no room; for a rendezvous channel, no receiver that waits.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(..))
    }

    /// Returns whether the channel is closed, or all handles of the other side are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, TrySendError::Closed(..))
    }
}

impl<T> SendTimeoutError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value)
            | SendTimeoutError::Closed(value)
            | SendTimeoutError::Deadlock(value, _)
            | SendTimeoutError::Killed(value) => value,
        }
    }

    /// Returns whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendTimeoutError::Timeout(..))
    }

    /// Returns whether the channel is closed, or all handles of the other side are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, SendTimeoutError::Closed(..))
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, SendTimeoutError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, SendTimeoutError::Killed(..))
    }
}

impl RecvError {
    /// Returns whether the channel is closed, or all handles of the other side are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, RecvError::Closed)
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, RecvError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, RecvError::Killed)
    }
}

impl TryRecvError {
    /// Returns whether there was nothing to receive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, TryRecvError::Empty)
    }

    /// Returns whether the channel is closed, or all handles of the other side are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, TryRecvError::Closed)
    }
}

impl RecvTimeoutError {
    /// Returns whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, RecvTimeoutError::Timeout)
    }

    /// Returns whether the channel is closed, or all handles of the other side are gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, RecvTimeoutError::Closed)
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, RecvTimeoutError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, RecvTimeoutError::Killed)
    }
}

/// The error of a wait without a time limit, as one with a limit has it.
impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> SendTimeoutError<T> {
        match error {
            SendError::Closed(value) => SendTimeoutError::Closed(value),
            SendError::Deadlock(value, report) => SendTimeoutError::Deadlock(value, report),
            SendError::Killed(value) => SendTimeoutError::Killed(value),
        }
    }
}

/// The error of a wait without a time limit, as one with a limit has it.
impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> RecvTimeoutError {
        match error {
            RecvError::Closed => RecvTimeoutError::Closed,
            RecvError::Deadlock(report) => RecvTimeoutError::Deadlock(report),
            RecvError::Killed => RecvTimeoutError::Killed,
        }
    }
}

/// Why a wait at a channel brought nothing.
#[derive(Debug)]
pub(crate) enum Cut {
    Closed,
    Short(Interrupt),
}

impl Cut {
    pub(crate) fn into_send_error<T>(self, value: T) -> SendError<T> {
        match self {
            Cut::Closed => SendError::Closed(value),
            Cut::Short(Interrupt::Deadlock(report)) => SendError::Deadlock(value, report),
            Cut::Short(Interrupt::Killed | Interrupt::TimedOut) => SendError::Killed(value),
        }
    }

    pub(crate) fn into_send_timeout_error<T>(self, value: T) -> SendTimeoutError<T> {
        match self {
            Cut::Closed => SendTimeoutError::Closed(value),
            Cut::Short(Interrupt::Killed) => SendTimeoutError::Killed(value),
            Cut::Short(Interrupt::Deadlock(report)) => SendTimeoutError::Deadlock(value, report),
            Cut::Short(Interrupt::TimedOut) => SendTimeoutError::Timeout(value),
        }
    }

    pub(crate) fn into_recv_error(self) -> RecvError {
        match self {
            Cut::Closed => RecvError::Closed,
            Cut::Short(Interrupt::Deadlock(report)) => RecvError::Deadlock(report),
            Cut::Short(Interrupt::Killed | Interrupt::TimedOut) => RecvError::Killed,
        }
    }

    pub(crate) fn into_recv_timeout_error(self) -> RecvTimeoutError {
        match self {
            Cut::Closed => RecvTimeoutError::Closed,
            Cut::Short(Interrupt::Killed) => RecvTimeoutError::Killed,
            Cut::Short(Interrupt::Deadlock(report)) => RecvTimeoutError::Deadlock(report),
            Cut::Short(Interrupt::TimedOut) => RecvTimeoutError::Timeout,
        }
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
