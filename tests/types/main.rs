//! The guarantees of the crate's types: their variance, the traits for sharing them, and the traits
//! of the errors. Each table has a row for every public type.

#![cfg(all(
    feature = "net",
    feature = "tls",
    feature = "http-client",
    feature = "greenlet",
    feature = "stream",
    feature = "ureq"
))]

#[path = "../layering/reading.rs"]
#[allow(dead_code, reason = "the checks of the layers read more")]
mod reading;
#[path = "../support/mod.rs"]
mod support;

mod build_script;
mod compile_fail;
mod errors;
mod iteration;
mod not_send;
mod public;
mod traits;
mod variance;

/// Compares two tables line by line, and shows the differences.
#[track_caller]
fn assert_table(found: &str, expected: &str) {
    let is_in = |table: &str, line: &str| table.lines().any(|other| other == line);
    let mut differences = String::new();
    for line in expected.lines().filter(|line| !is_in(found, line)) {
        differences += &format!("-{line}\n");
    }
    for line in found.lines().filter(|line| !is_in(expected, line)) {
        differences += &format!("+{line}\n");
    }
    assert!(found == expected, "the table differs (- expected, + found):\n{differences}");
}
