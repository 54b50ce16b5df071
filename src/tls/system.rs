//! The configuration of a client that trusts the certificates of the system.

use std::io;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::sync::OnceCell;

/// Returns such a configuration, with the cryptography of ring. The certificates are read once for
/// all.
#[track_caller]
pub(crate) fn client_config() -> io::Result<ClientConfig> {
    static ROOTS: OnceCell<Arc<RootCertStore>> = OnceCell::new();
    trusting(ROOTS.get_or_try_init(|| crate::offload::blocking(roots))?.clone())
}

/// Returns a configuration that trusts these certificates, and those of the system if there are
/// any.
#[track_caller]
pub(crate) fn client_config_with(more: Vec<CertificateDer<'static>>) -> io::Result<ClientConfig> {
    let mut roots = crate::offload::blocking(roots).map_or_else(|_| RootCertStore::empty(), owned);
    for certificate in more {
        roots.add(certificate).map_err(io::Error::other)?;
    }
    trusting(Arc::new(roots))
}

fn trusting(roots: Arc<RootCertStore>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn owned(roots: Arc<RootCertStore>) -> RootCertStore {
    Arc::unwrap_or_clone(roots)
}

fn roots() -> io::Result<Arc<RootCertStore>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(Arc::new(roots));
    }
    let cause = found.errors.first().map_or(String::new(), |error| format!(" ({error})"));
    let text = format!(
        "the system has no certificates of authorities{cause}: install them (the package \
         ca-certificates), or use `tls_config`"
    );
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}
