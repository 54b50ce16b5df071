//! Bodies of requests: bytes, what a reader reads, or a body of hyper.
//!
//! Invariants:
//! - Only bytes can be sent a second time. A reader and a foreign body are consumed by the first
//!   attempt, even if it fails early.
//! - A reader is read by a fiber of its own, which starts when the connection takes the first part,
//!   and is killed when the body is dropped.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};

use crate::http::body_writer::{BodyWriter, StreamBody, body};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;

type BoxError = Box<dyn StdError + Send + Sync>;

/// The body of a request of a [`Client`](crate::http::Client).
///
/// Texts and bytes convert to it, and so does the [`StreamBody`] of
/// [`body()`](crate::http::body()).
///
/// Bytes can be sent a second time, after a redirect or when an idle connection turns out to be
/// closed. Bodies of the other kinds cannot.
///
/// # Examples
///
/// ```no_run
/// use fibra::http::{Client, RequestBody};
///
/// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
/// let file = fibra::fs::File::open("upload")?;
/// let length = file.metadata()?.len();
/// let body = RequestBody::sized(file, length);
/// Client::new().put("http://localhost:8080/upload").body(body).send()?.error_for_status()?;
/// # Ok(()) });
/// ```
pub struct RequestBody {
    inner: Inner,
}

enum Inner {
    Bytes(Bytes),
    Reader { reader: Option<Box<dyn Read>>, length: Option<u64>, running: Option<Running> },
    Foreign(Pin<Box<dyn Body<Data = Bytes, Error = BoxError>>>),
}

/// A body that a fiber writes with what it reads.
struct Running {
    body: StreamBody,
    fiber: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.fiber.kill();
    }
}

impl RequestBody {
    /// Creates a body of what `reader` reads until its end, which is sent in chunks.
    ///
    /// A fiber reads it while the request is sent; a reader that blocks its thread blocks all
    /// fibers of the thread. If the reader fails, so does the request.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::process::Stdio;
    /// use fibra::http::{Client, RequestBody};
    /// use fibra::process::Command;
    ///
    /// # fibra::run(|| -> Result<(), Box<dyn std::error::Error>> {
    /// let log = Command::new("journalctl").stdout(Stdio::piped()).spawn()?;
    /// let body = RequestBody::new(log.stdout.ok_or("it is piped")?);
    /// Client::new().post("http://localhost:8080/logs").body(body).send()?.error_for_status()?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("wrap_stream", "from_stream"))]
    pub fn new(reader: impl Read + 'static) -> RequestBody {
        RequestBody::reader(Box::new(reader), None)
    }

    /// Creates a body of the first `length` bytes of what `reader` reads; the request announces
    /// that length. If there are fewer, the request fails. Otherwise like
    /// [`new`](RequestBody::new).
    pub fn sized(reader: impl Read + 'static, length: u64) -> RequestBody {
        RequestBody::reader(Box::new(reader), Some(length))
    }

    /// Creates a body from one of hyper: for trailers, or to pass a body on.
    pub fn wrap<B>(body: B) -> RequestBody
    where
        B: Body<Data = Bytes> + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        RequestBody { inner: Inner::Foreign(Box::pin(Mapped { body: Box::pin(body) })) }
    }

    fn reader(reader: Box<dyn Read>, length: Option<u64>) -> RequestBody {
        RequestBody { inner: Inner::Reader { reader: Some(reader), length, running: None } }
    }

    pub(super) fn empty() -> RequestBody {
        Bytes::new().into()
    }

    /// Returns whether it consists of no bytes.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.inner, Inner::Bytes(bytes) if bytes.is_empty())
    }

    /// Returns a second body with the same bytes, if this one consists of bytes.
    pub(super) fn try_clone(&self) -> Option<RequestBody> {
        match &self.inner {
            Inner::Bytes(bytes) => Some(bytes.clone().into()),
            _ => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.inner {
            Inner::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Reader { reader, length, running } => {
                if let Some(reader) = reader.take() {
                    *running = Some(start(reader, *length));
                }
                let Some(running) = running else { return Poll::Ready(None) };
                let frame = ready!(Pin::new(&mut running.body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
            }
            Inner::Foreign(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Bytes(bytes) => bytes.is_empty(),
            Inner::Reader { length, .. } => *length == Some(0),
            Inner::Foreign(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Reader { length, .. } => length.map_or_else(SizeHint::new, SizeHint::with_exact),
            Inner::Foreign(body) => body.size_hint(),
        }
    }
}

/// Starts the fiber that reads.
fn start(reader: Box<dyn Read>, length: Option<u64>) -> Running {
    let (writer, body) = body();
    let builder = Builder::new().name("http request body");
    Running { body, fiber: builder.spawn(move || copy(reader, length, writer)) }
}

fn copy(mut reader: Box<dyn Read>, length: Option<u64>, mut writer: BodyWriter) {
    let copied = match length {
        Some(length) => copy_exactly(&mut reader, length, &mut writer),
        None => io::copy(&mut reader, &mut writer).map(drop),
    };
    match copied {
        // If the body was dropped meanwhile, the request has failed, and reports why.
        Ok(()) => drop(writer.finish()),
        Err(error) => writer.fail(error),
    }
}

fn copy_exactly(reader: &mut dyn Read, length: u64, writer: &mut BodyWriter) -> io::Result<()> {
    let copied = io::copy(&mut reader.take(length), writer)?;
    writer.flush()?;
    if copied == length {
        return Ok(());
    }
    let text = format!(
        "the reader of the body ended after {copied} bytes, but {length} were announced: give the \
         right length to `RequestBody::sized`, or use `RequestBody::new`"
    );
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
}

/// A body whose errors are boxed.
struct Mapped<B> {
    body: Pin<Box<B>>,
}

impl<B> Body for Mapped<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

macro_rules! from_bytes {
    ($($bytes:ty),*) => {$(
        impl From<$bytes> for RequestBody {
            fn from(bytes: $bytes) -> RequestBody {
                RequestBody { inner: Inner::Bytes(Bytes::from(bytes)) }
            }
        }
    )*};
}

from_bytes! { Bytes, Vec<u8>, String, &'static [u8], &'static str, Box<[u8]> }

impl From<StreamBody> for RequestBody {
    fn from(body: StreamBody) -> RequestBody {
        RequestBody::wrap(body)
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("size", &self.size_hint().exact()).finish()
    }
}
