//! [`Io`], which adapts a stream of this crate to the I/O traits of hyper.
//!
//! Invariant: no more than [`MOST_IN_A_ROW`] operations succeed without a wait. hyper and its crate
//! for HTTP/2 poll a stream for as long as it is ready, so a peer that sends faster than its frames
//! are handled would keep the thread forever.

#![allow(unsafe_code, reason = "reads into hyper's buffer, and reports how many bytes that were")]

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::io::PollIo;
use crate::io::uninit_buf::UninitBuf;

/// The number of reads and writes after which the task lets others run.
const MOST_IN_A_ROW: u8 = 32;

/// A stream that implements hyper's traits for reading and writing.
///
/// It wraps a [`TcpStream`](crate::net::TcpStream), a [`UnixStream`](crate::net::UnixStream), a
/// `TlsStream` over one, a socket in a [`Waitable`](crate::io::Waitable), or another type that
/// implements [`PollIo`].
///
/// Its operations do not wait: they wake the task when the stream is ready for another attempt. A
/// stream that is always ready lets other fibers run every now and then.
///
/// # Examples
///
/// See [`Http::serve_service`](crate::http::Http::serve_service); with hyper's own client:
///
/// ```no_run
/// use fibra::http::{Io, hyper};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # fibra::run(|| {
/// let stream = fibra::net::TcpStream::connect("127.0.0.1:8080")?;
/// fibra::future::block_on(async {
///     let (sender, connection) = hyper::client::conn::http1::handshake(Io::new(stream)).await?;
///     fibra::spawn(|| fibra::future::block_on(connection));
/// #   let _: hyper::client::conn::http1::SendRequest<String> = sender;
///     Ok(())
/// })
/// # }) }
/// ```
#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    /// The number of operations that have succeeded since the last one that had to wait.
    in_a_row: u8,
}

/// The number of bytes up to which several buffers are written as one: the head of a response and
/// a short body.
const SMALL: usize = 1024;

impl<S: PollIo> Io<S> {
    /// Wraps `stream`.
    pub fn new(stream: S) -> Io<S> {
        Io { stream, in_a_row: 0 }
    }

    /// Returns a reference to the stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: PollIo> Io<S> {
    /// Polls the stream by `poll`, unless too many operations in a row have succeeded. Then it is
    /// pending once, and the task is woken.
    fn poll_fairly<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&S, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.in_a_row == MOST_IN_A_ROW {
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = poll(&self.stream, cx);
        self.in_a_row = if polled.is_pending() { 0 } else { self.in_a_row + 1 };
        polled
    }

    /// Reads into hyper's buffer. Returns the number of bytes.
    pub(super) fn poll_read_some(
        &mut self,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<usize>> {
        // SAFETY: an `UninitBuf` is only written to, so initialised bytes stay initialised.
        let memory = UninitBuf::new(unsafe { buffer.as_mut() });
        let polled = self.poll_fairly(cx, |stream, cx| stream.poll_read_uninit(cx, memory));
        let filled = ready!(polled)?;
        // SAFETY: the buffer is the whole unfilled part, and `filled` is the number of bytes that
        // were written at its beginning.
        unsafe { buffer.advance(filled.length()) };
        Poll::Ready(Ok(filled.length()))
    }
}

impl<S: PollIo + Unpin> Read for Io<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_some(cx, buffer).map_ok(|_| ())
    }
}

impl<S: PollIo + Unpin> Write for Io<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_fairly(cx, |stream, cx| stream.poll_write(cx, data))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_fairly(cx, |stream, cx| poll_write_parts(stream, cx, data))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.writes_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_shutdown(cx)
    }
}

/// Writes buffers, and those of up to [`SMALL`] bytes in total as one: the kernel needs more time
/// for two buffers than this takes to copy them.
fn poll_write_parts(
    stream: &impl PollIo,
    cx: &mut Context<'_>,
    data: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    if let [data] = data {
        return stream.poll_write(cx, data);
    }
    let length = data.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len()));
    if SMALL < length {
        return stream.poll_write_vectored(cx, data);
    }
    let mut joined = [0; SMALL];
    let mut rest = &mut joined[..];
    for part in data {
        let (place, behind) = rest.split_at_mut(part.len());
        place.copy_from_slice(part);
        rest = behind;
    }
    stream.poll_write(cx, &joined[..length])
}
