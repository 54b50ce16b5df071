//! The channel from a signal handler to a subscriber: bits, and a byte in a pipe.
//!
//! ```text
//!   handler: set the bit, then write a byte      receiver: empty the pipe, then take a bit
//! ```
//!
//! Invariants:
//! - While a bit is set there is a byte in the pipe, or one is about to be written, or a receiver
//!   that has emptied the pipe is about to take the bit. A receiver that takes one of several bits
//!   writes a byte for the others.
//! - Neither end blocks. A pipe that is full needs no further byte.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::io::Waitable;
use crate::io::pipe::pipe;
use crate::signal::number::Signal;

/// The handler's end.
#[derive(Debug)]
pub(crate) struct Bell {
    pending: AtomicU64,
    writer: OwnedFd,
}

/// Creates a bell, and the end of it at which a receiver waits.
pub(super) fn bell() -> io::Result<(Bell, Waitable<OwnedFd>)> {
    let (reader, writer) = pipe()?;
    Ok((Bell { pending: AtomicU64::new(0), writer }, Waitable::new(reader)?))
}

impl Bell {
    /// Records `signal`. Async-signal-safe: an atomic operation and a system call.
    pub(super) fn note(&self, signal: Signal) {
        self.pending.fetch_or(signal.bit(), Ordering::SeqCst);
        self.ring();
    }

    fn ring(&self) {
        // This fails when the pipe is full, and then it contains a byte.
        let _ = rustix::io::write(&self.writer, &[0]);
    }

    /// Takes a pending signal, the one with the smallest number first.
    pub(super) fn take(&self) -> Option<Signal> {
        let mut set = self.pending.load(Ordering::SeqCst);
        loop {
            let signal = Signal::first_of(set)?;
            let rest = set & !signal.bit();
            match self.pending.compare_exchange_weak(set, rest, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => {
                    if rest != 0 {
                        // Other receivers may wait for these, at a pipe that the caller has
                        // emptied.
                        self.ring();
                    }
                    return Some(signal);
                }
                Err(now) => set = now,
            }
        }
    }

    /// Empties the pipe at `reader`, and takes a signal. Returns `WouldBlock` if there is none.
    pub(super) fn receive(&self, reader: &OwnedFd) -> io::Result<Signal> {
        let mut bytes = [0; 64];
        while matches!(rustix::io::read(reader, &mut bytes), Ok(n) if n == bytes.len()) {}
        self.take().ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}
