//! tokio beside fibers, and fibers as a future of tokio.

#![cfg(feature = "tokio")]
#![allow(clippy::disallowed_methods, reason = "threads and clocks beside the scheduler are tested")]

#[path = "../support/mod.rs"]
mod support;

mod companion;
mod ends;
mod guest;
mod hosts;
mod moved;
