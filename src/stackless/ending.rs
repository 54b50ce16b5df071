//! How a tasklet ends: silently, or with an error that goes to the innermost `run()` or to main.
//!
//! ```text
//!   function -> returned, TaskletExit -> next in the ring
//!            -> fibra's own kill      -> unwinds on to the root of the fiber
//!            -> anything else         -> error handler -> returned: swallowed
//!                                                      -> raised: its payload travels
//!                                     -> bomb for the innermost run(), else main, which runs next
//! ```
//!
//! Invariants:
//! - All of it happens on the dying tasklet's fiber: `getcurrent()` is that tasklet (S-071).
//! - An error is never lost in silence: if nobody can raise it, it is reported.

use std::panic::{self, AssertUnwindSafe};

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::exit;
use crate::fiber::identity::Payload;
use crate::fiber::report;
use crate::sched::core::end;
use crate::sched::core::pending_throw;
use crate::sched::core::scheduler::{Here, here};
use crate::stackless::error::TaskletExit;
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// The closure of a tasklet's fiber: calls `f`, unless something was thrown at it before its first
/// turn (S-056).
pub(crate) fn root<F: FnOnce()>(f: F) {
    let outcome = match pending_throw::disarm(here().fiber) {
        Some(bomb) => match drop_unrun(f) {
            Ok(()) => Err(bomb),
            Err(panicked) => {
                report::drop_payload(bomb);
                Err(panicked)
            }
        },
        None => panic::catch_unwind(AssertUnwindSafe(f)),
    };
    finish(outcome);
}

/// Drops what a tasklet has captured that never runs, as the end of a fiber does: shielded.
fn drop_unrun<F>(f: F) -> Result<(), Payload> {
    let unrun = || panic::catch_unwind(AssertUnwindSafe(|| drop(f)));
    cancel::within(here().fiber, &CancelScope::shield(), unrun)
}

#[inline(never)]
fn finish(outcome: Result<(), Payload>) {
    let here = here();
    // What was thrown at it, and could not go off before it returned, is not lost.
    let outcome = outcome.and_then(|()| pending_throw::disarm(here.fiber).map_or(Ok(()), Err));
    match outcome.or_else(|payload| handle(here, payload)) {
        Ok(()) => switching::before_end(here),
        Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
        Err(payload) => pass_on(here, payload),
    }
}

/// Asks the error handler, if `payload` is an error. Returns what is to travel on.
fn handle(here: Here, payload: Payload) -> Result<(), Payload> {
    if payload.is::<TaskletExit>() {
        return Ok(());
    }
    let handler = state(&here.sched).error_handler.get();
    let Some(handler) = handler.filter(|_| !exit::is_unwind(&*payload)) else {
        return Err(payload);
    };
    let tasklet = Tasklet::current(here);
    panic::catch_unwind(AssertUnwindSafe(|| {
        handler(&tasklet, &*payload);
        drop(payload);
        drop(handler);
    }))
}

/// Lets the innermost `run()` or main raise `payload`, next.
fn pass_on(here: Here, payload: Payload) {
    switching::before_passing_on(here);
    // If it cannot be raised there, its record reports it.
    let _target = here.sched.wake_up_target().map(Record::of);
    if let Some(lost) = here.sched.throw_up(payload).filter(|lost| !lost.is::<TaskletExit>()) {
        let tasklet = end::describe(&here.fiber);
        end::report_lost(
            format_args!("the tasklet of {tasklet} panicked, and no other could raise it"),
            lost,
        );
    }
}
