//! The spare stack, and the fibers that wait for it because they could get no stack of their own.
//!
//! A fiber needs a stack even to be killed: its closure is dropped on one. So the scheduler keeps
//! one stack back, on which such fibers drop their closures one after the other.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;

use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::stack::Stack;

/// Why a fiber that is `New` is not in the ring.
static STARVED: WaitReason =
    WaitReason::new("waiting for the spare stack, to drop its closure", OnDeadlock::Last);

/// The spare stack of a scheduler.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The stack, unless a fiber is on it.
    pub(crate) stack: RefCell<Option<Stack>>,
    /// Fibers that could get no stack, each with the error.
    starved: RefCell<VecDeque<(FiberPtr, io::Error)>>,
}

impl Spare {
    pub(crate) fn new(stack: Stack) -> Spare {
        Spare { stack: RefCell::new(Some(stack)), starved: RefCell::new(VecDeque::new()) }
    }

    /// Takes the spare stack for `fiber`, which could get none because of `error`. If it is taken
    /// already the fiber waits for it, and is in no queue meanwhile.
    pub(crate) fn take_for(&self, fiber: FiberPtr, error: io::Error) -> Option<Stack> {
        let stack = self.stack.borrow_mut().take();
        if stack.is_some() {
            fiber.on_spare.set(true);
            fiber.with_extra(|extra| extra.no_stack = Some(error));
        } else {
            fiber.reason.set(&STARVED);
            self.starved.borrow_mut().push_back((fiber, error));
        }
        stack
    }

    /// Takes out the fiber that has waited longest. The caller puts it into the ring.
    pub(crate) fn next(&self) -> Option<FiberPtr> {
        let (fiber, _) = self.starved.borrow_mut().pop_front()?;
        fiber.reason.set(&WaitReason::NOT_STARTED);
        Some(fiber)
    }

    /// Forgets the fibers that wait: they are given up.
    pub(crate) fn forget_starved(&self) {
        self.starved.borrow_mut().clear();
    }
}

/// Whether the fiber has not run because it waits for the spare stack.
pub(crate) fn is_starved(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::New && std::ptr::eq(fiber.reason.get(), &STARVED)
}
