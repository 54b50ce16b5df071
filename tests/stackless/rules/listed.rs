//! Checks `RULES.md` against the tests: each rule names a test that exists, and each number that
//! a test uses is listed.

use crate::support::rules;

#[test]
fn each_rule_has_a_test_and_each_number_is_a_rule() {
    rules::check("S", include_str!("../RULES.md"), &["stackless", "channel", "core"]);
}
