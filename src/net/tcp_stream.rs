//! TCP connections.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr};
use std::time::Duration;

use crate::io::Waitable;
use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::net::addrs::ToSocketAddrs;
use crate::net::descriptors::descriptors;
use crate::net::limits::{Limits, limited};
use crate::net::sockets;
use crate::net::split::{self, ReadHalf, Shut, WriteHalf};
use crate::sched::lowlevel::{OnDeadlock, WaitReason};

static READING: WaitReason =
    WaitReason::new("reading from a TCP stream", OnDeadlock::Fail).ended_externally();
static WRITING: WaitReason =
    WaitReason::new("writing to a TCP stream", OnDeadlock::Fail).ended_externally();

/// A TCP connection. Like [`std::net::TcpStream`].
///
/// Dropping it closes the connection. A reference can be read from and written to as well, so one
/// fiber may read while another writes; [`into_split`](TcpStream::into_split) gives each its own
/// half.
///
/// # Examples
///
/// ```
/// use std::io::{self, Read, Write};
/// use fibra::net::{TcpListener, TcpStream};
///
/// # fn main() -> io::Result<()> {
/// fibra::run(|| {
///     let listener = TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     let server = fibra::spawn(move || {
///         let (mut stream, _) = listener.accept()?;
///         stream.write_all(b"hello")
///     });
///
///     let mut stream = TcpStream::connect(address)?;
///     let mut text = String::new();
///     stream.read_to_string(&mut text)?; // until the server drops its stream
///     assert_eq!(text, "hello");
///     server.join().unwrap()
/// })
/// # }
/// ```
pub struct TcpStream {
    pub(super) io: Waitable<net::TcpStream>,
    limits: Limits,
}

impl TcpStream {
    /// Connects to `addr`; if it has several addresses, to the one that answers first.
    ///
    /// In a fiber, names are looked up on another thread, and the addresses are tried as RFC 8305
    /// ("Happy Eyeballs") specifies: IPv6 and IPv4 in turn, the next one when one has failed or has
    /// not answered for 250 ms. On a plain thread they are tried one after the other.
    ///
    /// # Errors
    ///
    /// Returns the error of the last attempt to fail if no address can be reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let mut client = TcpStream::connect(listener.local_addr()?)?;
    ///     let (mut server, _) = listener.accept()?;
    ///     client.write_all(b"hello")?;
    ///     let mut buffer = [0; 5];
    ///     server.read_exact(&mut buffer)?;
    ///     assert_eq!(&buffer, b"hello");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        TcpStream::builder().connect(addr)
    }

    /// Connects to one address, within `timeout`.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut), or the reason why the address cannot be
    /// reached.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let address = listener.local_addr()?;
    ///     let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    ///     assert_eq!(stream.peer_addr()?, address);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        TcpStream::builder().connect_timeout(addr, timeout)
    }

    /// Converts a stream of std, which becomes non-blocking, and so do its clones. Its time limits
    /// are not kept.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made non-blocking.
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        Ok(TcpStream { io: Waitable::new(stream)?, limits: Limits::none() })
    }

    pub(super) fn from_nonblocking(stream: net::TcpStream) -> TcpStream {
        TcpStream { io: Waitable::from_nonblocking(stream), limits: Limits::none() }
    }

    /// Converts this stream into one of std, which is blocking and has no time limits.
    ///
    /// The underlying socket becomes blocking for all its handles: another one, made by
    /// [`try_clone`](TcpStream::try_clone), still waits without blocking its thread, but other
    /// programs and crates that share the socket see the change.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be made blocking.
    pub fn into_std(self) -> io::Result<net::TcpStream> {
        let stream = self.io.into_inner();
        stream.set_nonblocking(false)?;
        Ok(stream)
    }

    /// Creates another handle to the same connection, which starts with the same time limits.
    ///
    /// Both refer to the same socket, which is blocking or not for both: see
    /// [`into_std`](TcpStream::into_std).
    ///
    /// # Errors
    ///
    /// Returns an error if no descriptor is left.
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        let io = Waitable::from_nonblocking(self.io.get_ref().try_clone()?);
        Ok(TcpStream { io, limits: self.limits.clone() })
    }

    /// Splits the connection into two halves, for one fiber that reads and another that writes.
    /// When the half for writing is dropped, the other side reads the end of the stream.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{self, BufRead, BufReader, Write};
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?)?;
    ///     let (reader, mut writer) = stream.into_split();
    ///     fibra::spawn(move || {
    ///         for line in ["one", "two"] {
    ///             writeln!(writer, "{line}")?;
    ///         }
    ///         writer.finish()
    ///     });
    ///     fibra::spawn(move || {
    ///         let (peer, _) = listener.accept()?;
    ///         io::copy(&mut &peer, &mut &peer)
    ///     });
    ///
    ///     let lines: Vec<_> = BufReader::new(reader).lines().collect::<io::Result<_>>()?;
    ///     assert_eq!(lines, ["one", "two"]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn into_split(self) -> (ReadHalf<TcpStream>, WriteHalf<TcpStream>) {
        split::split(self, Shut { shut: |stream| stream.shutdown(Shutdown::Write), waits: false })
    }

    /// Reads without consuming: the next read returns the same data again.
    ///
    /// # Errors
    ///
    /// The same as for a read.
    #[track_caller]
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.io.io(self.reads(), |stream| sockets::peek(stream, buffer), |_| false)
    }

    /// Returns the address of the other side.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no longer connected.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Returns the address of this side.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockname(2)`.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Shuts down one direction, or both. Fibers that wait in that direction continue: reads return
    /// 0, writes fail.
    ///
    /// # Errors
    ///
    /// Returns an error if it is no longer connected.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::Shutdown;
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let mut client = TcpStream::connect(listener.local_addr()?)?;
    ///     let (mut server, _) = listener.accept()?;
    ///     client.write_all(b"all of it")?;
    ///     client.shutdown(Shutdown::Write)?; // the peer reads the end
    ///     let mut text = String::new();
    ///     server.read_to_string(&mut text)?;
    ///     assert_eq!(text, "all of it");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }
}

read_by_reference!(TcpStream);
write_by_reference!(TcpStream);

impl Read for &TcpStream {
    read_exactly!();

    #[inline(always)]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len();
        // A short read means that the socket's buffer is now empty, so that the next read would
        // block. Zero bytes is the end of the stream, which every later read returns as well.
        self.io.io(self.reads(), |stream| sockets::recv(stream, buffer), |&n| 0 < n && n < room)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.io(self.reads(), |stream| sockets::recv_vectored(stream, buffers), |_| false)
    }
}

impl Write for &TcpStream {
    write_entirely!();

    #[inline(always)]
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return self.io.write_nothing(|stream| sockets::send(stream, data));
        }
        self.io.io(self.writes(), |stream| sockets::send(stream, data), |&n| n < data.len())
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        let write = |stream: &net::TcpStream| sockets::send_vectored(stream, data);
        if data.iter().all(|slice| slice.is_empty()) {
            return self.io.write_nothing(write);
        }
        self.io.io(self.writes(), write, |_| false)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.get_ref().fmt(f)
    }
}

descriptors!(TcpStream, net::TcpStream);
limited!(TcpStream, READING, WRITING);
