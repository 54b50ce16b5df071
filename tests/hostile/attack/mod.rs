//! The product of points and actions. Also compiled into a program with `panic = "abort"`.

pub(crate) mod actions;
pub(crate) mod combination;
pub(crate) mod driver;
pub(crate) mod ledger;
pub(crate) mod points;
pub(crate) mod rules;
pub(crate) mod scenarios;
pub(crate) mod stage;

use std::collections::BTreeSet;

/// Compares the list of points with the list of scenarios.
pub(crate) fn check_lists() {
    let points: BTreeSet<_> = points::all().collect();
    assert_eq!(points.len(), points::all().count(), "a point is listed twice");
    let scenarios: BTreeSet<_> = scenarios::all().map(|scenario| scenario.point).collect();
    assert_eq!(scenarios.len(), scenarios::all().count(), "a point has two scenarios");
    let without: Vec<_> = points.difference(&scenarios).collect();
    assert!(without.is_empty(), "points without a scenario: {without:#?}");
    let unlisted: Vec<_> = scenarios.difference(&points).collect();
    assert!(unlisted.is_empty(), "scenarios whose points are not listed: {unlisted:#?}");
    let actions: BTreeSet<_> = actions::all().map(|action| action.name).collect();
    assert_eq!(actions.len(), actions::all().count(), "an action has the name of another");
}
