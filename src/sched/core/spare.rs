//! The spare stack, and the fibers that wait for it because they could get no stack of their own.
//!
//! Even a fiber that never runs needs a stack, on which its closure is dropped. So the scheduler
//! keeps one stack in reserve, on which such fibers drop their closures one after the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

use crate::fiber::header::FiberPtr;
use crate::fiber::state::{FirstTurn, OnDeadlock, State, WaitReason};
use crate::stack::Stack;

/// The reason of a `New` fiber that waits for the spare stack and is not in the ring.
static STARVED: WaitReason =
    WaitReason::new("waiting for the spare stack, to drop its closure", OnDeadlock::Last);

/// The spare stack of a scheduler.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The stack, unless a fiber is on it.
    pub(crate) stack: RefCell<Option<Stack>>,
    /// The fibers that could get no stack, each with the error.
    starved: RefCell<VecDeque<(FiberPtr, io::Error)>>,
}

impl Spare {
    pub(crate) fn new(stack: Stack) -> Spare {
        Spare { stack: RefCell::new(Some(stack)), starved: RefCell::new(VecDeque::new()) }
    }

    /// Takes the spare stack for `fiber`, which could get no stack because of `error`. If the spare
    /// stack is taken already, the fiber waits for it, and is not in the ring meanwhile.
    pub(crate) fn take_for(&self, fiber: FiberPtr, error: io::Error) -> Option<Stack> {
        let stack = self.stack.borrow_mut().take();
        if stack.is_some() {
            fiber.first_turn.set(fiber.first_turn.get().with(FirstTurn::ON_SPARE));
            fiber.with_extra(|extra| extra.no_stack = Some(error));
        } else {
            fiber.reason.set(&STARVED);
            self.starved.borrow_mut().push_back((fiber, error));
        }
        stack
    }

    /// Removes the fiber that has waited longest. The caller puts it into the ring.
    pub(crate) fn next(&self) -> Option<FiberPtr> {
        let (fiber, _) = self.starved.borrow_mut().pop_front()?;
        fiber.reason.set(&WaitReason::NOT_STARTED);
        Some(fiber)
    }

    /// Removes the fibers that wait, which are abandoned.
    pub(crate) fn forget_starved(&self) {
        self.starved.borrow_mut().clear();
    }
}

/// Returns whether the fiber has not run because it waits for the spare stack.
pub(crate) fn is_starved(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::New && std::ptr::eq(fiber.reason.get(), &STARVED)
}
