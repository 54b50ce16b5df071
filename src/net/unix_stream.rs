//! Connections of Unix domain sockets.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SocketAddrUnix, SocketType, recvmsg, sendmsg,
};

use crate::io::Waitable;
use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::net::descriptors::{descriptors, pass_on};
use crate::net::limits::{Limits, limited};
use crate::net::sockets;
use crate::net::split::{self, ReadHalf, Shut, WriteHalf};
use crate::reactor::retry::{Pauses, poll_retry, retry};
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, is_killed};

static CONNECTING: WaitReason =
    WaitReason::new("connecting to a Unix socket", OnDeadlock::Fail).ended_externally();
static READING: WaitReason =
    WaitReason::new("reading from a Unix stream", OnDeadlock::Fail).ended_externally();
static WRITING: WaitReason =
    WaitReason::new("writing to a Unix stream", OnDeadlock::Fail).ended_externally();

/// A connection between processes of one machine. Like [`std::os::unix::net::UnixStream`].
///
/// Dropping it closes the connection. A reference can be read from and written to as well, so one
/// fiber may read while another writes; [`into_split`](UnixStream::into_split) gives each its own
/// half.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use fibra::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (mut a, mut b) = UnixStream::pair()?;
///     fibra::spawn(move || b.write_all(b"hello"));
///     let mut text = String::new();
///     a.read_to_string(&mut text)?; // until `b` is dropped
///     assert_eq!(text, "hello");
///     Ok(())
/// })
/// # }
/// ```
pub struct UnixStream {
    pub(super) io: Waitable<net::UnixStream>,
    limits: Limits,
}

impl UnixStream {
    /// Connects to the socket at `path`.
    ///
    /// While the listener's queue of connections to accept is full, this tries again after growing
    /// pauses of at most 10 ms: no event reports that there is room, and another caller that comes
    /// in between may be first.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing listens there, or `path` is empty or too long for an address.
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let path = path.as_ref();
        connect_to(&sockets::address_of_path(path)?)
            .map_err(|error| with_the_name(error, format_args!("{}", path.display())))
    }

    /// Connects to the socket with the address `addr`, which may be an abstract address of Linux.
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](UnixStream::connect), and if `addr` is unnamed.
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> io::Result<UnixStream> {
        connect_to(&address_of(addr)?)
            .map_err(|error| with_the_name(error, format_args!("{addr:?}")))
    }

    /// Returns a future of a connection to the socket at `path`: [`connect`](UnixStream::connect)
    /// for `async` code.
    ///
    /// # Errors
    ///
    /// The same as for [`connect`](UnixStream::connect).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::net::{UnixListener, UnixStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let path = std::env::temp_dir().join(format!("async-{}.socket", std::process::id()));
    ///     let listener = UnixListener::bind(&path)?;
    ///     let _client = block_on(UnixStream::connect_async(&path))?;
    ///     let (_server, _) = block_on(listener.accept_async())?;
    ///     std::fs::remove_file(&path)
    /// })
    /// # }
    /// ```
    pub async fn connect_async<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let path = path.as_ref();
        let connected = async {
            let addr = sockets::address_of_path(path)?;
            let socket = sockets::socket(AddressFamily::UNIX, SocketType::STREAM)?;
            poll_fn(|cx| poll_retry(cx, || Ok(rustix::net::connect(&socket, &addr)?))).await?;
            Ok(UnixStream::from_connected(socket))
        };
        connected.await.map_err(|error| with_the_name(error, format_args!("{}", path.display())))
    }

    fn from_connected(socket: OwnedFd) -> UnixStream {
        let io = Waitable::from_nonblocking(net::UnixStream::from(socket));
        UnixStream { io, limits: Limits::none() }
    }

    /// Creates two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (a, b) = net::UnixStream::pair()?;
        Ok((UnixStream::from_std(a)?, UnixStream::from_std(b)?))
    }

    /// Converts a stream of std, which becomes non-blocking, and so do its clones. Its time limits
    /// are not kept.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made non-blocking.
    pub fn from_std(stream: net::UnixStream) -> io::Result<UnixStream> {
        Ok(UnixStream { io: Waitable::new(stream)?, limits: Limits::none() })
    }

    /// Converts this stream into one of std, which is blocking and has no time limits.
    ///
    /// The underlying socket becomes blocking for all its handles: another one, made by
    /// [`try_clone`](UnixStream::try_clone), still waits without blocking its thread, but other
    /// programs and crates that share the socket see the change.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::UnixStream> {
        let stream = self.io.into_inner();
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Creates another handle to the same connection, which starts with the same time limits.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see
    /// [`into_std`](UnixStream::into_std).
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn try_clone(&self) -> io::Result<UnixStream> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(UnixStream { io, limits: self.limits.clone() })
    }

    /// Splits the connection into two halves, for one fiber that reads and another that writes.
    /// When the half for writing is dropped, the other side reads the end of the stream.
    /// [`TcpStream::into_split`](crate::net::TcpStream::into_split) has an example.
    pub fn into_split(self) -> (ReadHalf<UnixStream>, WriteHalf<UnixStream>) {
        split::split(self, Shut { shut: |stream| stream.shutdown(Shutdown::Write), waits: false })
    }
}

