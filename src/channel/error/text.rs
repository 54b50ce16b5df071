//! The texts of these errors. `Display` includes the report of a deadlock, `Debug` is one line.

use std::fmt;

use crate::channel::error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

const SEND_CLOSED: &str = "sending on a channel that is closed or has no receivers left";
const RECV_CLOSED: &str = "receiving on a channel that is closed or has no senders left";

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Closed(_) => f.write_str(SEND_CLOSED),
            SendError::Deadlock(_, report) => report.fmt(f),
            SendError::Killed(_) => f.write_str("killed while sending on a channel"),
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
        match self {
            SendTimeoutError::Timeout(_) => f.write_str("timed out while sending on a channel"),
            SendTimeoutError::Closed(_) => f.write_str(SEND_CLOSED),
            SendTimeoutError::Deadlock(_, report) => report.fmt(f),
            SendTimeoutError::Killed(_) => f.write_str("killed while sending on a channel"),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str(RECV_CLOSED),
            RecvError::Deadlock(report) => report.fmt(f),
            RecvError::Killed => f.write_str("killed while receiving on a channel"),
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
        match self {
            RecvTimeoutError::Timeout => f.write_str("timed out while receiving on a channel"),
            RecvTimeoutError::Closed => f.write_str(RECV_CLOSED),
            RecvTimeoutError::Deadlock(report) => report.fmt(f),
            RecvTimeoutError::Killed => f.write_str("killed while receiving on a channel"),
        }
    }
}

// `Debug` is one line, without the report. It does not show the value, so that `unwrap` also works
// for values without `Debug`.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Closed(_) => f.write_str("Closed(..)"),
            SendError::Deadlock(_, report) => write!(f, "Deadlock(.., {report:?})"),
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
        match self {
            SendTimeoutError::Timeout(_) => f.write_str("Timeout(..)"),
            SendTimeoutError::Closed(_) => f.write_str("Closed(..)"),
            SendTimeoutError::Deadlock(_, report) => write!(f, "Deadlock(.., {report:?})"),
            SendTimeoutError::Killed(_) => f.write_str("Killed(..)"),
        }
    }
}

impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvError::Closed => f.write_str("Closed"),
            RecvError::Deadlock(report) => write!(f, "Deadlock({report:?})"),
            RecvError::Killed => f.write_str("Killed"),
        }
    }
}

impl fmt::Debug for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvTimeoutError::Timeout => f.write_str("Timeout"),
            RecvTimeoutError::Closed => f.write_str("Closed"),
            RecvTimeoutError::Deadlock(report) => write!(f, "Deadlock({report:?})"),
            RecvTimeoutError::Killed => f.write_str("Killed"),
        }
    }
}
