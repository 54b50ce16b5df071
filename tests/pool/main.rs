//! Pools, groups and other waits for several fibers: how their members start, fail and end.

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
mod owned;
mod owned_leaving;
mod owned_pool;
mod race_starts;
mod random;
mod retry;
mod spawn;
mod together;