/// The most descriptors that one message can carry: Linux's limit.
const MOST_FDS: usize = 253;

/// Methods that pass descriptors to another process, or to this one.
impl UnixStream {
    /// Writes some of `data`, at least a byte, and with it duplicates of `fds`. Returns how many
    /// bytes were written.
    ///
    /// A reader gets the descriptors if it calls [`recv_fds`](UnixStream::recv_fds); a plain read
    /// drops them.
    ///
    /// # Errors
    ///
    /// The same as for a write; and if there is no data, or there are more than 253 descriptors.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::fd::AsFd;
    /// use fibra::net::UnixStream;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let (a, b) = UnixStream::pair()?;
    ///     let (mut reader, writer) = UnixStream::pair()?;
    ///     a.send_fds(b"a socket", &[writer.as_fd()])?;
    ///     drop(writer);
    ///
    ///     let mut fds = Vec::new();
    ///     assert_eq!(b.recv_fds(&mut [0; 16], &mut fds)?, 8);
    ///     std::os::unix::net::UnixStream::from(fds.remove(0)).write_all(b"hello")?;
    ///     let mut text = String::new();
    ///     reader.read_to_string(&mut text)?;
    ///     assert_eq!(text, "hello");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn send_fds(&self, data: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
        if data.is_empty() || MOST_FDS < fds.len() {
            let text = "cannot send descriptors without data, or more than 253 at once";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let send = |stream: &net::UnixStream| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let flags = sockets::send_flags(stream);
            Ok(sendmsg(stream, &[IoSlice::new(data)], &mut control, flags)?)
        };
        self.io.io(self.writes(), send, |_| false)
    }

    /// Reads like a plain read, and appends the descriptors that came with the data to `fds`. They
    /// are closed when this process executes another program.
    ///
    /// # Errors
    ///
    /// The same as for a read; and if this process cannot open as many descriptors: then data and
    /// descriptors are lost.
    #[track_caller]
    pub fn recv_fds(&self, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let recv = |stream: &net::UnixStream| {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FDS))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut buffers = [IoSliceMut::new(buffer)];
            let got = recvmsg(stream, &mut buffers, &mut control, sockets::RECV_FDS)?;
            let before = fds.len();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(received) = message {
                    fds.extend(received);
                }
            }
            sockets::do_not_pass_on(&fds[before..]);
            if got.flags.contains(ReturnFlags::CTRUNC) {
                fds.truncate(before);
                return Err(io::Error::other(
                    "received more descriptors than may be open: raise `ulimit -n`",
                ));
            }
            Ok(got.bytes)
        };
        self.io.io(self.reads(), recv, |_| false)
    }
}

pass_on! { UnixStream:
    /// Returns the address of this side, which usually has no name.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockname(2)`.
    fn local_addr(&self) -> SocketAddr;

    /// Returns the address of the other side.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no longer connected.
    fn peer_addr(&self) -> SocketAddr;

    /// Shuts down one direction, or both. Fibers that wait in that direction continue: reads return
    /// 0, writes fail.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no longer connected.
    fn shutdown(&self, how: Shutdown) -> ();

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    fn take_error(&self) -> Option<io::Error>;
}

#[track_caller]
fn connect_to(addr: &SocketAddrUnix) -> io::Result<UnixStream> {
    let socket = sockets::socket(AddressFamily::UNIX, SocketType::STREAM)?;
    let wait = Wait { direction: Direction::Write, timeout: None, reason: &CONNECTING };
    retry(wait, Pauses::FOR_SOCKETS, || Ok(rustix::net::connect(&socket, addr)?))?;
    Ok(UnixStream::from_connected(socket))
}

/// Adds the name to the text of an error and keeps its kind. The error of a kill stays unchanged.
fn with_the_name(error: io::Error, name: fmt::Arguments<'_>) -> io::Error {
    if is_killed(&error) {
        return error;
    }
    io::Error::new(error.kind(), format!("cannot connect to {name}: {error}"))
}

fn address_of(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    if let Some(path) = addr.as_pathname() {
        return sockets::address_of_path(path);
    }
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(addr) {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot connect to an unnamed address"))
}

read_by_reference!(UnixStream);
write_by_reference!(UnixStream);

// Unlike with TCP, a short read of a Unix stream does not mean that the buffer is empty: the read
// ends where a message with descriptors or credentials begins or ends. The kernel reports no event
// for the data after that, so only `WouldBlock` shows that there is none.
impl Read for &UnixStream {
    read_exactly!();

    #[inline(always)]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |stream| sockets::recv(stream, buffer), |_| false)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.io(self.reads(), |stream| sockets::recv_vectored(stream, buffers), |_| false)
    }
}

impl Write for &UnixStream {
    write_entirely!();

    #[inline(always)]
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let write = |stream: &net::UnixStream| sockets::send(stream, data);
        if data.is_empty() {
            return self.io.write_nothing(write);
        }
        self.io.io(self.writes(), write, |_| false)
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = |stream: &net::UnixStream| sockets::send_vectored(stream, data);
        if data.iter().all(|slice| slice.is_empty()) {
            return self.io.write_nothing(write);
        }
        self.io.io(self.writes(), write, |_| false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for UnixStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

descriptors!(UnixStream, net::UnixStream);
limited!(UnixStream, READING, WRITING);
