//! Taking fibers out of the ring and putting them back: Stackless' `remove` and `insert`.
//!
//! Invariants:
//! - A paused fiber is in no queue. A started one counts as parked, one that has not run is still
//!   `New`; both carry the reason `PAUSED`.
//! - The entry it leaves in the ring is void: its ticket is out of date. The entry refers to the
//!   fiber's record for as long as it is stored, so it holds a counted reference.

#![allow(unsafe_code, reason = "void entries hold references to records")]

use crate::collections::run_ring::RunRing;
use crate::fiber::current;
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::sched::run_loop::STARVED;
use crate::sched::scheduler::Scheduler;

static PAUSED: WaitReason = WaitReason::new("paused", OnDeadlock::Last);

impl Scheduler {
    /// Takes a fiber that could run out of the ring (S-035). Returns whether it was in it.
    pub(crate) fn pause(&self, fiber: FiberPtr) -> bool {
        let queued = matches!(fiber.state.get(), State::New | State::Runnable)
            && !is_paused(fiber)
            && !std::ptr::eq(fiber.reason.get(), &STARVED)
            && current::fiber() != Some(fiber);
        if !queued {
            return false;
        }
        fiber.ticket.set(fiber.ticket.get().wrapping_add(1));
        if fiber.state.get() == State::Runnable {
            fiber.state.set(State::Parked);
        }
        fiber.reason.set(&PAUSED);
        let _ = fiber.to_ref().into_ptr();
        self.ring(RunRing::void_one);
        if self.ring(|ring| ring.wants_compaction()) {
            self.compact();
        }
        true
    }

    /// Puts a paused fiber at the end of the ring (S-032). Returns whether it was paused.
    pub(crate) fn unpause(&self, fiber: FiberPtr) -> bool {
        if !is_paused(fiber) {
            return false;
        }
        if fiber.state.get() == State::New {
            fiber.reason.set(&WaitReason::NOT_STARTED);
            self.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        } else {
            self.make_ready(fiber);
        }
        true
    }

    /// A popped entry is void: drops its reference.
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

fn is_paused(fiber: FiberPtr) -> bool {
    matches!(fiber.state.get(), State::New | State::Parked)
        && std::ptr::eq(fiber.reason.get(), &PAUSED)
}

fn release(fiber: FiberPtr) {
    // SAFETY: `pause` counted a reference for each void entry, and each leaves the ring once.
    drop(unsafe { fiber.into_ref() });
}
