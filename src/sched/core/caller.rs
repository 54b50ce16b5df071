//! The record of the caller: the one fiber of a scheduler that calls and drops wakers of unknown
//! origin. `futures/foreign.rs` is the code of that fiber.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::task::Waker;

use crate::collections::slot_table::Key;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};

/// The reason of the caller while there is no waker to call. Dumps do not show a fiber that rests.
pub(crate) static RESTING: WaitReason =
    WaitReason::new("waiting for a waker to call", OnDeadlock::Last);

/// The wakers to call, and the fiber that does it.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) calls: RefCell<VecDeque<Call>>,
    /// The fiber, from the first call on.
    pub(crate) fiber: Cell<Option<Key>>,
}

/// What to do with a waker of unknown origin.
#[derive(Debug)]
pub(crate) enum Call {
    Wake(Waker),
    Drop(Waker),
}

impl Caller {
    pub(crate) fn new() -> Caller {
        Caller { calls: RefCell::default(), fiber: Cell::new(None) }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.calls.borrow().is_empty()
    }

    /// Takes the first call.
    pub(crate) fn next(&self) -> Option<Call> {
        self.calls.borrow_mut().pop_front()
    }
}

impl Call {
    /// Calls or drops the waker: user code.
    pub(crate) fn make(self) {
        match self {
            Call::Wake(waker) => waker.wake(),
            Call::Drop(waker) => drop(waker),
        }
    }
}

/// Returns whether `fiber` is a caller that waits for a waker to call. It belongs to the scheduler,
/// and neither dumps nor counts of fibers include it.
pub(crate) fn is_resting(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &RESTING)
}
