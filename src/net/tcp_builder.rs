//! The builder of TCP sockets: options that std cannot set, before a socket is bound or connected.

use std::io;
use std::net::{self, SocketAddr};
use std::time::Duration;

use rustix::net::{SocketType, bind, listen};

use crate::net::addrs::ToSocketAddrs;
use crate::net::connect;
use crate::net::keepalive::Keepalive;
use crate::net::options::{Options, first_of};
use crate::net::resolve::resolve;
use crate::net::{TcpListener, TcpStream};

/// The length of the queue of a listener, as std sets it.
const BACKLOG: u32 = 128;

/// Options for a TCP socket that is then bound or connected, made by [`TcpListener::builder`] or
/// [`TcpStream::builder`].
///
/// An option that is not set is as the system chooses. [`nodelay`](TcpBuilder::nodelay),
/// [`keepalive`](TcpBuilder::keepalive), [`linger`](TcpBuilder::linger) and the sizes of buffers
/// may be set for a listener as well: the connections that it accepts inherit them, on Linux, the
/// BSDs and macOS.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::net::{Keepalive, TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let keepalive = Keepalive::new().idle(Duration::from_secs(60));
///     let listener = TcpListener::builder()
///         .backlog(4096)
///         .nodelay(true)
///         .keepalive(keepalive)
///         .bind("127.0.0.1:0")?;
///     let client = TcpStream::builder().nodelay(true).connect(listener.local_addr()?)?;
///     assert!(client.nodelay()?);
/// #   #[cfg(target_os = "linux")]
///     assert!(listener.accept()?.0.nodelay()?); // inherited
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it binds or connects"]
pub struct TcpBuilder {
    options: Options,
    backlog: u32,
    local_addr: Option<SocketAddr>,
}

impl TcpListener {
    /// Creates a builder, for options that must be set before the listener is bound.
    pub fn builder() -> TcpBuilder {
        TcpBuilder::new()
    }
}

impl TcpStream {
    /// Creates a builder, for options that must be set before the stream is connected.
    pub fn builder() -> TcpBuilder {
        TcpBuilder::new()
    }
}

impl TcpBuilder {
    pub(super) fn new() -> TcpBuilder {
        TcpBuilder { options: Options::default(), backlog: BACKLOG, local_addr: None }
    }

    /// Chooses whether a listener may be bound to an address while old connections of it are in
    /// their last state (`SO_REUSEADDR`). By default a listener may, as in std, and a stream with a
    /// [`local_addr`](TcpBuilder::local_addr) may not.
    pub fn reuse_address(mut self, reuse_address: bool) -> TcpBuilder {
        self.options.reuse_address = Some(reuse_address);
        self
    }

    /// Chooses whether several sockets may be bound to one address and port, if all of them ask for
    /// it (`SO_REUSEPORT`; on FreeBSD `SO_REUSEPORT_LB`).
    ///
    /// Linux and FreeBSD distribute new connections over such listeners, by a hash of both
    /// addresses: see [`bind_each`](TcpBuilder::bind_each). On macOS, the listener that was bound
    /// last gets all of them. Solaris and illumos do not have the option:
    /// [`bind`](TcpBuilder::bind) then returns [`Unsupported`](io::ErrorKind::Unsupported).
    pub fn reuse_port(mut self, reuse_port: bool) -> TcpBuilder {
        self.options.reuse_port = Some(reuse_port);
        self
    }

    /// Sets how many connections may wait to be accepted. By default 128, as in std.
    ///
    /// The system limits it, on Linux to `net.core.somaxconn`. If a queue is full, clients try
    /// again after a second or more. So a server of many short connections sets a large number.
    pub fn backlog(mut self, backlog: u32) -> TcpBuilder {
        self.backlog = backlog;
        self
    }

    /// Chooses whether small writes are sent immediately or collected (Nagle's algorithm).
    pub fn nodelay(mut self, nodelay: bool) -> TcpBuilder {
        self.options.nodelay = Some(nodelay);
        self
    }

    /// Probes connections that are idle: see [`TcpStream::set_keepalive`].
    pub fn keepalive(mut self, keepalive: Keepalive) -> TcpBuilder {
        self.options.keepalive = Some(keepalive);
        self
    }

