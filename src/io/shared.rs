//! Streams that are read and written through a shared reference, as a bound that compilers can bear.
//!
//! `for<'a> &'a S: Read` says it, too. But an implementation for `&Wrapper<S>` under that bound makes the
//! compiler look for `&_: Read` in itself without end wherever it does not know a type yet (E0275). A bound
//! on `S` itself it puts off until it does.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

/// What can be read through a shared reference: every `S` with `for<'a> &'a S: Read`, such as
/// [`TcpStream`](crate::net::TcpStream) and [`Waitable`](crate::io::Waitable).
///
/// Implement [`Read`] for a reference to a type, and this holds for the type. As a bound of a generic
/// function it is what `for<'a> &'a S: Read` is.
///
/// # Examples
///
/// ```
/// use fibra::io::{SharedRead, SharedWrite, Waitable};
///
/// /// Anything that one fiber may read while another writes.
/// fn duplex<S: SharedRead + SharedWrite>(_: &S) {}
///
/// let (a, _) = std::os::unix::net::UnixStream::pair().unwrap();
/// duplex(&Waitable::new(a).unwrap());
/// ```
pub trait SharedRead {
    /// As [`Read::read`].
    ///
    /// # Errors
    ///
    /// As [`Read::read`].
    fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// As [`Read::read_vectored`].
    ///
    /// # Errors
    ///
    /// As [`Read::read`].
    fn read_vectored_shared(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
}

/// What can be written through a shared reference: every `S` with `for<'a> &'a S: Write`. See
/// [`SharedRead`].
pub trait SharedWrite {
    /// As [`Write::write`].
    ///
    /// # Errors
    ///
    /// As [`Write::write`].
    fn write_shared(&self, data: &[u8]) -> io::Result<usize>;

    /// As [`Write::write_vectored`].
    ///
    /// # Errors
    ///
    /// As [`Write::write`].
    fn write_vectored_shared(&self, data: &[IoSlice<'_>]) -> io::Result<usize>;

    /// As [`Write::flush`].
    ///
    /// # Errors
    ///
    /// As [`Write::flush`].
    fn flush_shared(&self) -> io::Result<()>;
}

impl<S> SharedRead for S
where
    for<'a> &'a S: Read,
{
    #[inline(always)]
    #[track_caller]
    fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self;
        stream.read(buffer)
    }

    #[track_caller]
    fn read_vectored_shared(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut stream = self;
        stream.read_vectored(buffers)
    }
}

impl<S> SharedWrite for S
where
    for<'a> &'a S: Write,
{
    #[inline(always)]
    #[track_caller]
    fn write_shared(&self, data: &[u8]) -> io::Result<usize> {
        let mut stream = self;
        stream.write(data)
    }

    #[track_caller]
    fn write_vectored_shared(&self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut stream = self;
        stream.write_vectored(data)
    }

    #[track_caller]
    fn flush_shared(&self) -> io::Result<()> {
        let mut stream = self;
        stream.flush()
    }
}
