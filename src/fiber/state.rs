//! The states of a fiber, what it may wait for, and what may be brought to its attention.
//!
//! ```text
//!            spawn                first turn              closure returned
//!             |                       |                    or unwound
//!             v     (1)               v         (4)            |
//!           [New] ----------------> [Runnable] ------------> [Finished]
//!                                    |      ^
//!                                (2) |      | (3)
//!                                    v      |
//!                                   [Parked] -------------> [Retired]
//!                                               (5)
//!                 [Runnable] <----------> [Paused]  (6)
//! ```
//!
//! 1. The run loop reaches the fiber and gives it a stack: `run_loop::start`.
//! 2. The fiber waits: `park::park`, the one door out.
//! 3. Somebody wakes it: `Scheduler::make_ready`, the one door in.
//! 4. Its root function returns: `run_loop::finish`.
//! 5. It refuses to end although it was killed, or cannot be unwound. Its stack is kept for ever.
//! 6. `pause` takes it out of the ring, `unpause` puts it back. What it waited for does not.
//!
//! `Runnable` covers the fiber that runs now and those in the run ring: a yield changes no state.

use std::fmt;

/// Where in its life a fiber is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum State {
    /// Only a closure yet; it has no stack.
    New,
    /// Running, or in the run ring.
    Runnable,
    /// Waiting for something.
    Parked,
    /// Taken out of the ring by another, in the middle of a wait or a yield.
    Paused,
    /// Its closure has ended and its stack was given back.
    Finished,
    /// It never runs again, and its stack is kept for ever.
    Abandoned,
}

/// A small set of things that a fiber must look at when it runs again.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) struct Signals(u8);

impl Signals {
    pub(crate) const NONE: Signals = Signals(0);
    /// A kill or a cancelled scope: whether it can be raised now is decided where it is seen.
    pub(crate) const CANCEL: Signals = Signals(1);
    /// The deadline of the current wait has passed.
    pub(crate) const TIMEOUT: Signals = Signals(2);
    /// The current wait was chosen to fail, because nothing can ever run again.
    pub(crate) const DEADLOCK: Signals = Signals(4);
    /// Something was thrown at the fiber: its `Extra` has it.
    pub(crate) const THROW: Signals = Signals(8);

    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has(self, what: Signals) -> bool {
        self.0 & what.0 != 0
    }

    #[must_use]
    pub(crate) fn with(self, what: Signals) -> Signals {
        Signals(self.0 | what.0)
    }

    #[must_use]
    pub(crate) fn only(self, what: Signals) -> Signals {
        Signals(self.0 & what.0)
    }

    #[must_use]
    pub(crate) fn without(self, what: Signals) -> Signals {
        Signals(self.0 & !what.0)
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::CANCEL, "cancel"),
            (Self::TIMEOUT, "timeout"),
            (Self::DEADLOCK, "deadlock"),
            (Self::THROW, "throw"),
        ];
        let set = names.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| name);
        f.debug_set().entries(set).finish()
    }
}

/// Why a fiber waits. Each kind of wait has one of its own, shown in dumps and deadlock reports.
#[derive(Debug)]
pub(crate) struct WaitReason {
    /// What the fiber does, as the end of a sentence: "fiber 'x' is ...".
    pub(crate) text: &'static str,
    /// Whether something outside this scheduler's fibers may end the wait: another thread that
    /// holds an [`Unparker`](crate::Unparker).
    pub(crate) outsiders: bool,
    /// Whether the world outside of all fibers ends it, in real time: a file descriptor, a thread at
    /// work. While a fiber waits so nothing is a deadlock, and no clock jumps.
    pub(crate) external: bool,
    pub(crate) on_deadlock: OnDeadlock,
    /// Whether it is the one that fails each time that it completes a deadlock, and not main's
    /// the second time in a row.
    pub(crate) each_time: bool,
}

/// What a wait does when it is chosen to fail because nothing can ever run again.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum OnDeadlock {
    /// Returns an error with the report.
    Fail,
    /// Panics with the report.
    Panic,
    /// Kills those it waits for, and goes on waiting.
    KillChildren,
    /// Panics with the report if this wait is what completed the deadlock, and is not asked otherwise.
    IfLast,
    /// Is asked last: the end of `run`, which then leaves the others on their stacks.
    Last,
}

impl WaitReason {
    pub(crate) const NOT_STARTED: WaitReason =
        WaitReason::new("waiting for its first turn", OnDeadlock::Last);

    pub(crate) const fn new(text: &'static str, on_deadlock: OnDeadlock) -> WaitReason {
        WaitReason { text, outsiders: false, external: false, on_deadlock, each_time: false }
    }

    /// For waits that the world ends: see [`WaitReason::external`].
    pub(crate) const fn ended_externally(self) -> WaitReason {
        WaitReason { outsiders: true, external: true, ..self }
    }

    pub(crate) const fn ended_by_outsiders(self) -> WaitReason {
        WaitReason { outsiders: true, ..self }
    }

    /// For waits of Stackless: see [`WaitReason::each_time`].
    pub(crate) const fn failing_each_time(self) -> WaitReason {
        WaitReason { each_time: true, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_a_set() {
        let both = Signals::NONE.with(Signals::CANCEL).with(Signals::TIMEOUT);
        assert!(both.has(Signals::CANCEL) && both.has(Signals::TIMEOUT));
        assert!(!both.has(Signals::DEADLOCK));
        assert!(!both.is_none() && Signals::NONE.is_none());
        assert_eq!(format!("{both:?}"), r#"{"cancel", "timeout"}"#);
    }
}
