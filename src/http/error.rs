//! Makes a [`hyper::Error`] from an `io::Error`, for calls that fail outside of hyper.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use hyper::Response;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;

/// Returns an error of hyper whose source is `error`.
///
/// hyper has no public constructor for its errors. But it returns one if a stream fails in the
/// middle of a message. So this function serves a stream that yields half a message and then fails.
#[cold]
pub(super) fn error_of(error: io::Error) -> hyper::Error {
    let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(String::new())) });
    let stream = Fails { error: Some(error), has_begun: false };
    let connection = pin!(http1::Builder::new().serve_connection(stream, service));
    match connection.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => error,
        _ => unreachable!("half a message is neither waited for nor served"),
    }
}

/// A stream that yields one byte of a request and then fails.
struct Fails {
    error: Option<io::Error>,
    has_begun: bool,
}

impl Read for Fails {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !mem::replace(&mut self.has_begun, true) {
            buffer.put_slice(b"G");
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(self.error.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())))
    }
}

impl Write for Fails {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    #[test]
    fn an_error_of_hypers_has_the_source_that_it_is_given() {
        let error = error_of(io::Error::other("the reason"));
        assert_eq!(error.source().unwrap().to_string(), "the reason");
    }
}
