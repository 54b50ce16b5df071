//! The stream of a connection, as hyper sees it: with the bytes that were read to learn the version
//! of HTTP, and with notes of what arrives and leaves.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::SystemTime;

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::http::io::Io;
use crate::http::server::life::{Direction, Life};
use crate::io::PollIo;

/// The first bytes of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The stream of a connection.
pub(super) struct Transport<S: PollIo + Unpin> {
    io: Io<S>,
    life: Arc<Life>,
    /// Bytes that were read to learn the version, and not taken by hyper so far.
    first: Vec<u8>,
}

impl<S: PollIo + Unpin> Transport<S> {
    pub(super) fn new(stream: S, life: Arc<Life>) -> Transport<S> {
        Transport { io: Io::new(stream), life, first: Vec::new() }
    }

    /// Reads until it is certain whether the client uses HTTP/2. The end of the stream is not
    /// HTTP/2.
    #[cfg_attr(not(feature = "http2"), allow(dead_code, reason = "there is one version"))]
    pub(super) fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut buffer = [0; 1024];
        loop {
            let known = self.first.len().min(PREFACE.len());
            if self.first[..known] != PREFACE[..known] {
                return Poll::Ready(Ok(false));
            }
            if known == PREFACE.len() {
                return Poll::Ready(Ok(true));
            }
            let length = ready!(self.io.get_ref().poll_read(cx, &mut buffer))?;
            if length == 0 {
                return Poll::Ready(Ok(false));
            }
            self.life.note_received();
            self.first.extend_from_slice(&buffer[..length]);
        }
    }
}

impl<S: PollIo + Unpin> Transport<S> {
    /// Tells the client that its head came too slowly, if the stream takes that immediately. hyper
    /// has no way to answer a request that it has not received.
    #[cold]
    fn refuse_late_head(&mut self) {
        let date = httpdate::fmt_http_date(SystemTime::now());
        let response = format!(
            "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\ndate: \
             {date}\r\n\r\n"
        );
        let mut cx = Context::from_waker(Waker::noop());
        if self.io.get_ref().poll_write(&mut cx, response.as_bytes()).is_ready() {
            // With TLS the end is announced, too. The client may have gone.
            let _ = self.io.get_ref().poll_shutdown(&mut cx);
        }
    }

    fn check(&self, cx: &Context<'_>, direction: Direction) -> io::Result<()> {
        if self.life.is_closed(cx, direction) {
            let text = "the server has ended the connection";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, text));
        }
        Ok(())
    }
}

impl<S: PollIo + Unpin> Read for Transport<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let length = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first[..length]);
            self.first.drain(..length);
            if self.first.is_empty() {
                self.first = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        self.check(cx, Direction::Read)?;
        if ready!(self.io.poll_read_some(cx, buffer))? != 0 {
            self.life.note_received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: PollIo + Unpin> Write for Transport<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx, Direction::Write)?;
        let polled = Pin::new(&mut self.io).poll_write(cx, data);
        self.life.note_write(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx, Direction::Write)?;
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, data);
        self.life.note_write(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.life.note_write(&polled);
        polled
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<S: PollIo + Unpin> Drop for Transport<S> {
    fn drop(&mut self) {
        if self.life.is_late() {
            self.refuse_late_head();
        }
        self.life.note_gone();
    }
}
