//! The standard input before anybody asked for it: the descriptor, and what was read ahead.
//!
//! ```text
//!   descriptor 0 -- ready? -- read(2) --> buffer: [ handed out | at hand | room ]
//!                                         under a mutex: one reads, the others stand in line
//! ```
//!
//! Invariants:
//! - The descriptor stays as it is. What it refers to is shared with other processes (a terminal with the
//!   shell), and made non-blocking it would be so for them as well: so it is waited for, and then read.
//! - Nothing waits between a read and the note of what it brought.

use std::io;
use std::mem;
use std::os::fd::BorrowedFd;

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::reactor::source::{Direction, Wait, wait_ready};
use crate::sched::lowlevel::{OnDeadlock, WaitReason};
use crate::sync::Mutex;

static READING: WaitReason =
    WaitReason::new("reading the standard input", OnDeadlock::Fail).ended_by_the_world();

/// The one of this process.
pub(super) static BUFFER: Mutex<Buffer> = Mutex::new(Buffer { bytes: Vec::new(), taken: 0 });

/// So much is asked for at a time, as std does.
pub(super) const SIZE: usize = 8 << 10;

/// What was read and is wanted by nobody yet.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// So many at the beginning have been handed out.
    taken: usize,
}

impl Buffer {
    pub(super) fn at_hand(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Waits until there is more, and appends it. Returns how much: nothing at the end.
    #[track_caller]
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        self.make_room();
        read_when_ready(|input| rustix::io::read(input, spare_capacity(&mut self.bytes)))
    }

    fn make_room(&mut self) {
        self.bytes.drain(..mem::take(&mut self.taken));
        if self.bytes.is_empty() {
            // A long line does not keep its memory for ever.
            self.bytes.shrink_to(SIZE);
        }
        if self.bytes.capacity() - self.bytes.len() < SIZE / 2 {
            self.bytes.reserve(SIZE);
        }
    }

    /// Waits until `delimiter` is at hand, or the end of the input. Returns how far that is.
    #[track_caller]
    pub(super) fn fill_until(&mut self, delimiter: u8) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let mut rest = self.at_hand()[searched..].iter();
            if let Some(found) = rest.position(|&byte| byte == delimiter) {
                return Ok(searched + found + 1);
            }
            searched = self.at_hand().len();
            if self.fill()? == 0 {
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

/// Reads the descriptor when that would not block; or so it seemed.
#[track_caller]
pub(super) fn read_when_ready(
    mut read: impl FnMut(BorrowedFd<'static>) -> rustix::io::Result<usize>,
) -> io::Result<usize> {
    let input = rustix::stdio::stdin();
    loop {
        wait_ready(input, Wait { direction: Direction::Read, timeout: None, reason: &READING })?;
        match read(input) {
            // A signal came, or somebody made it non-blocking and somebody else was quicker.
            Err(Errno::INTR | Errno::AGAIN) => {}
            // It was closed. To std that is an end.
            Err(Errno::BADF) => return Ok(0),
            result => return Ok(result?),
        }
    }
}
