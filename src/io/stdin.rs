//! Standard input, with std's names.
//!
//! Invariants:
//! - A call takes what it returns out of the buffer in one step, when it has all of it, and does not wait
//!   afterwards. So whoever leaves in the middle (a kill, a time limit, an error) has taken nothing.

use std::fmt;
use std::io::{self, BufRead, Lines, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::io::by_reference::read_by_reference;
use crate::io::input::{BUFFER, Buffer, MOST_AT_A_TIME, SIZE, read_when_ready, text_of};
use crate::sync::MutexGuard;

/// The standard input of this process, as [`std::io::stdin`]; a fiber that waits for it lets others run.
///
/// There is one buffer for the whole process. Fibers of all threads and plain threads may read: each call
/// has the input for itself, and the others stand in line, first come first served. To keep it for
/// several calls there is [`lock`](Stdin::lock).
///
/// # Kills and time limits
///
/// All calls are kill points, and can be left by a time limit; then nothing is lost. A call takes what it
/// returns at its end and in one step: half a line that a [`read_line`](Stdin::read_line) had got when it
/// was left is where the next call begins. That holds for `read_exact`, `read_until`, `read_to_end` and
/// `read_to_string` as well: what they wait for stays in the buffer until it is complete.
///
/// # What it is connected to
///
/// A terminal, a pipe or a socket is waited for until there is something, and then read. It does not become
/// non-blocking, for it is shared with other processes, and on a terminal with `stdout`. That has a
/// price: if somebody else reads the same terminal, pipe or socket and is quicker, in the moment between
/// the wait and the read, the thread blocks until more comes, and its fibers with it. A regular file and
/// `/dev/null` never make anybody wait as far as the kernel is concerned; they are read on the
/// spot, for as long as the disk takes: 64 KiB at a time, and others get their turn in between.
///
/// # Beside std's
///
/// The buffers of [`std::io::stdin`] and of this do not know of each other: what has been read ahead into
/// the one is not found in the other, nor by a child process that inherits the descriptor. Use one of them.
/// A standard input that was closed is at its end, as in std.
///
/// # Examples
///
/// ```
/// fibra::run(|| -> std::io::Result<()> {
///     fibra::spawn(|| println!("another fiber runs while this one waits"));
///     let mut words = 0;
///     for line in fibra::io::stdin().lines() {
///         words += line?.split_whitespace().count();
///     }
///     println!("{words} words");
///     Ok(())
/// })?;
/// # std::io::Result::Ok(())
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin { _private: () }
}

/// A handle to the standard input: see [`stdin`].
///
/// It is a way to the one buffer of the process, and may be made as often as it is needed.
pub struct Stdin {
    _private: (),
}

/// The standard input for as long as this exists, made by [`Stdin::lock`].
///
/// The others wait meanwhile. It stays on its thread.
#[must_use = "the input is unlocked when this is dropped"]
pub struct StdinLock<'a> {
    buffer: MutexGuard<'a, Buffer>,
}

impl Stdin {
    /// Waits until nobody else reads, and keeps the others waiting until the lock is dropped.
    ///
    /// # Panics
    ///
    /// With a report if the lock can never become free, because the caller has it: as
    /// [`Mutex::lock`](crate::sync::Mutex::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{BufRead, Read};
    ///
    /// fibra::run(|| -> std::io::Result<()> {
    ///     let mut input = fibra::io::stdin().lock();
    ///     let mut header = String::new();
    ///     input.read_line(&mut header)?;
    ///     let mut body = Vec::new();
    ///     input.read_to_end(&mut body)?; // nobody else has read anything in between
    ///     Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock { buffer: BUFFER.lock() }
    }

    /// As [`lock`](Stdin::lock), for calls that return an error.
    #[track_caller]
    fn lock_for_a_call(&self) -> io::Result<StdinLock<'static>> {
        Ok(StdinLock { buffer: BUFFER.lock_unless_killed()? })
    }

    /// Waits for a line, and appends it, with its end, to `line`. Returns how many bytes it has: none at
    /// the end of the input.
    ///
    /// # Errors
    ///
    /// If the line is not UTF-8: it is taken, and lost. Those of `read(2)`, and if the input cannot
    /// be waited for.
    ///
    /// # Panics
    ///
    /// As [`lock`](Stdin::lock).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::io::Write;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     print!("What is your name? ");
    ///     std::io::stdout().flush()?;
    ///     let mut name = String::new();
    ///     fibra::io::stdin().read_line(&mut name)?;
    ///     println!("Hello, {}!", name.trim_end());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn read_line(&self, line: &mut String) -> io::Result<usize> {
        self.lock_for_a_call()?.read_line(line)
    }

    /// The lines to the end of the input, without their ends. It has the [`lock`](Stdin::lock) as
    /// long as it exists.
    ///
    /// # Panics
    ///
    /// As [`lock`](Stdin::lock).
    #[track_caller]
    pub fn lines(self) -> Lines<StdinLock<'static>> {
        self.lock().lines()
    }
}

