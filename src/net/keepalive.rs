//! Probes of idle TCP connections, by which a system finds out that the other side has gone.
//!
//! Invariant: a time that a system cannot set is an error when it is set, and is not ignored.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

use crate::net::TcpStream;

/// When to probe an idle connection: see [`TcpStream::set_keepalive`].
///
/// A part that is `None` is left at the setting of the system, which on Linux probes after two
/// hours. Systems keep whole seconds: a fraction is rounded up.
///
/// # Examples
///
/// Finds out within about 40 seconds that the host of a client is gone:
///
/// ```
/// use std::time::Duration;
/// use fibra::net::{Keepalive, TcpListener};
///
/// fn listener() -> std::io::Result<TcpListener> {
///     let ten = Duration::from_secs(10);
///     let keepalive = Keepalive::new().idle(ten).interval(ten).count(3);
///     TcpListener::builder().keepalive(keepalive).bind("127.0.0.1:0")
/// }
/// # fibra::run(listener)?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq, Hash)]
#[non_exhaustive]
#[must_use = "it has no effect until a socket gets it"]
pub struct Keepalive {
    /// How long a connection is idle before the first probe. (`TCP_KEEPIDLE`; not on OpenBSD.)
    pub idle: Option<Duration>,
    /// The time between two probes. (`TCP_KEEPINTVL`; not on OpenBSD.)
    pub interval: Option<Duration>,
    /// The number of probes without an answer after which the connection is broken.
    /// (`TCP_KEEPCNT`; not on OpenBSD.)
    pub count: Option<u32>,
}

impl Keepalive {
    /// Creates the system's settings.
    pub const fn new() -> Keepalive {
        Keepalive { idle: None, interval: None, count: None }
    }

    /// Sets how long a connection is idle before the first probe.
    pub const fn idle(self, idle: Duration) -> Keepalive {
        Keepalive { idle: Some(idle), ..self }
    }

    /// Sets the time between two probes.
    pub const fn interval(self, interval: Duration) -> Keepalive {
        Keepalive { interval: Some(interval), ..self }
    }

    /// Sets the number of probes without an answer after which the connection is broken.
    pub const fn count(self, count: u32) -> Keepalive {
        Keepalive { count: Some(count), ..self }
    }

    /// Sets these times for `socket`, and turns probes on.
    pub(super) fn set(self, socket: impl AsFd) -> io::Result<()> {
        let socket = socket.as_fd();
        if let Some(idle) = self.idle {
            system::set_idle(socket, idle)?;
        }
        if let Some(interval) = self.interval {
            system::set_interval(socket, interval)?;
        }
        if let Some(count) = self.count {
            system::set_count(socket, count)?;
        }
        Ok(sockopt::set_socket_keepalive(socket, true)?)
    }

    fn of(socket: impl AsFd) -> io::Result<Option<Keepalive>> {
        let socket = socket.as_fd();
        if !sockopt::socket_keepalive(socket)? {
            return Ok(None);
        }
        let idle = known(system::idle(socket))?;
        let interval = known(system::interval(socket))?;
        Ok(Some(Keepalive { idle, interval, count: known(system::count(socket))? }))
    }
}

/// Returns `None` for what the system does not have.
fn known<T>(value: io::Result<T>) -> io::Result<Option<T>> {
    match value {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(None),
        value => value.map(Some),
    }
}

impl TcpStream {
    /// Returns when this connection is probed while it is idle; `None` if it is not probed.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
        Keepalive::of(self)
    }

    /// Chooses whether, and when, this connection is probed while it is idle (`SO_KEEPALIVE`).
    ///
    /// If the other side no longer answers, pending and later calls fail with
    /// [`TimedOut`](io::ErrorKind::TimedOut). Without probes, a read from a host that was switched
    /// off waits forever.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`, and [`Unsupported`](io::ErrorKind::Unsupported) for a
    /// time that this system cannot set.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::net::{Keepalive, TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?)?;
    ///     stream.set_keepalive(Some(Keepalive::new().idle(Duration::from_secs(60))))?;
    ///     let set = stream.keepalive()?.expect("it is on");
    ///     assert_eq!(set.idle, Some(Duration::from_secs(60)));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        match keepalive {
            Some(keepalive) => keepalive.set(self),
            None => Ok(sockopt::set_socket_keepalive(self, false)?),
        }
    }
}

/// The times of probes, on systems that can set them.
#[cfg(not(any(
    target_os = "openbsd",
    target_os = "haiku",
    target_os = "nto",
    target_os = "redox"
)))]
mod system {
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::time::Duration;

    use rustix::net::sockopt;

    pub(super) fn set_idle(socket: BorrowedFd<'_>, idle: Duration) -> io::Result<()> {
        Ok(sockopt::set_tcp_keepidle(socket, idle)?)
    }

    pub(super) fn set_interval(socket: BorrowedFd<'_>, interval: Duration) -> io::Result<()> {
        Ok(sockopt::set_tcp_keepintvl(socket, interval)?)
    }

    pub(super) fn set_count(socket: BorrowedFd<'_>, count: u32) -> io::Result<()> {
        Ok(sockopt::set_tcp_keepcnt(socket, count)?)
    }

    pub(super) fn idle(socket: BorrowedFd<'_>) -> io::Result<Duration> {
        Ok(sockopt::tcp_keepidle(socket)?)
    }

    pub(super) fn interval(socket: BorrowedFd<'_>) -> io::Result<Duration> {
        Ok(sockopt::tcp_keepintvl(socket)?)
    }

    pub(super) fn count(socket: BorrowedFd<'_>) -> io::Result<u32> {
        Ok(sockopt::tcp_keepcnt(socket)?)
    }
}

/// The times of probes, on systems where they are the same for all connections.
#[cfg(any(target_os = "openbsd", target_os = "haiku", target_os = "nto", target_os = "redox"))]
mod system {
    use std::io;
    use std::os::fd::BorrowedFd;
    use std::time::Duration;

    fn unsupported<T>() -> io::Result<T> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn set_idle(_: BorrowedFd<'_>, _: Duration) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn set_interval(_: BorrowedFd<'_>, _: Duration) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn set_count(_: BorrowedFd<'_>, _: u32) -> io::Result<()> {
        unsupported()
    }

    pub(super) fn idle(_: BorrowedFd<'_>) -> io::Result<Duration> {
        unsupported()
    }

    pub(super) fn interval(_: BorrowedFd<'_>) -> io::Result<Duration> {
        unsupported()
    }

    pub(super) fn count(_: BorrowedFd<'_>) -> io::Result<u32> {
        unsupported()
    }
}
