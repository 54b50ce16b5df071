//! Other threads and a scheduler: how they reach it, its costs, and the state that remains private
//! to a thread.

#![allow(clippy::disallowed_methods, reason = "other threads and real time are what is tested")]

#[path = "../support/mod.rs"]
mod support;

mod channels;
#[cfg(target_os = "linux")]
mod crossing;
#[cfg(target_os = "linux")]
mod flood;
mod future_timers;
mod in_tokio;
mod lock_shares;
mod own_token;
mod race;
#[cfg(target_os = "linux")]
mod reachable;
mod remote_unpark;
