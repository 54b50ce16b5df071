//! Under `panic = "abort"`, fibers as a future of tokio: kills, drops, and the end of the frame.

use std::os::unix::process::ExitStatusExt;

use crate::support::abort::run_aborting_with;

/// Runs the scene of the program, and returns its status and output. Cargo may pass a signal on as
/// an exit status.
fn run(scene: &str) -> (i32, String) {
    let program = include_str!("guests/program.rs");
    let tokio = "tokio = { version = \"1\", features = [\"rt\", \"time\", \"net\"] }\n";
    let output = run_aborting_with("guests-abort", program, &["tokio"], tokio, &[scene]);
    let status = output.status;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
    (code, crate::support::stderr(&output))
}

#[track_caller]
fn check(scene: &str, expected: &[&str]) {
    let (code, text) = run(scene);
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert_eq!((code, &*lines), (0, expected), "{text}");
}

#[test]
fn a_guest_that_is_dropped_ends_whatever_its_fibers_wait_for() {
    let expected = [
        "park: next: Ok(1)",
        "sleep: next: Ok(1)",
        "park in a shield: next: Ok(1)",
        "park in a scope: next: Ok(1)",
        "recv failed: killed while receiving on a channel",
        "recv: next: Ok(1)",
        "catches: next: Ok(1)",
        "a child parks: next: Ok(1)",
        "over",
    ];
    check("dropped", &expected);
}

#[test]
fn the_end_of_the_frame_ends_a_guest_that_was_forgotten() {
    check("forgotten", &["the frame has ended", "run: 2", "over"]);
}

#[test]
fn a_guest_whose_main_fiber_is_abandoned_returns_that() {
    let expected = ["Err(Abandoned)", "the other fiber has ended: true", "next: Ok(1)", "over"];
    check("refuses", &expected);
}

#[test]
fn a_panic_in_a_guest_aborts_the_process() {
    let (code, text) = run("panics");
    assert!(code == 134 && text.contains("in a guest") && !text.contains("WRONG"), "{text}");
}

#[test]
fn contexts_are_on_the_thread_exactly_while_their_fiber_runs() {
    let expected = [
        "recv failed in fiber a, 1 is current",
        "after the region, 0 is current",
        "main: 0 is current",
        "main after the guest: 0 is current",
        "over",
    ];
    check("contexts", &expected);
}
