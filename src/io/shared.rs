//! Streams that are read and written through a shared reference, in a form that can be used as a
//! bound.
//!
//! `for<'a> &'a S: Read` expresses the same. But with an implementation for `&Wrapper<S>` under
//! that bound, the compiler searches for `&_: Read` in an infinite recursion wherever it does not
//! know a type yet (E0275). It defers a bound on `S` itself until it knows the type.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

/// A type that can be read through a shared reference: every `S` with `for<'a> &'a S: Read`, such
/// as [`TcpStream`](crate::net::TcpStream) and [`Waitable`](crate::io::Waitable).
///
/// To implement it for a type, implement [`Read`] for a reference to that type. As a bound of a
/// generic function it is equivalent to `for<'a> &'a S: Read`.
///
/// # Examples
///
/// ```
/// use fibra::io::{SharedRead, SharedWrite, Waitable};
///
/// /// Takes any stream that one fiber may read while another writes.
/// fn duplex<S: SharedRead + SharedWrite>(_: &S) {}
///
/// let (a, _) = std::os::unix::net::UnixStream::pair().unwrap();
/// duplex(&Waitable::new(a).unwrap());
/// ```
pub trait SharedRead {
    /// Like [`Read::read`].
    ///
    /// # Errors
    ///
    /// The same as for [`Read::read`].
    fn read_shared(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Like [`Read::read_vectored`].
    ///
    /// # Errors
    ///
    /// The same as for [`Read::read`].
    fn read_vectored_shared(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize>;
}

/// A type that can be written through a shared reference: every `S` with `for<'a> &'a S: Write`.
/// See [`SharedRead`].
pub trait SharedWrite {
    /// Like [`Write::write`].
    ///
    /// # Errors
    ///
    /// The same as for [`Write::write`].
    fn write_shared(&self, data: &[u8]) -> io::Result<usize>;

    /// Like [`Write::write_vectored`].
    ///
    /// # Errors
    ///
    /// The same as for [`Write::write`].
    fn write_vectored_shared(&self, data: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Like [`Write::flush`].
    ///
    /// # Errors
    ///
    /// The same as for [`Write::flush`].
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
