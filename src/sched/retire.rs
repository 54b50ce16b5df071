//! Giving up on fibers that do not end: they never run again and keep their stacks for ever.
//!
//! Invariants:
//! - A retired fiber's stack is neither unwound, freed nor reused; its node is taken out of the
//!   list in which it waited, so that nothing is handed to it.
//! - A fiber whose scope lends it borrows cannot be retired: its scope could then be left while
//!   its children, who share the borrows, still run. The process is aborted instead.

#![allow(unsafe_code, reason = "leaves a stack for the last time")]

use crate::fiber::exit::JoinError;
use crate::fiber::header::FiberPtr;
use crate::fiber::snapshot::FiberSnapshot;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::sched::park;
use crate::sched::scheduler::{Scheduler, here};

static RETIRED: WaitReason = WaitReason::new("retired", OnDeadlock::Last);

/// Retires the running fiber. It never returns.
#[track_caller]
pub(crate) fn give_up() -> ! {
    let here = here();
    here.sched.retire(here.fiber, "caught every kill and went on waiting");
    loop {
        // Nobody resumes a retired fiber; if somebody did, it would come straight back.
        park::leave(here, &RETIRED);
    }
}

impl Scheduler {
    /// Takes `fiber` out of everything. It must not be in the ring.
    pub(crate) fn retire(&self, fiber: FiberPtr, why: &str) {
        let picture = FiberSnapshot::of(&fiber, self.now_ms.get());
        if !fiber.owner.get().is_null() {
            eprintln!(
                "fibra: {picture}; it {why}. Its scope lends it borrowed data and cannot be left \
                 before it ends: aborting"
            );
            std::process::abort();
        }
        eprintln!("fibra: {picture}; it {why}. It never runs again, and its stack is kept");

        // SAFETY: a node that is recorded here is linked, so alive (`Enlisted`).
        if let Some(node) = unsafe { fiber.waiting.get().as_ref() } {
            node.unlink();
        }
        fiber.state.set(State::Retired);
        self.live.set(self.live.get() - 1);
        self.retired.set(self.retired.get() + 1);
        self.last_parked.set(None);
        if fiber.has_handle.get() {
            let fail = fiber.vtable.fail;
            // SAFETY: the closure was taken out when the fiber started, so the stage is empty.
            unsafe { fail(fiber, Box::new(JoinError::Retired)) };
        }
        if let Some(joiner) = fiber.joiner.take() {
            self.make_ready(joiner);
        }
        self.tell_main();
    }
}
