//! The standard input, with std's names.
//!
//! Invariant: a call removes what it returns from the buffer in one step, once all of it is there,
//! and does not wait afterwards. A call that is interrupted (by a kill, a time limit, an error) has
//! therefore removed nothing.

use std::fmt;
use std::io::{self, BufRead, Lines, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::io::by_reference::read_by_reference;
use crate::io::input::{BUFFER, Buffer, MOST_AT_A_TIME, SIZE, read_when_ready, text_of};
use crate::sync::MutexGuard;

/// Returns a handle to the standard input of this process, like [`std::io::stdin`]; while a fiber
/// waits for input, others run.
///
/// There is one buffer for the whole process. Fibers of all threads and plain threads may read:
/// each call has exclusive access, and the others wait, first come first served. To keep the access
/// for several calls, use [`lock`](Stdin::lock).
///
/// # Kills and time limits
///
/// All calls are kill points, and can be interrupted by a time limit; no data is lost then. A call
/// removes what it returns at its end and in one step: half a line that an interrupted
/// [`read_line`](Stdin::read_line) had received is where the next call begins. That holds for
/// `read_exact`, `read_until`, `read_to_end` and `read_to_string` as well: the data that they wait
/// for stays in the buffer until it is complete.
///
/// # Kinds of input
///
/// A terminal, a pipe or a socket is read once it is ready. It does not become non-blocking,
/// because it is shared with other processes, and on a terminal with `stdout`. That has a price: if
/// another process reads the same terminal, pipe or socket first, in the moment between the wait
/// and the read, the thread blocks until more data comes, and its fibers with it. A regular file
/// and `/dev/null` are always ready for the kernel; they are read directly, for as long as the disk
/// takes: 64 KiB at a time, and other fibers run in between.
///
/// # Together with std's
///
/// The buffers of [`std::io::stdin`] and of this function are independent: data that one has read
/// ahead is not visible in the other, nor to a child process that inherits the descriptor. Use one
/// of them. A standard input that was closed is at its end, as in std.
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
/// All handles refer to the one buffer of the process.
pub struct Stdin {
    _private: (),
}

/// Exclusive access to the standard input, returned by [`Stdin::lock`].
///
/// Other readers wait while this exists. It stays on its thread.
#[must_use = "the input is unlocked when this is dropped"]
pub struct StdinLock<'a> {
    buffer: MutexGuard<'a, Buffer>,
}

impl Stdin {
    /// Waits for exclusive access, and keeps other readers waiting until the lock is dropped.
    ///
    /// # Panics
    ///
    /// Panics with a report if the lock can never become free, because the caller holds it: see
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
    ///     input.read_to_end(&mut body)?; // no other fiber has read anything in between
    ///     Ok(())
    /// })?;
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock { buffer: BUFFER.lock() }
    }

    /// Like [`lock`](Stdin::lock), for calls that return an error.
    #[track_caller]
    fn lock_for_a_call(&self) -> io::Result<StdinLock<'static>> {
        Ok(StdinLock { buffer: BUFFER.lock_unless_killed()? })
    }

    /// Waits for a line, and appends it, including its line ending, to `line`. Returns the number
    /// of bytes: 0 at the end of the input.
    ///
    /// # Errors
    ///
    /// Returns an error if the line is not UTF-8, in which case the line is removed and lost; the
    /// errors of `read(2)`; and an error if the input cannot be polled.
    ///
    /// # Panics
    ///
    /// The same as for [`lock`](Stdin::lock).
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

    /// Returns an iterator over the lines to the end of the input, without their line endings. It
    /// holds the [`lock`](Stdin::lock) for as long as it exists.
    ///
    /// # Panics
    ///
    /// The same as for [`lock`](Stdin::lock).
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
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the input ended before the buffer was full",
                ));
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
            // Without a copy, because it may be large.
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
        // The data is removed even if it is not text.
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

/// Each call locks the input on its own: see [`Stdin::lock`] for several.
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

/// Implements the traits that `Stdin` and `StdinLock` have in common.
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