    /// Sets what closing a connection does with data that was not sent yet: see
    /// [`TcpStream::set_linger`].
    pub fn linger(mut self, linger: Duration) -> TcpBuilder {
        self.options.linger = Some(linger);
        self
    }

    /// Sets the size of the kernel's buffer for received data, in bytes: see
    /// [`TcpStream::set_recv_buffer_size`].
    pub fn recv_buffer_size(mut self, size: usize) -> TcpBuilder {
        self.options.recv_buffer_size = Some(size);
        self
    }

    /// Sets the size of the kernel's buffer for data that is sent, in bytes: see
    /// [`TcpStream::set_send_buffer_size`].
    pub fn send_buffer_size(mut self, size: usize) -> TcpBuilder {
        self.options.send_buffer_size = Some(size);
        self
    }

    /// Chooses whether a socket that is bound to an IPv6 address is closed to IPv4. By default,
    /// `[::]` is open to both on Linux. It has no effect on an IPv4 address.
    pub fn only_v6(mut self, only_v6: bool) -> TcpBuilder {
        self.options.only_v6 = Some(only_v6);
        self
    }

    /// Sets the address from which a stream connects. For port 0 the system chooses a free port.
    ///
    /// It has no effect on a listener.
    pub fn local_addr(mut self, addr: SocketAddr) -> TcpBuilder {
        self.local_addr = Some(addr);
        self
    }

    /// Binds to the first address of `addr` that can be bound, and listens. Like
    /// [`TcpListener::bind`].
    ///
    /// # Errors
    ///
    /// Returns the error of the last address if none can be bound. The error of an option names
    /// the option.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpListener> {
        first_of(resolve(&addr)?, |addr| self.listener(addr))
    }

    /// Binds `count` listeners to one address, with [`reuse_port`](TcpBuilder::reuse_port): for
    /// port 0 all of them to the same port.
    ///
    /// The kernel distributes new connections over them. It does so by a hash and not by load, so
    /// that with few connections one listener may get most of them.
    ///
    /// # Errors
    ///
    /// Like [`bind`](TcpBuilder::bind), and [`Unsupported`](io::ErrorKind::Unsupported) on systems
    /// without the option.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::net::TcpListener;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listeners = TcpListener::builder().bind_each(2, "127.0.0.1:0")?;
    ///     assert_eq!(listeners[0].local_addr()?, listeners[1].local_addr()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn bind_each<A: ToSocketAddrs>(
        &self,
        count: usize,
        addr: A,
    ) -> io::Result<Vec<TcpListener>> {
        let builder = self.clone().reuse_port(true);
        first_of(resolve(&addr)?, |addr| {
            let first = builder.listener(addr)?;
            let addr = first.local_addr()?;
            let others = (1..count).map(|_| builder.listener(addr));
            std::iter::once(Ok(first)).take(count).chain(others).collect()
        })
    }

    fn listener(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let mut options = self.options.clone();
        options.reuse_address.get_or_insert(true);
        let socket = options.bound(addr, SocketType::STREAM)?;
        listen(&socket, i32::try_from(self.backlog).unwrap_or(i32::MAX))?;
        Ok(TcpListener::from_nonblocking(net::TcpListener::from(socket)))
    }

    /// Connects to `addr`; if it has several addresses, to the one that answers first. Like
    /// [`TcpStream::connect`].
    ///
    /// # Errors
    ///
    /// Like [`TcpStream::connect`]; the error of an option names the option.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<TcpStream> {
        let stream = connect::first_to_answer(self, resolve(&addr)?.collect())?;
        Ok(TcpStream::from_nonblocking(stream))
    }

    /// Connects to one address, within `timeout`. Like [`TcpStream::connect_timeout`].
    ///
    /// # Errors
    ///
    /// Like [`TcpStream::connect_timeout`]; the error of an option names the option.
    #[track_caller]
    pub fn connect_timeout(&self, addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        connect::to(self, *addr, Some(timeout)).map(TcpStream::from_nonblocking)
    }

    /// Creates the socket for a connection to `addr`.
    pub(super) fn stream(&self, addr: SocketAddr) -> io::Result<net::TcpStream> {
        let socket = self.options.socket(addr, SocketType::STREAM)?;
        if let Some(local_addr) = self.local_addr {
            bind(&socket, &local_addr)?;
        }
        Ok(net::TcpStream::from(socket))
    }
}
