//! Tests generators in a build with `panic = "abort"`: none can be unwound, and the rest works.
//!
//! Such a build is a separate program: a crate in a temporary folder that depends on this one.

use crate::support::abort::run_aborting;

const PROGRAM: &str = include_str!("generators/program.rs");

/// Runs the part of the program that `part` names.
fn run_part(part: &str) -> std::process::Output {
    run_aborting("abort-generators", PROGRAM, &[], &[part])
}

#[track_caller]
fn check_part(part: &str, expected: &[&str]) {
    let output = run_part(part);
    let text = crate::support::stderr(&output);
    assert_eq!(output.status.code(), Some(42), "{text}");
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert_eq!(lines, expected, "{text}");
}

#[test]
fn generators_that_cannot_unwind_are_refused_or_kept_with_their_stacks() {
    let expected = [
        "1 2 3",
        "close: refused",
        "went on after that: 2",
        "an unstarted one dropped its closure",
        "the frame has ended",
        "the fiber has ended",
        "run has ended",
        "a borrowing one that ran to its end is no trouble",
    ];
    check_part("plain", &expected);
}

#[test]
fn a_generator_with_another_on_top_is_kept_and_its_frame_ends() {
    check_part("tower", &["dropped", "the frame has ended", "the fiber has ended"]);
}

#[test]
fn a_borrowing_generator_that_is_left_in_the_middle_aborts_with_a_report() {
    use std::os::unix::process::ExitStatusExt;
    let output = run_part("borrows");
    let text = crate::support::stderr(&output);
    // Cargo reports the signal of its child as its own.
    assert!(output.status.signal() == Some(6) || output.status.code() == Some(101), "{text}");
    assert!(text.contains("a generator that borrows"), "{text}");
    assert!(!text.contains("> after"), "{text}");
}
