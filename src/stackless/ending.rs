//! The end of a tasklet: silent, or with an error that goes to the innermost `run()` or to main.
//!
//! ```text
//!   function -> returned, TaskletExit -> the next tasklet in the run ring
//!            -> fibra's own kill      -> unwinds on to the root of the fiber
//!            -> any other payload     -> error handler -> returns: the error is dropped
//!                                                      -> panics: that panic is the error
//!                                     -> pending throw for the innermost run() or main: next
//! ```
//!
//! Invariants:
//! - All of this happens on the ending tasklet's fiber: `getcurrent()` is that tasklet.
//! - An error is never lost silently: if no tasklet can raise it, it is reported.

use std::panic::{self, AssertUnwindSafe};

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::exit;
use crate::fiber::identity::Payload;
use crate::fiber::report;
use crate::sched::core::end;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::stackless::error::TaskletExit;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// Runs as the closure of a tasklet's fiber: calls `f`, unless a payload was thrown into the
/// tasklet before it ran for the first time.
pub(crate) fn root<F: FnOnce()>(f: F) {
    let outcome = match pending_throw::disarm(current_fiber().fiber) {
        Some(thrown) => match drop_unrun(f) {
            Ok(()) => Err(thrown),
            Err(panicked) => {
                report::drop_payload(thrown);
                Err(panicked)
            }
        },
        None => panic::catch_unwind(AssertUnwindSafe(f)),
    };
    finish(outcome);
}

/// Drops a function that never runs, with its captured values, inside a shield like the end of a
/// fiber does.
fn drop_unrun<F>(f: F) -> Result<(), Payload> {
    let unrun = || panic::catch_unwind(AssertUnwindSafe(|| drop(f)));
    cancel::within(current_fiber().fiber, &CancelScope::shield(), unrun)
}

#[inline(never)]
fn finish(outcome: Result<(), Payload>) {
    let current = current_fiber();
    // A payload that was thrown into the tasklet, and could not be raised before it returned, is
    // not lost.
    let outcome = outcome.and_then(|()| pending_throw::disarm(current.fiber).map_or(Ok(()), Err));
    match outcome.or_else(|payload| handle(current, payload)) {
        Ok(()) => switching::before_end(current),
        Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => pass_on(current, payload),
    }
}

/// Passes `payload` to the error handler, if it is an error. Returns the payload that the tasklet
/// ends with.
fn handle(current: CurrentFiber, payload: Payload) -> Result<(), Payload> {
    if payload.is::<TaskletExit>() {
        return Ok(());
    }
    let handler = state(&current.sched).error_handler.get();
    let Some(handler) = handler.filter(|_| !exit::is_unwind(&*payload)) else {
        return Err(payload);
    };
    let tasklet = Tasklet::current(current);
    panic::catch_unwind(AssertUnwindSafe(|| {
        handler(&tasklet, &*payload);
        drop(payload);
        drop(handler);
    }))
}

/// Makes the innermost `run()`, or main, the next one to run, and to raise `payload`.
fn pass_on(current: CurrentFiber, payload: Payload) {
    switching::before_passing_on(current);
    // Keeps the target's record alive: if the payload cannot be raised there, the record reports
    // it.
    let _target = current.sched.wake_up_target().map(Record::of);
    if let Some(lost) = current.sched.throw_up(payload).filter(|lost| !lost.is::<TaskletExit>()) {
        let tasklet = end::describe(&current.fiber);
        end::report_lost(
            format_args!("the tasklet of {tasklet} panicked, and no other could raise it"),
            lost,
        );
    }
}
