//! What a wait that was cut short returns as an [`io::Error`], and how the loops of this crate recognise it.
//!
//! Invariants:
//! - Where a kill cannot unwind, each wait of a call that returns an error reports it by [`interrupted`], and
//!   each loop of this crate around such waits asks [`is_killed`] before it takes an error for a reason to
//!   try again: a kill is a level, so a loop that goes on would meet it again without end.

use std::error::Error;
use std::fmt;
use std::io;

use crate::fiber::id::FiberId;
use crate::fiber::state::WaitReason;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::scheduler::current_fiber;

/// The error of a wait for `reason` that was cut short.
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

/// The error of a wait for `reason` whose time is over.
pub(crate) fn timed_out(reason: &WaitReason) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("timed out while {}", reason.text))
}

/// Whether `error` says that the running fiber is to end, and not that something went wrong.
#[cfg(feature = "net")]
pub(crate) fn is_killed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Killed>())
}

/// A fiber was killed, or out of time, where nothing can unwind.
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
