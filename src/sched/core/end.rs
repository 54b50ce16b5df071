//! The root of every fiber's stack: runs the closure, and sees the fiber off.
//!
//! ```text
//!   closure -> output or error -> its generators and greenlets, then its fiber-locals
//!           -> what nothing asks for, generators, greenlets and fiber-locals, what a façade keeps:
//!              again, until none of that has run user code
//!   \______________________________ user code, on the fiber ____________________________/
//!
//!           -> main only: the end of all other fibers -> joiner, scope, main
//!                                                        \_____ plain _____/
//! ```
//!
//! Invariants:
//! - All user code of a fiber runs above this frame, panics of destructors are caught here, and the
//!   fiber counts as ended only after the last of it.
//! - The clean-up is shielded: a kill does not cut the destructor of a fiber-local short.
//! - A panic is carried by whoever joins, or raised again by the scope, or reported here: once.

#![allow(unsafe_code, reason = "calls the type-erased functions of a fiber")]

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::abandoned;
use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::exit::{self, JoinError};
use crate::fiber::extra::Extra;
use crate::fiber::frame;
use crate::fiber::header::{FiberPtr, Header};
use crate::fiber::locals;
use crate::fiber::panic::Panic;
pub(crate) use crate::fiber::report::{AbortOnUnwind, report_lost, say};
use crate::fiber::state::State;
use crate::sched::core::children::Children;
use crate::sched::core::hooks;
use crate::sched::core::scheduler::{Scheduler, scheduler};

/// The function at the base of every fiber's stack. It does not unwind.
pub(crate) fn root(fiber: FiberPtr) {
    let error = run_closure(fiber);
    if error.is_some() || fiber.extra_exists() || !fiber.has_handle.get() {
        clean_up(fiber, error);
    }
    let sched = scheduler().expect("a fiber runs inside `run`");
    sched.see_off(fiber);
}

/// Runs the closure, or only drops it if the fiber may not run.
#[inline(always)]
fn run_closure(fiber: FiberPtr) -> Option<JoinError> {
    if fiber.on_spare.get() || fiber.killed.get() {
        return Some(drop_closure(fiber));
    }
    let run = fiber.vtable.run;
    // SAFETY: the function belongs to this fiber, which runs it once.
    let result = unsafe { run(fiber) };
    result.err().map(|payload| judge(fiber, payload))
}

/// What an unwind that reached the root of `fiber` means for those who join it.
#[cold]
fn judge(fiber: FiberPtr, payload: Box<dyn Any + Send>) -> JoinError {
    if !fiber.killed.get() {
        return JoinError::Panicked(Panic::new(payload));
    }
    // Nearly always the payload of the kill; but a destructor or a `catch_unwind` may have put
    // another in its place, and dropping that is user code.
    cancel::within(fiber, &CancelScope::shield(), || quietly(&fiber, || drop(payload)));
    killed(fiber)
}

/// The error of a fiber that was killed: with the reason, if one was given.
fn killed(fiber: FiberPtr) -> JoinError {
    let reason = fiber.peek_extra(|extra| extra.kill_reason.clone()).flatten();
    reason.map_or(JoinError::Killed, JoinError::KilledFor)
}

#[cold]
fn drop_closure(fiber: FiberPtr) -> JoinError {
    cancel::within(fiber, &CancelScope::shield(), || drop_output(fiber));
    let no_stack = fiber.on_spare.get().then(|| fiber.with_extra(|extra| extra.no_stack.take()));
    no_stack.flatten().map_or_else(|| killed(fiber), JoinError::NoStack)
}

/// Drops what the fiber owns and what nothing will ask for. On the main fiber, ends all others.
#[inline(never)]
fn clean_up(fiber: FiberPtr, error: Option<JoinError>) {
    let is_main = scheduler().is_some_and(|sched| sched.main.get() == Some(fiber));
    cancel::within(fiber, &CancelScope::shield(), || {
        drop_what_it_owns(fiber);
        settle(fiber, error.map_or(Left::Output, Left::Error));
        if !is_main {
            close_frame(fiber);
        }
    });
    // After the last user code of the main fiber: nothing can be spawned behind this.
    if is_main {
        let sched = scheduler().expect("a fiber runs inside `run`");
        let last_duty = sched.main.last_duty.get().expect("`run` sets it before main starts");
        last_duty();
    }
}

