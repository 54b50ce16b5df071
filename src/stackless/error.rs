//! The errors of operations on tasklets, and the payload of `kill`.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::fiber::brief::Brief;
use crate::fiber::panic::Panic;

/// The payload that [`Tasklet::kill`](crate::stackless::Tasklet::kill) throws: it asks a tasklet to
/// end.
///
/// A tasklet that unwinds with it ends silently. If the tasklet catches it with
/// [`std::panic::catch_unwind`], it lives on.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{self, TaskletExit};
/// use std::panic::catch_unwind;
///
/// fibra::run(|| {
///     let stubborn = stackless::spawn(|| {
///         let killed = catch_unwind(stackless::schedule).unwrap_err();
///         assert!(killed.is::<TaskletExit>());
///         println!("not yet");
///     });
///     stackless::schedule();
///     stubborn.kill().unwrap();
/// });
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TaskletExit;

impl fmt::Display for TaskletExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tasklet was asked to end")
    }
}

impl Error for TaskletExit {}

/// The reason why an operation on a tasklet was refused. Nothing has changed.
///
/// The texts are those of Stackless' `RuntimeError`s, followed by the description of the tasklet,
/// which the variants hold.
#[derive(PartialEq)]
#[non_exhaustive]
pub enum TaskletError {
    /// The tasklet is set up already.
    Alive(String),
    /// The tasklet has no function, or another one than that of this binding.
    NotBound(String),
    /// The tasklet is the current one, which cannot be bound.
    Current(String),
    /// The tasklet is in the run ring or blocked, and cannot be bound.
    Scheduled(String),
    /// The tasklet has started and not ended: it has a stack, so it can be neither bound nor moved.
    CState(String),
    /// The tasklet waits at a channel, or for something else, so it cannot be put into the run
    /// ring.
    Blocked(String),
    /// The tasklet waits at a channel, or for something else, so it is not in the run ring.
    CannotRemoveBlocked(String),
    /// The tasklet is the current one, which cannot be removed from the run ring.
    CannotRemoveCurrent(String),
    /// The tasklet has ended, or has no function yet.
    Dead(String),
    /// The tasklet has ended, or has no function yet. The payload was not thrown.
    DeadThrow(Panic, String),
    /// The `run` of the tasklet's thread is over.
    NoThread(String),
    /// The `run` of the tasklet's thread is over. The payload was not thrown.
    NoThreadThrow(Panic, String),
    /// The tasklet belongs to another thread.
    OtherThread(String),
    /// Switches are trapped: see [`switch_trap`](crate::stackless::switch_trap).
    SwitchTrap(String),
}

impl TaskletError {
    /// Returns the payload that was not thrown, if the tasklet was dead.
    ///
    /// # Errors
    ///
    /// Returns the error unchanged if it is not a [`TaskletError::DeadThrow`].
    pub fn into_inner(self) -> Result<Box<dyn Any + Send>, TaskletError> {
        match self {
            TaskletError::DeadThrow(thrown, _) => Ok(thrown.into_payload()),
            other => Err(other),
        }
    }

    #[cold]
    pub(super) fn dead_throw(payload: Box<dyn Any + Send>, tasklet: String) -> TaskletError {
        TaskletError::DeadThrow(thrown(payload), tasklet)
    }

    #[cold]
    pub(super) fn no_thread_throw(payload: Box<dyn Any + Send>, tasklet: String) -> TaskletError {
        TaskletError::NoThreadThrow(thrown(payload), tasklet)
    }
}

/// Wraps a payload that was not thrown for an error.
#[cold]
pub(super) fn thrown(payload: Box<dyn Any + Send>) -> Panic {
    match payload.downcast_ref::<TaskletExit>().map(ToString::to_string) {
        Some(text) => Panic::with_text(payload, text),
        None => Panic::new(payload),
    }
}

impl fmt::Display for TaskletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, tasklet) = match self {
            TaskletError::Alive(tasklet) => ("tasklet is alive", tasklet),
            TaskletError::NotBound(tasklet) => ("the tasklet was not bound to a function", tasklet),
            TaskletError::Current(tasklet) => ("can't (re)bind the current tasklet", tasklet),
            TaskletError::Scheduled(tasklet) => ("tasklet is scheduled", tasklet),
            TaskletError::CState(tasklet) => ("tasklet has C state on its stack", tasklet),
            TaskletError::Blocked(tasklet) => ("You cannot run a blocked tasklet", tasklet),
            TaskletError::CannotRemoveBlocked(tasklet) => {
                ("You cannot remove a blocked tasklet.", tasklet)
            }
            TaskletError::CannotRemoveCurrent(tasklet) => {
                ("The current tasklet cannot be removed.", tasklet)
            }
            TaskletError::Dead(tasklet) => ("You cannot run an unbound(dead) tasklet", tasklet),
            TaskletError::DeadThrow(_, tasklet) => ("You cannot throw to a dead tasklet", tasklet),
            TaskletError::NoThread(tasklet) | TaskletError::NoThreadThrow(_, tasklet) => {
                ("tasklet has no thread", tasklet)
            }
            TaskletError::OtherThread(tasklet) => ("can't switch to a different thread.", tasklet),
            TaskletError::SwitchTrap(tasklet) => ("switch_trap", tasklet),
        };
        write!(f, "{text} ({tasklet})")
    }
}

impl fmt::Debug for TaskletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskletError({:?})", Brief(&self.to_string()))
    }
}

impl Error for TaskletError {}
