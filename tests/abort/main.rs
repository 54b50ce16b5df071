//! Programs that are built with `panic = "abort"`: nothing can be unwound, and the rest works.
//!
//! Each is a separate program: a crate in a temporary folder that depends on this one.

#[path = "../support/mod.rs"]
mod support;

#[cfg(all(feature = "http", feature = "tls"))]
mod blocking_calls;
mod generators;
#[cfg(feature = "greenlet")]
mod greenlets;
#[cfg(feature = "tokio")]
mod guests;
mod panics;
mod pools;
mod runtimes;
mod scopes;
