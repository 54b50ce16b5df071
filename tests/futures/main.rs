//! Futures that fibers wait for, and fibers as futures.

#[path = "../support/mod.rs"]
mod support;

mod callers;
mod fiber;
mod handles;
#[cfg(feature = "tokio")]
mod sleeping;
#[cfg(feature = "stream")]
mod streams;
mod together;
#[cfg(feature = "tokio")]
mod tokio_budget;
mod waiting;
