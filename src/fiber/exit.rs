//! How a fiber ends: returned, panicked or killed, exactly once.
//!
//! Invariants:
//! - A kill unwinds with a private payload that no user code can name. It is raised by `raise` and
//!   `raise_exit` only, with `resume_unwind`: no panic hook runs and no message is printed.
//! - Whether an unwinding fiber was killed is decided by its `killed` flag and not by the payload:
//!   a destructor may have replaced it.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::panic;

use crate::fiber::snapshot::Deadlock;

/// Why a fiber has no value to give.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let fiber = fibra::spawn(|| panic!("no more cheese"));
///     match fiber.join() {
///         Err(fibra::JoinError::Panicked(payload)) => {
///             assert_eq!(payload.downcast_ref::<&str>(), Some(&"no more cheese"));
///         }
///         other => unreachable!("{other:?}"),
///     }
/// });
/// ```
#[non_exhaustive]
pub enum JoinError {
    /// It panicked; this is what it panicked with.
    Panicked(Box<dyn Any + Send + 'static>),
    /// It was killed: by a handle, by its scope or at the end of `run`.
    Killed,
    /// It was killed, and this is why: see [`Fiber::kill_with`](crate::Fiber::kill_with).
    KilledFor(Cow<'static, str>),
    /// It was killed, but caught every kill and went on waiting. It never runs again, and its
    /// stack is kept for ever, destructors not run.
    Retired,
    /// No stack could be had when it first ran. Its closure was dropped without being called.
    NoStack(io::Error),
    /// A fiber tried to join itself.
    Itself,
    /// Its output was taken before, by `try_join` or a `select!`.
    Taken,
    /// The caller itself was killed while it waited. Only under `panic = "abort"`, where a kill
    /// cannot unwind.
    CallerKilled,
    /// Nothing can ever run again, so the fiber that is waited for will not end. The report says
    /// what each fiber waits for.
    Deadlock(Box<Deadlock>),
}

impl JoinError {
    /// What the fiber panicked with, to be raised again with [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back if the fiber did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send + 'static>, JoinError> {
        match self {
            JoinError::Panicked(payload) => Ok(payload),
            other => Err(other),
        }
    }

    /// Whether the fiber was killed, for whatever reason.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, JoinError::Killed | JoinError::KilledFor(_) | JoinError::Retired)
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JoinError::Panicked(payload) => {
                write!(f, "the fiber panicked: {}", panic_text(payload.as_ref()))
            }
            JoinError::Killed => f.write_str("the fiber was killed"),
            JoinError::KilledFor(reason) => write!(f, "the fiber was killed: {reason}"),
            JoinError::Retired => {
                f.write_str("the fiber was killed, refused to end and was retired")
            }
            JoinError::NoStack(error) => write!(f, "the fiber could not get a stack: {error}"),
            JoinError::Itself => f.write_str(
                "a fiber cannot join itself: it would wait for ever; give the handle to another",
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
            JoinError::Panicked(payload) => {
                write!(f, "Panicked({:?})", panic_text(payload.as_ref()))
            }
            JoinError::Killed => f.write_str("Killed"),
            JoinError::KilledFor(reason) => write!(f, "KilledFor({reason:?})"),
            JoinError::Retired => f.write_str("Retired"),
            JoinError::NoStack(error) => write!(f, "NoStack({error:?})"),
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

/// The text of a panic payload, as std's panic hook shows it.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return text;
    }
    payload.downcast_ref::<String>().map_or("a value that is not a string", String::as_str)
}

/// The payload of a kill, of a cancelled scope, and of `exit`.
struct Unwind {
    /// No scope ends it.
    is_exit: bool,
}

/// Unwinds the running fiber to its outermost cancelled scope in sight, or to its root.
pub(crate) fn raise() -> ! {
    panic::resume_unwind(Box::new(Unwind { is_exit: false }))
}

/// Unwinds the running fiber to its root, whatever scopes and shields it is in.
pub(crate) fn raise_exit() -> ! {
    panic::resume_unwind(Box::new(Unwind { is_exit: true }))
}

/// Whether `payload` is one of those above.
pub(crate) fn is_unwind(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwind>()
}

/// Whether `payload` is that of a kill or of a cancelled scope.
pub(crate) fn is_cancellation(payload: &(dyn Any + Send)) -> bool {
    payload.downcast_ref::<Unwind>().is_some_and(|unwind| !unwind.is_exit)
}
