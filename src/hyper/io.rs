//! A stream as hyper reads and writes it.

#![allow(unsafe_code, reason = "reads into hyper's buffer, and tells it how much that was")]

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::io::PollIo;
use crate::io::uninit_buf::UninitBuf;

/// A stream of this crate, for hyper: a [`TcpStream`](crate::net::TcpStream), a
/// `TlsStream` over one, a socket in a [`Waitable`](crate::io::Waitable).
///
/// It does not wait: the task that polls it is woken when it is worth another try. It is polled by
/// fibers only.
///
/// # Examples
///
/// See [`Http1::serve_service`](crate::hyper::Http1::serve_service); with hyper's own client:
///
/// ```no_run
/// use fibra::hyper::{Io, hyper};
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
pub struct Io<S>(S);

impl<S: PollIo> Io<S> {
    /// Takes a stream.
    pub fn new(stream: S) -> Io<S> {
        Io(stream)
    }

    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.0
    }

    /// Gives the stream back.
    pub fn into_inner(self) -> S {
        self.0
    }
}

impl<S: PollIo + Unpin> Read for Io<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // SAFETY: an `UninitBuf` is only written to, so initialised bytes stay initialised.
        let memory = UninitBuf::new(unsafe { buffer.as_mut() });
        let filled = ready!(self.0.poll_read_uninit(cx, memory))?;
        // SAFETY: the buffer is the whole unfilled part, and `filled` is the number of bytes that were
        // written at its beginning.
        unsafe { buffer.advance(filled.length()) };
        Poll::Ready(Ok(()))
    }
}

impl<S: PollIo + Unpin> Write for Io<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.writes_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
