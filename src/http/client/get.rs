//! [`get`], and the client that it uses.
//!
//! Invariant: each scheduler has its own, whose connections are fibers and sockets of that
//! scheduler. It belongs to the main fiber, and ends with it.

use std::sync::atomic::AtomicU8;

use crate::http::client::error::Error;
use crate::http::client::into_url::IntoUrl;
use crate::http::client::pooled::Client;
use crate::http::client::response::Response;
use crate::sched::lowlevel::shared_by_all;

/// Fetches `url`: sends a GET request, and waits until the head of the response has arrived.
///
/// All calls in one [`run`](crate::run) share a [`Client`] with the default settings, which is
/// created by the first one and dropped at the end of `run`. So later calls use its connections
/// again. In a [`Runtime`](crate::Runtime) with several schedulers, each has its own. There is no
/// time limit: put [`time::timeout`](crate::time::timeout) around the call. For other methods,
/// headers and settings, create a [`Client`].
///
/// # Errors
///
/// The same as for [`RequestBuilder::send`](crate::http::RequestBuilder::send). A status such as
/// 404 is not an error: see [`Response::error_for_status`].
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```no_run
/// fn main() -> Result<(), fibra::http::Error> {
///     fibra::run(|| {
///         let page = fibra::http::get("http://localhost:8080/")?.error_for_status()?.text()?;
///         println!("{page}");
///         Ok(())
///     })
/// }
/// ```
#[track_caller]
pub fn get(url: impl IntoUrl) -> Result<Response, Error> {
    // The key is the address of this static.
    static ID: AtomicU8 = AtomicU8::new(0);
    shared_by_all(&ID, Client::new).get(url).send()
}
