//! What a fiber does when something asks for its attention at a wait: unwind, fail, or go on.
//!
//! | asks | when it can be met | met by |
//! |---|---|---|
//! | kill, cancelled scope | not while unwinding, not inside a shield | an unwind with a private payload |
//! | deadline | always | `Err(TimedOut)` |
//! | deadlock | waits that panic: not while unwinding | `Err(Deadlock)` |
//!
//! Invariants:
//! - A kill is never raised while the thread unwinds: two unwinds at once abort the process.
//!   std tells only whether *some* fiber of the thread unwinds, so a kill may come late: fibers
//!   that have waited on for that reason are woken again when no fiber unwinds any more.
//! - Under `panic = "abort"` nothing unwinds: waits that can fail return `Killed`, others wait on.

use std::fmt;
use std::thread;

use crate::fiber::cancel;
use crate::fiber::exit;
use crate::fiber::header::FiberPtr;
use crate::fiber::snapshot::Deadlock;
use crate::fiber::state::{Attention, OnDeadlock, WaitReason};
use crate::sched::retire;
use crate::sched::scheduler::Here;

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
pub(crate) fn before_wait(here: Here, reason: &'static WaitReason) -> Result<(), Interrupt> {
    let fiber = here.fiber;
    let seen = fiber.attention.get();
    settle(fiber);
    if seen.has(Attention::CANCEL) && cancel::is_pending(&fiber) {
        if thread::panicking() {
            here.sched.kills_deferred.set(true);
        } else {
            raise_if_possible(here, reason)?;
        }
    }
    if seen.has(Attention::DEADLOCK) {
        return fail_with_deadlock(here, reason);
    }
    if seen.has(Attention::TIMEOUT) {
        wait_over(fiber);
        return Err(Interrupt::TimedOut);
    }
    Ok(())
}

/// A yield is a kill point, and nothing else.
#[cold]
#[inline(never)]
pub(crate) fn at_yield(fiber: FiberPtr) {
    settle(fiber);
    checkpoint(fiber);
}

/// Raises a pending kill or cancellation, if it can be raised here.
pub(crate) fn checkpoint(fiber: FiberPtr) {
    if cancel::is_pending(&fiber) && may_unwind() {
        count_raise(fiber);
        exit::raise();
    }
}

/// The wait is over: its deadline and a deadlock no longer matter.
#[cold]
#[inline(never)]
pub(crate) fn wait_over(fiber: FiberPtr) {
    fiber.stubborn.set(false);
    settle(fiber);
}

/// Clears what has been seen, and a cancellation that nothing asks for any more.
fn settle(fiber: FiberPtr) {
    let cancel = if cancel::is_any(&fiber) { Attention::CANCEL } else { Attention::NONE };
    let declined = if fiber.stubborn.get() { Attention::DECLINED } else { Attention::NONE };
    fiber.attention.set(cancel.with(declined));
}

fn raise_if_possible(here: Here, reason: &'static WaitReason) -> Result<(), Interrupt> {
    if cfg!(panic = "abort") {
        let fallible = reason.on_deadlock == OnDeadlock::Fail;
        return if fallible { Err(Interrupt::Killed) } else { Ok(()) };
    }
    count_raise(here.fiber);
    // The wait is over: what belongs to it must not disturb those of the destructors that now run.
    here.fiber.stubborn.set(false);
    here.sched.disarm(here.fiber);
    exit::raise();
}

/// Counts a kill that is about to be raised. A fiber that has caught too many never returns.
fn count_raise(fiber: FiberPtr) {
    fiber.raised.set(fiber.raised.get() + 1);
    if fiber.raised.get() <= MOST_RAISES || !fiber.killed.get() {
        fiber.raised.set(fiber.raised.get().min(MOST_RAISES + 1));
        return;
    }
    retire::give_up();
}

/// Whether a fiber may start to unwind now: not while another one of the thread does.
pub(crate) fn may_unwind() -> bool {
    !thread::panicking() && !cfg!(panic = "abort")
}

fn fail_with_deadlock(here: Here, reason: &'static WaitReason) -> Result<(), Interrupt> {
    let report = here.sched.deadlock.borrow_mut().take();
    let Some(report) = report else { return Ok(()) };
    if reason.on_deadlock == OnDeadlock::Panic && !may_unwind() {
        // A panic would abort. Another wait is asked, and this one goes on.
        here.fiber.stubborn.set(true);
        here.fiber.notice(Attention::DECLINED);
        return Ok(());
    }
    wait_over(here.fiber);
    Err(Interrupt::Deadlock(report))
}

/// At the exit of a scope nothing is raised: the caller passes it on to the children. Returns the
/// report if this wait was chosen to break a deadlock.
#[cold]
#[inline(never)]
pub(crate) fn at_scope_exit(here: Here) -> Option<Box<Deadlock>> {
    let seen = here.fiber.attention.get();
    settle(here.fiber);
    if !seen.has(Attention::DEADLOCK) {
        return None;
    }
    // Killing the children is all that this wait can do: it is not asked twice.
    here.fiber.stubborn.set(true);
    here.sched.deadlock.borrow_mut().take()
}
