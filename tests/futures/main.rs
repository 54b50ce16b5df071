//! Futures and fibers: a fiber that is awaited as a future, also on other threads.

#[path = "../support/mod.rs"]
mod support;

mod fiber;
#[cfg(feature = "tokio")]
mod tokio_budget;
