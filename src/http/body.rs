//! Bodies of messages that are read with blocking calls.
//!
//! Invariant: a body that has failed is not polled again, and all later reads fail. An error is not
//! the end of a body.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read};
use std::pin::Pin;

use hyper::HeaderMap;
use hyper::body::{Body, Buf, Frame, Incoming};

use crate::future::try_block_on;
use crate::http::server::intake::Intake;
use crate::io::by_reference::read_exactly;

/// A reader of the body of a message. A read waits until data has arrived.
///
/// # Examples
///
/// ```
/// use std::io::Read;
/// use fibra::http::{BodyReader, hyper};
/// use hyper::{Request, Response};
///
/// fn handler(mut request: Request<BodyReader>) -> Response<String> {
///     let mut text = String::new();
///     match request.body_mut().read_to_string(&mut text) {
///         Ok(_) => Response::new(text.to_uppercase()),
///         Err(error) => Response::builder().status(400).body(error.to_string()).unwrap(),
///     }
/// }
/// ```
pub struct BodyReader<B = Incoming>
where
    B: Body,
{
    body: Pin<Box<B>>,
    chunk: Option<B::Data>,
    trailers: Option<HeaderMap>,
    /// The text of the first error. After an error the body is not polled again.
    failed: Option<String>,
    /// The limits of a server.
    intake: Option<Intake>,
}

impl<B: Body> BodyReader<B> {
    /// Creates a reader of `body`.
    pub fn new(body: B) -> BodyReader<B> {
        BodyReader { body: Box::pin(body), chunk: None, trailers: None, failed: None, intake: None }
    }

    /// Creates a reader of `body` that keeps the limits of a server.
    pub(super) fn within(body: B, intake: Intake) -> BodyReader<B> {
        BodyReader { intake: Some(intake), ..BodyReader::new(body) }
    }

    /// Returns the trailers that followed the body, once it has been read to its end.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// Returns the body itself, without the data that this reader has already taken from it.
    pub fn into_inner(self) -> Pin<Box<B>> {
        self.body
    }
}

impl<B: Body> BodyReader<B>
where
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Waits for data, and returns what has arrived and is not read yet; `None` at the end.
    #[track_caller]
    fn fill(&mut self) -> io::Result<Option<&mut B::Data>> {
        loop {
            if self.chunk.as_ref().is_some_and(Buf::has_remaining) {
                return Ok(self.chunk.as_mut());
            }
            if let Some(failed) = &self.failed {
                return Err(io::Error::other(format!("this body has failed before: {failed}")));
            }
            match self.next_frame()? {
                None => return Ok(None),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.chunk = Some(data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }

    /// Waits for the next frame. Remembers an error, unless it is that of a kill.
    #[track_caller]
    fn next_frame(&mut self) -> io::Result<Option<Frame<B::Data>>> {
        let mut body = self.body.as_mut();
        let next = match &self.intake {
            Some(intake) => intake.next(body)?,
            None => Ok(try_block_on(poll_fn(|cx| body.as_mut().poll_frame(cx)))?),
        };
        let limited = next.and_then(|frame| {
            let frame = frame.transpose().map_err(|error| into_io(error.into()))?;
            let length = frame.as_ref().and_then(Frame::data_ref).map_or(0, Buf::remaining);
            self.intake.as_mut().map_or(Ok(()), |intake| intake.count(length))?;
            Ok(frame)
        });
        limited.inspect_err(|error| self.failed = Some(error.to_string()))
    }

    #[cfg(feature = "http-client")]
    pub(super) fn get_ref(&self) -> &B {
        &self.body
    }

    /// Returns the body, and the data that this reader has taken from it and not passed on.
    #[cfg(feature = "http-client")]
    pub(super) fn into_parts(self) -> (Pin<Box<B>>, Option<B::Data>) {
        (self.body, self.chunk.filter(Buf::has_remaining))
    }

    /// Waits for the next part of the body, and returns it as it has arrived; `None` at the end.
    #[cfg(feature = "http-client")]
    #[track_caller]
    pub(super) fn next_chunk(&mut self) -> io::Result<Option<B::Data>> {
        self.fill()?;
        Ok(self.chunk.take())
    }
}

/// Returns `error`, or one that contains it.
fn into_io(error: Box<dyn Error + Send + Sync>) -> io::Error {
    let error = match error.downcast::<io::Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    #[cfg(feature = "http-client")]
    let error = match error.downcast::<crate::http::Error>() {
        Ok(error) => return (*error).into(),
        Err(error) => error,
    };
    io::Error::other(error)
}

impl<B: Body> Read for BodyReader<B>
where
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    read_exactly!();

    /// # Errors
    ///
    /// Returns an error if the message was cut off or is not well-formed. All later reads fail,
    /// too: an error is not the end of a body.
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let Some(chunk) = self.fill()? else { return Ok(0) };
        let length = chunk.remaining().min(buffer.len());
        chunk.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl<B: Body> fmt::Debug for BodyReader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyReader").finish_non_exhaustive()
    }
}
