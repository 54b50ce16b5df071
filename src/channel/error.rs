//! The errors of channels: one type for each kind of operation. A send that fails returns its value
//! in the error.

use std::error::Error;

use crate::sched::lowlevel::{Deadlock, Interrupt};

mod text;

/// The error of a send, with the value that was not sent.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
    /// Nothing can ever run again, so the value will never be received.
    Deadlock(T, Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(T),
}

/// The error of a send that would have had to wait, with the value that was not sent.
#[derive(Clone, Eq, PartialEq)]
pub enum TrySendError<T> {
    /// The channel is full; for a rendezvous channel, no receiver waits.
    Full(T),
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
}

/// The error of a send with a time limit, with the value that was not sent.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// The time is over.
    Timeout(T),
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
    /// Nothing can ever run again, so the value will never be received. Only if the timeout is
    /// longer than the clock can represent, so that it never ends.
    Deadlock(T, Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(T),
}

/// The error of a receive.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecvError {
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
    /// Nothing can ever run again, so nothing will be sent.
    Deadlock(Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

/// The error of a receive that would have had to wait.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum TryRecvError {
    /// There is nothing to receive now.
    Empty,
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
}

/// The error of a receive with a time limit.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// The time is over.
    Timeout,
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
    /// Nothing can ever run again, so nothing will be sent. Only if the timeout is longer than the
    /// clock can represent, so that it never ends.
    Deadlock(Box<Deadlock>),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl<T> SendError<T> {
    /// Returns the value that was not sent.
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
    /// Returns the value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }

    /// Returns whether the channel was full; for a rendezvous channel, whether no receiver waited.
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
    /// Returns the value that was not sent.
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

/// Converts the error of a send without a time limit.
impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(error: SendError<T>) -> SendTimeoutError<T> {
        match error {
            SendError::Closed(value) => SendTimeoutError::Closed(value),
            SendError::Deadlock(value, report) => SendTimeoutError::Deadlock(value, report),
            SendError::Killed(value) => SendTimeoutError::Killed(value),
        }
    }
}

/// Converts the error of a receive without a time limit.
impl From<RecvError> for RecvTimeoutError {
    fn from(error: RecvError) -> RecvTimeoutError {
        match error {
            RecvError::Closed => RecvTimeoutError::Closed,
            RecvError::Deadlock(report) => RecvTimeoutError::Deadlock(report),
            RecvError::Killed => RecvTimeoutError::Killed,
        }
    }
}

/// The reason why an operation on a channel has failed.
#[derive(Debug)]
pub(crate) enum WaitError {
    Closed,
    Interrupted(Interrupt),
}

impl WaitError {
    pub(crate) fn into_send_error<T>(self, value: T) -> SendError<T> {
        match self {
            WaitError::Closed => SendError::Closed(value),
            WaitError::Interrupted(Interrupt::Deadlock(report)) => {
                SendError::Deadlock(value, report)
            }
            WaitError::Interrupted(Interrupt::Killed | Interrupt::TimedOut) => {
                SendError::Killed(value)
            }
        }
    }

    pub(crate) fn into_send_timeout_error<T>(self, value: T) -> SendTimeoutError<T> {
        match self {
            WaitError::Closed => SendTimeoutError::Closed(value),
            WaitError::Interrupted(Interrupt::Killed) => SendTimeoutError::Killed(value),
            WaitError::Interrupted(Interrupt::Deadlock(report)) => {
                SendTimeoutError::Deadlock(value, report)
            }
            WaitError::Interrupted(Interrupt::TimedOut) => SendTimeoutError::Timeout(value),
        }
    }

    pub(crate) fn into_recv_error(self) -> RecvError {
        match self {
            WaitError::Closed => RecvError::Closed,
            WaitError::Interrupted(Interrupt::Deadlock(report)) => RecvError::Deadlock(report),
            WaitError::Interrupted(Interrupt::Killed | Interrupt::TimedOut) => RecvError::Killed,
        }
    }

    pub(crate) fn into_recv_timeout_error(self) -> RecvTimeoutError {
        match self {
            WaitError::Closed => RecvTimeoutError::Closed,
            WaitError::Interrupted(Interrupt::Killed) => RecvTimeoutError::Killed,
            WaitError::Interrupted(Interrupt::Deadlock(report)) => {
                RecvTimeoutError::Deadlock(report)
            }
            WaitError::Interrupted(Interrupt::TimedOut) => RecvTimeoutError::Timeout,
        }
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
