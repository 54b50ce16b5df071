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
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::{Response, StatusCode};

use crate::future::{Sleep, sleep_until};
use crate::http::server::life::Flight;
use crate::http::server::reply::Reply;
use crate::http::server::upgrade::Decision;

/// What follows from the error `E` of a future whose responses have bodies of type `B`.
pub(super) trait OnError<E, B> {
    type Error;

    fn outcome(error: E) -> Result<Response<Reply<B>>, Self::Error>;
}

/// The connection ends with the error. It is that of a service.
pub(super) struct Fails;

impl<E, B> OnError<E, B> for Fails {
    type Error = E;

    fn outcome(error: E) -> Result<Response<Reply<B>>, E> {
        Err(error)
    }
}

/// The response has status 500. The error is that of a fiber, such as a panic.
pub(super) struct Answers500;

impl<E, B> OnError<E, B> for Answers500 {
    type Error = Infallible;

    fn outcome(_: E) -> Result<Response<Reply<B>>, Infallible> {
        Ok(Reply::status(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

/// The future of the response to one request. `F` is that of its handler or service, `C` is an
/// [`OnError`].
pub(super) struct Answer<F, C> {
    /// The future, or the status with which the request is refused.
    response: Result<F, StatusCode>,
    /// The entry of the request, which the body of the response takes over.
    flight: Option<Flight>,
    decision: Option<Decision>,
    /// Ready when the request has taken too long, and the time of that.
    late: Option<Box<(Instant, Sleep)>>,
    on_error: PhantomData<C>,
}

impl<F, C> Answer<F, C> {
    pub(super) fn new(
        response: Result<F, StatusCode>,
        flight: Flight,
        decision: Option<Decision>,
    ) -> Answer<F, C> {
        Answer { response, flight: Some(flight), decision, late: None, on_error: PhantomData }
    }

    /// Ends the request at `deadline`: with status 503 if there is no response, and otherwise by
    /// breaking off its body.
    pub(super) fn by(mut self, deadline: Option<Instant>) -> Answer<F, C> {
        self.late = deadline.map(|at| Box::new((at, sleep_until(at))));
        self
    }
}

impl<F, C, B, E> Answer<F, C>
where
    F: Future<Output = Result<Response<B>, E>> + Unpin,
    C: OnError<E, B>,
{
    fn poll_response(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<Reply<B>>, C::Error>> {
        let response = match &mut self.response {
            Ok(response) => response,
            Err(refused) => return Poll::Ready(Ok(Reply::status(*refused))),
        };
        if let Poll::Ready(outcome) = Pin::new(response).poll(cx) {
            return Poll::Ready(match outcome {
                Ok(response) => {
                    let by = self.late.as_ref().map(|late| late.0);
                    Ok(response.map(|body| Reply::new(body, self.flight.take(), by)))
                }
                Err(error) => C::outcome(error),
            });
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
impl<F, C> Unpin for Answer<F, C> {}

impl<F, C, B, E> Future for Answer<F, C>
where
    F: Future<Output = Result<Response<B>, E>> + Unpin,
    C: OnError<E, B>,
{
    type Output = Result<Response<Reply<B>>, C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.poll_response(cx);
        if let Poll::Ready(Ok(response)) = &polled {
            self.decision.take().into_iter().for_each(|decision| decision.by(response.status()));
        }
        polled
    }
}
