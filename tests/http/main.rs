//! HTTP on fibers.

#![cfg(feature = "http")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod cases;
#[cfg(feature = "http-client")]
mod client_faults;
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
#[cfg(feature = "http2")]
mod frames;
#[cfg(feature = "http2")]
mod http2_rules;
mod on_each;
#[cfg(feature = "tls")]
mod real_clients;
mod server;
#[cfg(all(feature = "ureq", feature = "tls"))]
mod ureq_agent;
