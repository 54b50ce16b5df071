//! Bodies of messages that are read and written with blocking calls.
//!
//! Invariants:
//! - At most one chunk is between a writer and its body: the writer waits until it was taken.
//! - A body ends normally if its writer was finished, or dropped while its fiber did not unwind. A
//!   writer that is dropped by an unwind of its own fiber breaks the body off, so that no reader
//!   mistakes a part for the whole. The unwind of another fiber does not break it.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use hyper::HeaderMap;
use hyper::body::{Body, Buf, Bytes, Frame, Incoming};

use crate::future::try_block_on;
use crate::http::server::intake::Intake;
use crate::io::by_reference::{read_exactly, write_entirely};
use crate::sched::lowlevel::{Unwinding, locked, unwinding};

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
        loop {
            if let Some(chunk) = self.chunk.as_mut().filter(|chunk| chunk.has_remaining()) {
                let length = chunk.remaining().min(buffer.len());
                chunk.copy_to_slice(&mut buffer[..length]);
                return Ok(length);
            }
            if let Some(failed) = &self.failed {
                return Err(io::Error::other(format!("this body has failed before: {failed}")));
            }
            match self.next_frame()? {
                None => return Ok(0),
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.chunk = Some(data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
            }
        }
    }
}

impl<B: Body> BodyReader<B>
where
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Waits for the next frame. Remembers an error, unless it is that of a kill.
    #[track_caller]
    fn next_frame(&mut self) -> io::Result<Option<Frame<B::Data>>> {
        let mut body = self.body.as_mut();
        let next = match &self.intake {
            Some(intake) => intake.next(body)?,
            None => Ok(try_block_on(poll_fn(|cx| body.as_mut().poll_frame(cx)))?),
        };
        let limited = next.and_then(|frame| {
            let frame = frame.transpose().map_err(io::Error::other)?;
            let length = frame.as_ref().and_then(Frame::data_ref).map_or(0, Buf::remaining);
            self.intake.as_mut().map_or(Ok(()), |intake| intake.count(length))?;
            Ok(frame)
        });
        limited.inspect_err(|error| self.failed = Some(error.to_string()))
    }
}

impl<B: Body> fmt::Debug for BodyReader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyReader").finish_non_exhaustive()
    }
}

/// Creates a body that is written while it is sent, and the writer with which another fiber does
/// that.
///
/// The writer collects data into chunks of 16 KiB. Handing over a chunk waits until the previous
/// one has been taken. The body ends when the writer is [finished](BodyWriter::finish) or dropped.
/// If the writer is dropped because its fiber unwinds, the body fails, and the message with it.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use fibra::http::{BodyReader, StreamBody, body, hyper};
/// use hyper::{Request, Response};
///
/// fn numbers(_: Request<BodyReader>) -> Response<StreamBody> {
///     let (mut writer, body) = body();
///     fibra::spawn(move || (0..1_000_000).try_for_each(|n| writeln!(writer, "{n}")));
///     Response::new(body)
/// }
/// ```
pub fn body() -> (BodyWriter, StreamBody) {
    let shared = Arc::new(Mutex::new(Shared::default()));
    (BodyWriter { shared: shared.clone(), collected: Vec::new() }, StreamBody { shared })
}

/// The writer of a [`StreamBody`], made by [`body()`].
///
/// Dropping it ends the body like [`finish`](BodyWriter::finish). If its fiber unwinds, dropping it
/// breaks the body off instead, so that the other side does not mistake a part for the whole. While
/// a destructor of another fiber waits in the middle of an unwind, the two cases cannot always be
/// distinguished, and then the body ends normally. If a part must never be mistaken for the whole,
/// send the length along.
pub struct BodyWriter {
    shared: Arc<Mutex<Shared>>,
    collected: Vec<u8>,
}

/// A body that a [`BodyWriter`] writes, made by [`body()`].
#[must_use = "what is written is lost without it"]
pub struct StreamBody {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    chunk: Bytes,
    /// The headers that follow the last chunk.
    trailers: Option<Box<HeaderMap>>,
    state: State,
    /// The waker of the side that waits for the other one.
    waiting: Option<Waker>,
}

#[derive(Copy, Clone, Default, PartialEq)]
enum State {
    #[default]
    Open,
    /// The writer has written everything.
    Done,
    /// The writer was dropped before it was done.
    Broken,
    /// The body was dropped: nothing will read it.
    Unwanted,
}

