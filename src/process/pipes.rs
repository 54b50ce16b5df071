//! The pipes to and from a child.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::process::{self, Stdio};
use std::task::{Context, Poll};

use crate::io::Waitable;
use crate::io::async_traits::{async_read, async_write};
use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::io::poll::{PollRead, PollWrite};
use crate::io::uninit_buf::{Filled, UninitBuf};
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

static READING: WaitReason =
    WaitReason::new("reading from a child process", OnDeadlock::Fail).ended_externally();
static WRITING: WaitReason =
    WaitReason::new("writing to a child process", OnDeadlock::Fail).ended_externally();
const READS: Wait = Wait { direction: Direction::Read, timeout: None, reason: &READING };
const WRITES: Wait = Wait { direction: Direction::Write, timeout: None, reason: &WRITING };

macro_rules! pipes {
    ($($what:literal $pipe:ident;)*) => {$(
        #[doc = $what]
        ///
        /// Dropping it closes the pipe. A reference to it can be used as well.
        pub struct $pipe {
            io: Waitable<process::$pipe>,
        }

        impl $pipe {
            /// Converts a pipe of std, which becomes non-blocking on this side.
            ///
            /// # Errors
            ///
            /// Returns an error if it cannot be made non-blocking.
            pub fn from_std(pipe: process::$pipe) -> io::Result<$pipe> {
                Ok($pipe { io: Waitable::new(pipe)? })
            }

            /// Converts this pipe into one of std, which is blocking: for all handles that share
            /// it.
            ///
            /// # Errors
            ///
            /// Returns an error if it cannot be made blocking.
            pub fn into_std(self) -> io::Result<process::$pipe> {
                let pipe = self.io.into_inner();
                rustix::io::ioctl_fionbio(&pipe, false)?;
                Ok(pipe)
            }
        }

        impl TryFrom<$pipe> for Stdio {
            type Error = io::Error;

            /// Connects another child to this pipe, which is made blocking for it.
            fn try_from(pipe: $pipe) -> io::Result<Stdio> {
                Ok(pipe.into_std()?.into())
            }
        }

        impl AsFd for $pipe {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.io.as_fd()
            }
        }

        impl AsRawFd for $pipe {
            fn as_raw_fd(&self) -> RawFd {
                self.io.as_fd().as_raw_fd()
            }
        }

        impl From<$pipe> for OwnedFd {
            /// The descriptor stays non-blocking.
            fn from(pipe: $pipe) -> OwnedFd {
                pipe.io.into_inner().into()
            }
        }

        impl fmt::Debug for $pipe {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($pipe)).field(&self.as_raw_fd()).finish()
            }
        }
    )*};
}

pipes! {
    "The pipe to a child's standard input. Like [`std::process::ChildStdin`]." ChildStdin;
    "The pipe from a child's standard output. Like [`std::process::ChildStdout`]." ChildStdout;
    "The pipe from a child's standard error. Like [`std::process::ChildStderr`]." ChildStderr;
}

macro_rules! readable {
    ($($pipe:ident)*) => {$(
        read_by_reference!($pipe);

        impl Read for &$pipe {
            read_exactly!();

            #[track_caller]
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                // A short read may have ended at a packet boundary (`O_DIRECT`), with more data
                // after it.
                let read = |pipe: &process::$pipe| Ok(rustix::io::read(pipe, &mut *buffer)?);
                self.io.io(READS, read, |_| false)
            }

            #[track_caller]
            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.io.io(READS, |pipe| Ok(rustix::io::readv(pipe, buffers)?), |_| false)
            }
        }

        async_read!($pipe as PollRead);

        impl PollRead for $pipe {
            #[track_caller]
            fn poll_read(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let read = |pipe: &process::$pipe| Ok(rustix::io::read(pipe, &mut *buffer)?);
                self.io.poll_io(cx, Direction::Read, read, |_| false)
            }

            #[track_caller]
            fn poll_read_uninit(
                &self,
                cx: &mut Context<'_>,
                mut memory: UninitBuf<'_>,
            ) -> Poll<io::Result<Filled>> {
                self.io.poll_io(cx, Direction::Read, |pipe| memory.read(pipe), |_| false)
            }
        }
    )*};
}

readable! { ChildStdout ChildStderr }

async_write!(ChildStdin as PollWrite);

impl PollWrite for ChildStdin {
    #[track_caller]
    fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_io(cx, Direction::Write, |mut pipe| pipe.write(data), |_| false)
    }

    #[track_caller]
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_io(cx, Direction::Write, |mut pipe| pipe.write_vectored(data), |_| false)
    }

    fn writes_vectored(&self) -> bool {
        true
    }

    fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Only closing the pipe is an end for the child, and the owner does that.
        Poll::Ready(Ok(()))
    }
}

write_by_reference!(ChildStdin);

impl Write for &ChildStdin {
    write_entirely!();

    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // A pipe may accept a part and then have room for a smaller one: only `EAGAIN` means that
        // it is full.
        if data.is_empty() {
            return self.io.write_nothing(|mut pipe| pipe.write(data));
        }
        self.io.io(WRITES, |mut pipe| pipe.write(data), |_| false)
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        if data.iter().all(|slice| slice.is_empty()) {
            return self.io.write_nothing(|mut pipe| pipe.write_vectored(data));
        }
        self.io.io(WRITES, |mut pipe| pipe.write_vectored(data), |_| false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
