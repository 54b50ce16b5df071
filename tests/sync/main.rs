//! The guarantees of `fibra::sync`: order, exclusion, deadlocks, and the behaviour of each type.

#[path = "../support/mod.rs"]
mod support;

mod bounds;
#[cfg(feature = "net")]
mod circles;
mod contended;
mod deadlock;
mod handed_on;
mod model;
mod semaphore;
mod stress;
mod tasks;
mod types;
