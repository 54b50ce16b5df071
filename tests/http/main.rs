//! HTTP on fibers.

#![cfg(feature = "hyper")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod connections;
