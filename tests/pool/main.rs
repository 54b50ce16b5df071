//! Pools, groups, and what waits for several fibers: one module a topic.

#[path = "../support/mod.rs"]
mod support;

mod ends;
mod map_errors;
mod race_starts;
