//! What can go wrong in a wait that has a deadline.

use std::error::Error;
use std::fmt;

use crate::sched::lowlevel::Interrupt;

/// A wait that did not come to its end in time.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TimeoutError {
    /// The time is over.
    Timeout,
    /// What it waited at is closed. Only a [`Semaphore`](crate::sync::Semaphore) can be.
    Closed,
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl TimeoutError {
    #[track_caller]
    pub(super) fn of(interrupt: Interrupt) -> TimeoutError {
        match interrupt {
            Interrupt::TimedOut => TimeoutError::Timeout,
            Interrupt::Killed => TimeoutError::Killed,
            // Only if the deadline is beyond what the clock can show.
            deadlock @ Interrupt::Deadlock(_) => deadlock.into_panic(),
        }
    }
}

impl fmt::Display for TimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeoutError::Timeout => "timed out",
            TimeoutError::Closed => "closed",
            TimeoutError::Killed => "killed while waiting",
        })
    }
}

impl Error for TimeoutError {}
