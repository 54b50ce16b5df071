//! Support for the tests of TLS: certificates of an authority of their own, and connections.

use std::io;
use std::sync::{Arc, LazyLock};

use fibra::net::{TcpListener, TcpStream};
use fibra::tls::{TlsAcceptor, TlsConnector, TlsStream, rustls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// The authority that these tests trust.
pub(crate) static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| authority("tests of fibra"));

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// Creates an identity for `name`, signed by the authority, after `change` was applied to it.
pub(crate) fn identity(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = CertificateParams::new([name.to_string()]).unwrap();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, &AUTHORITY).unwrap();
    let chain = vec![cert.der().clone()];
    Identity { chain, key: PrivateKeyDer::Pkcs8(key.serialize_der().into()) }
}

pub(crate) fn localhost() -> Identity {
    identity("localhost", |_| ())
}

pub(crate) fn name() -> ServerName<'static> {
    "localhost".try_into().unwrap()
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    PROVIDER.clone()
}

/// Returns a root store with the authority of these tests.
pub(crate) fn roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(AUTHORITY.as_ref().der().clone()).unwrap();
    Arc::new(roots)
}

pub(crate) fn server_config(identity: Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap()
}

/// Configures a server that requires a certificate from its clients.
pub(crate) fn strict_server_config(identity: Identity) -> ServerConfig {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(), provider());
    ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(identity.chain, identity.key)
        .unwrap()
}

pub(crate) fn client_config() -> ClientConfig {
    client_config_for(rustls::ALL_VERSIONS)
}

pub(crate) fn client_config_for(
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots())
        .with_no_client_auth()
}

pub(crate) fn client_config_with(identity: Identity) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots())
        .with_client_auth_cert(identity.chain, identity.key)
        .unwrap()
}

pub(crate) fn acceptor(config: ServerConfig) -> TlsAcceptor {
    TlsAcceptor::from(Arc::new(config))
}

pub(crate) fn connector(config: ClientConfig) -> TlsConnector {
    TlsConnector::from(Arc::new(config))
}

/// Creates a connection without TLS: the side that connected, and the side that was accepted.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = fibra::spawn(move || TcpStream::connect(address).unwrap());
    let (server, _) = listener.accept().unwrap();
    (client.join().unwrap(), server)
}

pub(crate) type Side = io::Result<TlsStream<TcpStream>>;

/// Returns the results of a handshake on both sides: the client's, then the server's.
pub(crate) fn handshake(client: ClientConfig, server: ServerConfig) -> (Side, Side) {
    let (here, there) = tcp_pair();
    let server = acceptor(server);
    let accepted = fibra::spawn(move || server.accept(there));
    let connected = connector(client).connect(name(), here);
    (connected, accepted.join().unwrap())
}

/// Returns a good connection: the client, then the server.
pub(crate) fn tls_pair() -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let (client, server) = handshake(client_config(), server_config(localhost()));
    (client.unwrap(), server.unwrap())
}

/// Returns the error that TLS reported.
#[track_caller]
pub(crate) fn tls_error(error: &io::Error) -> &rustls::Error {
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    error.get_ref().unwrap().downcast_ref().unwrap()
}
