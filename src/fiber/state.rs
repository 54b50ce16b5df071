//! The states of a fiber, the reasons for which it waits, and the signals that its next wait reads.
//!
//! ```text
//!            spawn                first turn              closure returned
//!             |                       |                    or unwound
//!             v     (1)               v         (4)            |
//!           [New] ----------------> [Runnable] ------------> [Finished]
//!                                    |      ^
//!                                (2) |      | (3)
//!                                    v      |
//!                                   [Parked] -------------> [Abandoned]
//!                                               (5)
//!                 [Runnable] <----------> [Paused]  (6)
//! ```
//!
//! 1. The run loop reaches the fiber and gives it a stack: `run_loop::start`.
//! 2. The fiber waits: `leave::leave`, the one door out.
//! 3. Another fiber, a timer or an event wakes it: `Scheduler::make_ready`, the one door in.
//! 4. Its root function returns: `end::root`, which marks the end in `Scheduler::see_off`.
//! 5. It does not end although it was killed, or it cannot be unwound. Its stack is kept forever.
//! 6. `pause` takes it out of the ring, `unpause` puts it back. The event that it waited for does
//!    not put it back.
//!
//! `Runnable` covers the fiber that runs now and those in the run ring: a yield changes no state.

use std::fmt;

/// The state of a fiber.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum State {
    /// It has a closure and no stack so far.
    New,
    /// Running, or in the run ring.
    Runnable,
    /// Waiting for something.
    Parked,
    /// Taken out of the ring by another fiber, in the middle of a wait or a yield.
    Paused,
    /// Its closure has ended and its stack was given back.
    Finished,
    /// It never runs again, and its stack is kept forever.
    Abandoned,
}

/// The set of flags that a fiber's next wait reads before it suspends the fiber, and again when the
/// fiber runs. They have nothing to do with the signals of the operating system.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(crate) struct Signals(u8);

impl Signals {
    pub(crate) const NONE: Signals = Signals(0);
    /// A kill or a cancelled scope. The wait that reads it decides whether it can be raised there.
    pub(crate) const CANCEL: Signals = Signals(1);
    /// The deadline of the current wait has passed.
    pub(crate) const TIMEOUT: Signals = Signals(2);
    /// The current wait was chosen to fail, because no fiber can ever run again.
    pub(crate) const DEADLOCK: Signals = Signals(4);
    /// The signals with which a fiber cannot leave its thread by the quick way.
    pub(crate) const SLOW_WAY_OUT: Signals = Signals(16 | 64);
    /// The signals that belong to one wait only.
    pub(crate) const OF_A_WAIT: Signals = Signals(2 | 4);
    /// There is a pending throw: a payload in the fiber's `Extra`.
    pub(crate) const THROW: Signals = Signals(8);
    /// The fiber is inside a region that carries a context: its waits and yields take the context
    /// off the thread, and put it back.
    pub(crate) const CARRIES: Signals = Signals(16);
    /// The contexts of the fiber were taken off the thread for the wait that it is in.
    pub(crate) const AWAY: Signals = Signals(32);
    /// A context of the fiber is being taken off the thread, or put back: by user code, which must
    /// not wait.
    pub(crate) const AT_DOOR: Signals = Signals(64);

    /// The fiber was resumed for a walk of its stack, and suspends again immediately.
    #[cfg(feature = "diagnostics")]
    pub(crate) const WALK: Signals = Signals(128);

    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
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

    /// Returns these flags without those of one wait, and without that of a cancellation.
    #[must_use]
    pub(crate) fn lasting(self) -> Signals {
        self.only(Self::THROW.with(Self::CARRIES).with(Self::AWAY).with(Self::AT_DOOR))
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
            (Self::CARRIES, "carries"),
            (Self::AWAY, "away"),
            (Self::AT_DOOR, "at door"),
            #[cfg(feature = "diagnostics")]
            (Self::WALK, "walk"),
        ];
        let set = names.iter().filter(|(bit, _)| self.has(*bit)).map(|(_, name)| name);
        f.debug_set().entries(set).finish()
    }
}

