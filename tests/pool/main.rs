//! Pools and groups of fibers, offload pools of threads, and repeated attempts.

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod blocking_borrows;
mod blocking_kills;
mod ends;
mod group;
mod hostile_ends;
mod imap;
mod map;
mod map_errors;
mod race_starts;
mod random;
mod retry;
mod spawn;
mod together;
