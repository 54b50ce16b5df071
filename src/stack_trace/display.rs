//! Traces as text, one line per frame.

use std::fmt;
use std::path::Path;

use crate::stack_trace::{CUT, StackFrame, StackTrace};

impl fmt::Display for StackTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = self.frames();
        let is_shown = |frame: &&StackFrame| f.alternate() || !frame.is_internal;
        let shown: Vec<_> = frames.iter().filter(is_shown).collect();
        let mut lines = Vec::with_capacity(shown.len());
        // A border stays where all frames directly after it are hidden.
        let (mut stack, mut stack_shown) = (0, None);
        for frame in frames {
            stack += usize::from(frame.begins_stack);
            if !is_shown(&frame) {
                continue;
            }
            if stack_shown.is_some_and(|shown| shown != stack) {
                lines.push("-- on top of another stack:".to_string());
            }
            stack_shown = Some(stack);
            lines.push(line(frame));
        }
        if self.addresses().last() == Some(&CUT) {
            lines.push("(more frames follow)".into());
        }
        lines.extend(remarks(frames, frames.len() - shown.len()));
        f.write_str(&lines.join("\n"))
    }
}

/// Returns the lines that follow the frames.
fn remarks(frames: &[StackFrame], hidden: usize) -> Vec<String> {
    let mut lines = Vec::new();
    match hidden {
        0 => {}
        1 => lines.push("(1 frame of fibra and the runtime)".into()),
        _ => lines.push(format!("({hidden} frames of fibra and the runtime)")),
    }
    if !frames.is_empty() && frames.iter().all(|frame| frame.function.is_none()) {
        lines.push("(symbols are missing: the program was stripped)".into());
    }
    lines
}

/// Returns `service::handle at src/handle.rs:12`.
fn line(frame: &StackFrame) -> String {
    let Some(function) = &frame.function else {
        let address = frame.address;
        return match &frame.module {
            Some(module) => format!("{address:#x} ({module})"),
            None => format!("{address:#x}"),
        };
    };
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{function} at {}:{line}", short(file).display()),
        (Some(file), None) => format!("{function} at {}", short(file).display()),
        _ => function.clone(),
    }
}

/// Returns `file` relative to the current directory, if it lies below that.
fn short(file: &Path) -> &Path {
    let below = std::env::current_dir().ok().and_then(|folder| file.strip_prefix(folder).ok());
    below.unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    fn frame(function: Option<&str>, is_internal: bool, begins_stack: bool) -> StackFrame {
        StackFrame {
            address: 0x1234,
            function: function.map(str::to_string),
            file: function.map(|_| "src/x.rs".into()),
            line: function.map(|_| 7),
            module: function.is_none().then(|| "service+0x34".into()),
            is_internal,
            begins_stack,
        }
    }

    fn trace(addresses: &[usize], frames: Vec<StackFrame>) -> StackTrace {
        let frames = OnceLock::from(frames.into_boxed_slice());
        StackTrace(std::sync::Arc::new(crate::stack_trace::Walked {
            addresses: addresses.into(),
            frames,
        }))
    }

    #[test]
    fn internal_frames_are_counted_or_shown() {
        let frames = vec![
            frame(Some("fibra::park"), true, false),
            frame(Some("a::inner"), false, false),
            frame(Some("fibra::resume"), true, true),
            frame(Some("a::outer"), false, false),
        ];
        let trace = trace(&[1, CUT], frames);
        assert_eq!(
            trace.to_string(),
            "a::inner at src/x.rs:7\n\
             -- on top of another stack:\n\
             a::outer at src/x.rs:7\n\
             (more frames follow)\n\
             (2 frames of fibra and the runtime)"
        );
        assert_eq!(format!("{trace:#}").lines().count(), 6);
    }

    #[test]
    fn a_program_without_symbols_shows_relative_addresses() {
        let trace = trace(&[1], vec![frame(None, false, false)]);
        assert_eq!(
            trace.to_string(),
            "0x1234 (service+0x34)\n(symbols are missing: the program was stripped)"
        );
    }
}
