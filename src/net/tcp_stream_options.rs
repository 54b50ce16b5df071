//! The options of a TCP connection that exists: how its data is sent, and what closing it does.
//!
//! Each method is one system call, which never waits. `options.rs` has the options that are set
//! before a socket is connected.

use std::io;
use std::time::Duration;

use rustix::net::sockopt;

use crate::net::options::buffer_sizes;
use crate::net::tcp_stream::TcpStream;

impl TcpStream {
    /// Returns whether small writes are sent immediately, instead of being collected (Nagle's
    /// algorithm).
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Chooses whether small writes are sent immediately or collected (Nagle's algorithm).
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let stream = TcpStream::connect(listener.local_addr()?)?;
    ///     stream.set_nodelay(true)?;
    ///     assert!(stream.nodelay()?);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    /// Returns what closing the connection does with data that was not sent yet: see
    /// [`set_linger`](TcpStream::set_linger).
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(sockopt::socket_linger(self)?)
    }

    /// Chooses what closing the connection does with data that was not sent yet (`SO_LINGER`).
    ///
    /// With `None`, the default, the kernel goes on to send it. With zero, the data is dropped and
    /// the other side reads a reset. With a longer time, in whole seconds rounded up, the call that
    /// closes the last handle blocks its *thread*, with all its fibers, until the data is sent or
    /// the time is over. To learn that all data has arrived, shut down writing instead, and read
    /// until the other side closes.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        Ok(sockopt::set_socket_linger(self, linger)?)
    }

    /// Returns the time to live (number of hops) of packets that are sent.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get_ref().ttl()
    }

    /// Sets the time to live, in hops.
    ///
    /// # Errors
    ///
    /// Returns the errors of `setsockopt(2)`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get_ref().set_ttl(ttl)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Returns the errors of `getsockopt(2)`.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get_ref().take_error()
    }
}

buffer_sizes!(TcpStream);
