//! What can go wrong with a generator.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;

use crate::fiber::brief::{Brief, same_io_error};
use crate::fiber::panic::Panic;

/// What a suspended generator is unwound with when it is closed or dropped.
///
/// Code that catches unwinds may look for it with `payload.is::<GeneratorExit>()`.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct GeneratorExit;

impl fmt::Display for GeneratorExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the generator was closed")
    }
}

impl Error for GeneratorExit {}

/// Why a generator could not be resumed, with the value that was to be passed in.
#[non_exhaustive]
pub enum ResumeError<R> {
    /// It has ended.
    Finished(R),
    /// It runs already, further down on this very stack.
    Running(R),
    /// It belongs to another fiber or frame: the one that first resumed it.
    Elsewhere(R),
    /// Neither `fibra::run` nor `fibra::frame` is on this thread, or the fiber is ending.
    NoFrame(R),
    /// No stack could be had. It is as it was.
    NoStack(R, io::Error),
}

impl<R> ResumeError<R> {
    /// The value that was to be passed in.
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
                "the generator was resumed after its end: look at what `resume` returns, or at \
                 `is_finished`",
            ),
            ResumeError::Running(_) => f.write_str("the generator is already executing"),
            ResumeError::Elsewhere(_) => f.write_str(
                "the generator belongs to the fiber that first resumed it, and cannot be resumed by \
                 another",
            ),
            ResumeError::NoFrame(_) => f.write_str(
                "generators run inside `fibra::frame(|| ...)` or `fibra::run(|| ...)`, and this \
                 thread is in neither",
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

/// Why [`Generator::close`](crate::generator::Generator::close) did not simply end it.
#[derive(PartialEq)]
#[non_exhaustive]
pub enum CloseError<Y> {
    /// It caught the [`GeneratorExit`] and yielded this. It is suspended, and can be resumed.
    Ignored(Y),
    /// Its clean-up panicked with this. It has ended.
    Panicked(Panic),
    /// Nothing can be raised in it: it belongs to another fiber, is suspended in a destructor that
    /// runs because of a panic, or the program is built with `panic = "abort"`. It is as it was.
    Refused,
}

impl<Y> CloseError<Y> {
    /// Returns what the clean-up panicked with, to be raised again with
    /// [`std::panic::resume_unwind`].
    ///
    /// # Errors
    ///
    /// Gives the error back if it did not panic.
    pub fn into_panic(self) -> Result<Box<dyn Any + Send>, CloseError<Y>> {
        match self {
            CloseError::Panicked(panic) => Ok(panic.into_payload()),
            other => Err(other),
        }
    }

    /// Returns what the generator yielded in place of ending.
    ///
    /// # Errors
    ///
    /// Gives the error back if it yielded nothing.
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
