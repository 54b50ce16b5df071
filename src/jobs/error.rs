//! The error of a job that was not accepted.

use std::error::Error;
use std::fmt;

/// The reason why a job was not accepted, with its closure.
///
/// # Examples
///
/// ```
/// let handle = fibra::run(|| fibra::Handle::current());
/// let refused = handle.try_spawn(|| 42).unwrap_err(); // its `run` is over
/// assert!(refused.is_closed());
/// let closure = refused.into_inner();
/// assert_eq!(closure(), 42);
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum TrySpawnError<F> {
    /// The runtime has ended, or is ending and accepts jobs of its own fibers only.
    Closed(F),
    /// As many jobs as the runtime may hold have not started yet: see
    /// [`RuntimeBuilder::max_queued_jobs`](crate::RuntimeBuilder::max_queued_jobs).
    Full(F),
}

impl<F> TrySpawnError<F> {
    /// Returns the closure of the job.
    pub fn into_inner(self) -> F {
        match self {
            TrySpawnError::Closed(f) | TrySpawnError::Full(f) => f,
        }
    }

    /// Returns whether the runtime has ended or is ending.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, TrySpawnError::Closed(_))
    }

    /// Returns whether the runtime holds as many jobs as it may.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, TrySpawnError::Full(_))
    }
}

impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySpawnError::Closed(_) => "Closed(..)",
            TrySpawnError::Full(_) => "Full(..)",
        })
    }
}

impl<F> fmt::Display for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySpawnError::Closed(_) => {
                "the job was not accepted, because its runtime has ended or is ending"
            }
            TrySpawnError::Full(_) => {
                "the job was not accepted, because its runtime holds as many unstarted jobs as it \
                 may (see `RuntimeBuilder::max_queued_jobs`)"
            }
        })
    }
}

impl<F> Error for TrySpawnError<F> {}
