//! HTTP servers with blocking handlers, and a blocking client, built on [`hyper`].
//!
//! [`Http::serve_connection`] serves one connection, in the fiber that calls it, until the
//! connection ends: HTTP/1, and with the feature `http2` also HTTP/2.
//! [`server::Server`](crate::server::Server) provides such a fiber for each connection. Each
//! request is handled by a call of the handler in a fiber of its own. The handler may sleep, lock,
//! wait for a channel or call other servers. Meanwhile the connection continues: if its client goes
//! away or resets the request, the handler is killed. A handler reads the body of its request
//! through [`Read`](std::io::Read), and may write the body of its response while that is being
//! sent: see [`body`]. [`Http`] has the limits of a server, [`Graceful`] ends its connections,
//! [`upgrade`](upgrade()) leaves HTTP for another protocol, and [`Files`] serves files.
//!
//! [`Connection`] sends requests over any stream and waits for the responses. With the feature
//! `http-client`, `get` fetches a URL, and `Client` sends requests of all kinds to URLs; both keep
//! connections for later requests. With `https` they also use TLS.
//!
#![cfg_attr(
    feature = "http-client",
    doc = "The [guide](crate::guide::http) shows programs, and what to do about errors."
)]
//!
//! # Using hyper directly
//!
//! The parts that the servers and clients are made of also serve other uses of hyper, and crates
//! that are built on it. [`Io`] adapts any stream of this crate, also a TLS stream, to hyper's
//! traits: `Io::new(stream)` is what hyper's `server::conn` and `client::conn` take.
//! [`FiberExecutor`] and [`FiberTimer`] are an executor and a timer for it, and
//! [`Http::serve_service`] runs a `Service`, also an axum `Router`.
//! [`block_on`](crate::future::block_on) runs hyper's futures. The crate is
//! re-exported as [`fibra::http::hyper`](hyper).
//!
//! ```
//! use fibra::future::block_on;
//! use fibra::http::{Io, hyper};
//! use hyper::service::service_fn;
//! use hyper::{Request, Response, body::Incoming};
//!
//! # fn main() -> std::io::Result<()> {
//! fibra::run(|| {
//!     let (client, server) = fibra::net::UnixStream::pair()?;
//!     let hello =
//!         |_: Request<Incoming>| async { hyper::Result::Ok(Response::new("hello".to_string())) };
//!     let http = hyper::server::conn::http1::Builder::new();
//!     let connection = http.serve_connection(Io::new(server), service_fn(hello));
//!     fibra::spawn(|| block_on(connection));
//!
//!     let status = block_on(async {
//!         let (mut requests, connection) =
//!             hyper::client::conn::http1::handshake(Io::new(client)).await?;
//!         fibra::spawn(|| block_on(connection));
//!         let response = requests.send_request(Request::new(String::new())).await?;
//!         hyper::Result::Ok(response.status())
//!     });
//!     assert_eq!(status.unwrap(), 200);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Two rules
//!
//! - Do not block in the `async` code of a service: a connection is one task, which would stop.
//!   Blocking handlers run in fibers of their own and may block. `async` code can start such a
//!   fiber with [`future::spawn`](crate::future::spawn).
//! - This module reads and writes streams through futures, so time limits that were set on a socket
//!   have no effect. Use the time limits of [`Http`], and [`time::timeout`](crate::time::timeout)
//!   around the whole call.

mod body;
mod body_writer;
#[cfg(feature = "http-client")]
mod client;
mod connection;
mod error;
mod files;
mod io;
mod rt;
mod server;

pub use self::body::BodyReader;
pub use self::body_writer::{BodyWriter, StreamBody, body};
#[cfg(feature = "http-client")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-client")))]
pub use self::client::{
    Client, ClientBuilder, Error, IntoUrl, Proxy, RedirectPolicy, RequestBody, RequestBuilder,
    Response, ResponseBody, get,
};
pub use self::connection::Connection;
pub use self::files::{FileBody, Files};
pub use self::io::Io;
pub use self::rt::{FiberExecutor, FiberTimer};
#[cfg(feature = "http2")]
#[cfg_attr(docsrs, doc(cfg(feature = "http2")))]
pub use self::server::StreamExecutor;
pub use self::server::{Graceful, Http, LimitedBody, Upgrade, Upgraded, status_of, upgrade};
pub use ::hyper;
#[cfg(feature = "http-client")]
pub use ::url;
