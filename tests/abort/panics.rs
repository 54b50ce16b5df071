//! Tests a build with `panic = "abort"`: nothing unwinds, and the rest works.
//!
//! Such a build is a separate program: a crate in a temporary folder that depends on this one.

use crate::support::abort::run_aborting;

const PROGRAM: &str = include_str!("panics/program.rs");

#[test]
fn a_program_that_cannot_unwind_degrades_as_documented() {
    let output = run_aborting("abort", PROGRAM, &[], &[]);
    let text = crate::support::stderr(&output);
    assert_eq!(output.status.code(), Some(42), "{text}");
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let expected = [
        "recv: killed while receiving on a channel",
        "send: gave 7 back",
        "recv_timeout: killed while receiving on a channel",
        "join: killed while waiting for the fiber",
        "timeout: killed while receiving on a channel",
        "an infallible wait goes on, and ends when it is complete",
        "lock_timeout: killed while waiting",
        "an infallible lock goes on",
        "behind one that was abandoned: 1 permit",
        "uninterruptible: 2",
        "blocking: 3",
        "a call to an owned value: killed while calling a value that lives on another thread",
        "the owned value: 1",
        "uninterruptible at the end of run: 4",
        "an unstarted fiber dropped its closure",
        "run has ended, with a fiber left on its stack",
    ];
    assert_eq!(lines, expected, "{text}");
}
