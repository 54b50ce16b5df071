//! The advice of a report: the functions of this crate to call in place of one that blocks the
//! thread.

#![forbid(unsafe_code)]

/// A function that blocks, by the beginning of its path, and what to call instead.
type Blocking = (&'static [&'static str], &'static str, &'static str);

const BLOCKING: &[Blocking] = &[
    (&["std::thread::sleep", "std::thread::functions::sleep"], "`thread::sleep`", "`fibra::sleep`"),
    (&["std::thread::park", "std::thread::functions::park"], "`thread::park`", "`fibra::park`"),
    (
        &[
            "futures_executor::",
            "futures_lite::future::block_on",
            "pollster::",
            "async_io::driver::",
        ],
        "an executor's `block_on`",
        "`fibra::future::block_on`",
    ),
    (
        &[
            "std::sync::mpsc::",
            "std::sync::mpmc::",
            "crossbeam_channel::",
            "flume::",
            "async_channel::",
        ],
        "a channel that blocks the thread",
        "`fibra::channel` between the fibers of a thread, or `fibra::sync::mpmc`",
    ),
    (
        &["parking_lot::", "parking_lot_core::", "lock_api::"],
        "a lock of parking_lot",
        "the locks of `fibra::sync`",
    ),
    (
        &[
            "std::sync::mutex::",
            "std::sync::rwlock::",
            "std::sync::condvar::",
            "std::sync::barrier::",
            "std::sync::once::",
            "std::sync::once_lock::",
            "std::sync::lazy_lock::",
            "std::sync::poison::",
            "std::sync::nonpoison::",
            "std::sys::sync::",
        ],
        "a lock of std",
        "the locks of `fibra::sync`",
    ),
    (
        &["std::fs::", "std::sys::fs::"],
        "a function of `std::fs`",
        "the same function of `fibra::fs`",
    ),
    (&["std::net::", "std::sys::net::"], "a blocking socket", "the same type of `fibra::net`"),
    (&["std::process::", "std::sys::process::"], "a wait for a child process", "`fibra::process`"),
    (
        &["std::io::stdio::Stdin", "std::io::stdio::read"],
        "a read of the standard input",
        "`fibra::io::stdin`",
    ),
    (
        &["std::thread::join_handle::", "std::thread::JoinHandle", "std::thread::JoinInner"],
        "a wait for a thread",
        "`fibra::blocking`",
    ),
];

/// The number of innermost frames that are looked at. A call that blocks is among them; frames
/// further out only lead to it.
const INNERMOST: usize = 24;

/// Returns what to use instead of what the innermost of these functions call, if it is known. The
/// innermost function comes first.
pub(crate) fn advice<'a>(functions: impl Iterator<Item = &'a str>) -> Option<String> {
    // The outermost of the functions that block is the one that the program calls: a lock of
    // parking_lot waits in std's condition variable, a channel parks its thread. The search ends
    // where the program begins.
    let mut found = None;
    for path in functions.take(INNERMOST).map(path_of) {
        match blocking(path) {
            Some(row) => found = Some(row),
            None if found.is_some() && !is_of_std(path) => break,
            None => {}
        }
    }
    let (_, what, instead) = found?;
    Some(format!("{what} blocks all fibers of the thread: use {instead}, or `fibra::blocking`"))
        .map(|text| text.replace("`fibra::blocking`, or `fibra::blocking`", "`fibra::blocking`"))
}

/// Returns whether the function is one of std, which may stand between two that block.
fn is_of_std(path: &str) -> bool {
    ["std::", "core::", "alloc::"].iter().any(|prefix| path.starts_with(prefix))
}

fn blocking(path: &str) -> Option<&'static Blocking> {
    BLOCKING.iter().find(|(prefixes, ..)| prefixes.iter().any(|prefix| path.starts_with(prefix)))
}

/// Returns the path with which the name of a function begins: that of the type for its methods,
/// like `<std::fs::File as std::io::Read>::read`.
fn path_of(function: &str) -> &str {
    let path = function.trim_start_matches(['<', '&', '*', '(']);
    path.strip_prefix("mut ").or_else(|| path.strip_prefix("dyn ")).unwrap_or(path)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn advised(functions: &[&str]) -> String {
        advice(functions.iter().copied()).unwrap_or_default()
    }

    #[test]
    fn the_call_of_the_program_decides() {
        let slept =
            ["clock_nanosleep", "std::sys::thread::unix::sleep", "std::thread::sleep", "a::b"];
        assert_eq!(
            advised(&slept),
            "`thread::sleep` blocks all fibers of the thread: use `fibra::sleep`, or \
             `fibra::blocking`"
        );
        let received = [
            "syscall",
            "std::sys::pal::unix::futex::futex_wait",
            "std::thread::park",
            "std::sync::mpmc::context::Context::wait_until",
            "std::sync::mpsc::Receiver<T>::recv",
            "a::b",
            "std::thread::sleep",
        ];
        assert!(advised(&received).starts_with("a channel that"), "{}", advised(&received));
        assert!(advised(&["<&std::fs::File as std::io::Read>::read"]).contains("`fibra::fs`"));
        assert_eq!(advised(&["a::b", "a::c"]), "");
    }
}
