//! The limits of a body that a handler reads.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::{Body, Frame};

use crate::future::{Sleep, sleep, try_block_on};
use crate::http::server::life::{Flight, Life};
use crate::http::server::settings::Limits;

/// The limits of one body, and the entry of its request.
#[derive(Debug)]
pub(in crate::http) struct Intake {
    /// The number of bytes that may still be read.
    left: Option<u64>,
    /// The time for which one read may wait.
    patience: Option<Duration>,
    _flight: Flight,
}

/// The next frame of a body, if there is one; or the error that its limits have made of it.
type Polled<B> = io::Result<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

impl Intake {
    pub(super) fn new(limits: &Limits, life: &Arc<Life>) -> Intake {
        Intake { left: limits.body_size, patience: limits.body, _flight: Flight::of(life) }
    }

    /// Waits for the next frame of `body`, as long as the limits allow.
    ///
    /// # Errors
    ///
    /// Returns an error if the fiber is killed, where nothing can unwind.
    #[track_caller]
    pub(in crate::http) fn next<B: Body>(&self, mut body: Pin<&mut B>) -> io::Result<Polled<B>> {
        let mut late = None;
        try_block_on(poll_fn(|cx| {
            if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
                return Poll::Ready(Ok(frame));
            }
            let Some(patience) = self.patience else { return Poll::Pending };
            let late: &mut Sleep = late.get_or_insert_with(|| sleep(patience));
            Pin::new(late).poll(cx).map(|()| Err(timed_out()))
        }))
    }

    /// Counts data that was read.
    ///
    /// # Errors
    ///
    /// Returns an error if the body is larger than it may be.
    pub(in crate::http) fn count(&mut self, length: usize) -> io::Result<()> {
        let Some(left) = &mut self.left else { return Ok(()) };
        match left.checked_sub(length as u64) {
            Some(less) => *left = less,
            None => return Err(too_large()),
        }
        Ok(())
    }
}

#[cold]
pub(super) fn timed_out() -> io::Error {
    let text = "the client has sent nothing of the body for as long as `Http::body_timeout`";
    io::Error::new(io::ErrorKind::TimedOut, text)
}

#[cold]
pub(super) fn too_large() -> io::Error {
    let text = "the body of the request is larger than `Http::max_body_size`";
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// Returns the status for a request whose body could not be read, because of `error`: 413 for one
/// that is too large, 408 for one that came too slowly, and 400 for all others.
///
/// # Examples
///
/// ```
/// use std::io::Read;
/// use fibra::http::{BodyReader, hyper, status_of};
/// use hyper::{Request, Response};
///
/// fn handler(mut request: Request<BodyReader>) -> Response<String> {
///     let mut text = String::new();
///     match request.body_mut().read_to_string(&mut text) {
///         Ok(_) => Response::new(text.to_uppercase()),
///         Err(error) => {
///             let response = Response::builder().status(status_of(&error));
///             response.body(error.to_string()).unwrap()
///         }
///     }
/// }
/// ```
#[must_use]
pub fn status_of(error: &io::Error) -> StatusCode {
    match error.kind() {
        io::ErrorKind::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        io::ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}
