//! Clients: [`Connection`], over one stream, and [`Client`], for URLs.
//!
//! ```text
//!   send.rs       one request: attempts, redirects -> redirect.rs, proxies -> proxy.rs
//!     pool.rs       an idle connection, or the right to make one
//!       connect.rs    names, TCP, tunnel.rs, tls.rs
//!       open.rs       HTTP on the stream, in a fiber: line.rs, multiplexed.rs
//!     lease.rs      the request and the head of its response on that connection
//!   response.rs   the body, which gives the connection back at its end: response_body.rs
//! ```

#[cfg(feature = "http-client")]
mod auth;
#[cfg(feature = "http-client")]
mod builder;
#[cfg(feature = "http-client")]
mod connect;
mod connection;
#[cfg(feature = "http-client")]
mod error;
#[cfg(feature = "http-client")]
mod into_url;
#[cfg(feature = "http-client")]
mod lease;
#[cfg(feature = "http-client")]
mod limits;
#[cfg(feature = "http-client")]
mod line;
#[cfg(all(feature = "http-client", feature = "http2"))]
mod multiplexed;
#[cfg(feature = "http-client")]
mod open;
#[cfg(feature = "http-client")]
mod pool;
#[cfg(feature = "http-client")]
mod pooled;
#[cfg(feature = "http-client")]
mod proxy;
#[cfg(feature = "http-client")]
mod redirect;
#[cfg(feature = "http-client")]
mod request;
#[cfg(feature = "http-client")]
mod request_body;
#[cfg(feature = "http-client")]
mod response;
#[cfg(feature = "http-client")]
mod response_body;
#[cfg(feature = "http-client")]
mod route;
#[cfg(feature = "http-client")]
mod send;
#[cfg(all(feature = "http-client", feature = "tls"))]
mod tls;
#[cfg(feature = "http-client")]
mod tunnel;

#[cfg(feature = "http-client")]
pub use builder::ClientBuilder;
pub use connection::Connection;
#[cfg(feature = "http-client")]
pub use error::Error;
#[cfg(feature = "http-client")]
pub use into_url::IntoUrl;
#[cfg(feature = "http-client")]
pub use pooled::Client;
#[cfg(feature = "http-client")]
pub use proxy::Proxy;
#[cfg(feature = "http-client")]
pub use redirect::RedirectPolicy;
#[cfg(feature = "http-client")]
pub use request::RequestBuilder;
#[cfg(feature = "http-client")]
pub use request_body::RequestBody;
#[cfg(feature = "http-client")]
pub use response::Response;
#[cfg(feature = "http-client")]
pub use response_body::ResponseBody;
