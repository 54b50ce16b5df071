//! Pools, groups, and what waits for several fibers: one module a topic.

#[path = "../support/mod.rs"]
mod support;

#[path = "../abort_support/mod.rs"]
mod abort_support;

mod abort;
mod ends;
mod hostile_ends;
mod map_errors;
mod race_starts;
