//! TLS for the client: its configuration, and the protocols that it offers.

use std::sync::Arc;

use rustls::ClientConfig;
#[cfg(feature = "https")]
use rustls::pki_types::CertificateDer;
use rustls::pki_types::ServerName;

use crate::http::client::connect::failed;
use crate::http::client::error::Error;
use crate::net::TcpStream;
use crate::sync::OnceCell;
use crate::tls::{TlsConnector, TlsStream};

/// The configuration of a client, and the connector that is made from it when it is first needed.
pub(super) struct TlsSettings {
    given: Option<ClientConfig>,
    http2: bool,
    connector: OnceCell<TlsConnector>,
}

impl TlsSettings {
    /// Creates the settings from a configuration, or for the certificates of the system. `http2`
    /// tells whether servers may choose HTTP/2.
    pub(super) fn new(given: Option<ClientConfig>, http2: bool) -> TlsSettings {
        TlsSettings { given, http2, connector: OnceCell::new() }
    }

    #[cfg(feature = "http2")]
    pub(super) fn offers_http2(&self) -> bool {
        self.http2
    }

    /// Performs the handshake with the server that must prove to be `host`.
    #[track_caller]
    pub(super) fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::builder(format!("a certificate cannot have the name {host:?}")))?;
        let connector = self.connector.get_or_try_init(|| self.connector())?;
        connector.connect(name, stream).map_err(failed)
    }

    fn connector(&self) -> Result<TlsConnector, Error> {
        let mut config = match &self.given {
            Some(config) => config.clone(),
            None => of_system()?,
        };
        let protocols: &[&[u8]] = if self.http2 { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

#[cfg(not(feature = "https"))]
fn of_system() -> Result<ClientConfig, Error> {
    let text = "https needs the feature `https` of fibra, or `ClientBuilder::tls_config`";
    Err(Error::builder(text))
}

#[cfg(feature = "https")]
#[track_caller]
fn of_system() -> Result<ClientConfig, Error> {
    let config = crate::tls::system::client_config();
    config.map_err(|error| Error::builder(error.to_string()).because(error))
}

/// Returns the configuration for a client that was given `config`, or that trusts `roots` as well:
/// not both.
#[cfg(feature = "https")]
#[track_caller]
pub(super) fn with_roots(
    config: Option<ClientConfig>,
    roots: Vec<CertificateDer<'static>>,
) -> Result<Option<ClientConfig>, Error> {
    match (config, roots.is_empty()) {
        (config, true) => Ok(config),
        (None, false) => {
            let config = crate::tls::system::client_config_with(roots).map_err(|error| {
                Error::builder("a certificate of `add_root_certificate` is not valid")
                    .because(error)
            })?;
            Ok(Some(config))
        }
        (Some(_), false) => Err(Error::builder(
            "`tls_config` and `add_root_certificate` exclude each other: add the certificate to \
             the roots of the configuration",
        )),
    }
}
