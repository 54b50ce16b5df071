//! Futures and fibers: one module a topic.

#[path = "../support/mod.rs"]
mod support;

mod fiber;
