//! What comes before a switch: the trap, the schedule callback, the soft timeout.
//!
//! Invariant: all of it happens before anything is changed, so a switch that is refused leaves no
//! trace (S-045).

use std::panic::{self, AssertUnwindSafe};

use crate::fiber::exit;
use crate::fiber::header::FiberPtr;
use crate::sched::end;
use crate::sched::interrupt::Interrupt;
use crate::sched::pause;
use crate::sched::scheduler::Here;
use crate::sched::throw;
use crate::sched::watchers::{self, REMOVED};
use crate::stackless::error::TaskletExit;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::tasklet::Tasklet;

/// Whether the caller may not switch now.
pub(crate) fn is_trapped(here: Here) -> bool {
    state(&here.sched).switch_trap.get() != 0
}

/// The tasklet that runs next if the running one leaves: the first of the ring, else the one that
/// is woken then.
pub(crate) fn successor(here: Here) -> Option<FiberPtr> {
    let woken = || here.sched.wake_up_target().filter(|&fiber| pause::is_floating(fiber));
    here.sched.first_in_ring().or_else(woken)
}

/// Pauses the running tasklet. `then` says who runs next.
///
/// One that nobody has a handle to, so that it could not be put back, is killed (S-207).
#[track_caller]
pub(crate) fn leave_ring(here: Here, then: impl FnOnce()) {
    let left = watchers::leave_ring(here, &REMOVED, || {
        then();
        state(&here.sched).watchdog.soft_point(here);
        if Record::is_forgotten(here.fiber) {
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
pub(crate) fn announce(here: Here, next: impl FnOnce() -> Option<FiberPtr>) {
    let state = state(&here.sched);
    let Some(callback) = state.schedule_callback.get() else { return };
    let Some(next) = next().filter(|&next| next != here.fiber) else { return };
    let (prev, next) = (Tasklet::of(here.fiber), Tasklet::of(next));
    // Inside the callback nothing can switch (S-182).
    state.switch_trap.set(state.switch_trap.get() + 1);
    let called = panic::catch_unwind(AssertUnwindSafe(|| {
        callback(&prev, &next);
        drop(callback);
    }));
    state.switch_trap.set(state.switch_trap.get() - 1);
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
