//! What can go wrong at a channel: one type for each kind of operation. A failed send gives the
//! value back.

use std::error::Error;
use std::fmt;

use crate::sched::lowlevel::{Deadlock, Interrupt};

/// A send that failed, with the value that was not sent.
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
#[non_exhaustive]
pub enum TrySendError<T> {
    /// The channel is full; for a rendezvous channel, nobody waits to receive.
    Full(T),
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
}

/// A send that did not happen in time, with the value that was not sent.
#[non_exhaustive]
pub enum SendTimeoutError<T> {
    /// The time is over.
    Timeout(T),
    /// The channel is closed, or all its receivers are gone.
    Closed(T),
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(T),
}

/// A receive that failed.
#[derive(Clone)]
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
#[non_exhaustive]
pub enum TryRecvError {
    /// There is nothing to receive now.
    Empty,
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
}

/// A receive that did not happen in time.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RecvTimeoutError {
    /// The time is over.
    Timeout,
    /// The channel is closed, or all its senders are gone; and it holds nothing more.
    Closed,
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
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }
}

impl<T> SendTimeoutError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value)
            | SendTimeoutError::Closed(value)
            | SendTimeoutError::Killed(value) => value,
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
            Cut::Short(_) => SendTimeoutError::Timeout(value),
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
            Cut::Short(_) => RecvTimeoutError::Timeout,
        }
    }
}

const SEND_CLOSED: &str = "sending on a channel that is closed or has no receivers left";
const RECV_CLOSED: &str = "receiving on a channel that is closed or has no senders left";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Closed(_) => f.write_str(SEND_CLOSED),
            SendError::Deadlock(_, report) => report.fmt(f),
            SendError::Killed(_) => f.write_str("killed while sending"),
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "sending on a channel that is full or has no receiver waiting",
            TrySendError::Closed(_) => SEND_CLOSED,
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "timed out while sending on a channel",
            SendTimeoutError::Closed(_) => SEND_CLOSED,
            SendTimeoutError::Killed(_) => "killed while sending on a channel",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str(RECV_CLOSED),
            RecvError::Deadlock(report) => report.fmt(f),
            RecvError::Killed => f.write_str("killed while receiving"),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "receiving on a channel that has nothing to receive now",
            TryRecvError::Closed => RECV_CLOSED,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvTimeoutError::Timeout => "timed out while receiving on a channel",
            RecvTimeoutError::Closed => RECV_CLOSED,
            RecvTimeoutError::Killed => "killed while receiving on a channel",
        })
    }
}

// `Debug` does not show the value, so that `unwrap` works for values without `Debug`.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Closed(_) => f.write_str("Closed(..)"),
            SendError::Deadlock(_, report) => write!(f, "Deadlock(.., {report})"),
            SendError::Killed(_) => f.write_str("Killed(..)"),
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "Timeout(..)",
            SendTimeoutError::Closed(_) => "Closed(..)",
            SendTimeoutError::Killed(_) => "Killed(..)",
        })
    }
}

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("Closed"),
            RecvError::Deadlock(report) => write!(f, "Deadlock({report})"),
            RecvError::Killed => f.write_str("Killed"),
        }
    }
}

impl<T> Error for SendError<T> {}
impl<T> Error for TrySendError<T> {}
impl<T> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
