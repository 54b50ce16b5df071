//! The errors of a generator's operations.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

use crate::fiber::brief::{Brief, same_io_error};
use crate::fiber::panic::Panic;

/// The payload that a suspended generator is unwound with when it is closed or dropped.
///
/// Code that catches unwinds may look for it with `payload.is::<GeneratorExit>()`.
///
/// # Examples
///
/// ```
/// use fibra::generator::{self, GeneratorExit};
/// use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
///
/// fibra::frame(|| {
///     let mut numbers = generator::iter(|y| {
///         let unwind = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
///         let payload = unwind.unwrap_err();
///         assert!(payload.is::<GeneratorExit>());
///         resume_unwind(payload)
///     });
///     assert_eq!(numbers.next(), Some(1));
///     assert!(numbers.close().is_ok());
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GeneratorExit;

impl fmt::Display for GeneratorExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the generator was closed")
    }
}

impl Error for GeneratorExit {}

/// The error of a resume that was refused, with the value that was not passed in.
///
/// # Examples
///
/// ```
/// use fibra::generator::{GeneratorState, Generator, ResumeError};
///
/// fibra::frame(|| {
///     let mut once: Generator<(), u32, u32> = Generator::new(|_, n| n + 1);
///     assert_eq!(once.resume(1), GeneratorState::Complete(2));
///     let Err(ResumeError::Finished(value)) = once.try_resume(3) else { unreachable!() };
///     assert_eq!(value, 3);
/// });
/// ```
#[non_exhaustive]
pub enum ResumeError<R> {
    /// The generator has ended.
    Finished(R),
    /// The generator is already running: it is on the stack below the caller.
    Running(R),
    /// The generator belongs to another fiber or frame: the one that first resumed it.
    Elsewhere(R),
    /// There is no `fibra::run` and no `fibra::frame` on this thread, or the fiber is ending.
    NoFrame(R),
    /// No stack could be allocated. The generator is unchanged.
    NoStack(R, io::Error),
}

impl<R> ResumeError<R> {
    /// Returns the value that was not passed in.
    pub fn into_inner(self) -> R {
        match self {
            ResumeError::Finished(value)
            | ResumeError::Running(value)
            | ResumeError::Elsewhere(value)
            | ResumeError::NoFrame(value)
            | ResumeError::NoStack(value, _) => value,
        }
    }
}

impl<R> fmt::Display for ResumeError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResumeError::Finished(_) => f.write_str(
                "the generator was resumed after its end: check what `resume` returns, or \
                 `is_finished`, before you resume it",
            ),
            ResumeError::Running(_) => f.write_str("the generator is already executing"),
            ResumeError::Elsewhere(_) => f.write_str(
                "the generator belongs to the fiber that first resumed it, and cannot be resumed by \
                 another",
            ),
            ResumeError::NoFrame(_) => f.write_str(
                "a generator was resumed outside of `fibra::frame(|| ...)` and `fibra::run(|| ...)`: \
                 wrap the call in one of them (see `fibra::guide::pitfalls`)",
            ),
            ResumeError::NoStack(_, error) => {
                write!(f, "the generator could not get a stack: {error}")
            }
        }
    }
}

impl<R> fmt::Debug for ResumeError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ResumeError::Finished(_) => "Finished(..)",
            ResumeError::Running(_) => "Running(..)",
            ResumeError::Elsewhere(_) => "Elsewhere(..)",
            ResumeError::NoFrame(_) => "NoFrame(..)",
            ResumeError::NoStack(_, error) => return write!(f, "NoStack(.., {error:?})"),
        };
        f.write_str(name)
    }
}

impl<R> Error for ResumeError<R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ResumeError::NoStack(_, error) => Some(error),
            _ => None,
        }
    }
}

impl<R: PartialEq> PartialEq for ResumeError<R> {
    fn eq(&self, other: &ResumeError<R>) -> bool {
        match (self, other) {
            (ResumeError::Finished(one), ResumeError::Finished(other))
            | (ResumeError::Running(one), ResumeError::Running(other))
            | (ResumeError::Elsewhere(one), ResumeError::Elsewhere(other))
            | (ResumeError::NoFrame(one), ResumeError::NoFrame(other)) => one == other,
            (ResumeError::NoStack(one, why), ResumeError::NoStack(other, why_other)) => {
                one == other && same_io_error(why, why_other)
            }
            _ => false,
        }
    }
}

/// The error of a [`Generator::close`](crate::generator::Generator::close) that did not simply end
/// the generator.
///
/// # Examples
///
/// ```
/// use fibra::generator::{self, CloseError};
/// use std::panic::{AssertUnwindSafe, catch_unwind};
///
/// fibra::frame(|| {
///     let mut stubborn = generator::iter(|y| {
///         let _ = catch_unwind(AssertUnwindSafe(|| y.yield_(1)));
///         y.yield_(2); // although it is being closed
///     });
///     assert_eq!(stubborn.next(), Some(1));
///     let Err(CloseError::Ignored(value)) = stubborn.close() else { unreachable!() };
///     assert_eq!(value, 2);
/// });
/// ```
#[derive(PartialEq)]
#[non_exhaustive]
pub enum CloseError<Y> {
    /// The generator caught the [`GeneratorExit`] and yielded this value. It is suspended, and can
    /// be resumed.
    Ignored(Y),
    /// The clean-up of the generator panicked with this payload. The generator has ended.
    Panicked(Panic),
    /// Nothing can be raised in the generator: it belongs to another fiber, it is suspended in a
    /// destructor that runs because of a panic, or the program is built with `panic = "abort"`. The
    /// generator is unchanged.
    Refused,
}

impl<Y> CloseError<Y> {
    /// Returns the payload with which the clean-up panicked. Raise it again with
    /// [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Returns the error unchanged if the clean-up did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, CloseError<Y>> {
        match self {
            CloseError::Panicked(panic) => Ok(panic.into_payload()),
            other => Err(other),
        }
    }

    /// Returns the value that the generator yielded instead of ending.
    ///
    /// # Errors
    ///
    /// Returns the error unchanged if the generator yielded nothing.
    pub fn into_inner(self) -> Result<Y, CloseError<Y>> {
        match self {
            CloseError::Ignored(value) => Ok(value),
            other => Err(other),
        }
    }

    /// Returns whether the clean-up panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, CloseError::Panicked(_))
    }
}

impl<Y> fmt::Display for CloseError<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseError::Ignored(_) => f.write_str("the generator ignored GeneratorExit"),
            CloseError::Panicked(panic) => {
                write!(f, "the generator panicked while it was closed: {panic}")
            }
            CloseError::Refused => f.write_str(
                "the generator cannot be closed here: it belongs to another fiber, or is suspended \
                 where nothing can be raised",
            ),
        }
    }
}

impl<Y> fmt::Debug for CloseError<Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CloseError::Ignored(_) => f.write_str("Ignored(..)"),
            CloseError::Panicked(panic) => write!(f, "Panicked({:?})", Brief(panic.message())),
            CloseError::Refused => f.write_str("Refused"),
        }
    }
}

impl<Y> Error for CloseError<Y> {}
