//! The body of a response: it gives its connection back at its end, keeps the limits, and decodes
//! what is compressed.
//!
//! Invariant: a body that is compressed has not ended before its decoder has checked the end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
#[cfg(feature = "gzip")]
use std::task::ready;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use url::Url;

use crate::future::{Sleep, sleep_until};
use crate::http::client::error::{Error, Kind, TimeLimit};
#[cfg(feature = "gzip")]
use crate::http::client::gzip::Gunzip;
use crate::http::client::lease::Lease;
use crate::http::client::limits::Limits;
use crate::sched::lowlevel::clock_now;

/// The body of a [`Response`](crate::http::Response), as a body of hyper.
///
/// It can be read through a [`BodyReader`](crate::http::BodyReader), or sent on, as the body of
/// another request or response. It keeps the limits of its request. Code that polls it runs in a
/// fiber.
pub struct ResponseBody {
    /// Data that was taken from the body, and comes first again.
    front: Option<Bytes>,
    incoming: Incoming,
    /// The decoder of a body that is compressed, until the end.
    #[cfg(feature = "gzip")]
    gunzip: Option<Box<Gunzip>>,
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
        let mut body = ResponseBody {
            front: None,
            incoming,
            #[cfg(feature = "gzip")]
            gunzip: None,
            has_failed: false,
            lease: Some(lease),
            limits,
            timer: None,
            url,
        };
        body.finish_at_end();
        body
    }

    /// Decodes the body with `gunzip`.
    #[cfg(feature = "gzip")]
    pub(super) fn decode(&mut self, gunzip: Gunzip) {
        self.gunzip = Some(Box::new(gunzip));
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

    /// Returns the next frame as it has arrived.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Polled {
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

    /// Returns the next frame, decoded if the body is compressed.
    #[cfg(feature = "gzip")]
    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            let Some(gunzip) = &mut self.gunzip else { return self.poll_incoming(cx) };
            match gunzip.decode() {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(None) => {}
                Err(error) => return self.fail_to_decode(error),
            }
            let last = match ready!(self.poll_incoming(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.push(data);
                        continue;
                    }
                    Err(trailers) => Some(Ok(trailers)),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => None,
            };
            match self.gunzip.take().map_or(Ok(()), |gunzip| gunzip.finish()) {
                Ok(()) => return Poll::Ready(last),
                Err(error) => return self.fail_to_decode(error),
            }
        }
    }

    #[cfg(not(feature = "gzip"))]
    fn poll_decoded(&mut self, cx: &mut Context<'_>) -> Polled {
        self.poll_incoming(cx)
    }

    #[cfg(feature = "gzip")]
    fn push(&mut self, data: Bytes) {
        if let Some(gunzip) = &mut self.gunzip {
            gunzip.push(data);
        }
    }

    #[cfg(feature = "gzip")]
    fn fail_to_decode(&mut self, error: std::io::Error) -> Polled {
        self.fail(Error::new(Kind::Decode("valid gzip"), None).because(error))
    }

    /// Counts the data of a frame, and checks the limits that do not depend on a wait.
    fn check(&mut self, frame: Frame<Bytes>) -> Polled {
        // A server that never pauses would never be pending.
        if self.limits.deadline.is_some_and(|at| at <= clock_now()) {
            return self.fail(Error::new(Kind::Timeout(TimeLimit::Whole), None));
        }
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        if let Some(left) = &mut self.limits.body_size {
            match left.checked_sub(length) {
                Some(less) => *left = less,
                None => return self.fail(Error::new(Kind::TooLarge, None)),
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// Returns whether nothing is left of what the decoder has, and its end was checked.
    fn is_decoded(&self) -> bool {
        #[cfg(feature = "gzip")]
        return self.gunzip.is_none();
        #[cfg(not(feature = "gzip"))]
        true
    }

    fn fail(&mut self, error: Error) -> Polled {
        self.lease = None;
        self.has_failed = true;
        Poll::Ready(Some(Err(error.at(&self.url))))
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, Error>>>;

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if let Some(data) = self.front.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.has_failed {
            let error = Error::new(Kind::Body, None).because("this body has failed before");
            return self.fail(error);
        }
        match self.poll_decoded(cx) {
            Poll::Ready(Some(Ok(frame))) => self.check(frame),
            other => other,
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_at_end = self.front.is_none() && self.is_decoded();
        is_at_end && !self.has_failed && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let front = self.front.as_ref().map_or(0, |data| data.len() as u64);
        if !self.is_decoded() {
            let mut hint = SizeHint::new();
            hint.set_lower(front);
            return hint;
        }
        let mut hint = self.incoming.size_hint();
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
