//! HTTP on fibers.

#![cfg(feature = "http")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
#[cfg(feature = "http-client")]
mod client_get;
#[cfg(feature = "gzip")]
mod client_gzip;
#[cfg(feature = "http-client")]
mod client_help;
#[cfg(feature = "http-client")]
mod client_limits;
#[cfg(feature = "http-client")]
mod client_pool;
#[cfg(feature = "http-client")]
mod client_proxy;
#[cfg(feature = "http-client")]
mod client_redirects;
#[cfg(feature = "http-client")]
mod client_requests;
#[cfg(all(feature = "http-client", feature = "tls"))]
mod client_tls;
mod connections;
mod on_each;
mod server;
#[cfg(all(feature = "ureq", feature = "tls"))]
mod ureq_agent;