/// What a fiber leaves to its joiner.
enum Left {
    /// Its output, in its record.
    Output,
    Error(JoinError),
    /// It was dropped or reported, because nothing can ask for it.
    Nothing,
}

/// Leaves the outcome of the running fiber to its handle, or drops it if there is none, and lets go of
/// what a façade keeps for the fiber.
///
/// Each of these steps may run user code, which may drop the handle and make new values: so every
/// question is asked anew after it, until a round has run none.
fn settle(fiber: FiberPtr, mut left: Left) {
    if let Left::Error(JoinError::Panicked(_)) = left {
        if let Some(children) = Children::of(&fiber) {
            children.note_failure();
        }
    }
    let is_settled = (0..MOST_ROUNDS).any(|_| {
        if !fiber.has_handle.get() {
            drop_left(fiber, &mut left);
        }
        drop_what_it_owns(fiber);
        !leave_facade(fiber) && (fiber.has_handle.get() || matches!(left, Left::Nothing))
    });
    if !is_settled {
        leak_what_it_owns(fiber);
    }
    if let Left::Error(error) = left {
        let fail = fiber.vtable.fail;
        // SAFETY: the function belongs to this fiber, whose closure is gone: the stage is empty.
        unsafe { fail(fiber, Box::new(error)) };
    }
}

/// Drops what nothing will ask for: user code.
fn drop_left(fiber: FiberPtr, left: &mut Left) {
    match std::mem::replace(left, Left::Nothing) {
        Left::Output => drop_output(fiber),
        Left::Error(error) => give_up_error(&fiber, error),
        Left::Nothing => {}
    }
}

/// Leaves what destructors of the running fiber make without end where it is, forever.
#[cold]
pub(crate) fn leak_what_it_owns(fiber: FiberPtr) {
    say(format_args!(
        "{}: the destructors of what it leaves make new values without end: leaked",
        describe(&fiber)
    ));
    let leaked = fiber.with_extra(|extra| (extra.identity.take(), extra.pending_throw.take()));
    std::mem::forget(leaked);
    leak_locals();
    // An output that has lost its handle just now stays in the record.
    std::mem::forget(fiber.to_ref());
}

/// Ends the life of the frame of `fiber`, whose user code is over. Later code on it finds none.
pub(crate) fn close_frame(fiber: FiberPtr) {
    if frame::of_fiber(fiber).is_some() {
        frame::close_for_good(fiber);
    }
}

/// Unwinds the generators and greenlets of the running fiber, then drops its fiber-locals, to which
/// those may hold references. Destructors may make new ones of both; those that do it without end
/// are stopped.
fn drop_what_it_owns(fiber: FiberPtr) {
    for _ in 0..MOST_ROUNDS {
        unwind_coroutines(fiber);
        if let Some(frame) = frame::of_fiber(fiber) {
            quietly(&fiber, || frame.drop_extension());
        }
        drop_locals(fiber);
        // The last local's destructor may have made the fiber's first frame.
        if frame::of_fiber(fiber).is_none_or(|frame| frame.is_empty()) && locals::count() == 0 {
            return;
        }
    }
    if let Some(frame) = frame::of_fiber(fiber) {
        frame.abandon();
    }
    leak_locals();
}

/// Keeps the fiber-locals of the running fiber forever.
fn leak_locals() {
    std::iter::from_fn(locals::take_youngest).for_each(std::mem::forget);
}

fn unwind_coroutines(fiber: FiberPtr) {
    if let Some(frame) = frame::of_fiber(fiber) {
        frame.unwind_all();
    }
}

/// Rounds of dropping what destructors have made meanwhile.
const MOST_ROUNDS: usize = 100;

/// Drops what user code that runs late on the main fiber, after its clean-up, leaves.
pub(crate) fn clean_up_again(main: FiberPtr) {
    settle(main, Left::Nothing);
}

/// Whether the running fiber owns nothing whose destructor is user code.
pub(crate) fn owns_nothing(fiber: FiberPtr) -> bool {
    let no_facade = |extra: &Extra| extra.identity.is_none() && extra.pending_throw.is_none();
    locals::count() == 0
        && frame::of_fiber(fiber).is_none_or(|frame| frame.is_empty())
        && fiber.peek_extra(no_facade).unwrap_or(true)
}

