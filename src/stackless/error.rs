//! What can go wrong with a tasklet, and the payload of `kill`.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::fiber::brief::Brief;
use crate::fiber::panic::Panic;

/// What [`Tasklet::kill`](crate::stackless::Tasklet::kill) throws: it asks a tasklet to end.
///
/// A tasklet that unwinds with it ends silently (S-069). It can be caught with
/// [`std::panic::catch_unwind`], and then the tasklet lives on (S-061).
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

/// Why something cannot be done with a tasklet. Nothing was changed.
///
/// The texts are those of Stackless' `RuntimeError`s, and the tasklet's name behind them, which is
/// what the variants hold.
#[derive(PartialEq)]
#[non_exhaustive]
pub enum TaskletError {
    /// It is set up already (S-015).
    Alive(String),
    /// It has no function, or another than the one that was to be set up (S-016).
    NotBound(String),
    /// It is the one that runs now, which cannot be bound (S-022).
    Current(String),
    /// It is in the ring or blocked, and cannot be bound (S-023).
    Scheduled(String),
    /// It has started and not ended: it has a stack, and can be neither bound nor moved (S-021).
    CState(String),
    /// It waits at a channel, or for something else, and cannot be put into the ring (S-033).
    Blocked(String),
    /// It waits at a channel, or for something else, and is not in the ring (S-036).
    CannotRemoveBlocked(String),
    /// It is the one that runs now, and cannot be taken out of the ring (S-036).
    CannotRemoveCurrent(String),
    /// It has ended, or has no function yet (S-033).
    Dead(String),
    /// It has ended, or has no function yet. This is what was to be thrown (S-057).
    DeadThrow(Panic, String),
    /// Its `run` is over (S-058).
    NoThread(String),
    /// Its `run` is over. This is what was to be thrown.
    NoThreadThrow(Panic, String),
    /// It belongs to another thread (S-044).
    OtherThread(String),
    /// Switches are trapped: see [`switch_trap`](crate::stackless::switch_trap) (S-095).
    SwitchTrap(String),
}

impl TaskletError {
    /// Returns what was to be thrown.
    ///
    /// # Errors
    ///
    /// Gives the error back if nothing was.
    pub fn into_inner(self) -> Result<Box<dyn Any + Send>, TaskletError> {
        match self {
            TaskletError::DeadThrow(thrown, _) => Ok(thrown.into_payload()),
            other => Err(other),
        }
    }

    #[cold]
    pub(super) fn dead_throw(payload: Box<dyn Any + Send>, who: String) -> TaskletError {
        TaskletError::DeadThrow(thrown(payload), who)
    }

    #[cold]
    pub(super) fn no_thread_throw(payload: Box<dyn Any + Send>, who: String) -> TaskletError {
        TaskletError::NoThreadThrow(thrown(payload), who)
    }
}

/// What was thrown, as errors give it back.
#[cold]
pub(super) fn thrown(payload: Box<dyn Any + Send>) -> Panic {
    match payload.downcast_ref::<TaskletExit>().map(ToString::to_string) {
        Some(text) => Panic::with_text(payload, text),
        None => Panic::new(payload),
    }
}

impl fmt::Display for TaskletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (text, who) = match self {
            TaskletError::Alive(who) => ("tasklet is alive", who),
            TaskletError::NotBound(who) => ("the tasklet was not bound to a function", who),
            TaskletError::Current(who) => ("can't (re)bind the current tasklet", who),
            TaskletError::Scheduled(who) => ("tasklet is scheduled", who),
            TaskletError::CState(who) => ("tasklet has C state on its stack", who),
            TaskletError::Blocked(who) => ("You cannot run a blocked tasklet", who),
            TaskletError::CannotRemoveBlocked(who) => ("You cannot remove a blocked tasklet.", who),
            TaskletError::CannotRemoveCurrent(who) => {
                ("The current tasklet cannot be removed.", who)
            }
            TaskletError::Dead(who) => ("You cannot run an unbound(dead) tasklet", who),
            TaskletError::DeadThrow(_, who) => ("You cannot throw to a dead tasklet", who),
            TaskletError::NoThread(who) | TaskletError::NoThreadThrow(_, who) => {
                ("tasklet has no thread", who)
            }
            TaskletError::OtherThread(who) => ("can't switch to a different thread.", who),
            TaskletError::SwitchTrap(who) => ("switch_trap", who),
        };
        write!(f, "{text} ({who})")
    }
}

impl fmt::Debug for TaskletError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskletError({:?})", Brief(&self.to_string()))
    }
}

impl Error for TaskletError {}
