//! The state of a coroutine, and whether the thread unwound when it was resumed and suspended.
//!
//! ```text
//!   the thread unwinds   at the resume   at the suspend
//!                        no              no       Running              -> Suspended
//!                        no              yes      Running              -> SuspendedMidUnwind
//!                        yes             yes      RunningInUnwind      -> SuspendedInUnwind
//!   and resumed again while the thread unwinds:
//!     SuspendedMidUnwind -> RunningMidUnwind      SuspendedInUnwind -> RunningStillInUnwind
//! ```

/// The state of a coroutine.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It has no stack so far.
    Fresh,
    Suspended,
    /// It is on the running chain, or on one of the suspended chains of its frame.
    Running,
    Ended,
    /// It never runs again, and its stack is kept forever.
    Abandoned,
}

/// The state of a coroutine, and what is known of the unwinds on its thread: std reports only that
/// *some* stack of the thread unwinds. It is one byte, so that a switch writes no more than it
/// must.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Status {
    Suspended,
    /// The thread began to unwind while the coroutine ran: it was probably suspended in a
    /// destructor, where nothing may be raised.
    SuspendedMidUnwind,
    /// The thread unwound already when it was resumed, and still did when it was suspended: it
    /// cannot be known whether this coroutine unwinds.
    SuspendedInUnwind,
    Fresh,
    Running,
    /// The thread unwound already when it was resumed, so another stack is the cause.
    RunningInUnwind,
    /// It was `SuspendedInUnwind`, and was resumed while the thread unwound.
    RunningStillInUnwind,
    /// It was `SuspendedMidUnwind`, and was resumed while the thread unwound: it continues in the
    /// destructor in which it was suspended.
    RunningMidUnwind,
    Ended,
    Abandoned,
}

impl Status {
    #[inline(always)]
    pub(crate) fn state(self) -> State {
        match self {
            Status::Fresh => State::Fresh,
            Status::Suspended | Status::SuspendedMidUnwind | Status::SuspendedInUnwind => {
                State::Suspended
            }
            Status::Running
            | Status::RunningInUnwind
            | Status::RunningStillInUnwind
            | Status::RunningMidUnwind => State::Running,
            Status::Ended => State::Ended,
            Status::Abandoned => State::Abandoned,
        }
    }

    /// Returns the status of a coroutine that is resumed while the thread unwinds.
    #[cold]
    #[inline(never)]
    pub(crate) fn entered_in_unwind(self) -> Status {
        match self {
            Status::SuspendedMidUnwind => Status::RunningMidUnwind,
            Status::SuspendedInUnwind => Status::RunningStillInUnwind,
            _ => Status::RunningInUnwind,
        }
    }

    /// Returns the status of a coroutine that suspends itself while the thread unwinds. This
    /// coroutine is the cause if the thread did not unwind when it was resumed; and if it was the
    /// cause before, it still is.
    #[cold]
    #[inline(never)]
    pub(crate) fn left_in_unwind(self) -> Status {
        match self {
            Status::RunningInUnwind | Status::RunningStillInUnwind => Status::SuspendedInUnwind,
            _ => Status::SuspendedMidUnwind,
        }
    }

    /// Returns whether the coroutine was suspended while the thread unwound, because of any stack,
    /// and has not been resumed since, or was just resumed.
    #[cfg(feature = "greenlet")]
    pub(crate) fn was_left_in_unwind(self) -> bool {
        matches!(
            self,
            Status::SuspendedMidUnwind
                | Status::SuspendedInUnwind
                | Status::RunningMidUnwind
                | Status::RunningStillInUnwind
        )
    }

    /// Returns whether the coroutine runs, and the thread unwound already when it was resumed,
    /// because of another stack.
    pub(crate) fn unwound_before(self) -> bool {
        matches!(self, Status::RunningInUnwind | Status::RunningStillInUnwind)
    }
}
