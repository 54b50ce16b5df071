//! Child processes and signals: what callers get, and what their ends leave behind.

#![cfg(feature = "net")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod kills;
mod pool;
mod process;
mod signals;
