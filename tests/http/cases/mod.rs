//! Cases that users of other HTTP libraries reported, tried against this one. The log of them, with
//! the place of each report and the name of each test, is `tests/http/README.md`.

#[cfg(feature = "http-client")]
mod client_heads;
#[cfg(all(feature = "http-client", feature = "http2"))]
mod client_http2;
#[cfg(feature = "http-client")]
mod client_requests;
mod server_messages;
mod server_requests;

use std::collections::BTreeSet;

use crate::support::rules::names_of_tests;

const LOG: &str = include_str!("../README.md");

/// Returns the last column of each row of the log.
fn last_columns() -> Vec<&'static str> {
    let rows = LOG.lines().filter(|line| line.starts_with("| "));
    let rows = rows.filter(|line| !line.starts_with("| case"));
    rows.map(|row| row.trim_end_matches(" |").rsplit(" | ").next().unwrap()).collect()
}

#[test]
fn every_case_of_the_log_has_a_test_or_a_reason() {
    let mut tests = names_of_tests("http");
    tests.extend(names_of_tests("../src/http"));
    let columns = last_columns();
    assert!(columns.len() >= 30, "{} rows", columns.len());
    let mut named = BTreeSet::new();
    for column in columns {
        if column.starts_with("no test: ") {
            continue;
        }
        for name in column.split(", ") {
            let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
            let name = name.unwrap_or_else(|| panic!("no name of a test: {column}"));
            assert!(tests.contains(name), "there is no test {name}");
            named.insert(name);
        }
    }
    let here = names_of_tests("http/cases");
    let unlisted: Vec<_> = here.iter().filter(|name| !named.contains(name.as_str())).collect();
    assert_eq!(unlisted, ["every_case_of_the_log_has_a_test_or_a_reason"]);
}
