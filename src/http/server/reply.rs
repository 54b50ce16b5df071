//! The body of a response: counted while it is sent, and limited in time.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{Response, StatusCode};

use crate::future::{Sleep, sleep_until};
use crate::http::server::life::Flight;

/// The body of a response: the one that a handler or a service has made, or an empty one.
pub(super) struct Reply<B> {
    body: Option<Pin<Box<B>>>,
    /// Ready when the response has taken too long.
    late: Option<Box<Sleep>>,
    _flight: Option<Flight>,
}

impl<B> Reply<B> {
    /// Creates the body of the response to the request of `flight`. It is broken off at `deadline`.
    pub(super) fn new(body: B, flight: Option<Flight>, deadline: Option<Instant>) -> Reply<B> {
        let late = deadline.map(|at| Box::new(sleep_until(at)));
        Reply { body: Some(Box::pin(body)), late, _flight: flight }
    }

    /// Returns a response that consists of a status.
    #[cold]
    pub(super) fn status(status: StatusCode) -> Response<Reply<B>> {
        let mut response = Response::new(Reply { body: None, late: None, _flight: None });
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        response
    }
}

impl<B: Body> Body for Reply<B>
where
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = body.as_mut().poll_frame(cx);
        let Some(late) = &mut self.late else { return into_boxed(polled) };
        if polled.is_pending() && Pin::new(&mut **late).poll(cx).is_ready() {
            let text = "the request has taken longer than `Http::request_timeout`";
            return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::TimedOut, text).into())));
        }
        into_boxed(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), |body| body.size_hint())
    }
}

type Polled<D, E> = Poll<Option<Result<Frame<D>, E>>>;

fn into_boxed<D, E>(polled: Polled<D, E>) -> Polled<D, Box<dyn Error + Send + Sync>>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    polled.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
}
