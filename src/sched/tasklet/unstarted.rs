//! Discarding fibers that have not started.
//!
//! Invariants:
//! - A fiber that is thrown away counts as ended before its closure is dropped: the destructor of
//!   what it has captured may hold a handle to it.

use crate::fiber::header::FiberPtr;
use crate::fiber::locals;
use crate::fiber::state::State;
use crate::sched::core::end;
use crate::sched::core::hooks;
use crate::sched::core::pause;
use crate::sched::core::scheduler::Scheduler;

impl Scheduler {
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
