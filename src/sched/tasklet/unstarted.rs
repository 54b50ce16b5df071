//! Discarding fibers that have not started.
//!
//! Invariants:
//! - A discarded fiber counts as ended before its closure is dropped: the values that the closure
//!   has captured may hold a handle to the fiber.

use crate::fiber::header::FiberPtr;
use crate::fiber::locals;
use crate::fiber::state::State;
use crate::sched::core::end;
use crate::sched::core::hooks;
use crate::sched::core::pause;
use crate::sched::core::scheduler::Scheduler;

impl Scheduler {
    /// Discards `fiber` if it is paused and has not started. Returns whether it was discarded.
    ///
    /// Its closure is dropped on the current fiber. No scope may wait for `fiber`.
    pub(crate) fn discard(&self, fiber: FiberPtr) -> bool {
        if fiber.state.get() != State::New || !pause::is_floating(fiber) {
            return false;
        }
        debug_assert!(fiber.owner.get().is_null(), "a scope would wait for it forever");
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
