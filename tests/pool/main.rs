//! Pools, groups and other waits for several fibers: how their members start, fail and end.

#[path = "../abort_support/mod.rs"]
mod abort_support;
#[path = "../support/mod.rs"]
mod support;

mod abort;
mod ends;
mod hostile_ends;
mod map_errors;
mod race_starts;
