//! Possibly uninitialised memory for a read to fill.
//!
//! Invariants:
//! - The memory of an [`UninitBuf`] is only ever written to.
//! - A [`Filled`] is made only where that many bytes at the beginning of a buffer were written.
//! - Other crates can neither make nor name these types. A stream of another crate therefore cannot
//!   override the method that takes them, and has its default behaviour.

#![allow(unsafe_code, reason = "reads into memory that is not initialised")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::net::RecvFlags;

/// A buffer into which a read may put data, and whose content may be uninitialised.
#[derive(Debug)]
pub struct UninitBuf<'a>(&'a mut [MaybeUninit<u8>]);

/// Number of bytes of an [`UninitBuf`] that were filled, from its beginning.
#[derive(Debug)]
pub struct Filled(usize);

impl<'a> UninitBuf<'a> {
    #[cfg(any(feature = "http", feature = "tokio-io"))]
    pub(crate) fn new(memory: &'a mut [MaybeUninit<u8>]) -> UninitBuf<'a> {
        UninitBuf(memory)
    }

    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// Returns the buffer as a slice, after filling it with zeros.
    pub(crate) fn zeroed(&mut self) -> &mut [u8] {
        self.0.fill(MaybeUninit::new(0));
        // SAFETY: every byte has just been written, and `MaybeUninit<u8>` has the layout of `u8`.
        // The slice covers the same memory as `self.0`, and borrows it exclusively for as long.
        unsafe { &mut *(&raw mut *self.0 as *mut [u8]) }
    }

    /// Declares that the first `length` bytes of the slice from [`UninitBuf::zeroed`] were filled.
    ///
    /// # Panics
    ///
    /// Panics if the buffer is shorter than `length`.
    pub(crate) fn claim(&self, length: usize) -> Filled {
        assert!(length <= self.size(), "a stream reported more bytes than the buffer holds");
        Filled(length)
    }

    /// Reads from a pipe, as `read(2)` does.
    pub(crate) fn read(&mut self, pipe: impl AsFd) -> io::Result<Filled> {
        let (filled, _) = rustix::io::read(pipe, &mut *self.0)?;
        Ok(Filled(filled.len()))
    }

    /// Receives from a socket, as `recv(2)` does.
    pub(crate) fn recv(&mut self, socket: impl AsFd) -> io::Result<Filled> {
        let ((filled, _), _) = rustix::net::recv(socket, &mut *self.0, RecvFlags::DONTWAIT)?;
        Ok(Filled(filled.len()))
    }
}

impl Filled {
    pub(crate) fn length(&self) -> usize {
        self.0
    }
}
