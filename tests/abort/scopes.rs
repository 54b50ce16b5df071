//! Under `panic = "abort"`, a scope across threads whose jobs never end is abandoned with them.

use crate::support::abort::run_aborting;

#[test]
fn scopes_whose_jobs_never_end_are_abandoned_at_the_end_of_the_runtime() {
    let output = run_aborting("scopes-abort", include_str!("scopes/program.rs"), &[], &[]);
    let text = crate::support::stderr(&output);
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert_eq!(lines, ["over"; 10], "{text}");
}
