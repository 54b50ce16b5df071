//! TLS streams that work: both directions concurrently, over any stream, and the facts that each
//! side learns about the other.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use fibra::io::{SharedRead, SharedWrite, Waitable};
use fibra::net::TcpStream;
use fibra::tls::{TlsStream, rustls};
use rustls::{HandshakeKind, ProtocolVersion};

use crate::support::tls::*;

const MEGABYTES: usize = 1 << 20;

/// Sends `length` bytes of a pattern, and then shuts down this direction.
fn send<S>(stream: &TlsStream<S>, length: usize)
where
    S: SharedRead + SharedWrite,
{
    let chunk: Vec<u8> = (0..251).cycle().take(251 * 257).collect();
    let mut left = length;
    while left != 0 {
        let now = left.min(chunk.len());
        (&*stream).write_all(&chunk[..now]).unwrap();
        left -= now;
    }
    stream.shutdown().unwrap();
}

/// Receives all data, which must be the pattern, and returns its length.
fn receive<S>(stream: &TlsStream<S>) -> usize
where
    S: SharedRead + SharedWrite,
{
    let (mut length, mut buffer) = (0, [0; 20_000]);
    loop {
        let n = (&*stream).read(&mut buffer).unwrap();
        if n == 0 {
            return length;
        }
        let as_sent = |(i, &byte): (usize, &u8)| usize::from(byte) == (length + i) % 251;
        assert!(buffer[..n].iter().enumerate().all(as_sent));
        length += n;
    }
}

/// Checks that data sent by `client` arrives. The client is dropped after that: with unread data
/// in its socket, such as a ticket, it would reset the connection.
fn receives_all_of<S, C>(server: &TlsStream<S>, client: TlsStream<C>)
where
    S: SharedRead + SharedWrite,
    C: SharedRead + SharedWrite + 'static,
{
    let sends = fibra::spawn(move || {
        send(&client, MEGABYTES);
        client
    });
    assert_eq!(receive(server), MEGABYTES);
    sends.join().unwrap();
}

#[test]
fn a_tls_stream_can_be_shared_if_its_stream_can() {
    fn shared<T: Send + Sync>() {}
    shared::<TlsStream<TcpStream>>();
    shared::<fibra::tls::TlsConnector>();
    shared::<fibra::tls::TlsAcceptor>();
}

#[test]
fn what_one_side_writes_the_other_reads() {
    fibra::run(|| {
        let (mut client, mut server) = tls_pair();
        let echo = fibra::spawn(move || {
            let mut buffer = [0; 100];
            loop {
                let n = server.read(&mut buffer).unwrap();
                server.write_all(&buffer[..n]).unwrap();
                if n == 0 {
                    return server.shutdown().unwrap();
                }
            }
        });
        let mut answer = [0; 5];
        for round in 0..1000 {
            let question = format!("{round:05}");
            client.write_all(question.as_bytes()).unwrap();
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, question.as_bytes());
        }
        client.shutdown().unwrap();
        assert_eq!(client.read(&mut answer).unwrap(), 0);
        echo.join().unwrap();
    });
}

#[test]
fn twenty_megabytes_go_each_way_at_once() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        fibra::scope(|scope| {
            for side in [&client, &server] {
                scope.spawn(move || send(side, 20 * MEGABYTES));
                scope.spawn(move || assert_eq!(receive(side), 20 * MEGABYTES));
            }
        });
    });
}

#[test]
fn in_tls_1_2_both_directions_go_at_once_as_well() {
    fibra::run(|| {
        let client = client_config_for(&[&rustls::version::TLS12]);
        let (client, server) = handshake(client, server_config(localhost()));
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        fibra::scope(|scope| {
            for side in [&client, &server] {
                scope.spawn(move || send(side, MEGABYTES));
                scope.spawn(move || assert_eq!(receive(side), MEGABYTES));
            }
        });
    });
}

