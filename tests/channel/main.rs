//! The channels of `fibra::channel`, the queues built on the same parts, and `select!`.

#[path = "../support/mod.rs"]
mod support;

mod bounded;
mod cancel;
mod closing;
mod deadlock;
mod oneshot;
mod pausing;
mod queues;
mod queues_random;
mod rendezvous;
mod select;
mod select_random;
mod unbounded;
