//! Taking fibers out of the ring and putting them back: Stackless' `remove` and `insert`.
//!
//! Invariants:
//! - A paused fiber is in no queue. A started one is `Paused`, and one that has not run is still
//!   `New`; both have the reason `PAUSED`. The event that a paused fiber waited for may happen, or
//!   its deadline may pass: only parked fibers are made ready, so it goes on when it is put back. A
//!   fiber that has left the ring by itself waits with a reason of its own: see
//!   [`watchers`](crate::sched::tasklet::watchers).
//! - The entry that it leaves in the ring is void: its ticket is out of date. The entry refers to
//!   the fiber's record as long as it is stored, so it holds a counted reference.

#![allow(unsafe_code, reason = "void entries hold references to records")]

use crate::collections::run_ring::RunRing;
use crate::fiber::current;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::sched::core::scheduler::Scheduler;
use crate::sched::core::spare::is_starved;

/// The reason of a fiber that has left the ring by itself. The wait fails only if it completes a
/// deadlock.
pub(crate) static REMOVED: WaitReason =
    WaitReason::new("paused, out of the ring by its own wish", OnDeadlock::IfLast)
        .failing_each_time();
pub(crate) static WATCHING: WaitReason =
    WaitReason::new("waiting until no other fiber can run", OnDeadlock::Last);
pub(crate) static PAUSED: WaitReason = WaitReason::new("paused", OnDeadlock::Last);
/// The reason of a fiber that was paused or had left the ring by itself, and was put back.
pub(crate) static RESUMED: WaitReason = WaitReason::new("about to go on", OnDeadlock::Last);

impl Scheduler {
    /// Returns whether `fiber` is in the ring; the running fiber is not.
    pub(crate) fn is_queued(&self, fiber: FiberPtr) -> bool {
        matches!(fiber.state.get(), State::New | State::Runnable)
            && !is_floating(fiber)
            && !is_starved(fiber)
            && current::fiber() != Some(fiber)
    }

    /// Takes a fiber that could run out of the ring. Returns whether it did: not if the fiber was
    /// not in the ring, or is a main fiber on which the end of its runtime depends.
    pub(crate) fn pause(&self, fiber: FiberPtr) -> bool {
        if !self.is_queued(fiber) || self.main.serves.get() && self.main.get() == Some(fiber) {
            return false;
        }
        self.expect_own(&fiber);
        fiber.ticket.set(fiber.ticket.get().wrapping_add(1));
        if fiber.state.get() == State::Runnable {
            fiber.state.set(State::Paused);
        }
        fiber.reason.set(&PAUSED);
        // The event that it waited for may happen, and does not put it back.
        self.outside.end_external_wait(fiber);
        let _ = fiber.to_ref().into_ptr();
        self.ring(RunRing::void_one);
        if self.ring(|ring| ring.wants_compaction()) {
            self.compact();
        }
        true
    }

    /// Puts a fiber that is in no queue at the end of the ring. Returns whether it was in no queue,
    /// or is in the ring only to check whether it must raise a kill.
    pub(crate) fn unpause(&self, fiber: FiberPtr) -> bool {
        if stays_after_a_look(fiber) {
            return true;
        }
        let floats = let_go_on(fiber);
        if floats {
            self.expect_own(&fiber);
            self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        }
        floats
    }

    /// Like [`unpause`](Scheduler::unpause), but the fiber runs next. The caller must bring a fiber
    /// to the front that is in the ring already, for such a check.
    pub(crate) fn unpause_next(&self, fiber: FiberPtr) -> bool {
        stays_after_a_look(fiber);
        let floats = let_go_on(fiber);
        if floats {
            self.expect_own(&fiber);
            self.ring(|ring| ring.push_front(fiber, fiber.ticket.get()));
        }
        floats
    }

    /// Drops the reference of a void entry that was popped.
    #[cold]
    #[inline(never)]
    pub(crate) fn skip_void(&self, fiber: FiberPtr) {
        self.ring(|ring| ring.dropped_void());
        release(fiber);
    }

    #[cold]
    fn compact(&self) {
        let mut void = Vec::new();
        self.ring(|ring| {
            ring.compact(|entry| {
                let is_void = entry.ticket != entry.item.ticket.get();
                if is_void {
                    void.push(entry.item);
                }
                is_void
            });
        });
        void.into_iter().for_each(release);
    }
}

/// Returns whether the fiber was taken out of the ring by another, or never put into it.
pub(crate) fn is_paused(fiber: FiberPtr) -> bool {
    match fiber.state.get() {
        State::Paused => true,
        State::New => std::ptr::eq(fiber.reason.get(), &PAUSED),
        _ => false,
    }
}

/// Returns whether the fiber waits until no other can run.
pub(crate) fn is_watching(fiber: FiberPtr) -> bool {
    fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &WATCHING)
}

/// Returns whether the fiber has left the ring by itself.
pub(crate) fn has_left(fiber: FiberPtr) -> bool {
    let removed =
        || fiber.state.get() == State::Parked && std::ptr::eq(fiber.reason.get(), &REMOVED);
    is_watching(fiber) || removed()
}

/// Returns whether the fiber is in no queue, and goes on when it is put into the ring.
pub(crate) fn is_floating(fiber: FiberPtr) -> bool {
    is_paused(fiber) || has_left(fiber)
}

/// Keeps a fiber in the ring that is in it only to check whether it can raise a kill. Returns
/// whether it is such a fiber.
///
/// A fiber that has left the ring by itself is woken for such a check, and leaves the ring again if
/// it cannot raise the kill, for example in a destructor that runs because of an unwind. If it is
/// put back in between, it must stay.
pub(crate) fn stays_after_a_look(fiber: FiberPtr) -> bool {
    let reason = fiber.reason.get();
    let looks = fiber.state.get() == State::Runnable
        && (std::ptr::eq(reason, &REMOVED) || std::ptr::eq(reason, &WATCHING));
    if looks {
        fiber.reason.set(&RESUMED);
    }
    looks
}

/// Ends the pause of a fiber, which the caller puts into the ring. Returns whether it was paused or
/// had left the ring by itself.
fn let_go_on(fiber: FiberPtr) -> bool {
    if !is_floating(fiber) {
        return false;
    }
    if fiber.state.get() == State::New {
        fiber.reason.set(&WaitReason::NOT_STARTED);
    } else {
        // A fiber that was taken out in the middle of a wait checks its condition again.
        fiber.reason.set(&RESUMED);
        fiber.state.set(State::Runnable);
    }
    true
}

fn release(fiber: FiberPtr) {
    // SAFETY: `pause` has counted a reference for each void entry, and each leaves the ring once.
    drop(unsafe { fiber.into_ref() });
}
