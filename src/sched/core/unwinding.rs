//! Whether the running fiber unwinds, as far as that can be known.
//!
//! std knows one thing: whether some call stack of the thread unwinds. The run loop looks at that whenever a
//! fiber has left the thread, and so knows whether it was so already when the next one was resumed.
//!
//! ```text
//!   thread unwinds:   when the fiber was resumed   now
//!                       no                         no   -> No
//!                       no                         yes  -> Yes
//!                       yes                        no   -> No
//!                       yes                        yes  -> Yes for the fiber that began it, else Unknown
//! ```
//!
//! Ask this on behalf of one fiber, and only where something would be lost; on `Unknown` do what
//! completes a work. Uses of [`std::thread::panicking`] elsewhere ask about the thread, because they
//! ask whether anything may be raised now (`tasklet/throw`, `deadlock/victim`, `api/run`,
//! `core/run_loop`, `turn`, `fiber/coroutine.rs`, `fiber/frame.rs`, `generator/`, `greenlet/`,
//! `stackless/`): two unwinds at the same time abort the process, on whichever stacks.

#![cfg_attr(not(feature = "net"), allow(dead_code, reason = "streams ask"))]

use std::thread;

use crate::fiber::frame;
use crate::fiber::header::FiberPtr;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, try_current_fiber};

/// An answer to whether the caller is called by a destructor that runs because of a panic or a kill.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Unwinding {
    Yes,
    No,
    /// Some fiber of the thread unwinds, and it may be this one.
    Unknown,
}

/// Whether the caller's own call stack unwinds.
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

/// Whether some stack of the thread unwinds, so that what is raised now must be caught before it
/// meets that unwind.
pub(crate) fn thread_unwinds() -> bool {
    thread::panicking()
}

/// Whether kills and deadlocks can unwind fibers of `sched` at all.
pub(crate) fn can_unwind(sched: &Scheduler) -> bool {
    !cfg!(panic = "abort") && !sched.unwinds.outside_of_run.get()
}

/// Whether nothing is raised now although it could be otherwise, because some fiber of the thread
/// unwinds.
pub(crate) fn is_put_off(sched: &Scheduler) -> bool {
    can_unwind(sched) && thread::panicking()
}

impl Scheduler {
    /// Notes that the thread unwinds, and that `fiber` has just left it.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_unwind(&self, fiber: FiberPtr) {
        self.unwinds.note(fiber.id(), self.switches.get());
    }
}
