//! Ends an example quietly when the reader of its output is gone, as in `... | head -1`.

#![allow(clippy::disallowed_methods, reason = "no fiber can run on without an output")]

use std::panic;

/// Ends the process, without a message, at the first `print!` whose pipe was closed by its reader.
///
/// Rust ignores `SIGPIPE`, so the write fails and `print!` panics. All other panics are reported as
/// before.
pub(crate) fn end_quietly() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let message = info.payload().downcast_ref::<String>().map_or("", String::as_str);
        if message.starts_with("failed printing to stdout: Broken pipe") {
            std::process::exit(0);
        }
        report(info);
    }));
}
