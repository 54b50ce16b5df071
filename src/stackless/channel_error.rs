//! The errors of the façade's channels. A failed send returns the value.

use std::error::Error;
use std::fmt;

use crate::channel::pairing::Side;
use crate::fiber::snapshot::Deadlock;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::scheduler::CurrentFiber;

/// The reason why a channel operation did not happen. It has changed nothing.
///
/// The texts are those of Stackless. If there is a report, it is printed below the text.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{Channel, ChannelError};
///
/// fibra::run(|| {
///     let channel = Channel::<u32>::new();
///     channel.close();
///     assert_eq!(channel.receive().unwrap_err(), ChannelError::Closed);
/// });
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChannelError {
    /// The operation would have had to wait, and the tasklet's `block_trap` is set.
    BlockTrap,
    /// The operation would have had to wait, and the channel is closed.
    Closed,
    /// The operation would have switched to another tasklet, and `switch_trap` is on.
    SwitchTrap,
    /// The channel callback itself has used a channel.
    Recursive,
    /// The tasklet was the last that could run, so nothing could ever end its wait.
    Deadlock(Box<Deadlock>),
    /// The last other tasklet has ended while the main tasklet waited to receive.
    MainReceiving(Box<Deadlock>),
    /// The last other tasklet has ended while the main tasklet waited to send.
    MainSending(Box<Deadlock>),
    /// The time limit of the wait has passed.
    Timeout,
    /// The fiber was killed. Only under `panic = "abort"`, where a kill cannot unwind.
    Killed,
}

/// The reason why nothing was received.
pub type ReceiveError = ChannelError;

/// The error of a send, with the value that was not sent.
///
/// # Examples
///
/// ```
/// use fibra::stackless::{Channel, ChannelError};
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     channel.close();
///     let error = channel.send("value").unwrap_err();
///     assert!(matches!(error.reason, ChannelError::Closed));
///     assert_eq!(error.value, "value");
/// });
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct SendError<T> {
    /// The value that was not sent.
    pub value: T,
    /// The reason why it was not sent.
    pub reason: ChannelError,
}

impl<T> SendError<T> {
    /// Returns the value that was not sent.
    pub fn into_inner(self) -> T {
        self.value
    }

    /// Returns whether the time limit has passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.reason.is_timeout()
    }

    /// Returns whether the channel is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.reason.is_closed()
    }

    /// Returns whether the cause is a deadlock: nothing could ever run again.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        self.reason.is_deadlock()
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.reason.is_killed()
    }
}

impl ChannelError {
    /// Converts an interrupt of a wait on `side` for the current tasklet.
    pub(super) fn of(current: CurrentFiber, interrupt: Interrupt, side: Side) -> ChannelError {
        let is_main = current.sched.main.get() == Some(current.fiber);
        match (interrupt, side) {
            (Interrupt::TimedOut, _) => ChannelError::Timeout,
            (Interrupt::Killed, _) => ChannelError::Killed,
            (Interrupt::Deadlock(report), Side::Receive) if is_main && report.by_end => {
                ChannelError::MainReceiving(report)
            }
            (Interrupt::Deadlock(report), Side::Send) if is_main && report.by_end => {
                ChannelError::MainSending(report)
            }
            (Interrupt::Deadlock(report), _) => ChannelError::Deadlock(report),
        }
    }

    /// Returns the text of Stackless, and the report if there is one.
    fn parts(&self) -> (&'static str, Option<&Deadlock>) {
        match self {
            ChannelError::BlockTrap => ("this tasklet does not like to be blocked.", None),
            ChannelError::Closed => ("Send/receive operation on a closed channel", None),
            ChannelError::SwitchTrap => ("switch_trap", None),
            ChannelError::Recursive => ("Recursive channel call due to callbacks!", None),
            ChannelError::Deadlock(report) => {
                ("Deadlock: the last runnable tasklet cannot be blocked.", Some(report))
            }
            ChannelError::MainReceiving(report) => {
                ("the main tasklet is receiving without a sender available.", Some(report))
            }
            ChannelError::MainSending(report) => {
                ("the main tasklet is sending without a receiver available.", Some(report))
            }
            ChannelError::Timeout => ("timed out at a channel", None),
            ChannelError::Killed => ("killed while waiting at a channel", None),
        }
    }

    /// Returns the report of what each fiber was waiting for, if the cause is a deadlock.
    #[must_use]
    pub fn report(&self) -> Option<&Deadlock> {
        self.parts().1
    }

    /// Returns whether the time limit has passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, ChannelError::Timeout)
    }

    /// Returns whether the channel is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, ChannelError::Closed)
    }

    /// Returns whether the cause is a deadlock: nothing could ever run again.
    #[must_use]
    pub fn is_deadlock(&self) -> bool {
        self.report().is_some()
    }

    /// Returns whether the caller was killed: only under `panic = "abort"`.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        matches!(self, ChannelError::Killed)
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (text, None) => f.write_str(text),
            (text, Some(report)) => write!(f, "{text}\n{report}"),
        }
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

// `Debug` does not show the value, so that `unwrap` works for values without `Debug`.
impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl Error for ChannelError {}
impl<T> Error for SendError<T> {}

/// Returns the reason, and drops the value.
impl<T> From<SendError<T>> for ChannelError {
    fn from(error: SendError<T>) -> ChannelError {
        error.reason
    }
}
