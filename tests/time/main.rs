//! Sleeping, time limits and intervals, on the virtual clock and on the real one.

#[path = "../support/mod.rs"]
mod support;

mod accuracy;
mod interval;
mod sleep;
mod testing;
mod timeout;
mod timeout_elsewhere;
mod timeout_generators;
mod timeout_model;
mod timeout_nesting;
mod virtual_clock;
