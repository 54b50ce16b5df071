//! The error of a fiber that has no value to return: it panicked, was killed or could not run.
//!
//! Invariants:
//! - Whether an unwinding fiber was killed is decided by its `killed` flag and not by the payload,
//!   which a destructor may have replaced.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::mem;

use crate::fiber::brief::{Brief, same_io_error};
use crate::fiber::panic::Panic;
pub(crate) use crate::fiber::payload::{is_cancellation, is_unwind, raise, raise_exit};
use crate::fiber::snapshot::Deadlock;

/// The reason why joining a fiber gave no value.
///
/// # Examples
///
/// ```
/// use std::error::Error;
///
/// fn cheese() -> Result<u32, Box<dyn Error + Send + Sync>> {
///     let fiber = fibra::spawn(|| panic!("no more cheese"));
///     Ok(fiber.join()?)
/// }
///
/// fibra::run(|| {
///     assert_eq!(cheese().unwrap_err().to_string(), "the fiber panicked: no more cheese");
/// });
/// ```
#[non_exhaustive]
pub enum JoinError {
    /// The fiber panicked, with this payload.
    Panicked(Panic),
    /// The fiber was killed: by a handle, by its scope or at the end of `run`.
    Killed,
    /// The fiber was killed for this reason: see [`Fiber::kill_with`](crate::Fiber::kill_with).
    KilledFor(Cow<'static, str>),
    /// The fiber was killed, but caught every kill and went on waiting. It never runs again, and
    /// its stack is kept forever: the destructors of the values on it are not run.
    Abandoned,
    /// No stack could be had when the fiber first ran. Its closure was dropped without being
    /// called.
    NoStack(io::Error),
    /// The runtime had ended before the job started: its closure was dropped without being called.
    Shutdown,
    /// The fiber tried to join itself.
    Itself,
    /// The output of the fiber was taken before, by `try_join` or a `select!`.
    Taken,
    /// The caller itself was killed while it waited. Only under `panic = "abort"`, where a kill
    /// cannot unwind.
    CallerKilled,
    /// No fiber can ever run again, so the one that the caller waits for will not end. The report
    /// lists what each fiber waits for.
    Deadlock(Box<Deadlock>),
}

impl JoinError {
    /// Returns what the fiber panicked with, to be raised again with
    /// [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Returns the error itself if the fiber did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self {
            JoinError::Panicked(panic) => Ok(panic.into_payload()),
            other => Err(other),
        }
    }

    /// Returns whether the fiber panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let fiber = fibra::spawn(|| panic!("no more cheese"));
    ///     assert!(fiber.join().unwrap_err().is_panic());
    /// });
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, JoinError::Panicked(_))
    }

    /// Returns whether the fiber was killed, for any reason.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, JoinError::Killed | JoinError::KilledFor(_) | JoinError::Abandoned)
    }

    /// Returns whether the runtime had ended before the job started.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        matches!(self, JoinError::Shutdown)
    }

    /// Returns whether the wait for the fiber completed a deadlock.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        matches!(self, JoinError::Deadlock(_))
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(panic) => write!(f, "the fiber panicked: {panic}"),
            JoinError::Killed => f.write_str("the fiber was killed"),
            JoinError::KilledFor(reason) => write!(f, "the fiber was killed: {reason}"),
            JoinError::Abandoned => {
                f.write_str("the fiber was killed, refused to end and was abandoned")
            }
            JoinError::NoStack(error) => write!(f, "the fiber could not get a stack: {error}"),
            JoinError::Shutdown => {
                f.write_str("the job did not start, because its runtime has ended or is ending")
            }
            JoinError::Itself => f.write_str(
                "a fiber cannot join itself, because it would wait forever: give the handle to \
                 another fiber",
            ),
            JoinError::Taken => f.write_str("the fiber's output was taken before"),
            JoinError::CallerKilled => f.write_str("killed while waiting for the fiber"),
            JoinError::Deadlock(report) => write!(f, "the fiber will never end: {report}"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(panic) => panic.fmt_as(f, "Panicked"),
            JoinError::Killed => f.write_str("Killed"),
            JoinError::KilledFor(reason) => write!(f, "KilledFor({:?})", Brief(reason)),
            JoinError::Abandoned => f.write_str("Abandoned"),
            JoinError::NoStack(error) => write!(f, "NoStack({error:?})"),
            JoinError::Shutdown => f.write_str("Shutdown"),
            JoinError::Itself => f.write_str("Itself"),
            JoinError::Taken => f.write_str("Taken"),
            JoinError::CallerKilled => f.write_str("CallerKilled"),
            JoinError::Deadlock(report) => write!(f, "Deadlock({report:?})"),
        }
    }
}

impl std::error::Error for JoinError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            JoinError::NoStack(error) => Some(error),
            _ => None,
        }
    }
}

/// A panic with a string equals one with the same string. A panic with another payload equals
/// nothing.
impl PartialEq for JoinError {
    fn eq(&self, other: &JoinError) -> bool {
        match (self, other) {
            (JoinError::Panicked(one), JoinError::Panicked(other)) => one == other,
            (JoinError::KilledFor(one), JoinError::KilledFor(other)) => one == other,
            (JoinError::NoStack(one), JoinError::NoStack(other)) => same_io_error(one, other),
            (JoinError::Deadlock(one), JoinError::Deadlock(other)) => one == other,
            // The other variants have no fields.
            _ => mem::discriminant(self) == mem::discriminant(other),
        }
    }
}

/// The conversion unwraps the error of [`JoinError::NoStack`], and wraps every other error.
impl From<JoinError> for io::Error {
    fn from(error: JoinError) -> io::Error {
        match error {
            JoinError::NoStack(error) => error,
            other => io::Error::other(other),
        }
    }
}
