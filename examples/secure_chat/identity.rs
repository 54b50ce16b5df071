//! A certificate that is made at the start, for the server, and a client that trusts only that one.

use std::error::Error;
use std::sync::Arc;

use fibra::tls::{TlsAcceptor, TlsConnector, rustls};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Creates the two sides of TLS. A real server reads its certificate from a file instead, and its
/// clients trust the certificates of the system.
pub(crate) fn new(protocols: Vec<Vec<u8>>) -> Result<(TlsAcceptor, TlsConnector), Box<dyn Error>> {
    let identity = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let certificate = identity.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    server.alpn_protocols = protocols;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client))))
}