impl Read for StdinLock<'_> {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.buffer.at_hand().is_empty() && SIZE <= buf.len() {
            let most = buf.len().min(MOST_AT_A_TIME);
            return read_when_ready(most, |input| rustix::io::read(input, &mut buf[..most]));
        }
        let n = self.fill_buf()?.len().min(buf.len());
        buf[..n].copy_from_slice(self.buffer.take(n));
        Ok(n)
    }

    #[track_caller]
    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        while self.buffer.at_hand().len() < buf.len() {
            if self.buffer.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input has ended"));
            }
        }
        buf.copy_from_slice(self.buffer.take(buf.len()));
        Ok(())
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.buffer.fill_to_end()?;
        let mut all = self.buffer.take_all();
        let n = all.len();
        if buf.is_empty() {
            // Without a copy: it may be much.
            *buf = all;
        } else {
            buf.append(&mut all);
        }
        Ok(n)
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        self.buffer.fill_to_end()?;
        let text = self.buffer.text();
        // It is taken also if it is no text.
        drop(self.buffer.take_all());
        let text = text?;
        buf.push_str(&text);
        Ok(text.len())
    }
}

impl BufRead for StdinLock<'_> {
    #[track_caller]
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.buffer.at_hand().is_empty() {
            self.buffer.fill()?;
        }
        Ok(self.buffer.at_hand())
    }

    fn consume(&mut self, n: usize) {
        let n = n.min(self.buffer.at_hand().len());
        self.buffer.take(n);
    }

    #[track_caller]
    fn read_until(&mut self, delimiter: u8, buf: &mut Vec<u8>) -> io::Result<usize> {
        let n = self.buffer.fill_until(delimiter)?;
        buf.extend_from_slice(self.buffer.take(n));
        Ok(n)
    }

    #[track_caller]
    fn skip_until(&mut self, delimiter: u8) -> io::Result<usize> {
        let n = self.buffer.fill_until(delimiter)?;
        self.consume(n);
        Ok(n)
    }

    #[track_caller]
    fn read_line(&mut self, buf: &mut String) -> io::Result<usize> {
        let n = self.buffer.fill_until(b'\n')?;
        buf.push_str(text_of(self.buffer.take(n))?);
        Ok(n)
    }
}

/// Each call on its own: see [`Stdin::lock`] for several.
impl Read for &Stdin {
    #[track_caller]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.lock_for_a_call()?.read(buf)
    }

    #[track_caller]
    fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.lock_for_a_call()?.read_exact(buf)
    }

    #[track_caller]
    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.lock_for_a_call()?.read_to_end(buf)
    }

    #[track_caller]
    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        self.lock_for_a_call()?.read_to_string(buf)
    }
}

read_by_reference!(Stdin);

/// What a type that stands for standard input has besides.
macro_rules! standard_input {
    ($($type:ty, $name:literal;)*) => {$(
        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                rustix::stdio::stdin()
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        }
    )*};
}

standard_input! {
    Stdin, "Stdin";
    StdinLock<'_>, "StdinLock";
}
