//! What is said on standard error when there is nobody to tell: panics that were lost, stacks that
//! were given up.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::payload;

/// Writes a line to standard error, if that can be written to: `eprintln!` panics if it cannot,
/// and there is no place for a panic where this is used.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "fibra: {line}");
}

/// Says once what has happened that no caller learns of, with the text of `payload`, and drops that.
/// `what` is a clause: "the schedule callback panicked".
#[cold]
pub(crate) fn report_lost(what: impl fmt::Display, payload: Box<dyn Any + Send>) {
    let text = payload::panic_text(payload.as_ref());
    say(format_args!("{what}: {text}"));
    drop_payload(payload);
}

/// Drops what was unwound with. A payload whose own destructor panics leaves one that may do so
/// again, so that one is leaked.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Ends the process if it is dropped, which is meant for an unwind: around what must not be left
/// by one. Forget it afterwards.
pub(crate) struct AbortOnUnwind(pub(crate) &'static str);

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        say(format_args!("{} has panicked, which is a defect of fibra: aborting", self.0));
        std::process::abort();
    }
}
