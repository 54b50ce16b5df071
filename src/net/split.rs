//! The two halves of a stream, for one fiber that reads and another that writes.
//!
//! Invariants:
//! - A stream has one half of each kind, or is whole.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::ptr;
use std::sync::Arc;

use crate::sched::lowlevel::{Unwinding, unwinding};

/// The half of a stream that is read: see [`TcpStream::into_split`](crate::net::TcpStream::into_split).
#[derive(Debug)]
pub struct ReadHalf<S>(Arc<S>);

/// The half of a stream that is written: see [`TcpStream::into_split`](crate::net::TcpStream::into_split).
///
/// When it is [finished](WriteHalf::finish) or dropped the other side is told that nothing will follow.
pub struct WriteHalf<S> {
    /// There until it is dropped or reunited.
    stream: Option<Arc<S>>,
    /// Tells the other side that nothing will follow.
    shut: Shut<S>,
}

/// How the other side is told that nothing will follow.
pub(crate) struct Shut<S> {
    pub(crate) shut: fn(&S) -> io::Result<()>,
    /// Whether that waits for the other side: a fiber that unwinds could not be killed any more meanwhile.
    pub(crate) waits: bool,
}

/// Two halves that do not belong together, given back by [`ReadHalf::reunite`].
pub struct ReuniteError<S>(
    /// The half for reading.
    pub ReadHalf<S>,
    /// The half for writing.
    pub WriteHalf<S>,
);

impl<S> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the two halves belong to different streams")
    }
}

// `Debug` does not show the halves, so that `unwrap` works for streams without `Debug`.
impl<S> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReuniteError(..)")
    }
}

impl<S> Error for ReuniteError<S> {}

pub(crate) fn split<S>(stream: S, shut: Shut<S>) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Arc::new(stream);
    (ReadHalf(stream.clone()), WriteHalf { stream: Some(stream), shut })
}

impl<S> ReadHalf<S> {
    /// Puts the two halves of a stream together again.
    ///
    /// # Errors
    ///
    /// Gives both back if they belong to different streams.
    #[allow(clippy::missing_panics_doc, reason = "it is there until it is dropped")]
    pub fn reunite(self, mut other: WriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !ptr::eq(self.get_ref(), other.get_ref()) {
            return Err(ReuniteError(self, other));
        }
        drop(self);
        match other.stream.take().map(Arc::into_inner) {
            Some(Some(stream)) => Ok(stream),
            _ => unreachable!("a stream has two halves, and one is gone"),
        }
    }
}

impl<S> ReadHalf<S> {
    /// The stream.
    pub fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<S> WriteHalf<S> {
    /// The stream.
    #[allow(clippy::missing_panics_doc, reason = "it is there until it is dropped")]
    pub fn get_ref(&self) -> &S {
        let Some(stream) = &self.stream else { unreachable!("it is there until it is dropped") };
        stream
    }
}

impl<S> WriteHalf<S> {
    /// Tells the other side that nothing will follow, after all that was written.
    ///
    /// Dropping the half does the same, but cannot tell whether it succeeded, and does not do it over TLS if its
    /// fiber unwinds.
    ///
    /// # Errors
    ///
    /// Those of the stream's `shutdown`: for TCP, if it is not connected any more; over TLS, those of a write.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use fibra::net::UnixStream;
    ///
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let (a, mut b) = UnixStream::pair()?;
    ///     let (_reader, mut writer) = a.into_split();
    ///     writer.write_all(b"all of it")?;
    ///     writer.finish()?;
    ///     let mut text = String::new();
    ///     b.read_to_string(&mut text)?;
    ///     assert_eq!(text, "all of it");
    ///     Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn finish(mut self) -> io::Result<()> {
        self.stream.take().map_or(Ok(()), |stream| (self.shut.shut)(&stream))
    }
}

impl<S> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        if let Some(stream) = &self.stream {
            if !(self.shut.waits && unwinding() == Unwinding::Yes) {
                // It fails if the connection is gone, and then the other side knows.
                let _ = (self.shut.shut)(stream);
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteHalf").field(self.get_ref()).finish()
    }
}

impl<S> Read for ReadHalf<S>
where
    for<'a> &'a S: Read,
{
    #[inline(always)]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.get_ref().read(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.get_ref().read_vectored(buffers)
    }

    #[track_caller]
    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.get_ref().read_exact(buffer)
    }
}

impl<S> Write for WriteHalf<S>
where
    for<'a> &'a S: Write,
{
    #[inline(always)]
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.get_ref().write(data)
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.get_ref().write_vectored(data)
    }

    #[track_caller]
    fn write_all(&mut self, data: &[u8]) -> io::Result<()> {
        self.get_ref().write_all(data)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        self.get_ref().flush()
    }
}
