//! Bodies of messages that are written with blocking calls.
//!
//! Invariants:
//! - At most one chunk is between a writer and its body: the writer waits until it was taken.
//! - A body ends normally if its writer was finished, or dropped while its fiber did not unwind. A
//!   writer that is dropped by an unwind of its own fiber breaks the body off, so that no reader
//!   mistakes a part for the whole. The unwind of another fiber does not break it.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use hyper::HeaderMap;
use hyper::body::{Body, Bytes, Frame};

use crate::future::try_block_on;
use crate::io::by_reference::write_entirely;
use crate::sched::lowlevel::{Unwinding, locked, unwinding};

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
#[doc(alias("Sse", "wrap_stream"))]
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
    /// The reason why the writer has broken the body off, if it gave one.
    failure: Option<io::Error>,
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

    /// Breaks the body off: its reader gets `error`, and the message is not complete.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, Read, Write};
    /// use fibra::http::{BodyReader, body};
    ///
    /// fibra::run(|| {
    ///     let (mut writer, body) = body();
    ///     fibra::spawn(move || {
    ///         let _ = writer.write_all(b"a part");
    ///         writer.fail(io::Error::new(io::ErrorKind::InvalidData, "the source is corrupt"));
    ///     });
    ///     let error = BodyReader::new(body).read_to_string(&mut String::new()).unwrap_err();
    ///     assert_eq!(error.to_string(), "the source is corrupt");
    /// });
    /// ```
    pub fn fail(mut self, error: io::Error) {
        self.collected.clear();
        let mut shared = locked(&self.shared);
        if shared.state == State::Open {
            shared.state = State::Broken;
            shared.failure = Some(error);
        }
        wake(shared);
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
                let failure = shared.failure.take().unwrap_or_else(|| io::Error::other(text));
                Poll::Ready(Some(Err(failure)))
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
