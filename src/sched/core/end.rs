//! The root function of every fiber's stack, which runs the closure and ends the fiber.
//!
//! ```text
//!   closure -> output or error -> its generators and greenlets, then its fiber-locals
//!           -> the unjoined result, generators, greenlets, fiber-locals, the façade's record:
//!              again, until none of that has run user code
//!   \______________________________ user code, on the fiber ____________________________/
//!
//!           -> main only: the end of all other fibers -> joiner, scope, main
//!                                                        \_____ plain _____/
//! ```
//!
//! Invariants:
//! - All user code of a fiber runs above the frame of [`root`]. Panics of destructors are caught in
//!   this file, and the fiber counts as ended only after the last user code.
//! - The clean-up is shielded: a kill does not interrupt the destructor of a fiber-local.
//! - A panic reaches one receiver: the joiner, or the scope, which raises it again, or the report
//!   of this file.

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
use crate::fiber::state::{FirstTurn, State};
use crate::sched::core::children::Children;
use crate::sched::core::hooks;
use crate::sched::core::observe;
use crate::sched::core::scheduler::{Scheduler, scheduler};

/// Runs the closure of `fiber` and ends it. It is at the base of every fiber's stack, and does not
/// unwind.
pub(crate) fn root(fiber: FiberPtr) {
    if !fiber.first_turn.get().is_none() || fiber.killed.get() {
        run_specially(fiber);
    } else {
        let run = fiber.vtable.run;
        // SAFETY: the function belongs to this fiber, which runs it once.
        match unsafe { run(fiber) } {
            Ok(()) if !fiber.extra_exists() && fiber.has_handle.get() => {}
            Ok(()) => clean_up_after_return(fiber),
            Err(payload) => clean_up_after_unwind(fiber, payload),
        }
    }
    let sched = scheduler().expect("a fiber runs inside `run`");
    sched.see_off(fiber);
}

#[inline(never)]
fn clean_up_after_return(fiber: FiberPtr) {
    clean_up(fiber, None);
}

/// Cleans up after a closure that has unwound with `payload`. Apart from [`root`], whose frame
/// would otherwise have room for the error.
#[cold]
#[inline(never)]
fn clean_up_after_unwind(fiber: FiberPtr, payload: Box<dyn Any + Send>) {
    let error = judge(fiber, payload);
    clean_up(fiber, Some(error));
}

/// Drops the closure if the fiber may not run it, or runs it between calls of the hooks, and cleans
/// up.
#[cold]
#[inline(never)]
fn run_specially(fiber: FiberPtr) {
    let error = if fiber.first_turn.get().has(FirstTurn::ON_SPARE) || fiber.killed.get() {
        Some(drop_closure(fiber))
    } else {
        let run = fiber.vtable.run;
        // SAFETY: the function belongs to this fiber, which runs it once.
        let result = observe::run(fiber, || unsafe { run(fiber) });
        result.err().map(|payload| judge(fiber, payload))
    };
    observe::tell_end(fiber);
    if error.is_some() || fiber.extra_exists() || !fiber.has_handle.get() {
        clean_up(fiber, error);
    }
}

/// Returns the error for the joiner of `fiber`, whose closure has unwound with `payload`.
#[cold]
fn judge(fiber: FiberPtr, payload: Box<dyn Any + Send>) -> JoinError {
    if !fiber.killed.get() {
        return JoinError::Panicked(Panic::new(payload).of_fiber(&fiber));
    }
    // This is nearly always the payload of the kill. But a destructor or a `catch_unwind` may have
    // replaced it, and dropping the other one is user code.
    cancel::within(fiber, &CancelScope::shield(), || quietly(&fiber, || drop(payload)));
    killed(fiber)
}

/// Returns the error of a fiber that was killed, with the reason if one was given.
fn killed(fiber: FiberPtr) -> JoinError {
    let reason = fiber.peek_extra(|extra| extra.kill_reason.clone()).flatten();
    reason.map_or(JoinError::Killed, JoinError::KilledFor)
}

#[cold]
fn drop_closure(fiber: FiberPtr) -> JoinError {
    cancel::within(fiber, &CancelScope::shield(), || drop_output(fiber));
    let no_stack = fiber
        .first_turn
        .get()
        .has(FirstTurn::ON_SPARE)
        .then(|| fiber.with_extra(|extra| extra.no_stack.take()));
    no_stack.flatten().map_or_else(|| killed(fiber), JoinError::NoStack)
}

/// Drops the values that the fiber owns, and its result if nothing can join it. On the main fiber,
/// ends all others after that.
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
    // After the last user code of the main fiber, so that it can spawn nothing after this.
    if is_main {
        let sched = scheduler().expect("a fiber runs inside `run`");
        let last_duty = sched.main.last_duty.get().expect("`run` sets it before main starts");
        last_duty();
    }
}

/// The result that a fiber leaves to its joiner.
enum Left {
    /// Its output, in its record.
    Output,
    Error(JoinError),
    /// It was dropped or reported, because nothing can ask for it.
    Nothing,
}

