//! Bodies that are read and written by calls that wait.
//!
//! Invariants:
//! - Between a writer and its body there is one chunk at most: a writer waits for the other side.
//! - A body ends well if its writer has finished it, or was dropped in peace. One that unwinds breaks it, so
//!   that no reader takes a part for the whole; the unwinding of another fiber does not.

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
use crate::io::by_reference::{read_exactly, write_entirely};
use crate::sched::lowlevel::{Unwinding, locked, unwinding};

/// The body of a message, as something to read: it waits until more has arrived.
///
/// # Examples
///
/// ```
/// use std::io::Read;
/// use fibra::hyper::{BodyReader, hyper};
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
    /// What has gone wrong, once something has: the body is not asked again.
    failed: Option<String>,
}

impl<B: Body> BodyReader<B> {
    /// Reads `body`.
    pub fn new(body: B) -> BodyReader<B> {
        BodyReader { body: Box::pin(body), chunk: None, trailers: None, failed: None }
    }

    /// What came behind the body, once that was read to its end.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// The body itself. What it has given to this reader already is missing.
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
    /// If the message was cut off, or is not well-formed. So do all further reads: that was not its end.
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
            let body = &mut self.body;
            match try_block_on(poll_fn(|cx| body.as_mut().poll_frame(cx)))? {
                None => return Ok(0),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.chunk = Some(data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Some(Err(error)) => {
                    let error = error.into();
                    self.failed = Some(error.to_string());
                    return Err(io::Error::other(error));
                }
            }
        }
    }
}

impl<B: Body> fmt::Debug for BodyReader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyReader").finish_non_exhaustive()
    }
}

/// A body, and what it is written with: by another fiber, while it is sent.
///
/// What is written is collected to chunks of 16 KiB, and each waits until the one before was taken. The body ends when
/// the writer [has finished](BodyWriter::finish) or is dropped; if that happens because its fiber unwinds, the body
/// fails, and so does the message.
///
/// # Examples
///
/// ```
/// use std::io::Write;
/// use fibra::hyper::{BodyReader, StreamBody, body, hyper};
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

/// Writes a [`StreamBody`]: see [`body()`].
///
/// Dropping it ends the body, as [`finish`](BodyWriter::finish) does; if its fiber unwinds it breaks it off
/// instead, so that the other side does not take a part for the whole. While a destructor of another fiber waits
/// in the middle of an unwind, the two cannot always be told apart, and then the body is ended: code that must not
/// have a part taken for the whole sends its length along.
pub struct BodyWriter {
    shared: Arc<Mutex<Shared>>,
    collected: Vec<u8>,
}

/// A body that a [`BodyWriter`] writes: see [`body()`].
#[must_use = "what is written is lost without it"]
pub struct StreamBody {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    chunk: Bytes,
    state: State,
    /// Whoever waits for the other side.
    waiting: Option<Waker>,
}

#[derive(Copy, Clone, Default, PartialEq)]
enum State {
    #[default]
    Open,
    /// All was written.
    Done,
    /// The writer has not come to its end.
    Broken,
    /// Nobody wants it any more.
    Unwanted,
}

const CHUNK: usize = 16 << 10;

impl BodyWriter {
    /// Hands over all that was written, and ends the body well.
    ///
    /// Dropping the writer does the same where nothing unwinds, but cannot tell whether it succeeded.
    ///
    /// # Errors
    ///
    /// As a write. The body is broken off then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use fibra::hyper::{BodyReader, body};
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
    pub fn finish(mut self) -> io::Result<()> {
        let mut end = End { shared: self.shared.clone(), state: State::Broken };
        self.flush()?;
        end.state = State::Done;
        Ok(())
    }

    /// Hands over what is collected as soon as there is a place for it. Until then it stays here: a wait
    /// that is cut short loses nothing.
    #[track_caller]
    fn send(&mut self) -> io::Result<()> {
        try_block_on(poll_fn(|cx| {
            let waker = cx.waker().clone();
            let mut shared = lock(&self.shared);
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
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if nobody wants the body any more.
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.collected.len() == CHUNK {
            // The wait for its place was cut short.
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
        // It may be killed while it waits for its last chunk to be taken.
        let mut end = End { shared: self.shared.clone(), state: State::Broken };
        if unwinding() != Unwinding::Yes && self.flush().is_ok() {
            end.state = State::Done;
        }
    }
}

/// Says how a body has ended.
struct End {
    shared: Arc<Mutex<Shared>>,
    state: State,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
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
        let mut shared = lock(&self.shared);
        let chunk = mem::take(&mut shared.chunk);
        if !chunk.is_empty() {
            wake(shared);
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        match shared.state {
            State::Done | State::Unwanted => Poll::Ready(None),
            State::Broken => {
                let text = "the writer of this body did not come to its end";
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
        let mut shared = lock(&self.shared);
        shared.state = State::Unwanted;
        shared.chunk = Bytes::new();
        wake(shared);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    locked(shared)
}

/// Wakes the other side, if it waits.
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
