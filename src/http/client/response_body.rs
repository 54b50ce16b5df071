//! The body of a response: it gives its connection back at its end, and keeps the time limits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use url::Url;

use crate::future::{Sleep, sleep_until};
use crate::http::client::error::{Error, Kind, TimeLimit};
use crate::http::client::lease::Lease;
use crate::http::client::limits::Limits;
use crate::sched::lowlevel::clock_now;

/// The body of a [`Response`](crate::http::Response), as a body of hyper.
///
/// It can be read through a [`BodyReader`](crate::http::BodyReader), or sent on, as the body of
/// another request or response. It keeps the time limits of its request. Code that polls it runs in
/// a fiber.
pub struct ResponseBody {
    /// Data that was taken from the body, and comes first again.
    front: Option<Bytes>,
    incoming: Incoming,
    /// After an error the rest is not polled again.
    has_failed: bool,
    /// The use of the connection, until the end.
    lease: Option<Lease>,
    limits: Limits,
    timer: Option<(Pin<Box<Sleep>>, TimeLimit)>,
    url: Rc<Url>,
}

/// The number of parts that are taken from a body that is dropped.
const MOST_DRAINED: usize = 4;

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        limits: Limits,
        url: Rc<Url>,
    ) -> ResponseBody {
        let lease = Some(lease);
        let (front, has_failed, timer) = (None, false, None);
        let mut body = ResponseBody { front, incoming, has_failed, lease, limits, timer, url };
        body.finish_at_end();
        body
    }

    /// Puts data back that was taken from the body.
    pub(super) fn put_back(&mut self, data: Option<Bytes>) {
        self.front = data;
    }

    /// Gives the connection back if nothing of the body is left.
    fn finish_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.finish();
        }
    }

    /// Returns the limit that has passed, or arranges to be polled when the next one does.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Option<TimeLimit> {
        if self.timer.is_none() {
            let (at, limit) = self.limits.of_read()?;
            self.timer = Some((Box::pin(sleep_until(at)), limit));
        }
        let (timer, limit) = self.timer.as_mut()?;
        timer.as_mut().poll(cx).is_ready().then_some(*limit)
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.lease = None;
        self.has_failed = true;
        Poll::Ready(Some(Err(error.at(&self.url))))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(data) = self.front.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.has_failed {
            let error = Error::new(Kind::Body, None).because("this body has failed before");
            return self.fail(error);
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => match self.poll_limits(cx) {
                Some(limit) => {
                    // A connection that others share may be dead, too.
                    let lease = self.lease.take().filter(|_| limit.is_read());
                    lease.into_iter().for_each(Lease::discard);
                    self.fail(Error::new(Kind::Timeout(limit), None))
                }
                None => Poll::Pending,
            },
            Poll::Ready(Some(Ok(frame))) => {
                self.timer = None;
                // A server that never pauses would never be pending.
                if self.limits.deadline.is_some_and(|at| at <= clock_now()) {
                    return self.fail(Error::new(Kind::Timeout(TimeLimit::Whole), None));
                }
                self.finish_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.timer = None;
                self.finish();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => self.fail(Error::new(Kind::Body, None).because(error)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_none() && !self.has_failed && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.incoming.size_hint();
        let front = self.front.as_ref().map_or(0, |data| data.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + front);
        }
        hint.set_lower(hint.lower() + front);
        hint
    }
}

/// Keeps the connection if the rest of the body has arrived already.
impl Drop for ResponseBody {
    fn drop(&mut self) {
        if self.lease.as_ref().is_none_or(Lease::is_http2) {
            return;
        }
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..MOST_DRAINED {
            match Pin::new(&mut self.incoming).poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(_))) => self.finish_at_end(),
                Poll::Ready(None) => self.finish(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => return,
            }
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}
