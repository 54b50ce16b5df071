//! tokio beside fibers, and fibers as a future of tokio.

#![cfg(feature = "tokio")]

mod companion;
mod guest;
