//! Throwing at a fiber: it gets a payload with which it unwinds when it runs again.
//!
//! ```text
//!   throw -> pending throw in the fiber's Extra, and a flag among its signals
//!              it waits, and may be unwound there: off its list, into the ring
//!              it runs: raised at a yield, or at a wait that is not completed
//!              it ends first: `Identity::ended` gets a payload that was not raised
//! ```
//!
//! Invariants:
//! - A pending throw is raised once. (A kill stays in force and is raised at every wait.)
//! - It is raised where a kill could be, but not inside a shield: there, and while the thread
//!   unwinds, it is put off. A fiber that cannot be unwound where it waits is not woken, and stays
//!   in its list. A fiber that is in no queue resumes in any case, as if it had been put back.
//! - A wait that has completed returns its result, and the pending throw is raised at the next one.

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

/// Throws `payload` at `fiber`, which must not be the current one, and switches to it. If it is in
/// the ring, the ring is rotated to it; otherwise it runs directly before the caller. If it cannot
/// be unwound where it waits, it only gets the payload, and the caller continues. Returns the
/// payload that this one replaces.
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

/// Throws `payload` in the current fiber. It unwinds immediately or, where that is put off, at its
/// first wait after that.
pub(crate) fn throw_here(current: CurrentFiber, payload: Payload) {
    let replaced = arm(current.fiber, payload);
    raise_pending(current);
    drop(replaced);
}

impl Scheduler {
    /// Throws `payload` at `fiber`, which must not be the current one. The fiber runs in its turn:
    /// it keeps its position in the ring, or is appended. Returns the payload that this one
    /// replaces.
    pub(crate) fn throw_later(&self, fiber: FiberPtr, payload: Payload) -> Option<Payload> {
        let replaced = arm(fiber, payload);
        if !self.unpause(fiber) && self.can_go_off(fiber) {
            wait_list::withdraw(fiber);
            self.outside.withdraw(fiber);
            self.make_ready(fiber);
        }
        replaced
    }

    /// Like [`throw_later`](Scheduler::throw_later), for a fiber that is in no queue: it resumes
    /// only to unwind, and if it cannot unwind in its turn, it leaves the ring again.
    pub(crate) fn throw_when_possible(&self, fiber: FiberPtr, payload: Payload) -> Option<Payload> {
        let replaced = arm(fiber, payload);
        if pause::is_paused(fiber) {
            self.unpause(fiber);
        }
        self.make_ready(fiber);
        replaced
    }

    /// Throws `payload`, with which the current fiber ends, at the innermost watcher or at the main
    /// fiber, and makes that one the next to run. Returns the payload that is lost, if any: the one
    /// that this one replaces, or `payload` itself if `run` is ending.
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

    /// Takes `fiber`, which waits or is in no queue, off its list, and makes it the next one to
    /// run.
    fn free_to_front(&self, fiber: FiberPtr) {
        if !self.unpause_next(fiber) {
            wait_list::withdraw(fiber);
            self.outside.withdraw(fiber);
            self.make_ready_next(fiber);
        }
    }

    /// Returns whether a pending throw could be raised where `fiber` waits, unless the thread
    /// begins to unwind before the fiber's turn.
    fn can_go_off(&self, fiber: FiberPtr) -> bool {
        let at_scope_exit = fiber.state.get() == State::Parked
            && fiber.reason.get().on_deadlock == OnDeadlock::KillChildren;
        let put_off = thread::panicking();
        self.unwinds.note_put_off(put_off);
        unwinding::can_unwind(self) && !put_off && !at_scope_exit && !cancel::is_shielded(&fiber)
    }
}
