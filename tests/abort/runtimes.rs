//! Under `panic = "abort"`, a runtime of several schedulers: kills, servers, and its end.

use std::os::unix::process::ExitStatusExt;

use crate::support::abort::run_aborting;

/// Runs the scene of the program, and returns its status and output. Cargo may pass a signal on as
/// an exit status.
fn run(scene: &str) -> (i32, String) {
    let program = include_str!("runtimes/program.rs");
    let output = run_aborting("runtimes-abort", program, &[], &[scene]);
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
fn a_panic_of_a_job_aborts_the_process() {
    let (code, text) = run("panics");
    assert!(code == 134 && text.contains("out of milk") && !text.contains("WRONG"), "{text}");
}

#[test]
fn killed_jobs_end_at_waits_that_can_fail() {
    let expected = [
        "recv: killed while receiving on a channel",
        "join: killed while waiting for the fiber",
        "an infallible wait has ended: false",
        "it is complete: true",
        "a queued job: the fiber was killed",
        "a job that had not started dropped its closure",
        "map: 999000",
        "over",
    ];
    check("kills", &expected);
}

#[test]
fn a_server_on_each_scheduler_ends_beside_handlers_that_never_end() {
    check("serves", &["10 were served", "is killed: true", "1 was killed", "over"]);
}

#[test]
fn a_runtime_with_parked_fibers_and_queued_jobs_ends() {
    let abandoned = ["Err(Abandoned)"; 5].join(", ");
    let parked = format!("parked: [{abandoned}]");
    check("ends", &["in time: true", "closures dropped: 100", &parked, "queued: true", "over"]);
}
