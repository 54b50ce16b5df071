//! Locks between fibers, threads and schedulers: how they close, and waits for them that never end.

#[path = "../support/mod.rs"]
mod support;

mod circles;
mod handed_on;
mod semaphore;
