//! The errors of the calls that set the function, the parent or the locals of a greenlet.

use std::error::Error;
use std::fmt;

/// The reason why a greenlet's function could not be set.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{Greenlet, RunError};
///
/// fibra::frame(|| {
///     let greenlet = Greenlet::new(|n: u32| n + 1);
///     assert_eq!(greenlet.switch(1).unwrap(), 2);
///     assert_eq!(greenlet.set_run(|n| n), Err(RunError::Started));
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RunError {
    /// The greenlet has started, or has ended.
    Started,
    /// The greenlet is a main greenlet.
    Main,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RunError::Started => "run cannot be set after the start of the greenlet",
            RunError::Main => "Main greenlets do not have a run attribute.",
        })
    }
}

impl Error for RunError {}

/// The reason why a greenlet's parent could not be set. The parent is unchanged.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{Greenlet, ParentError};
///
/// fibra::frame(|| {
///     let child = Greenlet::new(|n: u32| n);
///     assert_eq!(child.set_parent(&child), Err(ParentError::Cyclic));
/// });
/// ```
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ParentError {
    /// The new parent is the greenlet itself, or one of its descendants.
    Cyclic,
    /// The greenlet is a main greenlet, which has no parent.
    Main,
    /// The greenlet has started, and the new parent belongs to another fiber.
    Elsewhere,
}

impl fmt::Display for ParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParentError::Cyclic => "cyclic parent chain",
            ParentError::Main => "cannot set the parent of a main greenlet",
            ParentError::Elsewhere => "parent cannot be on a different fiber",
        })
    }
}

impl Error for ParentError {}

/// The reason why a greenlet's locals could not be set: it is the current greenlet of another
/// fiber, which is suspended at the moment.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LocalsError;

impl fmt::Display for LocalsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot set the locals of a greenlet that is running in a different fiber")
    }
}

impl Error for LocalsError {}
