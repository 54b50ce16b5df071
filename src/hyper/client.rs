//! A client that sends requests over one connection and waits for the answers.

use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;

use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};

use crate::future::{block_on, try_block_on};
use crate::hyper::body::BodyReader;
use crate::hyper::error::error_of;
use crate::hyper::io::Io;
use crate::io::PollIo;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::on_warm_stack;

/// A connection to an HTTP/1 server.
///
/// The connection itself runs in a fiber of its own, which ends when the client and the last body of a response
/// are gone. It sends what it is given: a request needs a `host` header, and a path for its URI.
///
/// # Examples
///
/// See [`Http1`](crate::hyper::Http1).
pub struct Client<B> {
    sender: SendRequest<B>,
}

impl<B> Client<B>
where
    B: Body + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Begins to talk HTTP over a stream that is connected. It does not wait for anything of the server's.
    ///
    /// # Errors
    ///
    /// None with the version of hyper that this was written for.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn new<S: PollIo + Unpin + 'static>(stream: S) -> hyper::Result<Client<B>> {
        let (sender, connection) = block_on(http1::handshake(Io::new(stream)))?;
        let builder = Builder::new().name("http client connection");
        // How it ends is told to whoever waits for a response.
        drop(builder.spawn(|| {
            let mut connection = pin!(connection);
            try_block_on(poll_fn(|cx| on_warm_stack(|| connection.as_mut().poll(cx))))
        }));
        Ok(Client { sender })
    }

    /// Sends a request, and waits for the head of its response. The body of that is read by whoever wants it; the
    /// next request waits until it was, or was dropped.
    ///
    /// If the caller is killed or out of time, the connection is of no more use.
    ///
    /// # Errors
    ///
    /// If the connection is broken, or closed, or what comes is not HTTP.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send(&mut self, request: Request<B>) -> hyper::Result<Response<BodyReader>> {
        let sender = &mut self.sender;
        let response = try_block_on(async {
            sender.ready().await?;
            sender.send_request(request).await
        });
        Ok(response.unwrap_or_else(|killed| Err(error_of(killed)))?.map(BodyReader::new))
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

impl<B> fmt::Debug for Client<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
