//! The error of a wait that has a time limit.

use std::error::Error;
use std::fmt;
use std::io;

use crate::sched::lowlevel::{Deadlock, Interrupt};

/// The error of a wait with a time limit that did not succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// The time limit has passed.
    Timeout,
    /// Nothing can ever run again, so nothing will end the wait. Happens only if the limit is later
    /// than the clock can show, so that it never passes.
    Deadlock(Box<Deadlock>),
    /// The awaited object is closed. Only a [`Semaphore`](crate::sync::Semaphore) can be closed.
    Closed,
    /// The fiber was killed. Happens only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl TimeoutError {
    /// Returns whether the time limit has passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, TimeoutError::Timeout)
    }

    /// Returns whether the awaited object is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, TimeoutError::Closed)
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, TimeoutError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, TimeoutError::Killed)
    }

    pub(super) fn of(interrupt: Interrupt) -> TimeoutError {
        match interrupt {
            Interrupt::TimedOut => TimeoutError::Timeout,
            Interrupt::Deadlock(report) => TimeoutError::Deadlock(report),
            Interrupt::Killed => TimeoutError::Killed,
        }
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeoutError::Timeout => f.write_str("timed out"),
            TimeoutError::Deadlock(report) => report.fmt(f),
            TimeoutError::Closed => f.write_str("closed"),
            TimeoutError::Killed => f.write_str("killed while waiting"),
        }
    }
}

impl Error for TimeoutError {}

/// Converts a timeout into an error of the kind [`TimedOut`](io::ErrorKind::TimedOut), and the
/// other errors into [`Other`](io::ErrorKind::Other).
impl From<TimeoutError> for io::Error {
    fn from(error: TimeoutError) -> io::Error {
        let timed_out = error.is_timeout();
        io::Error::new(
            if timed_out { io::ErrorKind::TimedOut } else { io::ErrorKind::Other },
            error,
        )
    }
}
