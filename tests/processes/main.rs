//! Worker processes, and what they may do wrong.

#![cfg(feature = "net")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
