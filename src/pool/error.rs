//! What can go wrong when a closure is given to a pool, and when work is waited for: one type for
//! each kind of operation. A closure that was not taken comes back.

use std::error::Error;
use std::fmt;

use crate::sched::lowlevel::{Deadlock, Interrupt};

/// A closure for which the pool has no place, or which it does not take any more.
#[non_exhaustive]
pub enum TrySpawnError<F> {
    /// All places are taken.
    Full(F),
    /// The pool was closed or killed.
    Closed(F),
}

/// A closure for which there was no place in time.
#[non_exhaustive]
pub enum SpawnTimeoutError<F> {
    /// The time is over.
    Timeout(F),
    /// The pool was closed or killed.
    Closed(F),
    /// The caller was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(F),
}

/// A queue will never be drained.
#[derive(Clone)]
#[non_exhaustive]
pub enum DrainError {
    /// Nothing can ever run again, so nobody will say that the rest is done.
    Deadlock(Box<Deadlock>),
    /// The caller was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl<F> TrySpawnError<F> {
    /// The closure that was not taken.
    pub fn into_inner(self) -> F {
        match self {
            TrySpawnError::Full(f) | TrySpawnError::Closed(f) => f,
        }
    }
}

impl<F> SpawnTimeoutError<F> {
    /// The closure that was not taken.
    pub fn into_inner(self) -> F {
        match self {
            SpawnTimeoutError::Timeout(f)
            | SpawnTimeoutError::Closed(f)
            | SpawnTimeoutError::Killed(f) => f,
        }
    }
}

impl DrainError {
    pub(crate) fn new(interrupt: Interrupt) -> DrainError {
        match interrupt {
            Interrupt::Deadlock(report) => DrainError::Deadlock(report),
            Interrupt::Killed | Interrupt::TimedOut => DrainError::Killed,
        }
    }
}

const CLOSED: &str = "spawning into a pool that was closed or killed";

impl<F> fmt::Display for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySpawnError::Full(_) => "spawning into a pool that is full",
            TrySpawnError::Closed(_) => CLOSED,
        })
    }
}

impl<F> fmt::Display for SpawnTimeoutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnTimeoutError::Timeout(_) => "timed out while waiting for a place in a pool",
            SpawnTimeoutError::Closed(_) => CLOSED,
            SpawnTimeoutError::Killed(_) => "killed while waiting for a place in a pool",
        })
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DrainError::Deadlock(report) => {
                write!(f, "the queue will never be drained: {report}")
            }
            DrainError::Killed => f.write_str("killed while waiting for a queue to be drained"),
        }
    }
}

// `Debug` does not show the closure, which has none.
impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySpawnError::Full(_) => "Full(..)",
            TrySpawnError::Closed(_) => "Closed(..)",
        })
    }
}

impl<F> fmt::Debug for SpawnTimeoutError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SpawnTimeoutError::Timeout(_) => "Timeout(..)",
            SpawnTimeoutError::Closed(_) => "Closed(..)",
            SpawnTimeoutError::Killed(_) => "Killed(..)",
        })
    }
}

impl fmt::Debug for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DrainError::Deadlock(report) => write!(f, "Deadlock({report})"),
            DrainError::Killed => f.write_str("Killed"),
        }
    }
}

impl<F> Error for TrySpawnError<F> {}
impl<F> Error for SpawnTimeoutError<F> {}
impl Error for DrainError {}
