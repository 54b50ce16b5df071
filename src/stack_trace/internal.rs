//! Which frames are not the program's own: those of this crate, of the context switch, and of the
//! runtime of the language.
//!
//! A function of the standard library counts as the program's if the program calls it, like the
//! `read_to_end` that a handler calls on a socket; not if this crate calls it, like the
//! `catch_unwind` at the root of a fiber.

use crate::stack_trace::StackFrame;

/// The crates whose functions are internal.
const CRATES: &[&str] =
    &["fibra::", "corosensei::", "backtrace::", "stack_init_trampoline", "stack_call_trampoline"];

/// The crates whose functions belong to their callers.
const LIBRARY: &[&str] = &["std::", "core::", "alloc::"];

/// The functions of the standard library and of the system that call a closure of a program, or its
/// first function.
const RUNTIME: &[&str] = &[
    "std::panicking::",
    "std::panic::catch_unwind",
    "std::sys::backtrace::__rust_begin_short_backtrace",
    "std::sys::backtrace::__rust_end_short_backtrace",
    "std::rt::",
    "core::ops::function::Fn",
    "core::panic::unwind_safe::AssertUnwindSafe",
    "__rust_try",
    "__libc_start",
    "_start",
    "_Unwind_",
    "start_thread",
    "stack_init_trampoline",
    "clone",
];

/// Sets `is_internal` of each frame. The innermost frame comes first.
pub(crate) fn mark(frames: &mut [StackFrame]) {
    let mut calls_internal = false;
    for frame in frames.iter_mut().rev() {
        // A frame without a name may be the program's.
        let name = frame.function.as_deref().map_or("", path_of);
        let is_of = |list: &[&str]| list.iter().any(|prefix| name.starts_with(prefix));
        frame.is_internal =
            if is_of(RUNTIME) || is_of(CRATES) { true } else { is_of(LIBRARY) && calls_internal };
        if !is_of(RUNTIME) {
            calls_internal = frame.is_internal;
        }
    }
}

/// Returns the path with which the name of a function begins: that of a type for its methods, like
/// `<fibra::net::TcpStream as std::io::Read>::read`.
fn path_of(name: &str) -> &str {
    let mut rest = name;
    loop {
        let shorter = rest.trim_start_matches(['<', '&', '*', '(', ' ']);
        let words = ["mut ", "const ", "dyn ", "impl "];
        let shorter = words.iter().find_map(|it| shorter.strip_prefix(it)).unwrap_or(shorter);
        if shorter.len() == rest.len() {
            return rest;
        }
        rest = shorter;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn internal(names: &[&str]) -> Vec<bool> {
        let frame = |name: &&str| StackFrame {
            address: 1,
            function: (!name.is_empty()).then(|| name.to_string()),
            file: None::<PathBuf>,
            line: None,
            module: None,
            is_internal: false,
            begins_stack: false,
        };
        let mut frames: Vec<_> = names.iter().map(frame).collect();
        mark(&mut frames);
        frames.iter().map(|frame| frame.is_internal).collect()
    }

    #[test]
    fn the_frames_of_a_program_stay() {
        let found = internal(&[
            "fibra::sched::core::park::park",
            "<&fibra::net::TcpStream as std::io::Read>::read",
            "std::io::Read::read_to_end",
            "service::handle",
            "core::ops::function::FnOnce::call_once",
            "service::main::{{closure}}",
            "std::panicking::catch_unwind::do_call",
            "core::hint::black_box",
            "fibra::fiber::task::run",
            "corosensei::coroutine::coroutine_func",
            "",
        ]);
        let (hidden, shown) = (true, false);
        let expected =
            [hidden, hidden, shown, shown, hidden, shown, hidden, hidden, hidden, hidden, shown];
        assert_eq!(found, expected);
    }

    #[test]
    fn the_path_of_a_type_decides_about_its_methods() {
        assert_eq!(path_of("<&mut dyn a::B as fibra::C>::d"), "a::B as fibra::C>::d");
        assert_eq!(path_of("main"), "main");
    }
}
