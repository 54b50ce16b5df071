//! The one door out of a running fiber.
//!
//! Invariants:
//! - Nothing but [`suspend`] takes a running fiber off its thread, and nothing but the functions of
//!   this file and `park::give_way` calls it.
//! - A fiber that leaves is in the ring, or is parked with a reason, or is retired.

#![allow(unsafe_code, reason = "calls the context switch")]

use std::panic::Location;

use crate::fiber::state::{State, WaitReason};
use crate::fiber::switch;
use crate::sched::core::scheduler::Here;

/// Takes the running fiber off its thread. Returns when it is resumed.
#[inline(always)]
#[track_caller]
pub(crate) fn leave(here: Here, reason: &'static WaitReason) {
    let Here { fiber, sched } = here;
    fiber.state.set(State::Parked);
    fiber.reason.set(reason);
    fiber.location.set(Location::caller());
    fiber.since.set(sched.now_ms.get());
    sched.last_parked.set(Some(fiber));
    suspend(here);
}

/// Like [`leave`], and counts the wait as one that an event in real time may end.
#[inline(always)]
#[track_caller]
pub(crate) fn leave_for_real(here: Here, reason: &'static WaitReason) {
    debug_assert!(reason.external);
    here.sched.outside.begin_external_wait(here.fiber);
    leave(here, reason);
    here.sched.outside.end_external_wait(here.fiber);
}

/// Takes the running fiber, which is retired, off its thread for the last time.
pub(crate) fn leave_for_ever(here: Here) -> ! {
    debug_assert_eq!(here.fiber.state.get(), State::Abandoned);
    suspend(here);
    // Only parked fibers are made ready. Were this one resumed, it would unwind or return into
    // frames that others take for dead.
    std::process::abort()
}

/// Lets all others run first. Not a kill point: the caller may hold what it was just given, and
/// meets a kill at its next wait.
#[inline(always)]
pub(crate) fn go_last(here: Here) {
    here.sched.ring(|ring| ring.push_back(here.fiber, here.fiber.ticket.get()));
    suspend(here);
}

/// Switches from the running fiber to the run loop. Returns when the fiber is resumed.
#[inline(always)]
pub(crate) fn suspend(here: Here) {
    // SAFETY: `here` holds the fiber that runs now.
    unsafe { switch::suspend(here.fiber) };
}