#[test]
fn a_writer_waits_for_a_reader_that_does_not_come() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let client = Arc::new(client);
        let writer = client.clone();
        let writes = fibra::spawn(move || send(&writer, 50 * MEGABYTES));
        // The writes fill the buffers of the two sockets, and the buffer of the TLS stream.
        fibra::testing::wait_all_blocked();
        assert!(!writes.is_finished());
        assert_eq!(receive(&server), 50 * MEGABYTES);
        writes.join().unwrap();
    });
}

#[test]
fn two_fibers_use_the_halves_and_the_end_of_the_writer_is_sent() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let (mut reads, mut writes) = client.into_split();
        fibra::spawn(move || io::copy(&mut &server, &mut &server).map(|_| server.shutdown()));
        fibra::spawn(move || writes.write_all(b"and that was all").unwrap());
        let mut text = String::new();
        reads.read_to_string(&mut text).unwrap();
        assert_eq!(text, "and that was all");
    });
}

#[test]
fn two_readers_and_two_writers_share_a_stream() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let got = fibra::sync::Mutex::new(0);
        fibra::scope(|scope| {
            for letter in [b'a', b'b'] {
                let client = &client;
                scope.spawn(move || {
                    (0..500).for_each(|_| (&*client).write_all(&[letter; 100]).unwrap());
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut buffer = [0; 100];
                    for _ in 0..500 {
                        let n = (&server).read(&mut buffer).unwrap();
                        // A record contains the data of one write.
                        assert!(buffer[..n].iter().all(|byte| *byte == buffer[0]));
                        *got.lock() += n;
                    }
                });
            }
        });
        assert_eq!(got.into_inner(), 100_000);
    });
}

#[test]
fn it_works_over_any_stream() {
    fibra::run(|| {
        let (here, there) = UnixStream::pair().unwrap();
        let (here, there) = (Waitable::new(here).unwrap(), Waitable::new(there).unwrap());
        let server = acceptor(server_config(localhost()));
        let accepted = fibra::spawn(move || server.accept(there).unwrap());
        let client = connector(client_config()).connect(name(), here).unwrap();
        let server = accepted.join().unwrap();
        receives_all_of(&server, client);
    });
}

#[test]
fn it_works_over_tls() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let acceptor = acceptor(server_config(localhost()));
        let accepted = fibra::spawn(move || acceptor.accept(server).unwrap());
        let client = connector(client_config()).connect(name(), client).unwrap();
        let server = accepted.join().unwrap();
        receives_all_of(&server, client);
    });
}

#[test]
fn plain_threads_use_the_same_calls() {
    let (here, there) = UnixStream::pair().unwrap();
    let (here, there) = (Waitable::new(here).unwrap(), Waitable::new(there).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = acceptor(server_config(localhost())).accept(there).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| send(&server, MEGABYTES));
                assert_eq!(receive(&server), MEGABYTES);
            });
        });
        let client = connector(client_config()).connect(name(), here).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| send(&client, MEGABYTES));
            assert_eq!(receive(&client), MEGABYTES);
        });
    });
}

#[test]
fn a_thread_and_a_fiber_share_a_stream() {
    let (here, there) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let server = acceptor(server_config(localhost()));
            let server = server.accept(Waitable::new(there).unwrap()).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| fibra::run(|| send(&server, MEGABYTES)));
                assert_eq!(receive(&server), MEGABYTES);
            });
        });
        fibra::run(|| {
            let client = connector(client_config());
            let client = client.connect(name(), Waitable::new(here).unwrap()).unwrap();
            fibra::scope(|fibers| {
                fibers.spawn(|| send(&client, MEGABYTES));
                assert_eq!(receive(&client), MEGABYTES);
            });
        });
    });
}

