//! The response to one request, as the future that hyper polls.
//!
//! hyper keeps this future in one box per connection, and moves it there. So it is flat, and not
//! made of `async` blocks, each of which would hold the future inside it twice.
//!
//! Invariants:
//! - When the request has taken too long, the future of its handler is dropped, which kills the
//!   handler.
//! - An upgrade is decided by the first response, and declined if there is none.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::{Request, Response, StatusCode, Version};

use crate::future::{Sleep, sleep_until};
use crate::http::body::BodyReader;
use crate::http::server::life::Flight;
use crate::http::server::reply::Reply;
use crate::http::server::upgrade::Decision;

/// A request, and then the response to it, in a box that a handler's fiber takes and returns.
///
/// Both are hundreds of bytes, which would be moved a dozen times on the way into a fiber and out
/// of it.
#[allow(clippy::large_enum_variant, reason = "it is in a box")]
pub(super) enum Exchange<B> {
    Request(Request<BodyReader>),
    Response(Response<B>),
    Empty,
}

impl<B> Exchange<B> {
    /// Replaces the request by the response of `handler`.
    pub(super) fn run(&mut self, handler: impl FnOnce(Request<BodyReader>) -> Response<B>) {
        if let Exchange::Request(request) = mem::replace(self, Exchange::Empty) {
            *self = Exchange::Response(handler(request));
        }
    }
}

/// The output of a future that becomes a response with a body of type `B`.
pub(super) trait Outcome<B> {
    /// The error with which the connection ends.
    type Error;

    /// Returns the response, or the status of one.
    fn into_response(self) -> Result<Result<Response<B>, StatusCode>, Self::Error>;
}

/// The output of a service.
impl<B, E> Outcome<B> for Result<Response<B>, E> {
    type Error = E;

    fn into_response(self) -> Result<Result<Response<B>, StatusCode>, E> {
        self.map(Ok)
    }
}

/// The output of a handler's fiber. If it has panicked, the response has status 500.
impl<B, E> Outcome<B> for Result<Box<Exchange<B>>, E> {
    type Error = Infallible;

    fn into_response(self) -> Result<Result<Response<B>, StatusCode>, Infallible> {
        Ok(match self.map(|exchange| *exchange) {
            Ok(Exchange::Response(response)) => Ok(response),
            _ => Err(StatusCode::INTERNAL_SERVER_ERROR),
        })
    }
}

/// The future of the response to one request. `F` is that of its handler or service, `B` is the
/// body of its responses.
pub(super) struct Answer<F, B> {
    /// The future, or the status with which the request is refused.
    response: Result<F, StatusCode>,
    version: Version,
    /// The entry of the request, which the body of the response takes over.
    flight: Option<Flight>,
    decision: Option<Decision>,
    /// Ready when the request has taken too long, and the time of that.
    late: Option<Box<(Instant, Sleep)>>,
    body: PhantomData<fn() -> B>,
}

impl<F, B> Answer<F, B> {
    pub(super) fn new(
        response: Result<F, StatusCode>,
        version: Version,
        flight: Flight,
        decision: Option<Decision>,
    ) -> Answer<F, B> {
        let flight = Some(flight);
        Answer { response, version, flight, decision, late: None, body: PhantomData }
    }

    /// Ends the request at `deadline`: with status 503 if there is no response, and otherwise by
    /// breaking off its body.
    pub(super) fn by(mut self, deadline: Option<Instant>) -> Answer<F, B> {
        self.late = deadline.map(|at| Box::new((at, sleep_until(at))));
        self
    }
}

impl<F, B, O> Answer<F, B>
where
    F: Future<Output = O> + Unpin,
    O: Outcome<B>,
{
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Reply<B>>, O::Error>> {
        let response = match &mut self.response {
            Ok(response) => response,
            Err(refused) => return Poll::Ready(Ok(Reply::status(*refused))),
        };
        if let Poll::Ready(outcome) = Pin::new(response).poll(cx) {
            return Poll::Ready(outcome.into_response().map(|response| match response {
                Ok(response) => {
                    let by = self.late.as_ref().map(|late| late.0);
                    response.map(|body| Reply::new(body, self.flight.take(), by))
                }
                Err(status) => Reply::status(status),
            }));
        }
        let Some(late) = &mut self.late else { return Poll::Pending };
        if Pin::new(&mut late.1).poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.response = Err(StatusCode::SERVICE_UNAVAILABLE);
        Poll::Ready(Ok(Reply::status(StatusCode::SERVICE_UNAVAILABLE)))
    }
}

/// It contains no pinned data.
impl<F, B> Unpin for Answer<F, B> {}

impl<F, B, O> Future for Answer<F, B>
where
    F: Future<Output = O> + Unpin,
    O: Outcome<B>,
{
    type Output = Result<Response<Reply<B>>, O::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut polled = self.poll_response(cx);
        if let Poll::Ready(Ok(response)) = &mut polled {
            if is_interim(response.status(), self.version) {
                *response = Reply::status(StatusCode::INTERNAL_SERVER_ERROR);
            }
            self.decision.take().into_iter().for_each(|decision| decision.by(response.status()));
        }
        polled
    }
}

/// Returns whether a status promises a later response, which would never come. A client of HTTP/2
/// ends its connection if something else follows.
fn is_interim(status: StatusCode, version: Version) -> bool {
    let may_switch = version != Version::HTTP_2;
    status.is_informational() && !(may_switch && status == StatusCode::SWITCHING_PROTOCOLS)
}
