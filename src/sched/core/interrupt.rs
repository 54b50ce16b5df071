//! What a fiber does when something asks for its attention at a wait: unwind, fail, or go on.
//!
//! | asks | when it can be met | met by |
//! |---|---|---|
//! | kill, cancelled scope | not while unwinding, not in a shield | an unwind with a private payload |
//! | bomb: what was thrown at it | as a kill, but in no shield; once | an unwind with the payload |
//! | deadline | always | `Err(TimedOut)` |
//! | deadlock | waits that panic: not while unwinding | `Err(Deadlock)` |
//!
//! Invariants:
//! - A kill is never raised while the thread unwinds: two unwinds at once abort the process.
//!   std tells only whether *some* fiber of the thread unwinds, so a kill may come late: when the
//!   run loop finds that nothing unwinds any more it wakes those whose kill was put off. One exception: in
//!   a region with a time limit that was entered during an unwind, and catches what is raised in it, it is
//!   raised when the limit has passed and nothing else can ever happen (`sched/deadlock/victim.rs`); and then in
//!   the fibers of a scope that was opened in such a region, whose roots catch it. If the fiber has begun a
//!   further unwind inside, that aborts the process, as it would otherwise.
//! - Where nothing can unwind (under `panic = "abort"`, or when `run` itself was called by a
//!   destructor while its thread unwound) waits that can fail return `Killed`, and others wait on
//!   until `run` ends, when they are retired.

use std::fmt;

use crate::fiber::cancel;
use crate::fiber::exit;
use crate::fiber::header::FiberPtr;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::{OnDeadlock, Signals, WaitReason};
use crate::sched::core::abandon;
use crate::sched::core::children::Children;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};
use crate::sched::core::unwinding::{can_unwind, thread_unwinds};

/// A kill that is caught this often does not end its fiber: it is given up.
pub(crate) const MOST_RAISES: u16 = 100;

/// Why a wait ended before what it waited for.
#[derive(Debug)]
pub(crate) enum Interrupt {
    TimedOut,
    Deadlock(Box<Deadlock>),
    /// Only where nothing can unwind.
    Killed,
}

impl Interrupt {
    /// For waits that cannot return an error.
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

/// Looks at what the running fiber must attend to before it waits (again).
#[cold]
#[inline(never)]
pub(crate) fn before_wait(
    current: CurrentFiber,
    reason: &'static WaitReason,
) -> Result<(), Interrupt> {
    let fiber = current.fiber;
    let seen = fiber.signals.get();
    settle(fiber);
    if seen.has(Signals::CANCEL) && is_due(current) && !hogs_the_thread(current) {
        meet_kill(current, reason)?;
    }
    pending_throw::raise_pending(current);
    if seen.has(Signals::DEADLOCK) {
        return fail_with_deadlock(current, reason);
    }
    if seen.has(Signals::TIMEOUT) { Err(Interrupt::TimedOut) } else { Ok(()) }
}

/// Whether [`before_wait`] would not let the wait go on now. For waits that other threads complete:
/// they must be withdrawn before they are interrupted.
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

/// A yield is a kill point, lets a bomb go off, and does nothing else.
#[cold]
#[inline(never)]
pub(crate) fn at_yield(current: CurrentFiber) {
    settle(current.fiber);
    checkpoint(current);
}

/// Raises a pending kill or cancellation, and what was thrown, if it can be raised here.
pub(crate) fn checkpoint(current: CurrentFiber) {
    if is_due(current) {
        let _ = meet_kill(current, &CHECKPOINT);
    }
    pending_throw::raise_pending(current);
}

static CHECKPOINT: WaitReason = WaitReason::new("at a kill point", OnDeadlock::Last);

/// Whether the running fiber has a kill or a cancellation to meet now. One that must be put off
/// because some fiber unwinds is remembered.
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

/// Whether `fiber`, where it waits, is to be interrupted by a time limit that was set while the thread
/// unwound: its own; or one that has ended the scope that it belongs to, so that its whole stack is younger
/// than the limit.
pub(crate) fn is_limit_in_unwind_over(fiber: FiberPtr) -> bool {
    let scope_has_ended = || Children::of(&fiber).is_some_and(|scope| scope.ended_in_unwind.get());
    cancel::is_pending_in_unwind(&fiber) || cancel::is_pending(&fiber) && scope_has_ended()
}

/// Lets a time limit that was set while the thread unwound interrupt `fiber` during that switch, although
/// the thread still does.
pub(crate) fn force(fiber: FiberPtr, switch: u64, sched: &Scheduler) {
    sched.unwinds.forced.set(Some((fiber.id(), switch)));
}

/// Whether the running fiber has caught so many cancellations in one turn that others must run
/// first: it waits, and the next turn wakes it. (A killed fiber cannot catch without end.)
fn hogs_the_thread(current: CurrentFiber) -> bool {
    if current.fiber.killed.get() || current.sched.unwinds.outside_of_run.get() {
        return false;
    }
    let left = current.sched.budget.get().wrapping_sub(1);
    current.sched.budget.set(left);
    current.sched.unwinds.note_put_off(left == 0);
    left == 0
}

/// Whether `fiber` unwinds when it is woken where it waits, if the thread does not unwind then.
pub(crate) fn has_something_to_raise(fiber: FiberPtr) -> bool {
    let pending_throw = fiber.signals.get().has(Signals::THROW) && !cancel::is_shielded(&fiber);
    pending_throw || cancel::is_pending(&fiber)
}

/// What a wait was for has happened: its deadline and a deadlock no longer matter.
#[cold]
#[inline(never)]
pub(crate) fn wait_completed(fiber: FiberPtr) {
    fiber.children_killed.set(false);
    settle(fiber);
}

/// Clears what belongs to one wait only, and a cancellation that nothing asks for any more.
fn settle(fiber: FiberPtr) {
    let cancel = if cancel::is_any(&fiber) { Signals::CANCEL } else { Signals::NONE };
    fiber.signals.set(cancel.with(fiber.signals.get().only(Signals::THROW)));
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
    if current.sched.closing.get() {
        abandon::abandon_current("could not be unwound at the end of `run`");
    }
    Ok(())
}

/// Counts what is raised in a killed fiber. One that has caught too many never returns. The
/// cancellations of its nurseries do not count: they say nothing of how it takes a kill.
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
    // Each failure of a killed fiber counts: it may be one that takes every error for a reason to
    // wait again, and `run` could not end.
    count_raise(current.fiber);
    Err(Interrupt::Deadlock(report))
}

/// At the exit of a scope nothing is raised: the caller passes it on to the children. Returns the
/// report if this wait was chosen to break a deadlock.
#[cold]
#[inline(never)]
pub(crate) fn at_scope_exit(current: CurrentFiber) -> Option<Box<Deadlock>> {
    let seen = current.fiber.signals.get();
    settle(current.fiber);
    if !seen.has(Signals::DEADLOCK) {
        return None;
    }
    // Killing the children is all that this wait can do: it is not asked twice.
    current.fiber.children_killed.set(true);
    current.sched.deadlocks.take_report()
}
