//! Runs the programs that users copy first: all examples, and the first program of the README.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "net")]
mod ctrl_c;
mod programs;
mod readme;
