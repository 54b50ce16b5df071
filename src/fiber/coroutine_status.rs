//! The state of a coroutine, together with what is known of who unwinds.
//!
//! ```text
//!   the thread unwinds   at the resume   at the suspend
//!                        no              no       Running              -> Suspended
//!                        no              yes      Running              -> SuspendedMidUnwind
//!                        yes             yes      RunningInUnwind      -> SuspendedInUnwind
//!   and resumed again while the thread unwinds:
//!     SuspendedMidUnwind -> RunningMidUnwind      SuspendedInUnwind -> RunningStillInUnwind
//! ```

/// Where in its life a coroutine is.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It has no stack yet.
    Fresh,
    Suspended,
    /// On the running chain, or on one of its frame's suspended ones.
    Running,
    Ended,
    /// It never runs again, and its stack is kept for ever.
    Abandoned,
}

/// The state of a coroutine, and what is known of who unwinds: std tells only that *some* stack of the
/// thread does. In one word, for a switch then writes no more than it must.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Status {
    Suspended,
    /// The thread began to unwind while the coroutine ran: it was probably suspended in a destructor,
    /// where nothing may be raised.
    SuspendedMidUnwind,
    /// The thread unwound already when it was resumed, and still did when it was suspended: nobody
    /// knows whether this coroutine does.
    SuspendedInUnwind,
    Fresh,
    Running,
    /// The thread unwound already when it was resumed: not because of it.
    RunningInUnwind,
    /// It goes on where it was suspended while the thread unwound already.
    RunningStillInUnwind,
    /// It goes on in the destructor in which it was suspended.
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

    /// Returns the status of a coroutine that suspends itself while the thread unwinds. That is this
    /// coroutine's doing if the thread did not unwind when it was resumed; and if it was its doing
    /// before, it still is.
    #[cold]
    #[inline(never)]
    pub(crate) fn left_in_unwind(self) -> Status {
        match self {
            Status::RunningInUnwind | Status::RunningStillInUnwind => Status::SuspendedInUnwind,
            _ => Status::SuspendedMidUnwind,
        }
    }

    /// Whether the coroutine was suspended while the thread unwound, because of whichever stack, and
    /// has not been resumed since, or has just been.
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

    /// Whether the coroutine runs, and the thread unwound already when it was resumed, because of
    /// another stack.
    pub(crate) fn unwound_before(self) -> bool {
        matches!(self, Status::RunningInUnwind | Status::RunningStillInUnwind)
    }
}
