//! Plain connections, and the time limits of ureq.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::ureq::unversioned::transport::{
    Buffers, ConnectionDetails, LazyBuffers, NextTimeout, ShutdownHandle, Transport,
};
use ::ureq::{Error, Timeout};
use rustix::net::RecvFlags;

use crate::net::TcpStream;
use crate::sched::lowlevel::{clock_now, try_current_fiber};
use crate::time::deadline;

/// The time at which a wait ends, if any, and the limit that ends it.
#[derive(Clone, Copy)]
pub(super) struct Until {
    at: Option<Instant>,
    reason: Timeout,
}

impl Until {
    /// Returns the end of a wait that begins now.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is over already.
    pub(super) fn of(timeout: NextTimeout) -> Result<Until, Error> {
        let reason = timeout.reason;
        if timeout.after.is_not_happening() {
            return Ok(Until { at: None, reason });
        }
        if timeout.after.is_zero() {
            return Err(Error::Timeout(reason));
        }
        Ok(Until { at: clock_now().checked_add(*timeout.after), reason })
    }

    /// Returns the time that is left, if there is a limit.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is over.
    fn left(self) -> io::Result<Option<Duration>> {
        let Some(at) = self.at else { return Ok(None) };
        let left = at.saturating_duration_since(clock_now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

/// Calls `f`, which a time limit ends in a fiber.
#[track_caller]
pub(super) fn within<T>(until: Until, f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match until.at {
        Some(at) if try_current_fiber().is_some() => {
            deadline(at, f).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
        _ => f(),
    }
}

/// Returns ureq's error for `error`, which has ended a wait.
pub(super) fn to_ureq(error: io::Error, until: Until) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(until.reason),
        _ => Error::from(error),
    }
}

/// A TCP connection, as ureq uses it.
pub(super) struct Tcp {
    socket: Arc<Socket>,
    buffers: LazyBuffers,
}

/// The stream of a connection, which its agent may shut down.
struct Socket(TcpStream);

impl ShutdownHandle for Socket {
    fn shutdown(&self) {
        // It fails if the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

impl Tcp {
    /// Connects to the first of the addresses that accepts.
    #[track_caller]
    pub(super) fn connect(details: &ConnectionDetails<'_>) -> Result<Tcp, Error> {
        let config = details.config;
        let until = Until::of(details.timeout)?;
        let stream = connect(&details.addrs, config.no_delay(), until);
        let socket = Arc::new(Socket(stream.map_err(|error| to_ureq(error, until))?));
        let handle: Weak<Socket> = Arc::downgrade(&socket);
        (details.register_shutdown)(handle)?;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Tcp { socket, buffers })
    }

    #[track_caller]
    fn send(&mut self, amount: usize, until: Until) -> io::Result<()> {
        let Tcp { socket, buffers } = self;
        let mut data = &buffers.output()[..amount];
        while !data.is_empty() {
            socket.0.set_write_timeout(until.left()?)?;
            match (&socket.0).write(data)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => data = &data[written..],
            }
        }
        Ok(())
    }

    #[track_caller]
    fn receive(&mut self, until: Until) -> io::Result<usize> {
        let Tcp { socket, buffers } = self;
        socket.0.set_read_timeout(until.left()?)?;
        (&socket.0).read(buffers.input_append_buf())
    }
}

#[track_caller]
fn connect(addrs: &[SocketAddr], no_delay: bool, until: Until) -> io::Result<TcpStream> {
    let builder = TcpStream::builder().nodelay(no_delay);
    if try_current_fiber().is_some() {
        return within(until, || builder.connect(addrs));
    }
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for addr in addrs {
        result = match until.left()? {
            Some(left) => builder.connect_timeout(addr, left),
            None => builder.connect(addr),
        };
        if result.is_ok() {
            break;
        }
    }
    result
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    #[track_caller]
    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let until = Until::of(timeout.for_write())?;
        self.send(amount, until).map_err(|error| to_ureq(error, until))
    }

    #[track_caller]
    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let until = Until::of(timeout.for_read())?;
        let length = self.receive(until).map_err(|error| to_ureq(error, until))?;
        self.buffers.input_appended(length);
        Ok(length != 0)
    }

    /// Returns whether an idle connection can be used again: not if it has anything to read, or has
    /// ended.
    fn is_open(&mut self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(self.socket.0.as_fd(), &mut [0_u8][..], flags);
        matches!(peeked, Err(rustix::io::Errno::AGAIN))
    }
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.0.fmt(f)
    }
}
