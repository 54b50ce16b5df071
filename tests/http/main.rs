//! HTTP on fibers.

#![cfg(feature = "http")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod connections;
