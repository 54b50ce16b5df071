//! Every point at which the library runs user code.

/// A point at which user code runs.
pub(crate) struct Point {
    pub(crate) name: &'static str,
}

/// Points of one kind.
pub(crate) struct Group {
    #[allow(dead_code, reason = "TODO")]
    pub(crate) title: &'static str,
    pub(crate) points: &'static [Point],
}

const fn point(name: &'static str) -> Point {
    Point { name }
}

/// All points, by kind.
pub(crate) const GROUPS: &[Group] = &[Group {
    title: "Fibers",
    points: &[
        point("fiber: the closure of a spawned one"),
        point("fiber: the destructor of a closure that never runs"),
        point("fiber: the destructor of an output of one that is detached"),
        point("fiber: the destructor of an output with its handle"),
        point("fiber: the destructor of a panic of one that is detached"),
    ],
}];

pub(crate) fn all() -> impl Iterator<Item = &'static Point> {
    GROUPS.iter().flat_map(|group| group.points)
}
