//! The actions before a switch: the trap, the schedule callback, the soft time limit.
//!
//! Invariants:
//! - All of them happen before anything is changed, so a switch that is refused has no effect.
//! - A tasklet that is in a callback is marked in its own record, because other tasklets may run
//!   while it waits there by other means than this module's.

use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use crate::fiber::exit;
use crate::fiber::header::FiberRef;
use crate::sched::core::carry;
use crate::sched::core::end;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::pause::{self, REMOVED};
use crate::sched::core::scheduler::CurrentFiber;
use crate::sched::tasklet::throw;
use crate::sched::tasklet::watchers;
use crate::stackless::error::TaskletExit;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::tasklet::Tasklet;

/// Returns whether the caller may not switch now: switches are trapped, it is in a callback, or it
/// is the code of a context that its fiber takes off the thread.
pub(crate) fn is_trapped(current: CurrentFiber) -> bool {
    let state = state(&current.sched);
    let in_callback =
        || Record::known(&current.fiber).is_some_and(|record| record.callbacks.get() != 0);
    state.switch_trap.get() != 0
        || state.callbacks.get() != 0 && in_callback()
        || carry::is_at_door(current)
}

/// A mark of the current tasklet as being in a callback, until it is dropped.
pub(crate) struct InCallback {
    current: CurrentFiber,
    record: Rc<Record>,
}

impl InCallback {
    pub(crate) fn enter(current: CurrentFiber, tasklet: &Tasklet) -> InCallback {
        let record = tasklet.record().clone();
        record.callbacks.set(record.callbacks.get() + 1);
        let count = &state(&current.sched).callbacks;
        count.set(count.get() + 1);
        InCallback { current, record }
    }
}

impl Drop for InCallback {
    fn drop(&mut self) {
        self.record.callbacks.set(self.record.callbacks.get() - 1);
        let count = &state(&self.current.sched).callbacks;
        count.set(count.get() - 1);
    }
}

/// Returns the next tasklet to run if the current one leaves: the first one in the run ring, or
/// else the one that is then woken.
pub(crate) fn successor(current: CurrentFiber) -> Option<FiberRef> {
    let woken = || current.sched.wake_up_target().filter(|fiber| pause::is_floating(fiber.ptr()));
    current.sched.first_in_ring().or_else(woken)
}

/// Returns whether no other tasklet would run if the current one waited: that is a deadlock, and
/// not a switch.
pub(crate) fn is_last(current: CurrentFiber) -> bool {
    successor(current).is_none() && !current.sched.outside_may_bring_work()
}

/// Pauses the current tasklet. `then` determines the next tasklet to run.
///
/// If no handle to the current tasklet exists, it could not be put back, so it is killed.
#[track_caller]
pub(crate) fn leave_ring(current: CurrentFiber, then: impl FnOnce()) {
    let left = watchers::leave_ring(current, &REMOVED, || {
        then();
        state(&current.sched).time_slice.soft_point(current);
        if Record::is_forgotten(current.fiber.to_ref()) {
            throw::throw_here(current, Box::new(TaskletExit));
        }
    });
    match left {
        Ok(()) => {}
        Err(Interrupt::Deadlock(report)) => panic!("{DEADLOCK}\n{report}"),
        Err(interrupt) => interrupt.into_panic(),
    }
}

/// The message for a tasklet that cannot wait because no other could run.
pub(crate) const DEADLOCK: &str = "Deadlock: the last runnable tasklet cannot be blocked.";

/// Calls the schedule callback for a switch from the current tasklet to `next`.
pub(crate) fn announce(current: CurrentFiber, next: impl FnOnce() -> Option<FiberRef>) {
    let state = state(&current.sched);
    let Some(callback) = state.schedule_callback.get() else { return };
    let Some(next) = next().filter(|next| next.ptr() != current.fiber) else { return };
    let (prev, next) = (Tasklet::current(current), Tasklet::of(next));
    let in_callback = InCallback::enter(current, &prev);
    let called = panic::catch_unwind(AssertUnwindSafe(|| {
        callback(&prev, &next);
        drop(callback);
    }));
    drop(in_callback);
    if let Err(payload) = called {
        if exit::is_unwind(&*payload) {
            panic::resume_unwind(payload);
        }
        end::report_lost("the schedule callback panicked", payload);
    }
}

/// Calls the callback and applies the soft time limit when the current tasklet has ended.
pub(crate) fn before_end(current: CurrentFiber) {
    announce(current, || successor(current));
    state(&current.sched).time_slice.soft_point(current);
}

/// Calls the callback when the current tasklet ends with an error, which the innermost `run()` or
/// main raises.
pub(crate) fn before_passing_on(current: CurrentFiber) {
    announce(current, || current.sched.wake_up_target());
}
