//! The errors of spawning into a pool and of waiting for work: one type for each kind of operation.
//! A closure that was not accepted is returned in the error.

use std::error::Error;
use std::fmt;
use std::io;

use crate::sched::lowlevel::{Deadlock, Interrupt};

/// The error of a spawn that would have had to wait, or that the pool does not accept.
///
/// # Examples
///
/// ```
/// use fibra::pool::{Pool, TrySpawnError};
///
/// fibra::run(|| {
///     let pool = Pool::new(1);
///     pool.spawn(fibra::yield_now).detach();
///     assert!(matches!(pool.try_spawn(|| ()), Err(TrySpawnError::Full(_))));
/// });
/// ```
#[derive(Clone, Eq, PartialEq)]
pub enum TrySpawnError<F> {
    /// All permits are taken.
    Full(F),
    /// The pool was closed or killed.
    Closed(F),
}

/// The error of a spawn for which no permit became free in time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::pool::{Pool, SpawnTimeoutError};
///
/// fibra::run(|| {
///     let pool = Pool::new(1);
///     let _busy = pool.spawn(|| fibra::sleep(Duration::from_secs(3600)));
///     let error = pool.spawn_timeout(Duration::from_millis(1), || ()).err();
///     assert!(matches!(error, Some(SpawnTimeoutError::Timeout(_))));
/// });
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SpawnTimeoutError<F> {
    /// The time is over.
    Timeout(F),
    /// The pool was closed or killed.
    Closed(F),
    /// Nothing can ever run again, so no permit will become free. Only if the timeout is longer
    /// than the clock can represent, so that it never ends.
    Deadlock(F, Box<Deadlock>),
    /// The caller was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed(F),
}

/// The error of waiting for the members of a pool or a group with a time limit.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::pool::{Group, JoinTimeoutError};
///
/// fibra::run(|| {
///     let group = Group::new();
///     group.spawn(|| fibra::sleep(Duration::from_secs(3600)));
///     let error = group.join_timeout(Duration::from_millis(1));
///     assert_eq!(error, Err(JoinTimeoutError::Timeout));
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum JoinTimeoutError {
    /// The time is over, and members still run.
    Timeout,
    /// Nothing can ever run again, so the members will not end. Only if the time is longer than
    /// the clock can show, so that it will never be over.
    Deadlock(Box<Deadlock>),
    /// The caller was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

/// The error of waiting for a queue that will never be drained.
///
/// # Examples
///
/// ```
/// use fibra::pool::{DrainError, JoinableQueue};
///
/// fibra::run(|| {
///     let queue = JoinableQueue::new();
///     queue.send("nothing takes this").unwrap();
///     assert!(matches!(queue.wait_drained(), Err(DrainError::Deadlock(_))));
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DrainError {
    /// Nothing can ever run again, so the rest will never be marked as done.
    Deadlock(Box<Deadlock>),
    /// The caller was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

/// The error of waiting for a queue to be drained with a time limit.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::pool::{DrainTimeoutError, JoinableQueue};
///
/// fibra::run(|| {
///     let queue = JoinableQueue::new();
///     queue.send("nothing takes this").unwrap();
///     let error = queue.wait_drained_timeout(Duration::from_millis(1));
///     assert_eq!(error, Err(DrainTimeoutError::Timeout));
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DrainTimeoutError {
    /// The time is over, and there is work that is not done.
    Timeout,
    /// Nothing can ever run again, so the rest will never be marked as done. Only if the time is
    /// longer than the clock can show, so that it will never be over.
    Deadlock(Box<Deadlock>),
    /// The caller was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl<F> TrySpawnError<F> {
    /// Returns the closure that was not accepted.
    pub fn into_inner(self) -> F {
        match self {
            TrySpawnError::Full(f) | TrySpawnError::Closed(f) => f,
        }
    }

    /// Returns whether all permits were taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, TrySpawnError::Full(..))
    }

    /// Returns whether the pool was closed or killed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, TrySpawnError::Closed(..))
    }
}

impl<F> SpawnTimeoutError<F> {
    /// Returns the closure that was not accepted.
    pub fn into_inner(self) -> F {
        match self {
            SpawnTimeoutError::Timeout(f)
            | SpawnTimeoutError::Closed(f)
            | SpawnTimeoutError::Deadlock(f, _)
            | SpawnTimeoutError::Killed(f) => f,
        }
    }

