//! The connections of a server: hyper's, with handlers that block.
//!
//! ```text
//!   fiber of the connection: block_on(hyper's future)         fiber of a request
//!     socket <--> parse, encode  -- request, chunks of its body --> handler
//!                                <-- response, chunks of its body --
//! ```
//!
//! Invariants:
//! - The connection's fiber never waits for a handler's, nor the handler's for the socket: each is woken
//!   by the other. So a handler may read a body that is still on its way.
//! - When a connection ends, however it does, its handlers are killed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response, StatusCode};

use crate::future::{spawn_now, try_block_on};
use crate::hyper::body::BodyReader;
use crate::hyper::error::error_of;
use crate::hyper::io::Io;
use crate::hyper::rt::FiberTimer;
use crate::io::PollIo;
use crate::sched::lowlevel::{locked, on_warm_stack};

/// Settings for the connections of an HTTP/1 server.
///
/// hyper's own hold, with a timer that fibers have: so a client must send the head of a request
/// within 30 seconds, and one that waits longer between two requests is cut off.
///
/// # Examples
///
/// ```
/// use fibra::hyper::{BodyReader, Client, Http1, hyper};
/// use fibra::net::TcpStream;
/// use fibra::server::Server;
/// use hyper::{Request, Response};
///
/// fn handler(request: Request<BodyReader>) -> Response<String> {
///     fibra::sleep(std::time::Duration::from_millis(1)); // the others go on
///     Response::new(format!("you asked for {}", request.uri()))
/// }
///
/// fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::bind("127.0.0.1:0")?;
///     let address = server.listener().local_addr()?;
///     let http = Http1::new();
///     let _running = server.start(move |stream, _| http.serve_connection(stream, handler));
///
///     let mut client = Client::new(TcpStream::connect(address)?)?;
///     let request = Request::get("/this").header("host", "localhost").body(String::new())?;
///     let response = client.send(request)?;
///     assert_eq!(std::io::read_to_string(response.into_body())?, "you asked for /this");
///     Ok(())
/// })
/// .unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Http1 {
    builder: http1::Builder,
    graceful: Graceful,
}

impl Http1 {
    /// The settings that are described above.
    #[must_use]
    pub fn new() -> Http1 {
        let mut builder = http1::Builder::new();
        builder.timer(FiberTimer);
        Http1 { builder, graceful: Graceful::default() }
    }

    /// Changes hyper's settings: limits, time limits, keep-alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let http = fibra::hyper::Http1::new().with(|http1| {
    ///     http1.header_read_timeout(Duration::from_secs(5)).keep_alive(false);
    /// });
    /// ```
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut http1::Builder)) -> Http1 {
        change(&mut self.builder);
        self
    }

    /// A handle with which the connections of these settings, and of their clones, are asked to end.
    #[must_use]
    pub fn graceful(&self) -> Graceful {
        self.graceful.clone()
    }

    /// Serves one connection until it ends: each request by a call of `handler`, in a fiber of its own.
    ///
    /// A handler that panics answers with status 500. If the client goes away, or the caller is killed,
    /// the handler is killed.
    ///
    /// # Errors
    ///
    /// If the connection breaks, its client is too slow, or what it sends is not HTTP. Under
    /// `panic = "abort"`, where a kill cannot unwind, also if the caller is killed or out of time.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn serve_connection<S, H, B>(&self, stream: S, handler: H) -> hyper::Result<()>
    where
        S: PollIo + Unpin,
        H: Fn(Request<BodyReader>) -> Response<B> + Clone + 'static,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let service = service_fn(move |request: Request<Incoming>| {
            let handler = handler.clone();
            // At once: a handler that does not wait runs on a warm stack, and needs no wake.
            let response = spawn_now(move || handler(request.map(BodyReader::new)));
            async move {
                Ok::<_, Infallible>(match response.await {
                    Ok(response) => response.map(|body| Reply { body: Some(Box::pin(body)) }),
                    Err(_) => sorry(),
                })
            }
        });
        self.serve_service(stream, service)
    }

    /// Serves one connection until it ends, by a service of hyper: its futures must not block.
    ///
    /// # Errors
    ///
    /// As [`serve_connection`](Http1::serve_connection), and if the service fails.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use fibra::hyper::{Http1, hyper};
    /// use hyper::{Request, Response, body::Incoming, service::service_fn};
    ///
    /// fn serve(stream: fibra::net::TcpStream) -> hyper::Result<()> {
    ///     let service = service_fn(|_: Request<Incoming>| async {
    ///         Ok::<_, Infallible>(Response::new(String::from("hello")))
    ///     });
    ///     Http1::new().serve_service(stream, service)
    /// }
    /// ```
    #[track_caller]
    pub fn serve_service<S, V>(&self, stream: S, service: V) -> hyper::Result<()>
    where
        S: PollIo + Unpin,
        V: HttpService<Incoming>,
        V::Error: Into<Box<dyn Error + Send + Sync>>,
        V::ResBody: 'static,
        <V::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut connection = pin!(self.builder.serve_connection(Io::new(stream), service));
        let mut member = Member { graceful: &self.graceful, place: None };
        let mut asked = false;
        let served = try_block_on(poll_fn(|cx| {
            if !asked && member.is_asked_to_end(cx.waker()) {
                asked = true;
                connection.as_mut().graceful_shutdown();
            }
            on_warm_stack(|| connection.as_mut().poll(cx))
        }));
        served.unwrap_or_else(|killed| Err(error_of(killed)))
    }
}