/// The set of what is special about the first turn of a fiber. It is empty nearly always.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct FirstTurn(u8);

impl FirstTurn {
    pub(crate) const NONE: FirstTurn = FirstTurn(0);
    /// The fiber runs on the scheduler's spare stack, because it could get no stack of its own.
    pub(crate) const ON_SPARE: FirstTurn = FirstTurn(1);
    /// The hooks of the scheduler are called for the fiber, until its closure has ended.
    pub(crate) const OBSERVED: FirstTurn = FirstTurn(2);

    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    pub(crate) fn has(self, what: FirstTurn) -> bool {
        self.0 & what.0 != 0
    }

    #[must_use]
    pub(crate) fn with(self, what: FirstTurn) -> FirstTurn {
        FirstTurn(self.0 | what.0)
    }

    #[must_use]
    pub(crate) fn without(self, what: FirstTurn) -> FirstTurn {
        FirstTurn(self.0 & !what.0)
    }
}

/// The reason for a wait. Each kind of wait has its own, which dumps and deadlock reports show.
#[derive(Debug)]
pub(crate) struct WaitReason {
    /// The end of the sentence "fiber 'x' is ...".
    pub(crate) text: &'static str,
    /// Whether something outside this scheduler's fibers may end the wait: another thread that
    /// holds an [`Unparker`](crate::Unparker).
    pub(crate) outsiders: bool,
    /// Whether the wait is external: an event outside all fibers ends it, in real time, such as a
    /// ready file descriptor or a worker thread that finishes its job. While a fiber waits in this
    /// way there is no deadlock, and a virtual clock does not jump.
    pub(crate) external: bool,
    /// What the wait does if it is chosen to fail in a deadlock.
    pub(crate) on_deadlock: OnDeadlock,
    /// Whether this wait fails each time that it completes a deadlock. Any other wait does not fail
    /// twice in a row: if its fiber has only waited again since, the main fiber's wait fails.
    pub(crate) each_time: bool,
    /// Whether a waker of the fiber, as the task of a future, ends the wait.
    pub(crate) by_waker: bool,
}

/// The way in which a wait fails if it is chosen to fail because no fiber can ever run again.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum OnDeadlock {
    /// Returns an error with the report.
    Fail,
    /// Panics with the report.
    Panic,
    /// Kills the fibers that it waits for, and goes on waiting.
    KillChildren,
    /// Panics with the report if this wait completed the deadlock, and is not chosen otherwise.
    IfLast,
    /// Is chosen if there is no other: the end of `run`, which then abandons the other fibers.
    Last,
}

impl WaitReason {
    pub(crate) const NOT_STARTED: WaitReason =
        WaitReason::new("waiting for its first turn", OnDeadlock::Last);

    pub(crate) const fn new(text: &'static str, on_deadlock: OnDeadlock) -> WaitReason {
        WaitReason {
            text,
            outsiders: false,
            external: false,
            on_deadlock,
            each_time: false,
            by_waker: false,
        }
    }

    /// Marks the wait as external: see [`WaitReason::external`].
    pub(crate) const fn ended_externally(self) -> WaitReason {
        WaitReason { outsiders: true, external: true, ..self }
    }

    /// Marks a wait that other threads may end: see [`WaitReason::outsiders`].
    pub(crate) const fn ended_by_outsiders(self) -> WaitReason {
        WaitReason { outsiders: true, ..self }
    }

    /// Marks a wait that wakers of the fiber end: see [`WaitReason::by_waker`].
    pub(crate) const fn ended_by_wakers(self) -> WaitReason {
        WaitReason { by_waker: true, ..self }
    }

    /// Marks a wait of Stackless: see [`WaitReason::each_time`].
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
