//! Killing fibers: one fiber, those of a scope, or the main fiber on request of a signal handler.
//!
//! Invariants:
//! - A kill is a level: it is marked in the fiber's record, and each of the fiber's waits raises
//!   it. The functions of this file wake the fiber, if the kill can be raised where it waits, and
//!   raise it themselves only in the running fiber.

use std::sync::Arc;

use crate::fiber::cancel;
use crate::fiber::current;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{Signals, State};
use crate::sched::core::children::Children;
use crate::sched::core::interrupt;
use crate::sched::core::pause;
use crate::sched::core::scheduler::{Scheduler, current_fiber, scheduler};
use crate::sched::shared::kill_request::KillRequest;

/// The reason with which a signal kills the main fiber, as
/// [`Fiber::kill_reason`](crate::Fiber::kill_reason) returns it.
const REASON: &str = "interrupted by a signal";

impl Scheduler {
    /// Marks `fiber` as killed, and wakes it if the kill can be raised where it waits.
    pub(crate) fn kill(&self, fiber: FiberPtr) {
        if matches!(fiber.state.get(), State::Finished | State::Abandoned) {
            return;
        }
        self.expect_own(&fiber);
        fiber.killed.set(true);
        fiber.signal(Signals::CANCEL);
        if current::fiber() == Some(fiber) {
            return interrupt::checkpoint(current_fiber());
        }
        if cancel::is_pending(&fiber) {
            self.wake_to_unwind(fiber);
        }
    }

    /// Kills all fibers but `this_one`, the oldest first.
    pub(crate) fn kill_all_but(&self, this_one: FiberPtr) {
        for fiber in self.fibers_where(|fiber| fiber != this_one) {
            self.kill(fiber.ptr());
        }
    }

    /// Wakes `fiber`, which has something to raise, wherever it waits.
    pub(crate) fn wake_to_unwind(&self, fiber: FiberPtr) {
        // A fiber that has left the ring by itself is woken without this, to unwind and for
        // nothing else.
        if pause::is_paused(fiber) {
            self.unpause(fiber);
        }
        self.make_ready(fiber);
    }

    /// Wakes the fibers that have something to raise, now that no fiber unwinds any more.
    #[cold]
    pub(crate) fn wake_put_off(&self) {
        self.unwinds.kill_put_off.set(false);
        let waits = |fiber: FiberPtr| matches!(fiber.state.get(), State::Parked | State::Paused);
        for fiber in
            self.fibers_where(|fiber| waits(fiber) && interrupt::has_something_to_raise(fiber))
        {
            self.wake_to_unwind(fiber.ptr());
        }
    }

    /// Returns the request with which a signal handler can kill the main fiber.
    #[cfg_attr(not(feature = "net"), allow(dead_code, reason = "signals come with `net`"))]
    pub(crate) fn accept_kill_request(&self) -> Arc<KillRequest> {
        let request = KillRequest::new(self.idle.waker());
        self.main.kill_request.get_or_init(|| Arc::new(request)).clone()
    }

    /// Kills the main fiber if a signal handler has requested it.
    #[inline]
    pub(crate) fn heed_kill_request(&self) {
        if let Some(request) = self.main.kill_request.get() {
            if request.is_asked() {
                self.meet_kill_request(request);
            }
        }
    }

    #[cold]
    fn meet_kill_request(&self, request: &KillRequest) {
        request.was_met();
        let alive =
            |main: &FiberPtr| !matches!(main.state.get(), State::Finished | State::Abandoned);
        if let Some(main) = self.main.get().filter(alive) {
            main.with_extra(|extra| extra.kill_reason.get_or_insert(REASON.into()).len());
            self.kill(main);
        }
    }
}

impl Children {
    /// Records that a child has panicked. In a nursery, cancels the body and kills the other
    /// children.
    pub(crate) fn note_failure(&self) {
        if self.failed.replace(true) || !self.fail_fast {
            return;
        }
        let Some(sched) = scheduler() else { return };
        self.body.cancel(&self.parent);
        if !self.awaited.get() {
            sched.make_ready(self.parent);
        }
        self.kill_all(&sched);
    }

    /// Kills all children that have not ended.
    pub(crate) fn kill_all(&self, sched: &Scheduler) {
        let this: *const () = (&raw const *self).cast();
        let children = sched.fibers_where(|fiber| std::ptr::eq(fiber.owner.get(), this));
        let (this_fiber, others): (Vec<_>, Vec<_>) =
            children.into_iter().partition(|child| Some(child.ptr()) == current::fiber());
        // The kill of the running fiber may unwind out of this call, so it comes last.
        for child in others.into_iter().chain(this_fiber) {
            sched.kill(child.ptr());
        }
    }
}
