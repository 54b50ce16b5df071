//! Connections of an HTTP/1 server: hyper's protocol code, with blocking handlers.
//!
//! ```text
//!   fiber of the connection: block_on(hyper's future)         fiber of a request
//!     socket <--> parse, encode  -- request, chunks of its body --> handler
//!                                <-- response, chunks of its body --
//! ```
//!
//! Invariants:
//! - The fiber of a connection never blocks on the fiber of a handler, and a handler never waits
//!   for the socket itself: each wakes the other. So a handler may read a body that is still
//!   arriving.
//! - When a connection ends, for whatever reason, its handlers are killed.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper::{Request, Response, StatusCode};

use crate::future::{spawn_now, try_block_on};
use crate::http::body::BodyReader;
use crate::http::error::error_of;
use crate::http::io::Io;
use crate::http::rt::FiberTimer;
use crate::io::PollIo;
use crate::sched::lowlevel::{locked, on_warm_stack};

/// Settings for the connections of an HTTP/1 server.
///
/// The defaults are those of hyper, with a [`FiberTimer`]. So a client has 30 seconds to send the
/// head of a request; the connection of a client that pauses longer between two requests is closed.
///
/// # Examples
///
/// ```
/// use fibra::http::{BodyReader, Client, Http, hyper};
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
///     let http = Http::new();
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
pub struct Http {
    builder: http1::Builder,
    graceful: Graceful,
}

impl Http {
    /// Creates the default settings.
    #[must_use]
    pub fn new() -> Http {
        let mut builder = http1::Builder::new();
        builder.timer(FiberTimer);
        Http { builder, graceful: Graceful::default() }
    }

    /// Changes hyper's settings: limits, time limits, keep-alive.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let http = fibra::http::Http::new().with(|http1| {
    ///     http1.header_read_timeout(Duration::from_secs(5)).keep_alive(false);
    /// });
    /// ```
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut http1::Builder)) -> Http {
        change(&mut self.builder);
        self
    }

    /// Returns a handle that asks all connections of these settings, and of their clones, to end.
    #[must_use]
    pub fn graceful(&self) -> Graceful {
        self.graceful.clone()
    }

    /// Serves one connection until it ends, and calls `handler` for each request in a new fiber.
    ///
    /// If a handler panics, the response has status 500. If the client goes away, or the caller is
    /// killed, the handler is killed.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection breaks, if its client is too slow, or if the client does
    /// not send HTTP. Under `panic = "abort"`, where a kill cannot unwind, it also returns an error
    /// if the caller is killed or out of time.
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
            // Not `spawn`: a handler that does not wait then runs on a warm stack, with no wake.
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

    /// Serves one connection until it ends with a service of hyper, whose futures must not block.
    ///
    /// # Errors
    ///
    /// Like [`serve_connection`](Http::serve_connection), and if the service fails.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use fibra::http::{Http, hyper};
    /// use hyper::{Request, Response, body::Incoming, service::service_fn};
    ///
    /// fn serve(stream: fibra::net::TcpStream) -> hyper::Result<()> {
    ///     let service = service_fn(|_: Request<Incoming>| async {
    ///         Ok::<_, Infallible>(Response::new(String::from("hello")))
    ///     });
    ///     Http::new().serve_service(stream, service)
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

impl Default for Http {
    fn default() -> Http {
        Http::new()
    }
}

/// Returns the response for a handler that has panicked: status 500, without a body.
fn sorry<B: Body>() -> Response<Reply<B>> {
    let mut response = Response::new(Reply { body: None });
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

/// A handle that asks connections to end, made by [`Http::graceful`].
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use fibra::http::{Http, hyper::Response};
/// use fibra::server::Server;
///
/// # fibra::run(|| -> std::io::Result<()> {
/// let http = Http::new();
/// let graceful = http.graceful();
/// let running = Server::bind("127.0.0.1:8080")?
///     .start(move |stream, _| http.serve_connection(stream, |_| Response::new(String::new())));
/// // ... later: connections that serve a request have five seconds to finish it.
/// graceful.shutdown();
/// running.shutdown(Duration::from_secs(5));
/// # Ok(()) });
/// ```
#[derive(Clone, Default)]
pub struct Graceful(Arc<Ending>);

#[derive(Default)]
struct Ending {
    /// Changed under the lock. A connection that is registered reads it without the lock, each time
    /// that it is polled: connections of several threads share this value.
    begun: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// Wakers of connections that have not been asked to end yet, keyed by arrival order.
    connections: BTreeMap<u64, Waker>,
    next: u64,
}

impl Graceful {
    /// Asks all connections to end, and returns without waiting for that.
    ///
    /// Idle connections end now; the others end after the request that they are serving.
    /// Connections that begin later end after one request. The connections may be on any thread,
    /// and so may the caller.
    pub fn shutdown(&self) {
        let connections = {
            let mut waiting = self.lock();
            self.0.begun.store(true, Ordering::Release);
            mem::take(&mut waiting.connections)
        };
        connections.into_values().for_each(Waker::wake);
    }

    /// Returns whether a shutdown has begun.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.0.begun.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        locked(&self.0.waiting)
    }
}

/// The registration of one connection with its [`Graceful`], removed on drop.
struct Member<'a> {
    graceful: &'a Graceful,
    /// The key of its waker, once it is registered. The waker never changes: it is always that of
    /// the `block_on` of its fiber.
    place: Option<u64>,
}

impl Member<'_> {
    /// Returns whether a shutdown has begun, and otherwise registers `waker` for it.
    fn is_asked_to_end(&mut self, waker: &Waker) -> bool {
        if self.place.is_some() {
            return self.graceful.is_begun();
        }
        let mut waiting = self.graceful.lock();
        let begun = self.graceful.is_begun();
        if !begun {
            let place = waiting.next;
            waiting.next += 1;
            waiting.connections.insert(place, waker.clone());
            self.place = Some(place);
        }
        begun
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

/// The body of a response: the one that the handler returned, or an empty one if it panicked.
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
