//! HTTP on fibers.

#![cfg(feature = "http")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod connections;
mod on_each;
mod server;
