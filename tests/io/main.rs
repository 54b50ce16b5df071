//! Input and output: descriptors, sockets, files, the standard input, and how each wait for them ends.

#![cfg(feature = "net")]

#[path = "../net_support/mod.rs"]
mod net_support;
#[path = "../support/mod.rs"]
mod support;

mod blocking_handles;
mod forks;
mod jobs;
mod locations;
mod long_input;
#[cfg(all(feature = "http", feature = "tls"))]
mod time_limits;
mod wakers;
mod writes;
