//! The two halves of a stream, for one fiber that reads and another that writes.
//!
//! Invariant: a stream either has one half of each kind, or is whole.

use std::error::Error;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::ptr;
use std::sync::Arc;

use crate::sched::lowlevel::{Unwinding, unwinding};

/// The half of a stream for reading: see
/// [`TcpStream::into_split`](crate::net::TcpStream::into_split).
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use fibra::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let (mut reader, _writer) = TcpStream::connect(listener.local_addr()?)?.into_split();
///     let got = fibra::spawn(move || {
///         let mut text = String::new();
///         reader.read_to_string(&mut text).map(|_| text)
///     });
///     let (mut peer, _) = listener.accept()?;
///     peer.write_all(b"hello")?;
///     drop(peer);
///     assert_eq!(got.join().unwrap()?, "hello");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct ReadHalf<S>(Arc<S>);

/// The half of a stream for writing: see
/// [`TcpStream::into_split`](crate::net::TcpStream::into_split).
///
/// When it is [finished](WriteHalf::finish) or dropped, the other side reads the end of the stream.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use fibra::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let (_reader, mut writer) = TcpStream::connect(listener.local_addr()?)?.into_split();
///     let (mut peer, _) = listener.accept()?;
///     writer.write_all(b"hello")?;
///     drop(writer); // the peer reads the end
///     let mut text = String::new();
///     peer.read_to_string(&mut text)?;
///     assert_eq!(text, "hello");
///     Ok(())
/// })
/// # }
/// ```
pub struct WriteHalf<S> {
    /// The stream; `None` only once the half is dropped or reunited.
    stream: Option<Arc<S>>,
    /// The operation that signals the end of the stream to the other side.
    shut: Shut<S>,
}

/// The operation that signals the end of the stream to the other side.
pub(crate) struct Shut<S> {
    pub(crate) shut: fn(&S) -> io::Result<()>,
    /// Whether the operation waits for the other side. A fiber that unwinds skips it then, because
    /// it could not be killed during the wait.
    pub(crate) waits: bool,
}

/// The error of [`ReadHalf::reunite`]: two halves of different streams, given back.
///
/// # Examples
///
/// ```
/// use fibra::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let connect = || TcpStream::connect(listener.local_addr()?);
///     let ((reader, _), (_, writer)) = (connect()?.into_split(), connect()?.into_split());
///     assert!(reader.reunite(writer).is_err()); // halves of two streams
///     Ok(())
/// })
/// # }
/// ```
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
    /// Reunites the two halves of a stream.
    ///
    /// # Errors
    ///
    /// Returns both halves if they belong to different streams.
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
    /// Returns the stream.
    pub fn get_ref(&self) -> &S {
        &self.0
    }
}

impl<S> WriteHalf<S> {
    /// Returns the stream.
    #[allow(clippy::missing_panics_doc, reason = "it is there until it is dropped")]
    pub fn get_ref(&self) -> &S {
        let Some(stream) = &self.stream else { unreachable!("it is there until it is dropped") };
        stream
    }
}

impl<S> WriteHalf<S> {
    /// Announces the end of the stream to the other side, after everything that was written.
    ///
    /// Dropping the half does the same, but discards the error; and over TLS it does nothing if its
    /// fiber unwinds.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream's `shutdown`: for TCP, if it is no longer connected; over
    /// TLS, those of a write.
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
                // This fails if the connection is gone, and then the other side needs no notice.
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
