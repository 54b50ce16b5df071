//! The reaction of a wait to the signals of its fiber: it unwinds, fails, or goes on.
//!
//! | signal | when the wait reacts | reaction |
//! |---|---|---|
//! | kill, cancelled scope | not while unwinding, not in a shield | unwind with a private payload |
//! | pending throw | like a kill, but never in a shield; once | unwind with its payload |
//! | deadline | always | `Err(TimedOut)` |
//! | deadlock | waits that panic: not while unwinding | `Err(Deadlock)` |
//!
//! A fiber whose [contexts](crate::fiber::carried) are off the thread gets them back before
//! anything is raised in it.
//!
//! Invariants:
//! - A kill is never raised while the thread unwinds, because two unwinds at the same time abort
//!   the process. std reports only whether *some* fiber of the thread unwinds, so a kill may be
//!   raised late: when the run loop finds that nothing unwinds any more, it wakes the fibers whose
//!   kill was put off. There is one exception: a region with a time limit that was entered during
//!   an unwind, and catches everything that is raised in it. There a kill is raised when the limit
//!   has passed and no fiber can ever run again (`sched/deadlock/victim.rs`); and then in the
//!   fibers of a scope that was opened in such a region, whose roots catch it. If the fiber has
//!   begun a further unwind inside the region, the process is aborted, like by any panic during an
//!   unwind.
//! - Where nothing can unwind (under `panic = "abort"`, or when a destructor called `run` itself
//!   while its thread unwound), waits that can fail return `Killed`, and others go on waiting until
//!   `run` ends, or the runtime of a job, when their fibers are abandoned.

use std::fmt;

use crate::fiber::cancel;
use crate::fiber::carried;
use crate::fiber::exit;
use crate::fiber::header::FiberPtr;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::{OnDeadlock, Signals, WaitReason};
use crate::sched::core::abandon;
use crate::sched::core::carry;
use crate::sched::core::children::Children;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};
use crate::sched::core::unwinding::{can_unwind, thread_unwinds};

/// The number of kills that a fiber may catch. One that catches more is abandoned.
pub(crate) const MOST_RAISES: u16 = 100;

/// The reason for which a wait ended early.
#[derive(Debug)]
pub(crate) enum Interrupt {
    TimedOut,
    Deadlock(Box<Deadlock>),
    /// Only where nothing can unwind.
    Killed,
}

impl Interrupt {
    /// Panics with the report of a deadlock, for waits that cannot return an error.
    #[cold]
    #[track_caller]
    pub(crate) fn into_panic(self) -> ! {
        match self {
            Interrupt::Deadlock(report) => panic!("{report}"),
            other => unreachable!("this wait has no deadline and is not fallible: {other}"),
        }
    }
}

impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interrupt::TimedOut => f.write_str("timed out"),
            Interrupt::Deadlock(report) => report.fmt(f),
            Interrupt::Killed => f.write_str("killed"),
        }
    }
}

/// Reacts to the signals of the running fiber before it waits (again), and takes its contexts off
/// the thread. Returns whether that has run user code: then the condition of the wait may hold by
/// now, although nothing has woken the fiber.
#[cold]
#[inline(never)]
#[track_caller]
pub(crate) fn before_wait(
    current: CurrentFiber,
    reason: &'static WaitReason,
) -> Result<bool, Interrupt> {
    let has_run_code = carry::go_away(current, reason);
    react(current, reason)?;
    Ok(has_run_code)
}

/// Reacts to the signals of the running fiber like [`before_wait`], for callers that have called
/// [`carry::go_away`], or that do not wait now.
#[cold]
#[inline(never)]
pub(crate) fn react(current: CurrentFiber, reason: &'static WaitReason) -> Result<(), Interrupt> {
    let fiber = current.fiber;
    let is_away = fiber.signals.get().has(Signals::AWAY);
    if is_away && is_coming(current, reason) {
        carried::come_back(fiber);
    }
    let seen = fiber.signals.get();
    settle(fiber);
    if seen.has(Signals::CANCEL) && is_due(current) && !hogs_the_thread(current) {
        meet_kill(current, reason)?;
    }
    pending_throw::raise_pending(current);
    if seen.has(Signals::DEADLOCK) {
        return fail_with_deadlock(current, reason);
    }
    if seen.has(Signals::TIMEOUT) {
        return Err(Interrupt::TimedOut);
    }
    if is_away {
        // Nothing was raised in the end.
        carried::go_away(fiber);
    }
    Ok(())
}

/// Returns whether [`before_wait`] would interrupt the wait now. This is for waits that other
/// threads complete: they must be withdrawn before they are interrupted.
#[cold]
#[inline(never)]
pub(crate) fn is_coming(current: CurrentFiber, reason: &'static WaitReason) -> bool {
    let seen = current.fiber.signals.get();
    // Where nothing can unwind only waits that can fail notice a kill.
    let meets_kills = || can_unwind(&current.sched) || reason.on_deadlock == OnDeadlock::Fail;
    seen.has(Signals::TIMEOUT)
        || seen.has(Signals::CANCEL) && meets_kills() && is_due(current)
        || pending_throw::may_raise(current)
        || seen.has(Signals::DEADLOCK) && current.sched.deadlocks.is_pending()
}

/// Reacts to signals at a yield: it raises a kill, a cancellation or a pending throw, and nothing
/// else.
#[cold]
#[inline(never)]
pub(crate) fn at_yield(current: CurrentFiber) {
    settle(current.fiber);
    checkpoint(current);
}

