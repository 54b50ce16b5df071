//! The product of points and deeds. Also compiled into a program with `panic = "abort"`.

pub(crate) mod combination;
pub(crate) mod deeds;
pub(crate) mod driver;
pub(crate) mod hooks;
pub(crate) mod ledger;
pub(crate) mod points;
pub(crate) mod rules;
pub(crate) mod stage;

use std::collections::BTreeSet;

/// Compares the list of points with the list of hooks.
pub(crate) fn check_lists() {
    let points: BTreeSet<_> = points::all().collect();
    assert_eq!(points.len(), points::all().count(), "a point is listed twice");
    let hooks: BTreeSet<_> = hooks::all().map(|hook| hook.point).collect();
    assert_eq!(hooks.len(), hooks::all().count(), "a point has two hooks");
    let without: Vec<_> = points.difference(&hooks).collect();
    assert!(without.is_empty(), "points without a hook: {without:#?}");
    let unlisted: Vec<_> = hooks.difference(&points).collect();
    assert!(unlisted.is_empty(), "hooks whose points are not listed: {unlisted:#?}");
    let deeds: BTreeSet<_> = deeds::all().map(|deed| deed.name).collect();
    assert_eq!(deeds.len(), deeds::all().count(), "a deed has the name of another");
}
