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
//! Ask this on behalf of one fiber, and only where something would be lost; on `Unknown` do what completes a
//! work. Uses of [`std::thread::panicking`] elsewhere ask about the thread, and rightly so: whether anything may
//! be raised now (`interrupt`, `throw`, `deadlock`, `run`, `run_loop`, `fiber/strand.rs`, `fiber/frame.rs`,
//! `generator/`, `greenlet/`, `stackless/`), for two unwinds at once abort the process, on whichever stacks.

#![cfg_attr(not(feature = "net"), allow(dead_code, reason = "streams ask"))]

use std::thread;

use crate::fiber::frame;
use crate::fiber::header::FiberPtr;
use crate::sched::core::scheduler::{Here, Scheduler, try_here};

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
    match try_here() {
        Some(here) => of_fiber(here),
        None => Unwinding::Yes,
    }
}

#[cold]
fn of_fiber(here: Here) -> Unwinding {
    let Here { fiber, sched } = here;
    if sched.in_unwind.get() {
        return Unwinding::Unknown;
    }
    let is_its_doing = !sched.unwound_before() || sched.unwinder.get() == Some(fiber.id());
    // A generator of the fiber may be resumed while another stack of the fiber unwinds.
    if is_its_doing && frame::innermost_has_begun_to_unwind(fiber) != Some(false) {
        Unwinding::Yes
    } else {
        Unwinding::Unknown
    }
}

impl Scheduler {
    /// The thread unwinds, and `fiber` has just left it.
    #[cold]
    #[inline(never)]
    pub(crate) fn note_unwind(&self, fiber: FiberPtr) {
        if !self.unwound_before() {
            self.unwinder.set(Some(fiber.id()));
        }
        self.unwound_at.set(self.switches.get());
    }

    /// Whether the thread unwound already when the fiber that runs, or has just left, was resumed.
    fn unwound_before(&self) -> bool {
        self.unwound_at.get().wrapping_add(1) == self.switches.get()
    }
}
