//! The calls that serve one connection, in the fiber of the caller.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::service::{HttpService, Service, service_fn};
use hyper::{Request, Response, StatusCode, Version};

use crate::future::{spawn_now, try_block_on};
use crate::http::body::BodyReader;
use crate::http::error::error_of;
use crate::http::server::answer::{Answer, Exchange, Outcome};
use crate::http::server::graceful::Member;
use crate::http::server::intake::Intake;
use crate::http::server::life::{Flight, Handling, Life};
use crate::http::server::protocol::Protocol;
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
        let (settings, of_handlers) = (self.0.clone(), life.clone());
        let call = move |request: Request<Incoming>| {
            let (handler, life) = (handler.clone(), &of_handlers);
            let handling = (request.version() == Version::HTTP_2).then(|| Handling::begin(life));
            let request = request.map(|body| match body.is_end_stream() {
                true => BodyReader::new(body),
                false => BodyReader::within(body, Intake::new(&settings.limits, life)),
            });
            let mut exchange = Box::new(Exchange::Request(request));
            // Not `spawn`: a handler that does not wait then runs on a warm stack, with no wake.
            spawn_now(move || {
                let _handling = handling;
                exchange.run(handler);
                exchange
            })
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
        // The box makes the future small, and movable.
        let call = move |request| Box::pin(service.call(request));
        self.serve(stream, &Arc::new(Life::default()), call)
    }

    #[track_caller]
    fn serve<S, C, F, B, O>(&self, stream: S, life: &Arc<Life>, call: C) -> hyper::Result<()>
    where
        S: PollIo + Unpin + Send + 'static,
        C: Fn(Request<Incoming>) -> F,
        F: Future<Output = O> + Unpin + 'static,
        O: Outcome<B>,
        O::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        current_fiber(); // here, and not in a handler, it panics if there is none
        let settings = &*self.0;
        let limits = &settings.limits;
        let service = service_fn(move |mut request: Request<Incoming>| {
            let by = limits.request.and_then(|limit| clock_now().checked_add(limit));
            let flight = Flight::begin(life);
            let decision = Decision::about(&mut request).inspect(|_| life.note_upgrade());
            let version = request.version();
            let response = match check(&request, limits, life) {
                None => Ok(call(request)),
                Some(refused) => Err(refused),
            };
            Answer::new(response, version, flight, decision).by(by)
        });

        let _close = CloseOnDrop(life);
        // It is made here, in its place, and by code that runs on the other stack.
        let (mut parts, mut connection) = (Some((stream, service)), None);
        on_warm_stack(|| {
            let Some((stream, service)) = parts.take() else { return };
            connection = Some(Connection {
                protocol: Protocol::new(settings, life, stream, service),
                watch: Watch::new(limits, life),
                member: Member::of(&settings.graceful),
                is_late: settings.graceful.is_begun(),
                is_asked_to_end: false,
                life,
            });
        });
        let served = try_block_on(poll_fn(|cx| {
            if let Some(running) = &mut connection {
                let ended = ready!(on_warm_stack(|| running.poll(cx)));
                // This kills the handlers. Without an upgrade it drops the stream, too.
                connection = None;
                if ended.is_err() {
                    return Poll::Ready(ended);
                }
            }
            life.poll_gone(cx).map(Ok)
        }));
        served.unwrap_or_else(|killed| Err(error_of(killed)))
    }
}

/// A connection with all that its fiber keeps while it waits.
///
/// It lies on the stack of its fiber, which has touched one page while the connection is idle: with
/// this value that page is nearly full. So all code that needs more stack runs on another one,
/// which all connections share.
struct Connection<'a, S: PollIo + Unpin, V: HttpService<Incoming>> {
    protocol: Protocol<'a, S, V>,
    watch: Watch<'a>,
    member: Member<'a>,
    life: &'a Life,
    /// Whether it began when others were asked to end. It may be that of a client which could not
    /// know, so it serves one request.
    is_late: bool,
    is_asked_to_end: bool,
}

impl<S, V> Connection<'_, S, V>
where
    S: PollIo + Unpin + Send + 'static,
    V: HttpService<Incoming>,
    V::Future: 'static,
    V::ResBody: 'static,
    <V::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        loop {
            let polled = self.protocol.poll(cx);
            if polled.is_ready() {
                return polled;
            }
            let begins = self.is_late && self.life.is_new();
            if !self.is_asked_to_end && !begins && self.member.is_asked_to_end(cx.waker()) {
                self.is_asked_to_end = true;
                self.protocol.graceful_shutdown();
                continue;
            }
            match self.watch.check(cx) {
                Verdict::Continue => return Poll::Pending,
                Verdict::Close => self.protocol.graceful_shutdown(),
                Verdict::Late(error) => return Poll::Ready(Err(error_of(error))),
                Verdict::LateHead(error) => {
                    if self.protocol.is_http1() {
                        self.life.note_late();
                    }
                    return Poll::Ready(Err(error_of(error)));
                }
            }
        }
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
