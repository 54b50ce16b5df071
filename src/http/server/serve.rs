//! The calls that serve one connection, in the fiber of the caller.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode, Version};

use crate::future::{sleep_until, spawn_now, try_block_on};
use crate::http::body::BodyReader;
use crate::http::error::error_of;
use crate::http::server::graceful::Member;
use crate::http::server::intake::Intake;
use crate::http::server::life::{Flight, Handling, Life};
use crate::http::server::protocol::Protocol;
use crate::http::server::reply::Reply;
use crate::http::server::settings::{Http, Limits};
use crate::http::server::upgrade::Decision;
use crate::http::server::watch::{Verdict, Watch};
use crate::io::PollIo;
use crate::sched::lowlevel::{clock_now, current_fiber, on_warm_stack};

impl Http {
    /// Serves one connection until it ends, and calls `handler` for each request in a new fiber.
    ///
    /// If a handler panics, the response has status 500. If the client goes away or, in HTTP/2,
    /// resets the request, or if the caller is killed, the handler is killed. After an
    /// [upgrade](crate::http::upgrade) the call lasts until the upgraded stream is dropped.
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
    ///
    /// # Examples
    ///
    /// See [`Http`]. The stream may also be one of TLS: see the repository's example `secure_chat`.
    #[track_caller]
    pub fn serve_connection<S, H, B>(&self, stream: S, handler: H) -> hyper::Result<()>
    where
        S: PollIo + Unpin + Send + 'static,
        H: Fn(Request<BodyReader>) -> Response<B> + Clone + 'static,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let life = Arc::new(Life::default());
        let (limits, of_handlers) = (self.limits.clone(), life.clone());
        let call = move |request: Request<Incoming>, flight| {
            let (handler, life) = (handler.clone(), &of_handlers);
            let (intake, handling) = (Intake::new(&limits, life), Handling::begin(life));
            let request = request.map(|body| BodyReader::within(body, intake));
            // Not `spawn`: a handler that does not wait then runs on a warm stack, with no wake.
            let response = spawn_now(move || {
                let _handling = handling;
                handler(request)
            });
            async move {
                Ok::<_, Infallible>(match response.await {
                    Ok(response) => response.map(|body| Reply::new(body, flight)),
                    Err(_) => Reply::status(StatusCode::INTERNAL_SERVER_ERROR),
                })
            }
        };
        self.serve(stream, &life, call)
    }

    /// Serves one connection until it ends with a service of hyper, whose futures must not block.
    ///
    /// A service of tower, such as an axum `Router`, becomes one of hyper by `service_fn`:
    /// `service_fn(move |request: Request<Incoming>| router.clone().oneshot(request))`, with
    /// `tower::ServiceExt`.
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
    pub fn serve_service<S, V, B>(&self, stream: S, service: V) -> hyper::Result<()>
    where
        S: PollIo + Unpin + Send + 'static,
        V: Service<Request<Incoming>, Response = Response<B>>,
        V::Future: 'static,
        V::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let call = move |request, flight| {
            let response = service.call(request);
            async move { Ok(response.await?.map(|body| Reply::new(body, flight))) }
        };
        self.serve::<_, _, _, _, V::Error>(stream, &Arc::new(Life::default()), call)
    }

    #[track_caller]
    fn serve<S, C, F, B, E>(&self, stream: S, life: &Arc<Life>, call: C) -> hyper::Result<()>
    where
        S: PollIo + Unpin + Send + 'static,
        C: Fn(Request<Incoming>, Flight) -> F,
        F: Future<Output = Result<Response<Reply<B>>, E>> + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        current_fiber(); // here, and not in a handler, it panics if there is none
        let limits = &*self.limits;
        let service = service_fn(move |mut request: Request<Incoming>| {
            let by = limits.request.and_then(|limit| clock_now().checked_add(limit));
            let flight = Flight::begin(life);
            let decision = Decision::about(&mut request).inspect(|_| life.note_upgrade());
            let version = request.version();
            let called = match check(&request, limits, life) {
                None => Ok(call(request, flight)),
                Some(refused) => Err(refused),
            };
            async move {
                let response = match called {
                    Ok(response) => by_deadline(response, by).await?,
                    Err(refused) => Reply::status(refused),
                };
                let response = match is_interim(response.status(), version) {
                    true => Reply::status(StatusCode::INTERNAL_SERVER_ERROR),
                    false => response,
                };
                decision.into_iter().for_each(|decision| decision.by(response.status()));
                Ok::<_, E>(response)
            }
        });

        let _close = CloseOnDrop(life);
        let mut protocol = Protocol::new(self, life, stream, service);
        let mut watch = Watch::new(limits, life);
        let mut member = Member::of(self.ending());
        // A connection that begins when others are asked to end may be that of a client which could
        // not know. It serves one request.
        let late = self.ending().is_begun();
        let mut asked = false;
        let served = try_block_on(poll_fn(|cx| {
            loop {
                let polled = on_warm_stack(|| protocol.poll(cx));
                if polled.is_ready() {
                    return polled;
                }
                let begins = late && life.is_new();
                if !asked && !begins && member.is_asked_to_end(cx.waker()) {
                    asked = true;
                    protocol.graceful_shutdown();
                    continue;
                }
                match watch.check(cx) {
                    Verdict::Continue => return Poll::Pending,
                    Verdict::Close => protocol.graceful_shutdown(),
                    Verdict::Late(error) => return Poll::Ready(Err(error_of(error))),
                    Verdict::LateHead(error) => {
                        if protocol.is_http1() {
                            life.note_late();
                        }
                        return Poll::Ready(Err(error_of(error)));
                    }
                }
            }
        }));
        // This kills the handlers. Without an upgrade it drops the stream, too.
        drop(protocol);
        served.unwrap_or_else(|killed| Err(error_of(killed)))?;
        try_block_on(poll_fn(|cx| life.poll_gone(cx))).map_err(error_of)
    }
}

