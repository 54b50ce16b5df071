//! What was thrown at a fiber and has not been raised in it: a payload with which the fiber unwinds
//! at a yield, or at a wait that is not completed. Throwing is [`throw`](crate::sched::tasklet::throw).
//!
//! Invariants:
//! - A pending throw is an edge: it is raised once. (Kills are levels.)
//! - It is raised where a kill could be, but not inside a shield: there, and while the thread
//!   unwinds, it is put off.

use std::panic;

use crate::fiber::cancel;
use crate::fiber::header::FiberPtr;
use crate::fiber::identity::Payload;
use crate::fiber::state::Signals;
use crate::sched::core::scheduler::CurrentFiber;
use crate::sched::core::unwinding;

/// Stores `payload` as the bomb of `fiber`. Returns the one that it replaces.
pub(crate) fn arm(fiber: FiberPtr, payload: Payload) -> Option<Payload> {
    fiber.signal(Signals::THROW);
    fiber.with_extra(|extra| extra.pending_throw.replace(payload))
}

/// Takes what was thrown at `fiber` and has not gone off.
pub(crate) fn disarm(fiber: FiberPtr) -> Option<Payload> {
    fiber.signals.set(fiber.signals.get().without(Signals::THROW));
    if !fiber.extra_exists() {
        return None;
    }
    fiber.with_extra(|extra| extra.pending_throw.take())
}

/// Lets the bomb of the running fiber go off, if it has one and this is a place for it.
pub(crate) fn raise_pending(current: CurrentFiber) {
    if !may_raise(current) {
        return;
    }
    if let Some(payload) = disarm(current.fiber) {
        panic::resume_unwind(payload);
    }
}

/// Whether the running fiber has a bomb that goes off at its next wait. One that must be put off
/// because some fiber unwinds is remembered.
pub(crate) fn may_raise(current: CurrentFiber) -> bool {
    let CurrentFiber { fiber, sched } = current;
    if !fiber.signals.get().has(Signals::THROW) || cancel::is_shielded(&fiber) {
        return false;
    }
    let put_off = unwinding::is_put_off(&sched);
    sched.unwinds.note_put_off(put_off);
    unwinding::can_unwind(&sched) && !put_off
}