/// Leaves the result of the running fiber to its handle, or drops it if there is none, and ends the
/// façade's record of the fiber.
///
/// Each of these steps may run user code, which may drop the handle and create new values. So all
/// of them are repeated, until a round has run no user code.
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

/// Drops a result that nothing will join: user code.
fn drop_left(fiber: FiberPtr, left: &mut Left) {
    match std::mem::replace(left, Left::Nothing) {
        Left::Output => drop_output(fiber),
        Left::Error(error) => give_up_error(&fiber, error),
        Left::Nothing => {}
    }
}

/// Leaks the values of the running fiber, whose destructors create new values without end.
#[cold]
pub(crate) fn leak_what_it_owns(fiber: FiberPtr) {
    say(format_args!(
        "{}: the destructors of its values create new values without end: leaked",
        describe(&fiber)
    ));
    let leaked = fiber.with_extra(|extra| (extra.identity.take(), extra.pending_throw.take()));
    std::mem::forget(leaked);
    leak_locals();
    // An output that has just lost its handle stays in the record.
    std::mem::forget(fiber.to_ref());
}

/// Closes the frame of `fiber`, whose user code is over, if it has one. Later code on the fiber
/// finds no frame.
pub(crate) fn close_frame(fiber: FiberPtr) {
    if frame::of_fiber(fiber).is_some() {
        frame::close_for_good(fiber);
    }
}

/// Unwinds the generators and greenlets of the running fiber, then drops its fiber-locals, to which
/// those may hold references. Destructors may create new ones of both. If they do so without end,
/// the last ones are abandoned and leaked.
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

/// The greatest number of rounds of dropping values that destructors have created meanwhile.
const MOST_ROUNDS: usize = 100;

/// Drops the values of user code that has run late on the main fiber, after its clean-up.
pub(crate) fn clean_up_again(main: FiberPtr) {
    settle(main, Left::Nothing);
}

/// Returns whether the running fiber owns nothing whose destructor is user code.
pub(crate) fn owns_nothing(fiber: FiberPtr) -> bool {
    let no_facade = |extra: &Extra| extra.identity.is_none() && extra.pending_throw.is_none();
    locals::count() == 0
        && frame::of_fiber(fiber).is_none_or(|frame| frame.is_empty())
        && fiber.peek_extra(no_facade).unwrap_or(true)
}

/// Ends the façade's record of `fiber`, which is about to end, and drops its pending throw. Returns
/// whether there was either: user code has run then.
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
/// and so create new ones. If destructors create more than [`MOST_LATE_LOCALS`], the rest are
/// leaked.
///
/// If a stack of the fiber was abandoned, its fiber-locals are leaked: they may be borrowed.
fn drop_locals(fiber: FiberPtr) {
    let mut left = locals::count() + MOST_LATE_LOCALS;
    // Unwind before each of them: the destructor of the one before may have started a generator
    // that refers to the next one.
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
                "{}: the destructors of its fiber-locals create new ones without end: leaked",
                describe(&fiber)
            ));
            std::mem::forget(local);
            return leak_locals();
        }
        left -= 1;
        quietly(&fiber, || drop(local));
    }
}

/// The greatest number of fiber-locals that the destructors of a fiber's locals may create.
const MOST_LATE_LOCALS: usize = 1_000;

/// Passes the error of a fiber that nothing will join to its scope, which raises it again, or
/// reports it.
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

/// Drops the closure or the output, whichever the fiber has.
pub(crate) fn drop_output(fiber: FiberPtr) {
    quietly(&fiber, || {
        let clear = fiber.vtable.clear;
        // SAFETY: the function belongs to this fiber.
        unsafe { clear(fiber) }
    });
}

/// Runs a destructor of `fiber`. A panic in it is reported, because no caller can receive it.
pub(crate) fn quietly(fiber: &Header, f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        if !exit::is_unwind(&*payload) {
            report_lost(format_args!("a destructor of {} panicked", describe(fiber)), payload);
        }
    }
}

/// Reports the panic of `fiber`, which no caller can receive.
#[cold]
pub(crate) fn report_unjoined(fiber: &Header, payload: Box<dyn Any + Send>) {
    let (title, place) = (describe(fiber), fiber.spawned_at);
    report_lost(format_args!("{title}, spawned at {place}, panicked and was not joined"), payload);
}

/// Returns a description of a fiber: "fiber 'parser' (#3)", or "fiber #3".
pub(crate) fn describe(fiber: &Header) -> String {
    match fiber.peek_extra(|extra| extra.name.clone()).flatten() {
        Some(name) => format!("fiber '{name}' ({})", fiber.id()),
        None => format!("fiber {}", fiber.id()),
    }
}

impl Scheduler {
    /// Marks `fiber` as ended, calls its hooks, and wakes its joiner and its scope. It runs no user
    /// code from here on.
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
        if !fiber.owner.get().is_null() {
            match Children::of(&fiber) {
                Some(children) => children.one_ended(self),
                None => self.work_ended(fiber),
            }
        }
        if live == 0 {
            self.main_ended.set(true);
        } else if live == 1 {
            self.tell_main();
        }
    }
}
