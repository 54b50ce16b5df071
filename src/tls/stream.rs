//! A TLS connection over a stream, after its handshake.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use rustls::pki_types::CertificateDer;
use rustls::{Connection, HandshakeKind, ProtocolVersion, SupportedCipherSuite};

use crate::io::by_reference::{
    read_by_reference, read_exactly, write_by_reference, write_entirely,
};
use crate::io::{SharedRead, SharedWrite};
use crate::net::split::Shut;
use crate::net::{ReadHalf, WriteHalf, split};
use crate::tls::poll::WriterTask;
use crate::tls::state::State;

/// A TLS connection over a stream of type `S`, created by a
/// [`TlsConnector`](crate::tls::TlsConnector) or a [`TlsAcceptor`](crate::tls::TlsAcceptor).
///
/// It is `Send` and `Sync` if `S` is. A reference to it can be read from and written to as well, so
/// one fiber may read while another writes; [`into_split`](TlsStream::into_split) gives each its
/// own half.
///
/// Written data is sent immediately, and a write waits until the stream has taken all data that was
/// accepted. If a time limit of the stream ends that wait, the rest is sent by the next write,
/// flush or shutdown. At most 64 KiB wait to be sent, and 32 KiB to be read.
///
/// Dropping it drops the underlying stream without notifying the other side, which must treat that
/// as an attack: see [`shutdown`](TlsStream::shutdown).
pub struct TlsStream<S> {
    pub(super) state: State,
    pub(super) stream: S,
    /// The task that polls writes.
    pub(super) writer: WriterTask,
}

impl<S> TlsStream<S> {
    /// Creates a stream whose handshake follows.
    pub(super) fn new(connection: Connection, stream: S) -> TlsStream<S> {
        TlsStream { state: State::new(connection), stream, writer: WriterTask::default() }
    }

    #[track_caller]
    pub(super) fn handshake(&self) -> io::Result<()>
    where
        S: SharedRead + SharedWrite,
    {
        self.state.handshake(Shared(&self.stream))
    }

    /// Announces the end of the stream to the other side (`close_notify`), after all data that was
    /// written, and waits until the underlying stream has taken it. Reads continue to work, until
    /// the other side has done the same; writes fail from now on. The underlying stream stays open.
    ///
    /// A client that drops a TCP stream directly after this may lose the end of what it sent: if
    /// anything is left unread in the socket, such as the tickets that TLS 1.3 servers send, the
    /// system resets the connection. Read to the end first.
    ///
    /// # Errors
    ///
    /// Returns the errors of writing to the stream.
    #[track_caller]
    pub fn shutdown(&self) -> io::Result<()>
    where
        S: SharedWrite,
    {
        self.state.shutdown(Shared(&self.stream))
    }

    /// Splits the connection into two halves, for one fiber that reads and another that writes.
    /// When the half for writing is dropped, it signals the end to the other side, like
    /// [`shutdown`](TlsStream::shutdown), and waits for that; unless its fiber unwinds.
    /// [`WriteHalf::finish`] does the same and returns a result.
    pub fn into_split(self) -> (ReadHalf<TlsStream<S>>, WriteHalf<TlsStream<S>>)
    where
        S: SharedWrite,
    {
        split::split(self, Shut { shut: |stream| stream.shutdown(), waits: true })
    }

    /// Encrypts what this side sends from now on with new keys, and asks the other side to do the
    /// same. TLS does so by itself before keys wear out; this is for connections that are silent
    /// for long.
    ///
    /// # Errors
    ///
    /// Returns an error in TLS 1.2, which does not support it, and the errors of writing to the
    /// stream.
    #[track_caller]
    pub fn refresh_traffic_keys(&self) -> io::Result<()>
    where
        S: SharedWrite,
    {
        self.state.connection().refresh_traffic_keys().map_err(io::Error::other)?;
        self.state.flush(Shared(&self.stream))
    }

    /// Returns the underlying stream. Data that is read from it or written to it directly is
    /// missing in the connection.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the underlying stream, without TLS. Data that was received and not read is lost, so
    /// after a [`shutdown`](TlsStream::shutdown) read to the end before this.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Returns the protocol that the two sides agreed on by ALPN.
    #[must_use]
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.state.connection().alpn_protocol().map(<[u8]>::to_vec)
    }

    /// Returns the certificates of the other side, its own first. A client presents certificates
    /// only if it is asked to.
    #[must_use]
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        self.state.connection().peer_certificates().map(<[_]>::to_vec)
    }

    /// Returns the negotiated version of TLS.
    #[must_use]
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.state.connection().protocol_version()
    }

    /// Returns the negotiated cipher suite.
    #[must_use]
    pub fn cipher_suite(&self) -> Option<SupportedCipherSuite> {
        self.state.connection().negotiated_cipher_suite()
    }

    /// Returns whether the handshake was a full one, or resumed an earlier session.
    #[must_use]
    pub fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.state.connection().handshake_kind()
    }

    /// Returns the name under which the client has requested this server (SNI); `None` on the side
    /// of the client.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        match &*self.state.connection() {
            Connection::Server(server) => server.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        }
    }
}

/// The underlying stream, as one that implements `Read` and `Write`.
struct Shared<'a, S>(&'a S);

impl<S: SharedRead> Read for Shared<'_, S> {
    #[inline(always)]
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_shared(buffer)
    }
}

impl<S: SharedWrite> Write for Shared<'_, S> {
    #[inline(always)]
    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write_shared(data)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush_shared()
    }
}

read_by_reference!(TlsStream<S> where S: SharedRead + SharedWrite);
write_by_reference!(TlsStream<S> where S: SharedWrite);

impl<S: SharedRead + SharedWrite> Read for &TlsStream<S> {
    read_exactly!();

    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.state.read(Shared(&self.stream), buffer)
    }
}

impl<S: SharedWrite> Write for &TlsStream<S> {
    write_entirely!();

    #[track_caller]
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.state.write(Shared(&self.stream), data)
    }

    #[track_caller]
    fn write_vectored(&mut self, data: &[IoSlice<'_>]) -> io::Result<usize> {
        self.state.write_vectored(Shared(&self.stream), data)
    }

    #[track_caller]
    fn flush(&mut self) -> io::Result<()> {
        self.state.flush(Shared(&self.stream))
    }
}

impl<S: AsFd> AsFd for TlsStream<S> {
    /// Returns the descriptor of the underlying stream.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl<S: AsRawFd> AsRawFd for TlsStream<S> {
    /// Returns the descriptor of the underlying stream.
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl<S: fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}
