//! TLS streams for use by futures: the same code, over a stream that would block.
//!
//! Invariant: the task that writes is woken when it may continue, although the task that reads may
//! have to write, too, and leaves its own waker with the stream then.

use std::io::{self, Read, Write};
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker, ready};

use crate::io::PollIo;
use crate::io::async_traits::{async_read, async_write};
use crate::sched::lowlevel::locked;
use crate::tls::TlsStream;

/// Accepted data is sent as far as the stream takes it; the next write, flush or shutdown sends the
/// rest. So a task flushes after its last write, before it waits for an answer.
///
/// Do not read by a future while a fiber waits in a blocking read of the same stream, nor write
/// likewise: the future would wait for that fiber in the middle of its poll.
impl<S: PollIo> PollIo for TlsStream<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let stream = NonBlocking { stream: &self.stream, cx, writer: Some(&self.writer) };
        to_poll(self.state.read(stream, buffer))
    }

    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.as_writer(cx, |stream| self.state.write(stream, data))
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.as_writer(cx, |stream| self.state.write_vectored(stream, data))
    }

    fn writes_vectored(&self) -> bool {
        true
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_writer(cx, |stream| self.state.flush(stream))
    }

    fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_writer(cx, |stream| self.state.shutdown(stream)))?;
        self.stream.poll_shutdown(cx)
    }

    fn alpn_protocol(&self) -> Option<Vec<u8>> {
        TlsStream::alpn_protocol(self)
    }
}

async_read!(TlsStream<S> as PollIo where S: PollIo);
async_write!(TlsStream<S> as PollIo where S: PollIo);

impl<S: PollIo> TlsStream<S> {
    /// Runs `op` for the task that writes.
    fn as_writer<T>(
        &self,
        cx: &mut Context<'_>,
        op: impl FnOnce(NonBlocking<'_, '_, S>) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        // Before the attempt: a reader that leaves its waker after that wakes this task.
        self.writer.set(Some(cx.waker().clone()));
        let polled = to_poll(op(NonBlocking { stream: &self.stream, cx, writer: None }));
        if polled.is_ready() {
            self.writer.set(None);
        }
        polled
    }
}

/// The waker of the task that writes, while it waits.
#[derive(Debug, Default)]
pub(super) struct WriterTask(Mutex<Option<Waker>>);

impl WriterTask {
    fn set(&self, waker: Option<Waker>) {
        let replaced = mem::replace(&mut *locked(&self.0), waker);
        // It may run user code, and the lock is free again.
        drop(replaced);
    }

    /// Wakes the task, which then polls again, and so leaves its waker with the stream again.
    fn wake(&self) {
        let waker = locked(&self.0).take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A stream that returns `WouldBlock` instead of waiting, and wakes a task.
struct NonBlocking<'a, 'cx, S> {
    stream: &'a S,
    cx: &'a mut Context<'cx>,
    /// The task that writes, if this is not it.
    writer: Option<&'a WriterTask>,
}

impl<S: PollIo> Read for NonBlocking<'_, '_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        to_would_block(self.stream.poll_read(self.cx, buffer))
    }
}

impl<S: PollIo> Write for NonBlocking<'_, '_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let polled = self.stream.poll_write(self.cx, data);
        if let (Poll::Pending, Some(writer)) = (&polled, self.writer) {
            writer.wake();
        }
        to_would_block(polled)
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
