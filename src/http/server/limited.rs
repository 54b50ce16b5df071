//! [`LimitedBody`]: the limits of a body that a service reads.
//!
//! Invariant: a body that has failed is not polled again, and does not end.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::future::{Sleep, sleep};
use crate::http::server::intake::{timed_out, too_large};
use crate::http::server::settings::Http;

/// The body of a request, with the limits of a server, made by [`Http::limit_body`].
///
/// Its errors are those of a handler's read: [`status_of`](crate::http::status_of) has a status for
/// each.
pub struct LimitedBody {
    body: Incoming,
    /// The number of bytes that may still come.
    left: Option<u64>,
    /// The time for which one frame may be waited for.
    patience: Option<Duration>,
    late: Option<Sleep>,
    has_failed: bool,
}

impl Http {
    /// Makes [`max_body_size`](Http::max_body_size) and [`body_timeout`](Http::body_timeout) hold
    /// for a body that a service reads, also if its size is not announced.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use fibra::http::{Http, hyper, status_of};
    /// use http_body_util::BodyExt;
    /// use hyper::{Request, Response, body::Incoming, service::service_fn};
    ///
    /// fn serve(http: &Http, stream: fibra::net::TcpStream) -> hyper::Result<()> {
    ///     let service = service_fn(|request: Request<Incoming>| {
    ///         let body = http.limit_body(request.into_body());
    ///         async {
    ///             io::Result::Ok(match body.collect().await {
    ///                 Ok(body) => Response::new(format!("{} bytes", body.to_bytes().len())),
    ///                 Err(error) => {
    ///                     let response = Response::builder().status(status_of(&error));
    ///                     response.body(error.to_string()).map_err(io::Error::other)?
    ///                 }
    ///             })
    ///         }
    ///     });
    ///     http.serve_service(stream, service)
    /// }
    /// ```
    #[must_use]
    pub fn limit_body(&self, body: Incoming) -> LimitedBody {
        let (left, patience) = (self.0.limits.body_size, self.0.limits.body);
        LimitedBody { body, left, patience, late: None, has_failed: false }
    }
}

impl LimitedBody {
    fn fail(&mut self, error: io::Error) -> io::Error {
        self.has_failed = true;
        error
    }

    /// Counts the data of `frame`.
    fn count(&mut self, frame: &Frame<Bytes>) -> io::Result<()> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(left) = &mut self.left else { return Ok(()) };
        *left = left.checked_sub(length).ok_or_else(too_large)?;
        Ok(())
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(patience) = self.patience else { return Poll::Pending };
        Pin::new(self.late.get_or_insert_with(|| sleep(patience))).poll(cx)
    }
}

impl Body for LimitedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.has_failed {
            return Poll::Ready(Some(Err(io::Error::other("this body has failed before"))));
        }
        let result = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => {
                self.late = None;
                self.count(&frame).map(|()| frame)
            }
            Poll::Ready(Some(Err(error))) => Err(io::Error::other(error)),
            Poll::Pending if self.poll_late(cx).is_ready() => Err(timed_out()),
            Poll::Pending => return Poll::Pending,
        };
        Poll::Ready(Some(result.map_err(|error| self.fail(error))))
    }

    fn is_end_stream(&self) -> bool {
        !self.has_failed && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for LimitedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitedBody").field("left", &self.left).finish_non_exhaustive()
    }
}
