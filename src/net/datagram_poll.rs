//! Datagram sockets for use by futures.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::path::Path;
use std::task::{Context, Poll};

use crate::net::{UdpSocket, UnixDatagram, unix_datagram};
use crate::reactor::retry::poll_retry;

/// Methods for futures. Of each direction only the waker of the last call counts: see
/// [`PollIo`](crate::io::PollIo). The socket's time limits do not apply.
impl UdpSocket {
    /// Sends like [`send`](UdpSocket::send), if that is possible without a wait.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UdpSocket::send).
    #[track_caller]
    pub fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send(data))
    }

    /// Sends one datagram to `addr`, if that is possible without a wait. Returns its length.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UdpSocket::send).
    #[track_caller]
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
        addr: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send_to(data, addr))
    }

    /// Receives like [`recv`](UdpSocket::recv), if a datagram is there.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |socket| socket.recv(buffer))
    }

    /// Receives like [`recv_from`](UdpSocket::recv_from), if a datagram is there.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    #[track_caller]
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.io.poll_read_with(cx, |socket| socket.recv_from(buffer))
    }

    /// Returns a future that sends like [`send`](UdpSocket::send).
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UdpSocket::send).
    pub async fn send_async(&self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, data)).await
    }

    /// Returns a future that sends one datagram to `addr`.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UdpSocket::send).
    pub async fn send_to_async(&self, data: &[u8], addr: SocketAddr) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send_to(cx, data, addr)).await
    }

    /// Returns a future that receives like [`recv`](UdpSocket::recv). Dropping it loses no
    /// datagram.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    pub async fn recv_async(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// Returns a future that receives like [`recv_from`](UdpSocket::recv_from). Dropping it loses
    /// no datagram.
    ///
    /// # Errors
    ///
    /// The same as for [`recv`](UdpSocket::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::net::UdpSocket;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let (a, b) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    ///     block_on(async {
    ///         a.send_to_async(b"hello", b.local_addr()?).await?;
    ///         let mut buffer = [0; 16];
    ///         let (length, sender) = b.recv_from_async(&mut buffer).await?;
    ///         assert_eq!((&buffer[..length], sender), (&b"hello"[..], a.local_addr()?));
    ///         Ok(())
    ///     })
    /// })
    /// # }
    /// ```
    pub async fn recv_from_async(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        poll_fn(|cx| self.poll_recv_from(cx, buffer)).await
    }
}

/// Methods for futures. Of each direction only the waker of the last call counts: see
/// [`PollIo`](crate::io::PollIo). The socket's time limits do not apply.
impl UnixDatagram {
    /// Sends like [`send`](UnixDatagram::send), if that is possible without a wait.
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UnixDatagram::send).
    #[track_caller]
    pub fn poll_send(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.io.poll_write_with(cx, |socket| socket.send(data))
    }

    /// Sends one message to the socket at `path`, if there is room in its queue. Otherwise the task
    /// is woken after a pause of a millisecond, because no event reports that there is room.
    ///
    /// # Errors
    ///
    /// The same as for [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
        path: P,
    ) -> Poll<io::Result<usize>> {
        let path = path.as_ref();
        poll_retry(cx, || self.io.get_ref().send_to(data, path))
    }

    /// Sends like [`poll_send_to`](UnixDatagram::poll_send_to), to the address `addr`.
    ///
    /// # Errors
    ///
    /// The same as for [`send_to`](UnixDatagram::send_to).
    #[track_caller]
    pub fn poll_send_to_addr(
        &self,
        cx: &mut Context<'_>,
        data: &[u8],
        addr: &unix::SocketAddr,
    ) -> Poll<io::Result<usize>> {
        poll_retry(cx, || self.io.get_ref().send_to_addr(data, addr))
    }

    /// Receives like [`recv`](UnixDatagram::recv), if a message is there.
    ///
    /// # Errors
    ///
    /// The errors of `recv(2)`.
    #[track_caller]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.io.poll_read_with(cx, |socket| unix_datagram::recv_now(socket, buffer))
    }

    /// Receives like [`recv_from`](UnixDatagram::recv_from), if a message is there.
    ///
    /// # Errors
    ///
    /// The errors of `recv(2)`.
    #[track_caller]
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, unix::SocketAddr)>> {
        self.io.poll_read_with(cx, |socket| unix_datagram::recv_from_now(socket, buffer))
    }

    /// Returns a future that sends like [`send`](UnixDatagram::send).
    ///
    /// # Errors
    ///
    /// The same as for [`send`](UnixDatagram::send).
    pub async fn send_async(&self, data: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send(cx, data)).await
    }

    /// Returns a future that sends like [`send_to`](UnixDatagram::send_to).
    ///
    /// # Errors
    ///
    /// The same as for [`send_to`](UnixDatagram::send_to).
    pub async fn send_to_async<P: AsRef<Path>>(&self, data: &[u8], path: P) -> io::Result<usize> {
        poll_fn(|cx| self.poll_send_to(cx, data, &path)).await
    }

    /// Returns a future that receives like [`recv`](UnixDatagram::recv). Dropping it loses no
    /// message.
    ///
    /// # Errors
    ///
    /// The errors of `recv(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::future::block_on;
    /// use fibra::net::UnixDatagram;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let (a, b) = UnixDatagram::pair()?;
    ///     block_on(async {
    ///         a.send_async(b"a message").await?;
    ///         let mut buffer = [0; 64];
    ///         let length = b.recv_async(&mut buffer).await?;
    ///         assert_eq!(&buffer[..length], b"a message");
    ///         Ok(())
    ///     })
    /// })
    /// # }
    /// ```
    pub async fn recv_async(&self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_recv(cx, buffer)).await
    }

    /// Returns a future that receives like [`recv_from`](UnixDatagram::recv_from). Dropping it
    /// loses no message.
    ///
    /// # Errors
    ///
    /// The errors of `recv(2)`.
    pub async fn recv_from_async(
        &self,
        buffer: &mut [u8],
    ) -> io::Result<(usize, unix::SocketAddr)> {
        poll_fn(|cx| self.poll_recv_from(cx, buffer)).await
    }
}
