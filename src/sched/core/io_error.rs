//! The [`io::Error`] of a wait that was interrupted, and the check with which loops recognise it.
//!
//! Invariants:
//! - Where a kill cannot unwind, each wait of a call that returns an error reports it by
//!   [`interrupted`], and each loop of this crate around such waits calls [`is_killed`] before it
//!   tries again after an error: a kill is a level, so a loop that goes on would be interrupted
//!   without end.

use std::error::Error;
use std::fmt;
use std::io;

use crate::fiber::id::FiberId;
use crate::fiber::state::WaitReason;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::scheduler::current_fiber;

/// Returns the error of a wait for `reason` that was interrupted.
#[cold]
#[inline(never)]
pub(crate) fn interrupted(interrupt: Interrupt, reason: &WaitReason) -> io::Error {
    match interrupt {
        Interrupt::TimedOut => timed_out(reason),
        // Not of the kind `Interrupted`: the loops of std would try again without end.
        Interrupt::Killed => {
            io::Error::other(Killed { fiber: current_fiber().fiber.id(), what: reason.text })
        }
        Interrupt::Deadlock(report) => io::Error::other(report),
    }
}

/// Returns the error of a wait for `reason` whose deadline has passed.
pub(crate) fn timed_out(reason: &WaitReason) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out while {}", reason.text))
}

/// Returns whether `error` reports that the running fiber was killed, and not a failure.
#[cfg(feature = "net")]
pub(crate) fn is_killed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Killed>())
}

/// The error of a fiber that was killed, or in a region whose time limit has passed, where nothing
/// can unwind.
#[derive(Debug)]
struct Killed {
    fiber: FiberId,
    what: &'static str,
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fiber {} was killed while {}", self.fiber, self.what)
    }
}

impl Error for Killed {}
