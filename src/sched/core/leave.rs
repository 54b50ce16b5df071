//! The one door out of a running fiber.
//!
//! Invariants:
//! - Only [`suspend`] takes a running fiber off its thread, and only the functions of this file and
//!   `park::yield_now` call it.
//! - A fiber that carries contexts leaves with none of them on the thread. Its waits take them off
//!   before they call [`leave`], and put them back when they end; the other ways out check here.
//! - A fiber that leaves is in the ring, or is parked with a reason, or is abandoned.

#![allow(unsafe_code, reason = "calls the context switch")]

use std::panic::Location;

use crate::fiber::carried;
use crate::fiber::state::{Signals, State, WaitReason};
use crate::fiber::switch;
#[cfg(feature = "diagnostics")]
use crate::fiber::walk;
use crate::sched::core::scheduler::CurrentFiber;

/// Takes the running fiber off its thread. Returns when it is resumed.
#[inline(always)]
#[track_caller]
pub(crate) fn leave(current: CurrentFiber, reason: &'static WaitReason) {
    let CurrentFiber { fiber, sched } = current;
    fiber.state.set(State::Parked);
    fiber.reason.set(reason);
    fiber.location.set(Location::caller());
    fiber.since.set(sched.now_ms.get());
    sched.last_parked.set(Some(fiber));
    suspend(current);
}

/// Like [`leave`], and counts the wait as one that an event in real time may end.
#[inline(always)]
#[track_caller]
pub(crate) fn leave_for_external_wait(current: CurrentFiber, reason: &'static WaitReason) {
    debug_assert!(reason.external);
    current.sched.outside.begin_external_wait(current.fiber);
    leave(current, reason);
    current.sched.outside.end_external_wait(current.fiber);
}

/// Takes the running fiber, which is abandoned, off its thread for the last time.
pub(crate) fn leave_forever(current: CurrentFiber) -> ! {
    debug_assert_eq!(current.fiber.state.get(), State::Abandoned);
    suspend(current);
    // Only parked fibers are made ready. If this one were resumed, it would unwind or return into
    // frames that other code assumes to be dead.
    std::process::abort()
}

/// Moves the running fiber behind all others in the ring. This is not a kill point: the caller may
/// hold a value that it was just given. A kill is raised at its next wait.
#[inline(always)]
pub(crate) fn go_last(current: CurrentFiber) {
    if current.fiber.signals.get().has(Signals::SLOW_WAY_OUT) {
        return go_last_with_contexts(current);
    }
    current.sched.ring(|ring| ring.push_back(current.fiber, current.fiber.ticket.get()));
    suspend(current);
}

#[cold]
#[inline(never)]
fn go_last_with_contexts(current: CurrentFiber) {
    // The code of a context must not wait. Its partner is ready, and runs later.
    if !current.fiber.signals.get().has(Signals::AT_DOOR) {
        current.sched.ring(|ring| ring.push_back(current.fiber, current.fiber.ticket.get()));
        stand_aside_with_contexts(current);
    }
}

/// Takes the running fiber, which is in the ring, off its thread, with the contexts that it
/// carries. Returns when it is resumed.
#[inline(always)]
pub(crate) fn stand_aside(current: CurrentFiber) {
    if current.fiber.signals.get().has(Signals::SLOW_WAY_OUT) {
        return stand_aside_with_contexts(current);
    }
    suspend(current);
}

#[cold]
#[inline(never)]
fn stand_aside_with_contexts(current: CurrentFiber) {
    let is_first = carried::go_away(current.fiber);
    suspend(current);
    if is_first {
        carried::come_back(current.fiber);
    }
}

/// Switches from the running fiber to the run loop. Returns when the fiber is resumed to go on.
#[inline(always)]
pub(crate) fn suspend(current: CurrentFiber) {
    // SAFETY: `current_fiber` holds the fiber that runs now.
    unsafe { switch::suspend(current.fiber) };
    // Nearly every caller asks this next, so that it is one comparison and one branch for both.
    #[cfg(feature = "diagnostics")]
    if !current.fiber.signals.get().is_none() {
        walk::when_asked(current.fiber);
    }
}
