//! What comes before a switch: the trap, the schedule callback, the soft timeout.
//!
//! Invariants:
//! - All of it happens before anything is changed, so a switch that is refused leaves no trace.
//! - Who is in a callback is marked in that tasklet's record: other tasklets may run while it waits
//!   there by other means than this module's.

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

/// Whether the caller may not switch now: switches are trapped, or it is in a callback.
pub(crate) fn is_trapped(here: Here) -> bool {
    let state = state(&here.sched);
    let in_callback =
        || Record::known(&here.fiber).is_some_and(|record| record.callbacks.get() != 0);
    state.switch_trap.get() != 0 || state.callbacks.get() != 0 && in_callback()
}

/// Marks the running tasklet as one that is in a callback, until it is dropped.
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

/// The tasklet that runs next if the running one leaves: the first of the ring, else the one that
/// is woken then.
pub(crate) fn successor(here: Here) -> Option<FiberRef> {
    let woken = || here.sched.wake_up_target().filter(|fiber| pause::is_floating(fiber.ptr()));
    here.sched.first_in_ring().or_else(woken)
}

/// Whether no other tasklet would run if the running one waited: that is a deadlock, and no
/// switch.
pub(crate) fn is_last(here: Here) -> bool {
    successor(here).is_none() && !here.sched.outside_may_bring_work()
}

/// Pauses the running tasklet. `then` says who runs next.
///
/// One that nobody has a handle to, so that it could not be put back, is killed (S-207).
#[track_caller]
pub(crate) fn leave_ring(here: Here, then: impl FnOnce()) {
    let left = watchers::leave_ring(here, &REMOVED, || {
        then();
        state(&here.sched).watchdog.soft_point(here);
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

/// What a tasklet is told that cannot wait because nobody else could run (S-167).
pub(crate) const DEADLOCK: &str = "Deadlock: the last runnable tasklet cannot be blocked.";

/// Calls the schedule callback for a switch from the running tasklet to `next`.
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

/// The running tasklet has come to its end.
pub(crate) fn before_end(here: Here) {
    announce(here, || successor(here));
    state(&here.sched).watchdog.soft_point(here);
}

/// The running tasklet ends with an error, which the innermost `run()` or main raises.
pub(crate) fn before_passing_on(here: Here) {
    announce(here, || here.sched.wake_up_target());
}
