//! The pending throw of a fiber: a payload that was thrown at it and is not raised so far. The
//! fiber unwinds with it at a yield, or at a wait that is not completed.
//! [`throw`](crate::sched::tasklet::throw) throws it.
//!
//! Invariants:
//! - A pending throw is an edge: it is raised once. (Kills are levels.)
//! - It is raised where a kill could be raised, but not inside a shield. There, and while the
//!   thread unwinds, it is put off.

use std::panic;

use crate::fiber::cancel;
use crate::fiber::header::FiberPtr;
use crate::fiber::identity::Payload;
use crate::fiber::state::Signals;
use crate::sched::core::scheduler::CurrentFiber;
use crate::sched::core::unwinding;

/// Stores `payload` as the pending throw of `fiber`. Returns the one that it replaces.
pub(crate) fn arm(fiber: FiberPtr, payload: Payload) -> Option<Payload> {
    fiber.signal(Signals::THROW);
    fiber.with_extra(|extra| extra.pending_throw.replace(payload))
}

/// Takes the pending throw of `fiber`.
pub(crate) fn disarm(fiber: FiberPtr) -> Option<Payload> {
    fiber.signals.set(fiber.signals.get().without(Signals::THROW));
    if !fiber.extra_exists() {
        return None;
    }
    fiber.with_extra(|extra| extra.pending_throw.take())
}

/// Raises the pending throw of the running fiber, if it has one that can be raised at this place.
pub(crate) fn raise_pending(current: CurrentFiber) {
    if !may_raise(current) {
        return;
    }
    if let Some(payload) = disarm(current.fiber) {
        panic::resume_unwind(payload);
    }
}

/// Returns whether the running fiber has a pending throw that can be raised now. One that must be
/// put off because some fiber unwinds is recorded.
pub(crate) fn may_raise(current: CurrentFiber) -> bool {
    let CurrentFiber { fiber, sched } = current;
    if !fiber.signals.get().has(Signals::THROW) || cancel::is_shielded(&fiber) {
        return false;
    }
    let put_off = unwinding::is_put_off(&sched);
    sched.unwinds.note_put_off(put_off);
    unwinding::can_unwind(&sched) && !put_off
}
