//! [`Client`], for URLs, and what it is made of.
//!
//! ```text
//!   get.rs        the client that `http::get` uses
//!   send.rs       one request: attempts, redirects -> redirect.rs, proxies -> proxy.rs
//!     pool.rs       an idle connection, or the right to make one
//!       connect.rs    names, TCP, tunnel.rs, tls.rs
//!       open.rs       HTTP on the stream, in a fiber: line.rs, multiplexed.rs
//!     lease.rs      the request and the head of its response on that connection
//!   response.rs   the body, which gives the connection back at its end: response_body.rs, gzip.rs
//! ```

mod auth;
mod builder;
#[cfg(feature = "http2")]
mod builder_http2;
mod connect;
mod error;
mod get;
#[cfg(feature = "gzip")]
mod gzip;
mod into_url;
mod lease;
mod limits;
mod line;
#[cfg(feature = "http2")]
mod multiplexed;
mod open;
mod pool;
mod pooled;
mod proxy;
mod redirect;
mod request;
mod request_body;
mod response;
mod response_body;
mod route;
mod send;
#[cfg(feature = "tls")]
mod tls;
mod tunnel;

pub use builder::ClientBuilder;
pub use error::Error;
pub use get::get;
pub use into_url::IntoUrl;
pub use pooled::Client;
pub use proxy::Proxy;
pub use redirect::RedirectPolicy;
pub use request::RequestBuilder;
pub use request_body::RequestBody;
pub use response::Response;
pub use response_body::ResponseBody;
