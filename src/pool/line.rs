//! A line in which fibers wait until they are served: first come, first served.
//!
//! Invariants:
//! - Who is told something is out of the line, and is told once.
//! - A fiber that was served has what it waited for, even if it is killed before it runs on: the
//!   one who served it need not look after it. One that is cut short leaves no trace.

#![allow(unsafe_code, reason = "finds the record of a waiting fiber by its node")]

use std::cell::Cell;
use std::fmt;

use crate::sched::lowlevel::{
    Deadline, Enlisted, Here, Interrupt, WaitList, WaitNode, WaitReason, scheduler, wait_until,
};

/// The fibers that wait for one thing.
pub(crate) struct Line {
    list: WaitList,
}

/// How a wait in a line came out.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    /// It has what it waited for.
    Served,
    /// It does not, and is to look again.
    TurnedAway,
}

/// One waiting fiber.
#[repr(C)]
struct InLine {
    node: WaitNode,
    told: Cell<Option<Told>>,
}

impl Line {
    pub(crate) const fn new() -> Line {
        Line { list: WaitList::new() }
    }

    /// How many fibers wait.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Waits at the end of the line until the fiber is told something, or the wait is cut short, at
    /// the latest `by` a deadline.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn wait(
        &self,
        here: Here,
        by: Option<u64>,
        reason: &'static WaitReason,
    ) -> Result<Told, Interrupt> {
        let waiting = InLine { node: WaitNode::new(here.fiber), told: Cell::new(None) };
        // SAFETY: `InLine` is `repr(C)` and begins with its node. The value is dropped at the end
        // of this function, also by an unwind.
        let _enlisted = unsafe { Enlisted::new(&waiting, &self.list) };
        let _deadline = by.map(|at| Deadline::arm(here, at));
        wait_until(here, reason, || waiting.told.get().is_some())?;
        Ok(waiting.told.get().unwrap_or(Told::TurnedAway))
    }

    /// Serves the first, and says whether there was one.
    pub(crate) fn serve(&self) -> bool {
        self.tell_first(Told::Served)
    }

    /// Lets all look again.
    pub(crate) fn turn_all_away(&self) {
        while self.tell_first(Told::TurnedAway) {}
    }

    fn tell_first(&self, what: Told) -> bool {
        let Some(sched) = scheduler() else { return false };
        let Some(node) = self.list.pop_front() else { return false };
        // SAFETY: the node begins an `InLine`: only `wait` appends to this list, which is private.
        // It lives on the stack of a fiber that does not run before the caller switches, and the
        // reference is not used for longer than this function.
        let waiting = unsafe { &*node.cast::<InLine>() };
        waiting.told.set(Some(what));
        sched.make_ready(waiting.node.fiber());
        true
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waiting", self.len())
    }
}
