//! HTTP on fibers: bodies, and how they end.

#![cfg(feature = "hyper")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