    /// Returns whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, SpawnTimeoutError::Timeout(..))
    }

    /// Returns whether the pool was closed or killed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, SpawnTimeoutError::Closed(..))
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, SpawnTimeoutError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, SpawnTimeoutError::Killed(..))
    }
}

impl JoinTimeoutError {
    /// Returns whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, JoinTimeoutError::Timeout)
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, JoinTimeoutError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, JoinTimeoutError::Killed)
    }

    pub(crate) fn new(interrupt: Interrupt) -> JoinTimeoutError {
        match interrupt {
            Interrupt::TimedOut => JoinTimeoutError::Timeout,
            Interrupt::Deadlock(report) => JoinTimeoutError::Deadlock(report),
            Interrupt::Killed => JoinTimeoutError::Killed,
        }
    }
}

/// An error of the kind [`TimedOut`](io::ErrorKind::TimedOut), if the time was over.
impl From<JoinTimeoutError> for io::Error {
    fn from(error: JoinTimeoutError) -> io::Error {
        let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
        io::Error::new(kind, error)
    }
}

impl DrainError {
    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, DrainError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, DrainError::Killed)
    }

    pub(crate) fn new(interrupt: Interrupt) -> DrainError {
        match interrupt {
            Interrupt::Deadlock(report) => DrainError::Deadlock(report),
            Interrupt::Killed | Interrupt::TimedOut => DrainError::Killed,
        }
    }
}

impl DrainTimeoutError {
    /// Returns whether the time was over.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, DrainTimeoutError::Timeout)
    }

    /// Returns whether the wait completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, DrainTimeoutError::Deadlock(..))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, DrainTimeoutError::Killed)
    }

    pub(crate) fn new(interrupt: Interrupt) -> DrainTimeoutError {
        match interrupt {
            Interrupt::TimedOut => DrainTimeoutError::Timeout,
            Interrupt::Deadlock(report) => DrainTimeoutError::Deadlock(report),
            Interrupt::Killed => DrainTimeoutError::Killed,
        }
    }
}

impl From<DrainError> for DrainTimeoutError {
    fn from(error: DrainError) -> DrainTimeoutError {
        match error {
            DrainError::Deadlock(report) => DrainTimeoutError::Deadlock(report),
            DrainError::Killed => DrainTimeoutError::Killed,
        }
    }
}

/// An error of the kind [`TimedOut`](io::ErrorKind::TimedOut), if the time was over.
impl From<DrainTimeoutError> for io::Error {
    fn from(error: DrainTimeoutError) -> io::Error {
        let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
        io::Error::new(kind, error)
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
        match self {
            SpawnTimeoutError::Timeout(_) => {
                f.write_str("timed out while waiting for a permit of a pool")
            }
            SpawnTimeoutError::Closed(_) => f.write_str(CLOSED),
            SpawnTimeoutError::Deadlock(_, report) => {
                write!(f, "no permit of the pool will ever become free: {report}")
            }
            SpawnTimeoutError::Killed(_) => {
                f.write_str("killed while waiting for a permit of a pool")
            }
        }
    }
}

impl fmt::Display for JoinTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinTimeoutError::Timeout => {
                f.write_str("timed out while waiting for the members to end")
            }
            JoinTimeoutError::Deadlock(report) => {
                write!(f, "the members will never end: {report}")
            }
            JoinTimeoutError::Killed => f.write_str("killed while waiting for the members to end"),
        }
    }
}

impl fmt::Display for DrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        DrainTimeoutError::from(self.clone()).fmt(f)
    }
}

impl fmt::Display for DrainTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DrainTimeoutError::Timeout => {
                f.write_str("timed out while waiting for a queue to be drained")
            }
            DrainTimeoutError::Deadlock(report) => {
                write!(f, "the queue will never be drained: {report}")
            }
            DrainTimeoutError::Killed => {
                f.write_str("killed while waiting for a queue to be drained")
            }
        }
    }
}

// `Debug` does not show the closure, because closures have no `Debug`.
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
        match self {
            SpawnTimeoutError::Timeout(_) => f.write_str("Timeout(..)"),
            SpawnTimeoutError::Closed(_) => f.write_str("Closed(..)"),
            SpawnTimeoutError::Deadlock(_, report) => write!(f, "Deadlock(.., {report:?})"),
            SpawnTimeoutError::Killed(_) => f.write_str("Killed(..)"),
        }
    }
}

impl<F> Error for TrySpawnError<F> {}
impl<F> Error for SpawnTimeoutError<F> {}
impl Error for JoinTimeoutError {}
impl Error for DrainError {}
impl Error for DrainTimeoutError {}
