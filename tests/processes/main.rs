//! Child processes and signals: the results that callers get, and the state after their ends.

#![cfg(feature = "net")]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod kills;
mod pool;
mod process;
mod signals;
