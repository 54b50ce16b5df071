//! [`Connector`], which makes the connections of an agent.
//!
//! Invariant: a request for a proxy that this cannot use fails, and does not go another way.

use std::fmt;
use std::io;
#[cfg(feature = "tls")]
use std::sync::Arc;

use ::ureq::unversioned::transport::{ConnectProxyConnector, ConnectionDetails, Transport};
use ::ureq::{Error, ProxyProtocol};

#[cfg(feature = "tls")]
use crate::sync::OnceCell;
#[cfg(feature = "tls")]
use crate::tls::TlsConnector;
use crate::ureq::tcp::Tcp;
#[cfg(feature = "tls")]
use crate::ureq::tls::Tls;

/// A connector for agents of ureq, whose connections park the fiber that waits.
///
/// [`agent()`](crate::ureq::agent) uses one with the default settings.
///
/// # Examples
///
/// ```
/// use fibra::net::Resolver;
/// use ureq::Agent;
/// use ureq::config::Config;
///
/// let connector = fibra::ureq::Connector::new();
/// let agent = Agent::with_parts(Config::default(), connector, Resolver::system());
/// ```
#[derive(Default)]
pub struct Connector {
    /// The configuration, in place of the certificates of the system.
    #[cfg(feature = "tls")]
    given: Option<Arc<rustls::ClientConfig>>,
    /// Made when it is first needed.
    #[cfg(feature = "tls")]
    tls: OnceCell<TlsConnector>,
}

impl Connector {
    /// Creates a connector with the default settings.
    #[must_use]
    pub fn new() -> Connector {
        Connector::default()
    }

    /// Uses `config` for TLS, in place of the certificates of the system. Needs the feature `tls`,
    /// and not `https`.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn tls_config(mut self, config: impl Into<Arc<rustls::ClientConfig>>) -> Connector {
        self.given = Some(config.into());
        self
    }

    /// Adds TLS to `transport`.
    #[cfg(feature = "tls")]
    #[track_caller]
    fn secure(
        &self,
        details: &ConnectionDetails<'_>,
        transport: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, Error> {
        let connector = self.tls.get_or_try_init(|| match &self.given {
            Some(config) => Ok(TlsConnector::from(config.clone())),
            None => of_system(),
        })?;
        Ok(Box::new(Tls::connect(connector, details, transport)?))
    }

    #[cfg(not(feature = "tls"))]
    fn secure(
        &self,
        _: &ConnectionDetails<'_>,
        _: Box<dyn Transport>,
    ) -> Result<Box<dyn Transport>, Error> {
        Err(unsupported("https needs the feature `https` of fibra"))
    }
}

#[cfg(feature = "https")]
#[track_caller]
fn of_system() -> io::Result<TlsConnector> {
    Ok(TlsConnector::from(Arc::new(crate::tls::system::client_config()?)))
}

#[cfg(all(feature = "tls", not(feature = "https")))]
fn of_system() -> io::Result<TlsConnector> {
    let text = "https needs the feature `https` of fibra, or `Connector::tls_config`";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

impl<In: Transport> ::ureq::unversioned::transport::Connector<In> for Connector {
    type Out = Box<dyn Transport>;

    #[track_caller]
    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Box<dyn Transport>>, Error> {
        if chained.is_none() && needs_socks(details) {
            return Err(unsupported("SOCKS proxies are not supported: use one of HTTP"));
        }
        let transport: Box<dyn Transport> =
            match ConnectProxyConnector::default().connect(details, chained)? {
                Some(transport) => Box::new(transport),
                None => Box::new(Tcp::connect(details)?),
            };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(transport));
        }
        self.secure(details, transport).map(Some)
    }
}

/// Returns whether the settings or the environment name a proxy for this request that is not one of
/// HTTP.
fn needs_socks(details: &ConnectionDetails<'_>) -> bool {
    let proxy = details.config.proxy().filter(|proxy| !proxy.is_no_proxy(details.uri));
    let protocol = proxy.map(|proxy| proxy.protocol());
    protocol.is_some_and(|of| !matches!(of, ProxyProtocol::Http | ProxyProtocol::Https))
}

fn unsupported(text: &str) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::Unsupported, text))
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
