//! Throwing at a fiber: a payload with which it unwinds when it runs again.
//!
//! ```text
//!   throw -> bomb in the fiber's Extra, BOMB in its attention
//!              it waits, and may be unwound there: off its list, into the ring
//!              it runs: goes off at a yield, or at a wait that is not completed
//!              it ends first: `Identity::ended` gets what has not gone off
//! ```
//!
//! Invariants:
//! - A bomb is an edge: it goes off once. Kills are levels.
//! - It goes off where a kill could, but not inside a shield: there, and while the thread unwinds,
//!   it is put off. A fiber that it cannot unwind where it waits is not woken, and stays in its
//!   list. One that is in no queue goes on in any case, as if it had been put back.
//! - A wait that has completed returns what it was given, and the bomb goes off at the next one.

use std::thread;

use crate::fiber::cancel;
use crate::fiber::header::FiberPtr;
use crate::fiber::identity::Payload;
use crate::fiber::state::{OnDeadlock, State};
use crate::fiber::wait_list;
use crate::sched::core::park;
use crate::sched::core::pause;
use crate::sched::core::pending_throw::{arm, raise_pending};
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};
use crate::sched::core::unwinding;
use crate::sched::tasklet::rotate;

/// Throws `payload` at `fiber`, which is not the running one, and runs it at once: where it stands
/// in the ring (S-052), or before the caller (S-051). Returns the payload that it replaces.
pub(crate) fn throw_now(
    current: CurrentFiber,
    fiber: FiberPtr,
    payload: Payload,
) -> Option<Payload> {
    let CurrentFiber { fiber: me, sched } = current;
    let replaced = arm(fiber, payload);
    if sched.is_queued(fiber) {
        rotate::let_run(current, fiber);
        park::give_way(current);
    } else if pause::is_floating(fiber) || sched.can_go_off(fiber) {
        sched.ring(|ring| ring.push_front(me, me.ticket.get()));
        sched.free_to_front(fiber);
        park::give_way(current);
    }
    replaced
}

/// Throws `payload` in the running fiber: it unwinds at once, or where that is put off, at its next
/// wait after that.
pub(crate) fn throw_here(current: CurrentFiber, payload: Payload) {
    let replaced = arm(current.fiber, payload);
    raise_pending(current);
    drop(replaced);
}

impl Scheduler {
    /// Throws `payload` at `fiber`, which is not the running one, and lets it run in its turn
    /// (S-053). Returns the payload that it replaces.
    pub(crate) fn throw_later(&self, fiber: FiberPtr, payload: Payload) -> Option<Payload> {
        let replaced = arm(fiber, payload);
        if !self.unpause(fiber) && self.can_go_off(fiber) {
            wait_list::withdraw(fiber);
            self.outside.withdraw(fiber);
            self.make_ready(fiber);
        }
        replaced
    }

    /// As [`throw_later`](Scheduler::throw_later), for a fiber that is in no queue: it goes on only
    /// to unwind, and if it cannot do that in its turn it leaves the ring again.
    pub(crate) fn throw_when_possible(&self, fiber: FiberPtr, payload: Payload) -> Option<Payload> {
        let replaced = arm(fiber, payload);
        if pause::is_paused(fiber) {
            self.unpause(fiber);
        }
        self.make_ready(fiber);
        replaced
    }

    /// Throws `payload`, with which the running fiber ends, at the innermost watcher or main, and
    /// lets that run next (S-065 to S-067). Returns the payload that is lost, if one is: what it
    /// replaces, or itself if `run` is ending.
    pub(crate) fn throw_up(&self, payload: Payload) -> Option<Payload> {
        let Some(target) = self.wake_up_target().filter(|_| !self.closing.get()) else {
            return Some(payload);
        };
        let target = target.ptr();
        let replaced = arm(target, payload);
        if self.is_queued(target) {
            self.bring_to_front(target);
        } else if self.can_go_off(target) {
            self.free_to_front(target);
        }
        replaced
    }

    /// Takes `fiber`, which waits or is in no queue, off its list, and lets it run next.
    fn free_to_front(&self, fiber: FiberPtr) {
        if !self.unpause_next(fiber) {
            wait_list::withdraw(fiber);
            self.outside.withdraw(fiber);
            self.make_ready_next(fiber);
        }
    }

    /// Whether a bomb could go off where `fiber` waits, if the thread does not begin to unwind
    /// before its turn.
    fn can_go_off(&self, fiber: FiberPtr) -> bool {
        let at_scope_exit = fiber.state.get() == State::Parked
            && fiber.reason.get().on_deadlock == OnDeadlock::KillChildren;
        let put_off = thread::panicking();
        self.unwinds.note_put_off(put_off);
        unwinding::can_unwind(self) && !put_off && !at_scope_exit && !cancel::is_shielded(&fiber)
    }
}