impl Default for Http1 {
    fn default() -> Http1 {
        Http1::new()
    }
}

fn sorry<B: Body>() -> Response<Reply<B>> {
    let mut response = Response::new(Reply { body: None });
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// Asks connections to end: made by [`Http1::graceful`].
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use fibra::hyper::{Http1, hyper::Response};
/// use fibra::server::Server;
///
/// # fibra::run(|| -> std::io::Result<()> {
/// let http = Http1::new();
/// let graceful = http.graceful();
/// let running = Server::bind("127.0.0.1:8080")?
///     .start(move |stream, _| http.serve_connection(stream, |_| Response::new(String::new())));
/// // ... later: those that serve a request have five seconds to end it.
/// graceful.shutdown();
/// running.shutdown(Duration::from_secs(5));
/// # Ok(()) });
/// ```
#[derive(Clone, Default)]
pub struct Graceful(Arc<Mutex<Ending>>);

#[derive(Default)]
struct Ending {
    begun: bool,
    /// What those are woken by who have not been asked, by the order in which they came.
    connections: BTreeMap<u64, Waker>,
    next: u64,
}

impl Graceful {
    /// Asks all connections to end: idle ones do so now, the others after the request that they
    /// serve. It does not wait for them. Connections that are served later end after one request.
    pub fn shutdown(&self) {
        let connections = {
            let mut ending = self.lock();
            ending.begun = true;
            mem::take(&mut ending.connections)
        };
        connections.into_values().for_each(Waker::wake);
    }

    /// Whether a shutdown has begun.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.lock().begun
    }

    fn lock(&self) -> MutexGuard<'_, Ending> {
        locked(&self.0)
    }
}

/// A connection that is to be asked.
struct Member<'a> {
    graceful: &'a Graceful,
    /// Where its waker is, which is always the same: that of its fiber's `block_on`.
    place: Option<u64>,
}

impl Member<'_> {
    fn is_asked_to_end(&mut self, waker: &Waker) -> bool {
        let mut ending = self.graceful.lock();
        if !ending.begun && self.place.is_none() {
            let place = ending.next;
            ending.next += 1;
            ending.connections.insert(place, waker.clone());
            self.place = Some(place);
        }
        ending.begun
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            self.graceful.lock().connections.remove(place);
        }
    }
}

impl fmt::Debug for Graceful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graceful").field("is_begun", &self.is_begun()).finish()
    }
}

/// The body of a response: the handler's, or nothing if it has failed.
pub struct Reply<B> {
    body: Option<Pin<Box<B>>>,
}

impl<B: Body> Body for Reply<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match &mut self.body {
            Some(body) => body.as_mut().poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}

impl<B> fmt::Debug for Reply<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}
