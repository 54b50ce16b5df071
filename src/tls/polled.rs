//! A TLS stream as futures have it: the same as ever, over a stream that would block.

use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};

use crate::io::PollIo;
use crate::tls::TlsStream;

/// What one call accepts is sent as far as the stream takes it; the rest goes out with the next write, flush
/// or shutdown.
impl<S: PollIo> PollIo for TlsStream<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        polled(self.state.read(Polled { stream: &self.stream, cx }, buffer))
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        polled(self.state.write(Polled { stream: &self.stream, cx }, data))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        polled(self.state.flush(Polled { stream: &self.stream, cx }))
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(polled(self.state.shutdown(Polled { stream: &self.stream, cx })))?;
        self.stream.poll_shutdown(cx)
    }
}

/// A stream that would block, and wakes a task.
struct Polled<'a, 'cx, S> {
    stream: &'a S,
    cx: &'a mut Context<'cx>,
}

impl<S: PollIo> Read for Polled<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        blocking(self.stream.poll_read(self.cx, buffer))
    }
}

impl<S: PollIo> Write for Polled<'_, '_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        blocking(self.stream.poll_write(self.cx, data))
    }

    fn flush(&mut self) -> io::Result<()> {
        blocking(self.stream.poll_flush(self.cx))
    }
}

fn blocking<T>(result: Poll<io::Result<T>>) -> io::Result<T> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

fn polled<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}
