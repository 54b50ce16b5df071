//! Fibers that have not started: made without a place in the ring, and thrown away.
//!
//! Invariants:
//! - A fiber that is thrown away counts as ended before its closure is dropped: the destructor of
//!   what it has captured may hold a handle to it.
//! - While `run` is ending nothing is made paused: it would never get the turn in which it ends.

#![allow(unsafe_code, reason = "erases the types of closures")]

use std::panic::Location;

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::locals;
use crate::fiber::state::State;
use crate::sched::api::spawn;
use crate::sched::core::end;
use crate::sched::core::hooks;
use crate::sched::core::pause::{self, PAUSED};
use crate::sched::core::scheduler::Scheduler;

impl Scheduler {
    /// Makes a fiber that will run `f` when it is put into the ring.
    pub(crate) fn create_paused<F>(&self, f: F, at: &'static Location<'static>) -> FiberRef
    where
        F: FnOnce() + 'static,
    {
        // SAFETY: neither the closure nor its output, which is nothing, borrows.
        let record = unsafe { spawn::create(self, self.default_class, f, at) };
        let fiber = self.admit(record);
        fiber.reason.set(&PAUSED);
        if self.closing.get() {
            self.unpause(fiber);
        }
        fiber.to_ref()
    }

    /// Throws away a paused fiber that has not started. Returns whether it was one.
    ///
    /// Its closure is dropped on the running fiber. It must not be one that a scope waits for.
    pub(crate) fn discard(&self, fiber: FiberPtr) -> bool {
        if fiber.state.get() != State::New || !pause::is_floating(fiber) {
            return false;
        }
        debug_assert!(fiber.owner.get().is_null(), "a scope would wait for it for ever");
        let record = fiber.to_ref();
        fiber.state.set(State::Finished);
        let live = self.live.get() - 1;
        self.live.set(live);
        if live == 1 {
            self.tell_main();
        }
        self.dismiss(fiber);
        end::drop_output(record.ptr());
        while let Some(inherited) = locals::take_youngest_of(record.ptr()) {
            end::quietly(&record, || drop(inherited));
        }
        end::leave_facade(record.ptr());
        hooks::tell(&record);
        true
    }
}
