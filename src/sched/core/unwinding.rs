//! Finding out whether the running fiber unwinds, as far as that can be known.
//!
//! std reports only whether some call stack of the thread unwinds. The run loop asks for that each
//! time that a fiber has left the thread, and so knows whether the thread unwound already when the
//! next fiber was resumed.
//!
//! ```text
//!   thread unwinds:  at the resume of the fiber  now
//!                    no                          no   -> No
//!                    no                          yes  -> Yes
//!                    yes                         no   -> No
//!                    yes                         yes  -> Yes if this fiber began it, else Unknown
//! ```
//!
//! Call [`unwinding`] on behalf of one fiber, and only where data would be lost otherwise. On
//! `Unknown`, complete the operation. Other modules call [`std::thread::panicking`], which is about
//! the thread, because they check whether anything may be raised now (`tasklet/throw`,
//! `deadlock/victim`, `api/run`, `core/run_loop`, `turn`, `fiber/coroutine.rs`, `fiber/frame.rs`,
//! `generator/`, `greenlet/`, `stackless/`): two unwinds at the same time abort the process, on
//! whichever stacks they are.

#![cfg_attr(not(feature = "net"), allow(dead_code, reason = "streams ask"))]

use std::thread;

use crate::fiber::frame;
use crate::fiber::header::FiberPtr;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, try_current_fiber};

/// Whether the caller is called by a destructor that runs because of a panic or a kill.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unwinding {
    Yes,
    No,
    /// Some fiber of the thread unwinds, and it may be this one.
    Unknown,
}

/// Returns whether the caller's own call stack unwinds.
pub(crate) fn unwinding() -> Unwinding {
    if !thread::panicking() {
        return Unwinding::No;
    }
    match try_current_fiber() {
        Some(current) => of_fiber(current),
        None => Unwinding::Yes,
    }
}

#[cold]
fn of_fiber(current: CurrentFiber) -> Unwinding {
    let CurrentFiber { fiber, sched } = current;
    if sched.unwinds.outside_of_run.get() {
        return Unwinding::Unknown;
    }
    let is_its_doing = !sched.unwinds.unwound_before(sched.switches.get())
        || sched.unwinds.by.get() == Some(fiber.id());
    // A generator of the fiber may be resumed while another stack of the fiber unwinds.
    if is_its_doing && frame::innermost_has_begun_to_unwind(fiber) != Some(false) {
        Unwinding::Yes
    } else {
        Unwinding::Unknown
    }
}

/// Returns whether some stack of the thread unwinds. If so, a payload that is raised now must be
/// caught before it reaches a destructor that the unwind runs.
pub(crate) fn thread_unwinds() -> bool {
    thread::panicking()
}

/// Returns whether kills and deadlocks can unwind fibers of `sched` at all.
pub(crate) fn can_unwind(sched: &Scheduler) -> bool {
    !cfg!(panic = "abort") && !sched.unwinds.outside_of_run.get()
}

/// Returns whether kills and throws are put off now, because some fiber of the thread unwinds.
pub(crate) fn is_put_off(sched: &Scheduler) -> bool {
    can_unwind(sched) && thread::panicking()
}

impl Scheduler {
    /// Records that the thread unwinds, and that `fiber` has just left it.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_unwind(&self, fiber: FiberPtr) {
        self.unwinds.note(fiber.id(), self.switches.get());
    }
}
