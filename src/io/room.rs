//! Memory that a read is to fill, and that need hold nothing before.
//!
//! Invariants:
//! - What a [`Room`] is made of is only ever written to.
//! - A [`Filled`] is made where so many bytes at the beginning of a room were written.
//! - Other crates can neither make these nor name them. So of the streams that have a method with them,
//!   none that is not of this crate does anything but what the method does by itself.

#![allow(unsafe_code, reason = "reads into memory that is not initialised")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use rustix::net::RecvFlags;

/// Where a read may put what it has read.
#[derive(Debug)]
pub struct Room<'a>(&'a mut [MaybeUninit<u8>]);

/// How much of a room was filled, from its beginning.
#[derive(Debug)]
pub struct Filled(usize);

impl<'a> Room<'a> {
    #[cfg(feature = "hyper")]
    pub(crate) fn new(memory: &'a mut [MaybeUninit<u8>]) -> Room<'a> {
        Room(memory)
    }

    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// The same as a slice, for those who want one.
    pub(crate) fn zeroed(&mut self) -> &mut [u8] {
        self.0.fill(MaybeUninit::new(0));
        // SAFETY: every byte has just been written.
        unsafe { &mut *(&raw mut *self.0 as *mut [u8]) }
    }

    /// The first `length` bytes of what [`Room::zeroed`] has returned were filled.
    ///
    /// # Panics
    ///
    /// Panics if there are not so many.
    pub(crate) fn claim(&self, length: usize) -> Filled {
        assert!(length <= self.size(), "a stream has read more than there was room for");
        Filled(length)
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
