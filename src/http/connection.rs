//! One connection, over which requests are sent one after the other.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;

use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};

use crate::future::{block_on, try_block_on};
use crate::http::body::BodyReader;
use crate::http::error::error_of;
use crate::http::io::Io;
use crate::io::PollIo;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::on_warm_stack;

/// A connection to an HTTP/1 server, over any stream.
///
/// The connection runs in a fiber of its own. That fiber ends once this value and the body of its
/// last response have been dropped. Requests are sent unchanged: each needs a `host` header, and a
/// path as its URI. With the feature `http-client`, `Client` takes URLs, and makes and keeps
/// connections itself.
///
/// # Examples
///
/// See [`Http`](crate::http::Http).
pub struct Connection<B> {
    sender: SendRequest<B>,
}

impl<B> Connection<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Starts HTTP over a connected stream, without waiting for the server.
    ///
    /// # Errors
    ///
    /// Returns the error of hyper's handshake. With the current version of hyper there is none.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn new<S: PollIo + Unpin + 'static>(stream: S) -> hyper::Result<Connection<B>> {
        let (sender, connection) = block_on(http1::handshake(Io::new(stream)))?;
        let builder = Builder::new().name("http client connection");
        // The caller that waits for a response gets the error that ends the connection.
        drop(builder.spawn(|| {
            let mut connection = pin!(connection);
            try_block_on(poll_fn(|cx| on_warm_stack(|| connection.as_mut().poll(cx))))
        }));
        Ok(Connection { sender })
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// The body of the response is read later, through its [`BodyReader`]. The next request waits
    /// until that body has been read to its end or dropped.
    ///
    /// If the caller is killed or runs out of time in this call, the connection cannot be used any
    /// more.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is broken or closed, or if the response is not HTTP.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::http::{Connection, Http, hyper};
    /// use fibra::net::UnixStream;
    /// use hyper::{Request, Response};
    ///
    /// fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
    ///     let (here, there) = UnixStream::pair()?; // any stream
    ///     let echo = |request: Request<_>| Response::new(request.uri().to_string());
    ///     fibra::spawn(move || Http::new().serve_connection(there, echo));
    ///     let mut connection = Connection::new(here)?;
    ///     for path in ["/one", "/two"] {
    ///         let request = Request::get(path).header("host", "x").body(String::new())?;
    ///         let body = connection.send(request)?.into_body();
    ///         assert_eq!(std::io::read_to_string(body)?, path);
    ///     }
    ///     Ok(())
    /// })
    /// .unwrap();
    /// ```
    #[track_caller]
    pub fn send(&mut self, request: Request<B>) -> hyper::Result<Response<BodyReader>> {
        let sender = &mut self.sender;
        let response = try_block_on(async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        Ok(response.unwrap_or_else(|killed| Err(error_of(killed)))?.map(BodyReader::new))
    }

    /// Returns whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<B> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
