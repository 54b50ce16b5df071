//! Spawning, waiting, choosing and ending: one module a topic.

#[path = "../support/mod.rs"]
mod support;

mod stack_sizes;
