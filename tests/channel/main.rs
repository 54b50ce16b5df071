//! Channels between fibers: how they close, how waits at them fail, and what a pause does to them.

#[path = "../support/mod.rs"]
mod support;

mod closing;
mod deadlock;
mod pausing;
