//! The error of a call to a value on another thread.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::sched::lowlevel::Interrupt;

/// The error of a call to an [`Owned`](crate::blocking::Owned) value or an
/// [`OwnedPool`](crate::blocking::OwnedPool): the call did not run, or its caller has left.
///
/// An error of the closure itself is in its result: `owned.call(|t| t.query())??`.
///
/// # Examples
///
/// ```
/// use fibra::blocking::Owned;
/// use std::time::Duration;
///
/// let slow = Owned::new(|| ());
/// let nap = |_: &mut ()| std::thread::sleep(Duration::from_millis(200));
/// assert!(slow.call_timeout(Duration::from_millis(1), nap).unwrap_err().is_timeout());
/// slow.close();
/// assert!(slow.call(|_| ()).unwrap_err().is_closed());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum OwnedError {
    /// An earlier call panicked in the middle of a change to the value, and the value was made by a
    /// closure that runs once. A builder's maker is called again instead.
    Poisoned,
    /// The maker failed to make the value, with this error. The next call tries again.
    Maker(Arc<dyn Error + Send + Sync>),
    /// The value was closed.
    Closed,
    /// The call was made on the thread of the value, by another call: it would wait for itself.
    Nested,
    /// The time limit has passed. A call that has begun goes on without its caller.
    Timeout,
    /// The system can start no thread for the value.
    NoThread(Arc<io::Error>),
    /// The fiber was killed. Happens only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

impl OwnedError {
    /// Returns whether an earlier call panicked, and the value cannot be made again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        matches!(self, OwnedError::Poisoned)
    }

    /// Returns whether the value could not be made.
    #[must_use]
    pub fn is_maker(&self) -> bool {
        matches!(self, OwnedError::Maker(_))
    }

    /// Returns whether the value was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, OwnedError::Closed)
    }

    /// Returns whether a call to the value made this call.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        matches!(self, OwnedError::Nested)
    }

    /// Returns whether the time limit has passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, OwnedError::Timeout)
    }

    /// Returns whether the system can start no thread.
    #[must_use]
    pub fn is_no_thread(&self) -> bool {
        matches!(self, OwnedError::NoThread(_))
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, OwnedError::Killed)
    }

    /// Returns the error of a wait that was interrupted.
    #[track_caller]
    pub(super) fn of(interrupt: Interrupt) -> OwnedError {
        match interrupt {
            Interrupt::TimedOut => OwnedError::Timeout,
            Interrupt::Killed => OwnedError::Killed,
            // The thread serves every call, so no wait for one is part of a deadlock.
            Interrupt::Deadlock(_) => interrupt.into_panic(),
        }
    }
}

impl fmt::Display for OwnedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnedError::Poisoned => f.write_str(
                "an earlier call panicked, and the value cannot be made again: build it by \
                 `Owned::builder()`, whose maker is called again",
            ),
            OwnedError::Maker(error) => write!(f, "the value could not be made: {error}"),
            OwnedError::Closed => f.write_str("the value was closed: make a new one"),
            OwnedError::Nested => f.write_str(
                "a call to the value made another call to it, which would wait for itself: use \
                 the reference that the first call got",
            ),
            OwnedError::Timeout => {
                f.write_str("timed out while calling a value that lives on another thread")
            }
            OwnedError::NoThread(error) => {
                write!(f, "no thread could be started for the value: {error}")
            }
            OwnedError::Killed => {
                f.write_str("killed while calling a value that lives on another thread")
            }
        }
    }
}

impl Error for OwnedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            OwnedError::Maker(error) => Some(&**error),
            OwnedError::NoThread(error) => Some(&**error),
            _ => None,
        }
    }
}
