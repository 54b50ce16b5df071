//! Tests of locks between fibers, threads and schedulers.

#[path = "../support/mod.rs"]
mod support;

mod circles;
mod handed_on;
mod semaphore;
