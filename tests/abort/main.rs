//! Programs that are built with `panic = "abort"`, where nothing unwinds: calls that return an error end when
//! their fiber is killed, others wait on.

#[path = "../abort_support/mod.rs"]
mod abort_support;
#[path = "../support/mod.rs"]
mod support;

#[cfg(all(feature = "http", feature = "tls"))]
mod blocking_calls;