/// Raises a pending kill, cancellation or throw, if it can be raised at this place.
pub(crate) fn checkpoint(current: CurrentFiber) {
    if is_due(current) {
        let _ = meet_kill(current, &CHECKPOINT);
    }
    pending_throw::raise_pending(current);
}

static CHECKPOINT: WaitReason = WaitReason::new("at a kill point", OnDeadlock::Last);

/// Returns whether a kill or a cancellation of the running fiber must be raised now. One that must
/// be put off because some fiber unwinds is recorded.
pub(crate) fn is_due(current: CurrentFiber) -> bool {
    if !cancel::is_pending(&current.fiber) {
        return false;
    }
    let forced = current.sched.unwinds.forced.get()
        == Some((current.fiber.id(), current.sched.switches.get()))
        && is_limit_in_unwind_over(current.fiber);
    let put_off = can_unwind(&current.sched) && thread_unwinds() && !forced;
    current.sched.unwinds.note_put_off(put_off);
    !put_off
}

/// Returns whether the wait of `fiber` must be interrupted by a time limit that was set while the
/// thread unwound: its own; or one that has ended the scope to which the fiber belongs, so that the
/// whole stack of the fiber is younger than the limit.
pub(crate) fn is_limit_in_unwind_over(fiber: FiberPtr) -> bool {
    let scope_has_ended = || Children::of(&fiber).is_some_and(|scope| scope.ended_in_unwind.get());
    cancel::is_pending_in_unwind(&fiber) || cancel::is_pending(&fiber) && scope_has_ended()
}

/// Lets a time limit that was set while the thread unwound interrupt `fiber` during that switch,
/// although the thread still unwinds.
pub(crate) fn force(fiber: FiberPtr, switch: u64, sched: &Scheduler) {
    sched.unwinds.forced.set(Some((fiber.id(), switch)));
}

/// Returns whether the running fiber has caught so many cancellations in one turn that others must
/// run first. It waits then, and the next turn wakes it. (A killed fiber cannot catch without end.)
fn hogs_the_thread(current: CurrentFiber) -> bool {
    if current.fiber.killed.get() || current.sched.unwinds.outside_of_run.get() {
        return false;
    }
    let left = current.sched.budget.get().wrapping_sub(1);
    current.sched.budget.set(left);
    current.sched.unwinds.note_put_off(left == 0);
    left == 0
}

/// Returns whether `fiber` unwinds when its wait is woken, provided that the thread does not unwind
/// then.
pub(crate) fn has_something_to_raise(fiber: FiberPtr) -> bool {
    let throw = fiber.signals.get().has(Signals::THROW) && !cancel::is_shielded(&fiber);
    throw || cancel::is_pending(&fiber)
}

/// Clears the signals of a wait that has completed: its deadline and a deadlock no longer matter.
/// Puts the contexts of the fiber back onto the thread.
#[cold]
#[inline(never)]
pub(crate) fn wait_completed(fiber: FiberPtr) {
    fiber.children_killed.set(false);
    settle(fiber);
    carried::come_back(fiber);
}

/// Clears the signals that belong to one wait only, and that of a cancellation if neither the fiber
/// nor any of its scopes is cancelled any more.
fn settle(fiber: FiberPtr) {
    let cancel = if cancel::is_any(&fiber) { Signals::CANCEL } else { Signals::NONE };
    fiber.signals.set(cancel.with(fiber.signals.get().lasting()));
}

fn meet_kill(current: CurrentFiber, reason: &'static WaitReason) -> Result<(), Interrupt> {
    if can_unwind(&current.sched) {
        count_raise(current.fiber);
        exit::raise();
    }
    if reason.on_deadlock == OnDeadlock::Fail {
        count_raise(current.fiber);
        return Err(Interrupt::Killed);
    }
    if current.sched.is_ending(current.fiber) {
        abandon::abandon_current("could not be unwound at the end of `run`");
    }
    Ok(())
}

/// Counts the kills that are raised in a killed fiber, and abandons a fiber that has caught too
/// many of them. The cancellations of its nurseries before the kill do not count.
fn count_raise(fiber: FiberPtr) {
    if !fiber.killed.get() {
        return;
    }
    fiber.raised.set(fiber.raised.get() + 1);
    if MOST_RAISES < fiber.raised.get() {
        abandon::abandon_current("caught every kill and went on waiting");
    }
}

fn fail_with_deadlock(current: CurrentFiber, reason: &'static WaitReason) -> Result<(), Interrupt> {
    let report = current.sched.deadlocks.take_report();
    let Some(report) = report else { return Ok(()) };
    debug_assert!(reason.on_deadlock != OnDeadlock::Panic || !thread_unwinds());
    // Each failure of a killed fiber counts: the fiber may wait again after every error, and `run`
    // could not end.
    count_raise(current.fiber);
    Err(Interrupt::Deadlock(report))
}

/// Clears the signals at the exit of a scope, where nothing is raised: the caller passes a kill on
/// to the children. Returns the report if this wait was chosen to break a deadlock.
#[cold]
#[inline(never)]
pub(crate) fn at_scope_exit(current: CurrentFiber) -> Option<Box<Deadlock>> {
    let seen = current.fiber.signals.get();
    settle(current.fiber);
    if !seen.has(Signals::DEADLOCK) {
        return None;
    }
    // This wait can only kill the children, so it is not chosen twice.
    current.fiber.children_killed.set(true);
    current.sched.deadlocks.take_report()
}
