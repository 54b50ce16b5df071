//! TLS streams for use by futures: the same code, over a stream that would block.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use crate::io::PollIo;
use crate::io::async_traits::{async_read, async_write};
use crate::tls::TlsStream;

/// Accepted data is sent as far as the stream takes it; the next write, flush or shutdown sends the
/// rest.
impl<S: PollIo> PollIo for TlsStream<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        to_poll(self.state.read(NonBlocking { stream: &self.stream, cx }, buffer))
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        to_poll(self.state.write(NonBlocking { stream: &self.stream, cx }, data))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        to_poll(self.state.flush(NonBlocking { stream: &self.stream, cx }))
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(to_poll(self.state.shutdown(NonBlocking { stream: &self.stream, cx })))?;
        self.stream.poll_shutdown(cx)
    }
}

async_read!(TlsStream<S> as PollIo where S: PollIo);
async_write!(TlsStream<S> as PollIo where S: PollIo);

/// A stream that returns `WouldBlock` instead of waiting, and wakes a task.
struct NonBlocking<'a, 'cx, S> {
    stream: &'a S,
    cx: &'a mut Context<'cx>,
}

impl<S: PollIo> Read for NonBlocking<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        to_would_block(self.stream.poll_read(self.cx, buffer))
    }
}

impl<S: PollIo> Write for NonBlocking<'_, '_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        to_would_block(self.stream.poll_write(self.cx, data))
    }

    fn flush(&mut self) -> io::Result<()> {
        to_would_block(self.stream.poll_flush(self.cx))
    }
}

fn to_would_block<T>(result: Poll<io::Result<T>>) -> io::Result<T> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn to_poll<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
