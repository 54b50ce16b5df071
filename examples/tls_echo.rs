//! An echo server over TLS, and a client that writes and reads at the same time.
//!
//! The program makes a certificate, and the client trusts only that one. The client uses its
//! connection from two fibers: one writes and one reads, and neither waits for the other.
//!
//! ```text
//! $ cargo run --release --example tls_echo --features tls [MEGABYTES = 20]
//! negotiated: TLSv1_3, TLS13_AES_256_GCM_SHA384
//! 20 MB went there and back in 95.5 ms
//! another name is refused: invalid peer certificate: certificate not valid for name ...
//! ```

mod arguments;

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;

use fibra::net::{TcpListener, TcpStream};
use fibra::tls::{TlsAcceptor, TlsConnector, rustls};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let megabytes = arguments::number(1, "MEGABYTES", 1..=10_000, 20);
    let (acceptor, connector) = server_and_client()?;
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        fibra::spawn(move || -> std::io::Result<()> {
            for stream in listener.incoming() {
                let acceptor = acceptor.clone();
                let stream = stream?;
                fibra::spawn(move || echo(&acceptor, stream));
            }
            Ok(())
        });

        let stream = TcpStream::connect(address)?;
        let stream = connector.connect("localhost".try_into()?, stream)?;
        let (version, suite) = (stream.protocol_version(), stream.cipher_suite());
        let (Some(version), Some(suite)) = (version, suite) else {
            unreachable!("after the handshake")
        };
        println!("negotiated: {version:?}, {:?}", suite.suite());

        let (start, length) = (fibra::now(), megabytes << 20);
        let (mut reads, mut writes) = stream.into_split();
        fibra::spawn(move || -> io::Result<()> {
            let chunk = [0x5a; 64 << 10];
            (0..length / chunk.len()).try_for_each(|_| writes.write_all(&chunk))
            // Dropping the half ends the stream for the server.
        });
        let (mut got, mut buffer) = (0, [0; 64 << 10]);
        loop {
            match reads.read(&mut buffer)? {
                0 => break,
                n => got += n,
            }
        }
        assert_eq!(got, length);
        println!("{megabytes} MB went there and back in {:.1?}", fibra::now() - start);

        let stream = TcpStream::connect(address)?;
        let error = connector.connect("elsewhere.example".try_into()?, stream).unwrap_err();
        println!("another name is refused: {error}");
        Ok(())
    })
}

fn echo(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<()> {
    let stream = acceptor.accept(stream)?;
    io::copy(&mut &stream, &mut &stream)?;
    stream.shutdown()
}

/// Makes a server with a new certificate, and a client that trusts it.
fn server_and_client() -> Result<(TlsAcceptor, TlsConnector), Box<dyn Error>> {
    let identity = rcgen::generate_simple_self_signed(["localhost".into()])?;
    let chain = vec![identity.cert.der().clone()];
    let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
    let mut roots = RootCertStore::empty();
    roots.add(identity.cert.der().clone())?;

    // The cryptography is ring's: see the features of `rustls` in Cargo.toml.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((TlsAcceptor::from(Arc::new(server)), TlsConnector::from(Arc::new(client))))
}
