//! Under `panic = "abort"`, a kill ends each wait for several fibers, and each loop over one.

use crate::support::abort::run_aborting;

#[test]
fn waits_for_several_fibers_that_are_killed_end() {
    let output = run_aborting("pool-abort", include_str!("pools/program.rs"), &[], &[]);
    let text = crate::support::stderr(&output);
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let expected = [
        "group: killed while waiting for the fiber",
        "as_completed: killed while waiting for the fiber",
        "try_join_all: killed while waiting for the fiber",
        "imap: killed while waiting for the fiber",
        "race: killed while waiting for the fiber",
        "map: killed while waiting for the fiber",
        "over",
    ];
    assert_eq!(lines, expected, "{text}");
}