#[test]
fn the_sides_agree_on_a_protocol_or_on_none() {
    fibra::run(|| {
        for (offered, understood, agreed) in [
            (vec!["h2", "http/1.1"], vec!["http/1.1"], Some("http/1.1")),
            (vec![], vec!["http/1.1"], None),
            (vec!["h2"], vec![], None),
        ] {
            let names = |names: Vec<&str>| names.into_iter().map(|n| n.into()).collect();
            let (mut client, mut server) = (client_config(), server_config(localhost()));
            client.alpn_protocols = names(offered);
            server.alpn_protocols = names(understood);
            let (client, server) = handshake(client, server);
            for side in [client.unwrap(), server.unwrap()] {
                assert_eq!(side.alpn_protocol().as_deref(), agreed.map(str::as_bytes));
            }
        }
    });
}

#[test]
fn each_side_knows_the_address_of_the_other() {
    fibra::run(|| {
        let (mine, yours) = (identity("client", |_| ()), localhost());
        let (my_chain, your_chain) = (mine.chain.clone(), yours.chain.clone());
        let (client, server) = handshake(client_config_with(mine), strict_server_config(yours));
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.peer_certificates().unwrap(), your_chain);
        assert_eq!(server.peer_certificates().unwrap(), my_chain);
        assert_eq!(server.server_name().as_deref(), Some("localhost"));
        assert_eq!(client.server_name(), None);
        assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(client.cipher_suite(), server.cipher_suite());
        assert!(client.get_ref().peer_addr().is_ok());
    });
}

#[test]
fn a_session_is_resumed() {
    fibra::run(|| {
        let connector = connector(client_config());
        let acceptor = acceptor(server_config(localhost()));
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (here, there) = tcp_pair();
            let acceptor = acceptor.clone();
            let server = fibra::spawn(move || {
                let mut server = acceptor.accept(there).unwrap();
                server.write_all(b"!").unwrap();
                server.handshake_kind()
            });
            let mut client = connector.connect(name(), here).unwrap();
            // The ticket arrives with the first data.
            client.read_exact(&mut [0]).unwrap();
            assert_eq!(client.handshake_kind(), Some(kind));
            assert_eq!(server.join().unwrap(), Some(kind));
        }
    });
}

#[test]
fn keys_are_changed_while_both_directions_are_busy() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        fibra::scope(|scope| {
            for side in [&client, &server] {
                scope.spawn(move || send(side, 3 * MEGABYTES));
                scope.spawn(move || assert_eq!(receive(side), 3 * MEGABYTES));
            }
            scope.spawn(|| {
                for _ in 0..10 {
                    client.refresh_traffic_keys().unwrap();
                    server.refresh_traffic_keys().unwrap();
                    fibra::yield_now();
                }
            });
        });
    });
}

#[test]
fn the_stream_is_plain_again_after_both_have_shut_down() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let sides = [client, server].map(|side| {
            fibra::spawn(move || {
                side.shutdown().unwrap();
                assert_eq!((&side).read(&mut [0]).unwrap(), 0);
                let error = (&side).write(b"!").unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
                side.into_inner()
            })
        });
        let [mut client, mut server] = sides.map(|side| side.join().unwrap());
        client.write_all(b"plain").unwrap();
        let mut text = [0; 5];
        server.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"plain");
    });
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer makes frames several times larger")]
fn a_small_stack_is_enough_for_a_handshake() {
    fibra::run(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let (a, b) = (Waitable::new(a).unwrap(), Waitable::new(b).unwrap());
        let (connector, acceptor) =
            (connector(client_config()), acceptor(server_config(localhost())));
        let small = || fibra::Builder::new().stack_size(32 << 10);
        let server = small().spawn(move || {
            let stream = acceptor.accept(a).unwrap();
            let mut text = [0; 5];
            (&stream).read_exact(&mut text).unwrap();
            (&stream).write_all(&text).unwrap();
        });
        let client = small().spawn(move || {
            let stream = connector.connect(name(), b).unwrap();
            (&stream).write_all(b"small").unwrap();
            let mut text = [0; 5];
            (&stream).read_exact(&mut text).unwrap();
            assert_eq!(&text, b"small");
        });
        client.join().unwrap();
        server.join().unwrap();
    });
}
