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
use crate::sched::core::end;
use crate::sched::core::interrupt::Interrupt;
use crate::sched::core::pause::{self, REMOVED};
use crate::sched::core::scheduler::Here;
use crate::sched::tasklet::throw;
use crate::sched::tasklet::watchers;
use crate::stackless::error::TaskletExit;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::tasklet::Tasklet;

/// Returns whether the caller may not switch now: switches are trapped, or it is in a callback.
pub(crate) fn is_trapped(here: Here) -> bool {
    let state = state(&here.sched);
    let in_callback =
        || Record::known(&here.fiber).is_some_and(|record| record.callbacks.get() != 0);
    state.switch_trap.get() != 0 || state.callbacks.get() != 0 && in_callback()
}

/// A mark of the current tasklet as being in a callback, until it is dropped.
pub(crate) struct InCallback {
    here: Here,
    record: Rc<Record>,
}

impl InCallback {
    pub(crate) fn enter(here: Here, tasklet: &Tasklet) -> InCallback {
        let record = tasklet.record().clone();
        record.callbacks.set(record.callbacks.get() + 1);
        let count = &state(&here.sched).callbacks;
        count.set(count.get() + 1);
        InCallback { here, record }
    }
}

impl Drop for InCallback {
    fn drop(&mut self) {
        self.record.callbacks.set(self.record.callbacks.get() - 1);
        let count = &state(&self.here.sched).callbacks;
        count.set(count.get() - 1);
    }
}

/// Returns the next tasklet to run if the current one leaves: the first one in the run ring, or
/// else the one that is then woken.
pub(crate) fn successor(here: Here) -> Option<FiberRef> {
    let woken = || here.sched.wake_up_target().filter(|fiber| pause::is_floating(fiber.ptr()));
    here.sched.first_in_ring().or_else(woken)
}

/// Returns whether no other tasklet would run if the current one waited: that is a deadlock, and
/// not a switch.
pub(crate) fn is_last(here: Here) -> bool {
    successor(here).is_none() && !here.sched.outside_may_bring_work()
}

/// Pauses the current tasklet. `then` determines the next tasklet to run.
///
/// If no handle to the current tasklet exists, it could not be put back, so it is killed.
#[track_caller]
pub(crate) fn leave_ring(here: Here, then: impl FnOnce()) {
    let left = watchers::leave_ring(here, &REMOVED, || {
        then();
        state(&here.sched).time_slice.soft_point(here);
        if Record::is_forgotten(here.fiber.to_ref()) {
            throw::throw_here(here, Box::new(TaskletExit));
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
pub(crate) fn announce(here: Here, next: impl FnOnce() -> Option<FiberRef>) {
    let state = state(&here.sched);
    let Some(callback) = state.schedule_callback.get() else { return };
    let Some(next) = next().filter(|next| next.ptr() != here.fiber) else { return };
    let (prev, next) = (Tasklet::current(here), Tasklet::of(next));
    let in_callback = InCallback::enter(here, &prev);
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
pub(crate) fn before_end(here: Here) {
    announce(here, || successor(here));
    state(&here.sched).time_slice.soft_point(here);
}

/// Calls the callback when the current tasklet ends with an error, which the innermost `run()` or
/// main raises.
pub(crate) fn before_passing_on(here: Here) {
    announce(here, || here.sched.wake_up_target());
}