/// Lets go of what a façade keeps for `fiber`, which is about to end, and of what was thrown at it.
/// Returns whether there was anything: user code has run then.
pub(crate) fn leave_facade(fiber: FiberPtr) -> bool {
    if fiber.peek_extra(|extra| extra.identity.is_none() && extra.pending_throw.is_none())
        != Some(false)
    {
        return false;
    }
    let (identity, pending_throw) =
        fiber.with_extra(|extra| (extra.identity.take(), extra.pending_throw.take()));
    quietly(&fiber, || match identity {
        Some(identity) => identity.ended(pending_throw, fiber.killed.get()),
        None => drop(pending_throw),
    });
    true
}

/// Drops the fiber-locals of the running fiber, the youngest first. A destructor may use others,
/// and so make new ones; one that makes another of its own kind each time is stopped.
///
/// If a stack of the fiber was given up, the locals that exist now are leaked: they may be borrowed.
fn drop_locals(fiber: FiberPtr) {
    let mut left = locals::count() + MOST_LATE_LOCALS;
    // Before each: the destructor of the one before may have started a generator that refers to it.
    while let Some(local) = {
        unwind_coroutines(fiber);
        locals::take_youngest()
    } {
        if abandoned::has_lent(fiber) {
            std::mem::forget(local);
            continue;
        }
        if left == 0 {
            say(format_args!(
                "{}: the destructors of its fiber-locals make new ones without end: leaked",
                describe(&fiber)
            ));
            std::mem::forget(local);
            return leak_locals();
        }
        left -= 1;
        quietly(&fiber, || drop(local));
    }
}

/// Fiber-locals that the destructors of a fiber's locals may make.
const MOST_LATE_LOCALS: usize = 1_000;

/// An error that nobody will join: the scope raises it again, or it is reported.
pub(crate) fn give_up_error(fiber: &Header, error: JoinError) {
    match (error, Children::of(fiber)) {
        (JoinError::Panicked(panic), Some(children)) => {
            if let Some(second) = children.keep_panic(panic.into_payload()) {
                report_unjoined(fiber, second);
            }
        }
        (JoinError::Panicked(panic), None) => report_unjoined(fiber, panic.into_payload()),
        (JoinError::NoStack(error), _) => {
            say(format_args!("{} could not get a stack and did not run: {error}", describe(fiber)));
        }
        _ => {}
    }
}

/// Drops the closure or the output, whichever is there.
pub(crate) fn drop_output(fiber: FiberPtr) {
    quietly(&fiber, || {
        let clear = fiber.vtable.clear;
        // SAFETY: the function belongs to this fiber.
        unsafe { clear(fiber) }
    });
}

/// Runs a destructor of `fiber`. A panic in it is reported, for there is nobody to carry it.
pub(crate) fn quietly(fiber: &Header, f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        if !exit::is_unwind(&*payload) {
            report_lost(format_args!("a destructor of {} panicked", describe(fiber)), payload);
        }
    }
}

#[cold]
fn report_unjoined(fiber: &Header, payload: Box<dyn Any + Send>) {
    report_lost(format_args!("{} panicked and no one joined it", describe(fiber)), payload);
}

/// "fiber 'parser' (#3)", or "fiber #3".
pub(crate) fn describe(fiber: &Header) -> String {
    match fiber.peek_extra(|extra| extra.name.clone()).flatten() {
        Some(name) => format!("fiber '{name}' ({})", fiber.id()),
        None => format!("fiber {}", fiber.id()),
    }
}

impl Scheduler {
    /// The fiber has ended: tells those who wait for that. From here on it runs no user code.
    #[inline]
    fn see_off(&self, fiber: FiberPtr) {
        fiber.state.set(State::Finished);
        self.last_parked.set(None);
        hooks::tell(&fiber);
        let live = self.live.get() - 1;
        self.live.set(live);
        if let Some(joiner) = fiber.joiner.take() {
            self.make_ready(joiner);
        }
        if let Some(children) = Children::of(&fiber) {
            children.one_ended(self);
        }
        if live == 0 {
            self.main_ended.set(true);
        } else if live == 1 {
            self.tell_main();
        }
    }
}