/// Closes a stream that has left its connection, if the fiber that serves the connection ends.
struct CloseOnDrop<'a>(&'a Life);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Returns the status with which a request is refused, if it exceeds a limit.
fn check(request: &Request<Incoming>, limits: &Limits, life: &Life) -> Option<StatusCode> {
    if !names_its_host(request) {
        return Some(StatusCode::BAD_REQUEST);
    }
    if request.headers().len() > limits.headers || size_of_head(request) > limits.head_size {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if limits.body_size.is_some_and(|most| announced_size(request) > most) {
        return Some(StatusCode::PAYLOAD_TOO_LARGE);
    }
    // Handlers of requests that were reset are being killed. A client may have as many of these as
    // it may have requests.
    if request.version() == Version::HTTP_2 && life.handlers() / 2 >= limits.streams {
        return Some(StatusCode::SERVICE_UNAVAILABLE);
    }
    None
}

/// Returns whether a status promises a later response, which would never come. A client of HTTP/2
/// ends its connection if something else follows.
fn is_interim(status: StatusCode, version: Version) -> bool {
    let may_switch = version != Version::HTTP_2;
    status.is_informational() && !(may_switch && status == StatusCode::SWITCHING_PROTOCOLS)
}

/// Returns whether a request names the host that it is for as its version demands: once, and in
/// HTTP/1.0 at most once. Two names are a way to get past checks of the first one. In HTTP/2 the
/// host is a part of the URI.
fn names_its_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (request.version(), hosts.next(), hosts.next()) {
        (Version::HTTP_2, ..) => true,
        (Version::HTTP_11, first, second) => first.is_some() && second.is_none(),
        (_, _, second) => second.is_none(),
    }
}

/// Returns about the number of bytes that the head takes in HTTP/1.
fn size_of_head<B>(request: &Request<B>) -> usize {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let line = authority + uri.path_and_query().map_or(1, |path| path.as_str().len());
    let fields = request.headers().iter();
    fields.fold(line, |sum, (name, value)| sum + name.as_str().len() + value.len() + 4)
}

/// Returns the size of the body, or zero if it is not announced.
fn announced_size<B: Body>(request: &Request<B>) -> u64 {
    // Not every message without a length in `size_hint` lacks the header: see `Expect`.
    let header = || request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
    request.body().size_hint().exact().or_else(header).unwrap_or(0)
}

/// Waits for a response until `deadline`, and returns one with status 503 then.
async fn by_deadline<F, B, E>(future: F, deadline: Option<Instant>) -> F::Output
where
    F: Future<Output = Result<Response<Reply<B>>, E>>,
{
    let Some(deadline) = deadline else { return future.await };
    let mut future = pin!(future);
    let mut late = sleep_until(deadline);
    let in_time = poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => Pin::new(&mut late).poll(cx).map(|()| None),
    });
    match in_time.await {
        Some(Ok(mut response)) => {
            response.body_mut().limit(deadline);
            Ok(response)
        }
        Some(Err(error)) => Err(error),
        None => Ok(Reply::status(StatusCode::SERVICE_UNAVAILABLE)),
    }
}
