//! Abandoning fibers that do not end: they never run again, and their stacks are kept forever.
//!
//! Invariants:
//! - An abandoned fiber's stack is neither unwound, freed nor reused. Its node is taken out of the
//!   list in which it waited, so that nothing is handed to it.
//! - A fiber that borrows cannot be abandoned while its lender runs on: the main fiber of a `run`
//!   never, because the caller of `run` lends to it, and a fiber of a scope only when `run` or its
//!   runtime is ending. The process is aborted instead. An abandoned child still counts as running,
//!   so the fiber of its scope never leaves the scope, and is abandoned too when its own `run`
//!   ends: the data that it has lent lies on a stack that is kept.
//! - An abandoned fiber counts as ended for its joiner and its hooks, and not for its scope.
//! - The main fiber of a guest borrows nothing. If it is abandoned, another main fiber takes its
//!   place, and ends all others.

#![allow(unsafe_code, reason = "leaves a stack for the last time")]

use crate::fiber::abandoned;
use crate::fiber::carried;
use crate::fiber::exit::JoinError;
use crate::fiber::header::FiberPtr;
use crate::fiber::report::say;
use crate::fiber::snapshot::FiberSnapshot;
use crate::fiber::state::{OnDeadlock, State, WaitReason};
use crate::fiber::wait_list;
use crate::sched::core::hooks;
use crate::sched::core::leave;
use crate::sched::core::scheduler::{Scheduler, current_fiber};
use crate::sched::core::work::{self, Borrows};

static ABANDONED: WaitReason = WaitReason::new("abandoned", OnDeadlock::Last);

/// Abandons the running fiber. This call never returns.
#[cold]
#[track_caller]
pub(crate) fn abandon_current(why: &str) -> ! {
    let current = current_fiber();
    carried::go_away(current.fiber);
    current.sched.abandon(current.fiber, why);
    leave::leave_forever(current)
}

impl Scheduler {
    /// Abandons `fiber`: takes it out of all lists, and wakes its joiner with an error. It must not
    /// be in the ring.
    pub(crate) fn abandon(&self, fiber: FiberPtr, why: &str) {
        let picture = FiberSnapshot::of(&fiber, self.now_ms.get());
        let reason = fiber.peek_extra(|extra| extra.kill_reason.clone()).flatten();
        let why = match reason {
            Some(reason) => format!("{why} (it was killed: {reason})"),
            None => why.to_owned(),
        };
        if let Some(lender) = self.lender_of(fiber) {
            say(format_args!(
                "{picture}; it {why}. {lender} lends it borrowed data and cannot be left before it \
                 ends: aborting"
            ));
            std::process::abort();
        }
        say(format_args!("{picture}; it {why}. It never runs again, and its stack is kept"));

        if fiber.state.get() != State::New {
            abandoned::keep_what_it_lent(Some(fiber));
        }
        self.outside.end_external_wait(fiber);
        wait_list::withdraw(fiber);
        fiber.waiting.set(std::ptr::null());
        self.outside.withdraw(fiber);
        self.time.disarm_all(fiber);
        if let Some(observer) = self.observer.get() {
            observer.note_end(self.time.clock.now(), fiber);
        }
        fiber.state.set(State::Abandoned);
        fiber.reason.set(&ABANDONED);
        self.live.set(self.live.get() - 1);
        self.abandoned.set(self.abandoned.get() + 1);
        self.last_parked.set(None);
        if fiber.has_handle.get() {
            let fail = fiber.vtable.fail;
            // SAFETY: the function belongs to this fiber.
            unsafe { fail(fiber, Box::new(JoinError::Abandoned)) };
        }
        hooks::tell(&fiber);
        // For the scope of a job that borrows it does not end, and so keeps what it has lent.
        self.work_ended(fiber);
        if let Some(joiner) = fiber.joiner.take() {
            self.make_ready(joiner);
        }
        self.tell_main();
        if self.main.get() == Some(fiber) {
            self.main.successor.get().into_iter().for_each(|make| make());
        }
    }

    /// Abandons the main fiber, which waits, if it may be. Returns whether it did.
    #[cold]
    pub(crate) fn abandon_main(&self) -> bool {
        let may_be = |main: &FiberPtr| {
            main.state.get() == State::Parked && self.main.successor.get().is_some()
        };
        let main = self.main.get().filter(may_be);
        main.into_iter().for_each(|main| self.abandon(main, "could not be unwound"));
        main.is_some()
    }

    /// Returns the lender of the data that `fiber` borrows, if it may run on and free them.
    fn lender_of(&self, fiber: FiberPtr) -> Option<&'static str> {
        if self.main.get() == Some(fiber) {
            return self.main.successor.get().is_none().then_some("The caller of `run`");
        }
        let borrows = match work::of(&fiber) {
            Some(borrows) => borrows == Borrows::FromAScope,
            None => !fiber.owner.get().is_null(),
        };
        (borrows && !self.is_ending()).then_some("Its scope")
    }
}
