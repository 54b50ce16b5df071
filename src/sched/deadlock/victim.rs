//! The choice of the wait that fails when nothing can ever run again, and the report that it gets.
//!
//! No wait fails if one of these fibers can resume instead: one that waits until no other fiber can
//! run; the main fiber, if it has left the ring; or one in a destructor that runs because of an
//! unwind, if a time limit that it has set in the destructor has passed. Otherwise the first of
//! these waits that can fail does:
//! 1. the wait that completed the deadlock, unless its fiber was also the last victim and since
//!    then only that fiber has run, once (then main's fails; but a tasklet's wait fails each time);
//! 2. the main fiber's, also if the end of a fiber completed the deadlock;
//! 3. any other, the oldest fiber first;
//! 4. the wait at the end of `run`, which abandons the rest.
//!
//! A wait that fails by panicking is not chosen while any fiber of the thread unwinds, because the
//! panic might abort the process. If no wait can fail, a guest abandons its main fiber; otherwise
//! the process is aborted with the report.

use std::thread;

use crate::fiber::header::{FiberPtr, FiberRef};
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::{OnDeadlock, Signals, State};
use crate::sched::core::caller::is_resting;
use crate::sched::core::end;
use crate::sched::core::interrupt;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::core::unwinding;
use crate::sched::deadlock::dump;
use crate::sched::deadlock::lock_graph::LockGraph;

impl Scheduler {
    /// Makes one of the waits fail. Called when no fiber can run and nothing outside can wake one.
    #[cold]
    pub(crate) fn break_deadlock(&self) {
        if self.wake_floating() || self.end_a_limit_in_unwind() {
            return;
        }
        if self.last_parked.get().is_some_and(is_resting) {
            // It has called a waker, and counts as a fiber that has ended.
            self.last_parked.set(None);
        }
        let by_end = self.last_parked.get().is_none();
        let dump = dump::of(self, REPORTED);
        let Some(victim) = self.choose_victim() else {
            if self.abandon_main() {
                return;
            }
            end::say(format_args!("deadlock, and no wait can fail: aborting\n{dump}"));
            std::process::abort();
        };
        let cycle = LockGraph::of(self).cycle(&victim.to_ref());
        let victim_name = end::describe(&victim);
        let report = Deadlock { by_end, others_live: false, victim: victim_name, dump, cycle };
        self.deadlocks.fail(victim.id(), self.switches.get(), report);
        victim.signal(Signals::DEADLOCK);
        self.make_ready(victim);
    }

    /// Resumes a fiber whose time limit, inside a destructor that runs because of an unwind, has
    /// passed; or a fiber of a scope that such a limit has ended. Returns whether there was one.
    fn end_a_limit_in_unwind(&self) -> bool {
        // Otherwise such a fiber has already reacted to its limit, or never will.
        if !unwinding::can_unwind(self) || !thread::panicking() {
            return false;
        }
        // The exit of a scope only passes the limit on to the scope's children, and once is enough.
        let has_passed_it_on = |fiber: FiberPtr| {
            fiber.reason.get().on_deadlock == OnDeadlock::KillChildren
                && fiber.children_killed.get()
        };
        let due = |fiber: FiberPtr| {
            fiber.state.get() == State::Parked
                && interrupt::is_limit_in_unwind_over(fiber)
                && !has_passed_it_on(fiber)
        };
        let Some(fiber) = self.fibers_where(due).first().map(FiberRef::ptr) else { return false };
        interrupt::force(fiber, self.switches.get().wrapping_add(1), self);
        fiber.signal(Signals::CANCEL);
        self.make_ready(fiber);
        true
    }

    fn choose_victim(&self) -> Option<FiberPtr> {
        let main = self.main.get();
        // A fiber that failed, ran once and waits again might be chosen forever. So main's wait
        // fails instead, and main may end.
        let (last_victim, then) = self.deadlocks.last_victim();
        let ran_once = self.switches.get() <= then + 1;
        let again = |fiber: FiberPtr| ran_once && last_victim == Some(fiber.id());
        let insists = |fiber: FiberPtr| again(fiber) && !fiber.reason.get().each_time;
        let culprit =
            self.last_parked.get().filter(|&fiber| self.can_fail(fiber) && !insists(fiber));
        let others = || {
            let candidates = self.fibers_where(|fiber| self.can_fail(fiber));
            let first = candidates.iter().find(|fiber| !again(fiber.ptr()));
            first.or(candidates.first()).map(FiberRef::ptr)
        };
        let last = || main.filter(|main| main.reason.get().on_deadlock == OnDeadlock::Last);
        let main_fails = || main.filter(|&fiber| self.can_fail(fiber));
        culprit.or_else(main_fails).or_else(others).or_else(last)
    }

    pub(crate) fn can_fail(&self, fiber: FiberPtr) -> bool {
        fiber.state.get() == State::Parked
            && match fiber.reason.get().on_deadlock {
                OnDeadlock::Fail => true,
                // The fiber itself will find the same, because no other fiber runs before it.
                OnDeadlock::Panic => unwinding::can_unwind(self) && !thread::panicking(),
                OnDeadlock::IfLast => {
                    self.last_parked.get() == Some(fiber)
                        && unwinding::can_unwind(self)
                        && !thread::panicking()
                }
                OnDeadlock::KillChildren => !fiber.children_killed.get(),
                OnDeadlock::Last => false,
            }
    }
}

/// The most fibers that a report lists: a report of a million waiting fibers would be unreadable.
pub(crate) const REPORTED: usize = 32;
