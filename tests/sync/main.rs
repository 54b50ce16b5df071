//! What `fibra::sync` promises: order, exclusion, deadlocks, and every type on its own.

#[path = "../support/mod.rs"]
mod support;

mod bounds;
#[cfg(feature = "net")]
mod circles;
mod deadlock;
mod handed_on;
mod model;
mod semaphore;
mod stress;
mod types;
