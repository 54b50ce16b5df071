//! The contexts that a fiber carries, at the waits of its scheduler: the checks that keep the code
//! of a context from waiting.

use std::panic::Location;

use crate::fiber::carried;
use crate::fiber::state::{Signals, WaitReason};
use crate::sched::core::observe;
use crate::sched::core::scheduler::CurrentFiber;

/// Takes the contexts of the current fiber off the thread, because it is about to wait. Returns
/// whether user code was called.
///
/// # Panics
///
/// Panics if the caller is the code of a context: it must not wait.
#[cold]
#[track_caller]
pub(crate) fn go_away(current: CurrentFiber, reason: &'static WaitReason) -> bool {
    if is_at_door(current) {
        must_not_wait(reason.text, Location::caller());
    }
    observe::tell_wait(current, reason, Location::caller());
    carried::go_away(current.fiber)
}

/// Panics if the caller is the code of a context that its fiber takes off the thread or puts back.
/// `what` is what the caller would do.
#[inline(always)]
#[track_caller]
pub(crate) fn refuse_at_door(current: CurrentFiber, what: &str) {
    if is_at_door(current) {
        must_not_wait(what, Location::caller());
    }
}

/// Returns whether the caller is the code of a context that its fiber takes off the thread or puts
/// back.
#[inline(always)]
pub(crate) fn is_at_door(current: CurrentFiber) -> bool {
    current.fiber.signals.get().has(Signals::AT_DOOR)
}

#[cold]
#[inline(never)]
fn must_not_wait(what: &str, location: &'static Location<'static>) -> ! {
    panic!(
        "the call at {location} would wait ({what}) in `enter` or `leave` of a context that the \
         fiber carries, which run while the fiber is switched: do there only what does not wait \
         (see `fibra::context`)"
    )
}
