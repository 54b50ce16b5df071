//! Reports on standard error of events that no caller can receive: panics that were lost, stacks
//! that were abandoned.

use std::any::Any;
use std::fmt;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::payload;

/// Writes a line to standard error. Does nothing if that fails: `eprintln!` would panic, and the
/// callers must not panic.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "fibra: {line}");
}

/// Reports a panic that no caller receives, with the text of `payload`, and drops `payload`. `what`
/// is a clause: "the schedule callback panicked".
#[cold]
pub(crate) fn report_lost(what: impl fmt::Display, payload: Box<dyn Any + Send>) {
    let text = payload::panic_text(payload.as_ref());
    say(format_args!("{what}: {text}"));
    drop_payload(payload);
}

/// Drops the payload of an unwind. If its destructor panics, the payload of that panic is leaked,
/// because its destructor may panic too.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// A guard around code that must not be left by an unwind: it aborts the process if it is dropped.
/// The caller forgets it after that code.
pub(crate) struct AbortOnUnwind(pub(crate) &'static str);

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        say(format_args!("{} has panicked, which is a bug in fibra: aborting", self.0));
        std::process::abort();
    }
}
