//! Futures that fibers wait for, and fibers as futures.

#[path = "../support/mod.rs"]
mod support;

mod callers;
mod fiber;
#[cfg(feature = "stream")]
mod streams;
mod together;
#[cfg(feature = "tokio")]
mod tokio_budget;
mod waiting;
