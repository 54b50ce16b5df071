//! The scheduler's record of the main fiber, which waits for all others at the end of `run`.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::sched::shared::kill_request::KillRequest;
use crate::stack::SizeClass;

/// The reason with which the main fiber waits for the others, when `run` ends.
pub(crate) static WIND_UP: WaitReason =
    WaitReason::new("ending `run`: waiting for the other fibers to unwind", OnDeadlock::Last);

/// The main fiber of a scheduler.
#[derive(Debug)]
pub(crate) struct MainFiber {
    fiber: Cell<Option<FiberPtr>>,
    /// The class of its stack.
    pub(crate) class: SizeClass,
    /// The function that it calls after its own clean-up, and that ends all other fibers. (A
    /// pointer, because the function uses modules above this one.)
    pub(crate) last_duty: Cell<Option<fn()>>,
    /// The function that makes another main fiber after this one was abandoned. Only that of a
    /// guest has one: others borrow, and cannot be abandoned.
    pub(crate) successor: Cell<Option<fn()>>,
    /// The code with which the process exits after `run`, if `exit` was called.
    pub(crate) exit_code: Cell<Option<i32>>,
    /// Whether it runs only code of the library from now on, which other fibers cannot pause.
    pub(crate) serves: Cell<bool>,
    /// The request with which a signal handler can kill the main fiber, if one was set up.
    pub(crate) kill_request: OnceCell<Arc<KillRequest>>,
}

impl MainFiber {
    pub(crate) const fn new() -> MainFiber {
        MainFiber {
            fiber: Cell::new(None),
            class: SizeClass::MAIN,
            last_duty: Cell::new(None),
            successor: Cell::new(None),
            exit_code: Cell::new(None),
            serves: Cell::new(false),
            kill_request: OnceCell::new(),
        }
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<FiberPtr> {
        self.fiber.get()
    }

    pub(crate) fn set(&self, fiber: FiberPtr) {
        self.fiber.set(Some(fiber));
    }

    /// Returns the main fiber if it waits for all others to end.
    pub(crate) fn winding_up(&self) -> Option<FiberPtr> {
        self.fiber.get().filter(|main| std::ptr::eq(main.reason.get(), &WIND_UP))
    }
}
