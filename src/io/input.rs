//! The buffered standard input: the descriptor, and the data that was read ahead.
//!
//! ```text
//!   descriptor 0 -- ready? -- read(2) --> buffer: [ handed out | available | free ]
//!                                         under a mutex: one reads, the others wait in its queue
//! ```
//!
//! Invariants:
//! - The descriptor's flags are never changed. The open file is shared with other processes (a
//!   terminal with the shell), and would become non-blocking for them as well: so each read first
//!   waits until the descriptor is ready.
//! - There is no wait between a read and the recording of the data it returned.
//! - A call processes a bounded number of bytes between two points at which other fibers may run
//!   and a time limit takes effect.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::str;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::reactor::source::{Direction, Wait, wait_ready};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, spend_many, try_current_fiber};
use crate::sync::Mutex;

static READING: WaitReason =
    WaitReason::new("reading the standard input", OnDeadlock::Fail).ended_externally();

/// The buffer of this process.
pub(super) static BUFFER: Mutex<Buffer> = Mutex::new(Buffer { bytes: Vec::new(), taken: 0 });

/// Number of bytes to make room for before a read, as in std.
pub(super) const SIZE: usize = 8 << 10;

/// The most bytes read in one call: a larger read of a file would take long, and could not be
/// interrupted.
pub(super) const MOST_AT_A_TIME: usize = 64 << 10;

/// Number of bytes that count as one operation: reading, copying and searching them takes about as
/// long as a small operation.
const AN_OPERATION: usize = 1 << 10;

/// Data that was read and that no call has taken so far.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Number of bytes at the beginning that have been handed out.
    taken: usize,
}

impl Buffer {
    pub(super) fn at_hand(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Waits for more data and appends it. Returns how many bytes were added: 0 at the end.
    #[track_caller]
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        self.make_room();
        if self.bytes.capacity() - self.bytes.len() <= MOST_AT_A_TIME {
            return read_when_ready(MOST_AT_A_TIME, |input| {
                rustix::io::read(input, spare_capacity(&mut self.bytes))
            });
        }
        let mut piece = Vec::with_capacity(MOST_AT_A_TIME);
        let read = |input| rustix::io::read(input, spare_capacity(&mut piece));
        let n = read_when_ready(MOST_AT_A_TIME, read)?;
        self.bytes.extend_from_slice(&piece);
        Ok(n)
    }

    fn make_room(&mut self) {
        self.bytes.drain(..mem::take(&mut self.taken));
        if self.bytes.is_empty() {
            // The memory of a long line is not kept forever.
            self.bytes.shrink_to(SIZE);
        }
        if self.bytes.capacity() - self.bytes.len() < SIZE / 2 {
            self.bytes.reserve(SIZE);
        }
    }

    /// Waits until `delimiter` is available, or the end of the input. Returns the length up to and
    /// including it.
    #[track_caller]
    pub(super) fn fill_until(&mut self, delimiter: u8) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let rest = &self.at_hand()[searched..];
            let piece = &rest[..rest.len().min(MOST_AT_A_TIME)];
            if let Some(found) = piece.iter().position(|&byte| byte == delimiter) {
                return Ok(searched + found + 1);
            }
            searched += piece.len();
            if piece.len() < rest.len() {
                spend_for(piece.len());
            } else if self.fill()? == 0 {
                return Ok(searched);
            }
        }
    }

    /// Waits until the end of the input.
    #[track_caller]
    pub(super) fn fill_to_end(&mut self) -> io::Result<()> {
        while self.fill()? != 0 {}
        Ok(())
    }

    /// Returns the available data as text. A long text is checked in pieces, between which other
    /// fibers may run.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not UTF-8.
    #[track_caller]
    pub(super) fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        let mut rest = self.at_hand();
        while MOST_AT_A_TIME < rest.len() {
            let mut piece = &rest[..MOST_AT_A_TIME];
            match str::from_utf8(piece) {
                // The piece ends in the middle of a character.
                Err(error) if error.error_len().is_none() => piece = &piece[..error.valid_up_to()],
                _ => {}
            }
            text.push_str(text_of(piece)?);
            rest = &rest[piece.len()..];
            spend_for(MOST_AT_A_TIME);
        }
        text.push_str(text_of(rest)?);
        Ok(text)
    }

    pub(super) fn take(&mut self, n: usize) -> &[u8] {
        let from = self.taken;
        self.taken += n;
        &self.bytes[from..self.taken]
    }

    pub(super) fn take_all(&mut self) -> Vec<u8> {
        let mut all = mem::take(&mut self.bytes);
        all.drain(..mem::take(&mut self.taken));
        all
    }
}

pub(super) fn text_of(bytes: &[u8]) -> io::Result<&str> {
    let not_utf8 = |_| io::Error::new(io::ErrorKind::InvalidData, "the input is not UTF-8");
    str::from_utf8(bytes).map_err(not_utf8)
}

/// Counts the work on this many bytes. May let other fibers run, and is a kill point then.
#[track_caller]
fn spend_for(bytes: usize) {
    if let Some(current) = try_current_fiber() {
        spend_many(current, u32::try_from(bytes / AN_OPERATION).unwrap_or(u32::MAX));
    }
}

/// Reads the descriptor once it appears ready. `read` moves at most `most` bytes, which is
/// [`MOST_AT_A_TIME`] or less.
///
/// A file is always ready, so the bytes are counted, to keep reads of it from monopolizing the
/// thread.
#[track_caller]
pub(super) fn read_when_ready(
    most: usize,
    mut read: impl FnMut(BorrowedFd<'static>) -> rustix::io::Result<usize>,
) -> io::Result<usize> {
    let input = rustix::stdio::stdin();
    loop {
        spend_for(most);
        wait_ready(input, Wait { direction: Direction::Read, timeout: None, reason: &READING })?;
        match read(input) {
            // A signal came, or the descriptor was made non-blocking elsewhere and another reader
            // was faster.
            Err(Errno::INTR | Errno::AGAIN) => {}
            // It was closed. Std treats that as the end of the input.
            Err(Errno::BADF) => return Ok(0),
            result => return Ok(result?),
        }
    }
}
