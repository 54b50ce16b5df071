//! The two sides of a handshake, each with its configuration.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use crate::io::{SharedRead, SharedWrite};
use crate::sched::lowlevel::{on_warm_stack, try_current_fiber};
use crate::time::timeout;
use crate::tls::TlsStream;

/// A factory of client connections, with their configuration.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::sync::Arc;
/// use fibra::tls::{TlsAcceptor, TlsConnector, rustls};
/// use rustls::pki_types::PrivateKeyDer;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cert = rcgen::generate_simple_self_signed(["localhost".into()])?;
/// let key = PrivateKeyDer::Pkcs8(cert.signing_key.serialize_der().into());
/// let mut roots = rustls::RootCertStore::empty();
/// roots.add(cert.cert.der().clone())?;
///
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// let server = rustls::ServerConfig::builder_with_provider(provider.clone())
///     .with_safe_default_protocol_versions()?
///     .with_no_client_auth()
///     .with_single_cert(vec![cert.cert.der().clone()], key)?;
/// let client = rustls::ClientConfig::builder_with_provider(provider)
///     .with_safe_default_protocol_versions()?
///     .with_root_certificates(roots)
///     .with_no_client_auth();
/// let acceptor = TlsAcceptor::from(Arc::new(server));
/// let connector = TlsConnector::from(Arc::new(client));
///
/// fibra::run(|| {
///     let listener = fibra::net::TcpListener::bind("127.0.0.1:0")?;
///     let address = listener.local_addr()?;
///     fibra::spawn(move || -> std::io::Result<()> {
///         let (stream, _) = listener.accept()?;
///         let mut stream = acceptor.accept(stream)?;
///         stream.write_all(b"secret")?;
///         stream.shutdown()
///     });
///     let stream = fibra::net::TcpStream::connect(address)?;
///     let mut stream = connector.connect("localhost".try_into()?, stream)?;
///     let mut text = String::new();
///     stream.read_to_string(&mut text)?;
///     assert_eq!(text, "secret");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
}

/// A factory of server connections, with their configuration. See the example of [`TlsConnector`].
#[derive(Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    handshake_timeout: Option<Duration>,
}

/// The time limit of a handshake, unless the program sets one.
const HANDSHAKE: Duration = Duration::from_secs(30);

impl TlsConnector {
    /// Performs the handshake over `stream`, with a server that must prove to be `name`. Waits
    /// until it is done, in a fiber or on a plain thread. It has no time limit of its own: put
    /// [`time::timeout`](crate::time::timeout) around it.
    ///
    /// # Errors
    ///
    /// Returns the errors of the stream; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the
    /// server closes the connection; and [`InvalidData`](io::ErrorKind::InvalidData), with a
    /// [`rustls::Error`] inside, if the two sides cannot agree, the certificate is not valid for
    /// `name`, or the answer is not TLS at all.
    #[track_caller]
    pub fn connect<S: SharedRead + SharedWrite>(
        &self,
        name: ServerName<'static>,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let new = || ClientConnection::new(self.config.clone(), name);
        let connection = on_warm_stack(new).map_err(io::Error::other)?;
        let stream = TlsStream::new(connection.into(), stream);
        stream.handshake()?;
        Ok(stream)
    }
}

impl TlsAcceptor {
    /// Limits the time of the whole handshake, in a fiber. The default is 30 seconds, so that a
    /// client which connects and sends nothing does not keep its connection.
    #[must_use]
    pub fn handshake_timeout(mut self, time: impl Into<Option<Duration>>) -> TlsAcceptor {
        self.handshake_timeout = time.into();
        self
    }

    /// Performs the handshake over `stream`. Waits until it is done, in a fiber or on a plain
    /// thread. In a fiber it has a [time limit](TlsAcceptor::handshake_timeout).
    ///
    /// # Errors
    ///
    /// The same as for [`TlsConnector::connect`], and [`TimedOut`](io::ErrorKind::TimedOut) if the
    /// client takes too long. In TLS 1.3 a client is informed only after its own handshake that its
    /// certificate was refused: its first read fails.
    #[track_caller]
    pub fn accept<S: SharedRead + SharedWrite>(&self, stream: S) -> io::Result<TlsStream<S>> {
        let new = || ServerConnection::new(self.config.clone());
        let connection = on_warm_stack(new).map_err(io::Error::other)?;
        let stream = TlsStream::new(connection.into(), stream);
        match self.handshake_timeout.filter(|_| try_current_fiber().is_some()) {
            None => stream.handshake()?,
            Some(limit) => {
                timeout(limit, || stream.handshake()).unwrap_or_else(|_| Err(took_too_long()))?;
            }
        }
        Ok(stream)
    }
}

#[cold]
fn took_too_long() -> io::Error {
    let text = "the client took longer for the TLS handshake than `handshake_timeout` allows";
    io::Error::new(io::ErrorKind::TimedOut, text)
}

impl From<Arc<ClientConfig>> for TlsConnector {
    fn from(config: Arc<ClientConfig>) -> TlsConnector {
        TlsConnector { config }
    }
}

impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> TlsAcceptor {
        TlsAcceptor { config, handshake_timeout: Some(HANDSHAKE) }
    }
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").finish_non_exhaustive()
    }
}
