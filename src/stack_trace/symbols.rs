//! The functions, files and lines of addresses.
//!
//! Invariants:
//! - Names are looked up on a thread that the caller waits for. Reading the debug information of a
//!   program takes more stack than a fiber may have.
//! - If the thread cannot be started, the frames have no names.

use std::thread;

use crate::stack_trace::modules::Modules;
use crate::stack_trace::{BORDER, CUT, StackFrame, internal};

/// The bytes of stack for the thread. The debug information of large programs is nested deeply.
const STACK: usize = 2 << 20;

/// Returns the frames of `addresses`.
pub(crate) fn look_up(addresses: &[usize]) -> Box<[StackFrame]> {
    let frames = thread::scope(|scope| {
        let builder = thread::Builder::new().name("fibra-symbols".into()).stack_size(STACK);
        let thread = builder.spawn_scoped(scope, || all_frames(addresses, functions_at));
        thread.ok().and_then(|thread| thread.join().ok())
    });
    frames.unwrap_or_else(|| all_frames(addresses, |address| vec![unnamed(address)]))
}

fn all_frames(
    addresses: &[usize],
    functions_at: impl Fn(usize) -> Vec<StackFrame>,
) -> Box<[StackFrame]> {
    let mut frames = Vec::with_capacity(addresses.len());
    let mut begins_stack = false;
    for &address in addresses {
        if address == BORDER {
            begins_stack = true;
        } else if address != CUT {
            let start = frames.len();
            frames.extend(functions_at(address));
            if let Some(first) = frames.get_mut(start) {
                first.begins_stack = std::mem::take(&mut begins_stack);
            }
        }
    }
    let modules = frames.iter().any(|frame| frame.function.is_none()).then(Modules::read);
    for frame in frames.iter_mut().filter(|frame| frame.function.is_none()) {
        frame.module = modules.as_ref().and_then(|modules| modules.relative(frame.address));
    }
    internal::mark(&mut frames);
    frames.into()
}

/// Returns the functions at a return address: more than one if some are inlined, the innermost
/// first.
fn functions_at(address: usize) -> Vec<StackFrame> {
    let mut frames = Vec::new();
    backtrace::resolve(address as *mut _, |symbol| {
        frames.push(StackFrame {
            function: symbol.name().map(|name| format!("{name:#}")),
            file: symbol.filename().map(Into::into),
            line: symbol.lineno(),
            ..unnamed(address)
        });
    });
    if frames.is_empty() {
        frames.push(unnamed(address));
    }
    frames
}

fn unnamed(address: usize) -> StackFrame {
    StackFrame {
        address,
        function: None,
        file: None,
        line: None,
        module: None,
        is_internal: false,
        begins_stack: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_border_marks_the_next_frame_and_a_cut_none() {
        let frames = all_frames(&[8, 16, BORDER, 24, CUT], |at| vec![unnamed(at), unnamed(at)]);
        let seen: Vec<_> = frames.iter().map(|frame| (frame.address, frame.begins_stack)).collect();
        let plain = |at| (at, false);
        assert_eq!(seen, [plain(8), plain(8), plain(16), plain(16), (24, true), plain(24)]);
    }

    #[test]
    fn the_function_of_an_address_is_found() {
        let address = the_function_of_an_address_is_found as fn() as usize + 1;
        let frames = look_up(&[address]);
        let function = frames[0].function.as_deref().unwrap_or_default();
        assert!(function.contains("the_function_of_an_address_is_found"), "{frames:?}");
    }
}
