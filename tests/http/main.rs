//! HTTP on fibers: bodies, and how they end.

#![cfg(feature = "http")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
