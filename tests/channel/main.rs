//! Tests of `fibra::channel`.

#[path = "../support/mod.rs"]
mod support;

mod closing;
mod deadlock;
mod pausing;
