//! Spawning, waiting, choosing and ending: one module a topic.

#[path = "../support/mod.rs"]
mod support;

mod dump_running;
mod select_fairness;
