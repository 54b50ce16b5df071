//! Nothing can ever run again: which wait fails, and what it is told.
//!
//! The order in which waits are asked to fail:
//! 1. the wait that completed the deadlock (S-167);
//! 2. if a fiber's end completed it, or that wait cannot fail: the main fiber's (S-170);
//! 3. any other, the oldest fiber first;
//! 4. the end of `run`, which gives the rest up.
//!
//! A wait that cannot fail where it stands (a panic while unwinding would abort) says so and is
//! not asked again as long as that holds. If no wait can fail the process is aborted with the report.

use crate::fiber::header::FiberPtr;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::{Attention, OnDeadlock, State};
use crate::sched::dump;
use crate::sched::interrupt;
use crate::sched::scheduler::Scheduler;

impl Scheduler {
    /// Makes one of the waits fail. Called when no fiber can run and nothing outside can wake one.
    #[cold]
    pub(crate) fn break_deadlock(&self) {
        let by_end = self.last_parked.get().is_none();
        let report = || Deadlock { headline: headline(by_end), dump: dump::of(self, REPORTED) };
        let Some(victim) = self.choose_victim() else {
            eprintln!("fibra: {}no wait can fail: aborting", report());
            std::process::abort();
        };
        *self.deadlock.borrow_mut() = Some(Box::new(report()));
        victim.notice(Attention::DEADLOCK);
        self.make_ready(victim);
    }

    fn choose_victim(&self) -> Option<FiberPtr> {
        let main = self.main.get();
        let culprit = self.last_parked.get().filter(|&fiber| can_fail(fiber));
        let others = || {
            let candidates = self.fibers_where(can_fail);
            candidates.first().map(|fiber| fiber.ptr())
        };
        let last = || main.filter(|main| main.reason.get().on_deadlock == OnDeadlock::Last);
        culprit.or_else(|| main.filter(|&fiber| can_fail(fiber))).or_else(others).or_else(last)
    }
}

/// Fibers that a report lists; of a million waiting ones nobody reads more.
const REPORTED: usize = 32;

fn headline(by_end: bool) -> &'static str {
    if by_end {
        "deadlock: the last fiber that could run has ended, and all others wait for each other:"
    } else {
        "deadlock: the last fiber that can run must not wait, for nobody could ever wake it:"
    }
}

fn can_fail(fiber: FiberPtr) -> bool {
    let on_deadlock = fiber.reason.get().on_deadlock;
    // What a wait could not do while some fiber of the thread unwound, it can do now.
    let panics = on_deadlock == OnDeadlock::Panic && interrupt::may_unwind();
    fiber.state.get() == State::Parked
        && on_deadlock != OnDeadlock::Last
        && (panics || !fiber.stubborn.get())
}