const CHUNK: usize = 16 << 10;

impl BodyWriter {
    /// Hands over all data that was written, and ends the body normally.
    ///
    /// Dropping the writer does the same if its fiber does not unwind, but cannot report an error.
    ///
    /// # Errors
    ///
    /// Like a write. The body is then broken off.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use fibra::http::{BodyReader, body};
    ///
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let (mut writer, body) = body();
    ///     let writes = fibra::spawn(move || {
    ///         writer.write_all(b"all of it")?;
    ///         writer.finish()
    ///     });
    ///     let mut text = String::new();
    ///     BodyReader::new(body).read_to_string(&mut text)?;
    ///     assert_eq!(text, "all of it");
    ///     writes.join().unwrap()
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn finish(self) -> io::Result<()> {
        self.finish_with(HeaderMap::new())
    }

    /// Ends the body like [`finish`](BodyWriter::finish), followed by trailers.
    ///
    /// HTTP/1 sends those that a header `trailer` of the message names, to clients that want them
    /// (`te: trailers`).
    ///
    /// # Errors
    ///
    /// Like [`finish`](BodyWriter::finish).
    #[track_caller]
    pub fn finish_with(mut self, trailers: HeaderMap) -> io::Result<()> {
        let mut end = End { shared: self.shared.clone(), state: State::Broken };
        self.flush()?;
        if !trailers.is_empty() {
            locked(&self.shared).trailers = Some(Box::new(trailers));
        }
        end.state = State::Done;
        Ok(())
    }

    /// Hands over the collected data once the previous chunk has been taken. Until then the data
    /// stays in the writer, so an interrupted wait loses nothing.
    #[track_caller]
    fn send(&mut self) -> io::Result<()> {
        try_block_on(poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut shared = locked(&self.shared);
            if shared.state == State::Unwanted {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if !shared.chunk.is_empty() {
                let replaced = shared.waiting.replace(waker);
                drop(shared);
                drop(replaced);
                return Poll::Pending;
            }
            shared.chunk = mem::take(&mut self.collected).into();
            wake(shared);
            Poll::Ready(Ok(()))
        }))?
    }
}

impl Write for BodyWriter {
    write_entirely!();

    /// # Errors
    ///
    /// Returns [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the body was dropped.
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.collected.len() == CHUNK {
            // An earlier wait to hand over this chunk was interrupted.
            self.flush()?;
        }
        let room = CHUNK - self.collected.len();
        let length = room.min(data.len());
        self.collected.extend_from_slice(&data[..length]);
        if self.collected.len() == CHUNK {
            self.flush()?;
        }
        Ok(length)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        if self.collected.is_empty() {
            return Ok(());
        }
        self.send()
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        // `End` runs also if the fiber is killed while `flush` waits for its last chunk to be
        // taken.
        let mut end = End { shared: self.shared.clone(), state: State::Broken };
        if unwinding() != Unwinding::Yes && self.flush().is_ok() {
            end.state = State::Done;
        }
    }
}

/// Sets how a body has ended, unless that is set already, and wakes its reader on drop.
struct End {
    shared: Arc<Mutex<Shared>>,
    state: State,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut shared = locked(&self.shared);
        if shared.state == State::Open {
            shared.state = self.state;
        }
        wake(shared);
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let waker = cx.waker().clone();
        let mut shared = locked(&self.shared);
        let chunk = mem::take(&mut shared.chunk);
        if !chunk.is_empty() {
            wake(shared);
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match shared.state {
            State::Done | State::Unwanted => {
                let trailers = shared.trailers.take();
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(*trailers))))
            }
            State::Broken => {
                let text = "the writer of this body was dropped before it had finished";
                Poll::Ready(Some(Err(io::Error::other(text))))
            }
            State::Open => {
                let replaced = shared.waiting.replace(waker);
                drop(shared);
                drop(replaced);
                Poll::Pending
            }
        }
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        let mut shared = locked(&self.shared);
        shared.state = State::Unwanted;
        shared.chunk = Bytes::new();
        wake(shared);
    }
}

/// Wakes the other side if it waits. The lock is released first.
fn wake(mut shared: MutexGuard<'_, Shared>) {
    let waiting = shared.waiting.take();
    drop(shared);
    waiting.into_iter().for_each(Waker::wake);
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter").finish_non_exhaustive()
    }
}

impl fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamBody").finish_non_exhaustive()
    }
}
