//! TLS that fails: the wrong peer, no peer, and fibers that are killed or reach a time limit.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use fibra::net::TcpStream;
use fibra::time::timeout;
use fibra::tls::rustls;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

use crate::support::ms;
use crate::support::tls::*;

/// Returns the fault that a client which trusts the authority finds in a server; it gets an alert.
#[track_caller]
fn refused(server: Identity) -> CertificateError {
    fibra::run(|| {
        let (client, server) = handshake(client_config(), server_config(server));
        assert!(matches!(tls_error(&server.unwrap_err()), Error::AlertReceived(_)));
        match tls_error(&client.unwrap_err()) {
            Error::InvalidCertificate(error) => error.clone(),
            other => panic!("{other}"),
        }
    })
}

#[test]
fn a_server_of_another_name_is_refused() {
    let error = refused(identity("elsewhere.example", |_| ()));
    assert!(matches!(error, CertificateError::NotValidForNameContext { .. }), "{error:?}");
}

#[test]
fn an_expired_certificate_is_refused() {
    let expired = |params: &mut rcgen::CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    };
    let error = refused(identity("localhost", expired));
    assert!(matches!(error, CertificateError::ExpiredContext { .. }), "{error:?}");
}

#[test]
fn an_authority_that_is_not_trusted_is_refused() {
    fibra::run(|| {
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        let (client, server) = handshake(client, server_config(localhost()));
        let expected = Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(*tls_error(&client.unwrap_err()), expected);
        let alert = Error::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(*tls_error(&server.unwrap_err()), alert);
    });
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_required() {
    fibra::run(|| {
        let (client, server) = handshake(client_config(), strict_server_config(localhost()));
        assert_eq!(*tls_error(&server.unwrap_err()), Error::NoCertificatesPresented);
        // A client completes before the server does, and learns of the refusal later.
        let error = client.unwrap().read(&mut [0]).unwrap_err();
        let alert = Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(*tls_error(&error), alert);
    });
}

#[test]
fn an_error_is_reported_again_by_each_read() {
    fibra::run(|| {
        let (mut client, server) = tls_pair();
        (&mut server.get_ref()).write_all(b"this is not a record of TLS").unwrap();
        for _ in 0..3 {
            let error = client.read(&mut [0]).unwrap_err();
            assert!(matches!(tls_error(&error), Error::InvalidMessage(_)), "{error}");
        }
    });
}

#[test]
fn an_end_without_a_word_is_an_error() {
    fibra::run(|| {
        let (mut client, mut server) = tls_pair();
        server.write_all(b"half of the te").unwrap();
        drop(server);
        let mut text = String::new();
        let error = client.read_to_string(&mut text).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(text, "half of the te");
    });
}

#[test]
fn what_was_sent_before_a_close_notify_arrives() {
    fibra::run(|| {
        let (mut client, mut server) = tls_pair();
        server.write_all(b"all of it").unwrap();
        server.shutdown().unwrap();
        drop(server);
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "all of it");
    });
}

#[test]
fn a_server_refuses_plain_text_and_sends_an_alert() {
    fibra::run(|| {
        let (mut here, there) = tcp_pair();
        let acceptor = acceptor(server_config(localhost()));
        let accepted = fibra::spawn(move || acceptor.accept(there).map(drop));
        here.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let error = accepted.join().unwrap().unwrap_err();
        assert!(matches!(tls_error(&error), Error::InvalidMessage(_)), "{error}");
        let mut alert = [0];
        here.read_exact(&mut alert).unwrap();
        assert_eq!(alert, [21]);
    });
}

#[test]
fn a_client_refuses_garbage() {
    fibra::run(|| {
        let (here, mut there) = tcp_pair();
        there.write_all(&[0x2a; 10_000]).unwrap();
        let error = connector(client_config()).connect(name(), here).unwrap_err();
        assert!(matches!(tls_error(&error), Error::InvalidMessage(_)), "{error}");
    });
}

#[test]
fn a_peer_that_hangs_up_during_the_handshake_is_an_error() {
    fibra::run(|| {
        let (here, there) = tcp_pair();
        there.shutdown(Shutdown::Write).unwrap();
        let error = connector(client_config()).connect(name(), here).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn random_bytes_in_place_of_each_record_break_nothing() {
    fibra::run(|| {
        let mut noise = 1u32;
        for length in (0..400).step_by(7) {
            let (mut here, there) = tcp_pair();
            let acceptor = acceptor(server_config(localhost()));
            let accepted = fibra::spawn(move || acceptor.accept(there).map(drop));
            // The head of a record, and random bytes of the length that it promises, or fewer.
            let mut bytes = vec![22, 3, 1, 0, 200];
            bytes.extend((0..length).map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                noise.to_be_bytes()[0]
            }));
            here.write_all(&bytes).unwrap();
            here.shutdown(Shutdown::Write).unwrap();
            assert!(accepted.join().unwrap().is_err());
        }
    });
}

/// Waits until the other side of `stream` has closed it. (With data in its buffers that is a
/// reset.)
fn wait_for_the_end(mut stream: &TcpStream) {
    let mut buffer = [0; 10_000];
    while stream.read(&mut buffer).is_ok_and(|n| n != 0) {}
}

#[test]
fn a_fiber_that_is_killed_in_its_handshake_closes_its_socket() {
    fibra::run(|| {
        let (here, there) = tcp_pair();
        let client = fibra::spawn(move || connector(client_config()).connect(name(), here));
        fibra::testing::wait_all_blocked();
        client.kill();
        wait_for_the_end(&there);
        assert!(matches!(client.join(), Err(fibra::JoinError::Killed)));
    });
}

#[test]
fn fibers_that_are_killed_while_they_read_and_write_close_their_socket() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let mut below = client.get_ref().try_clone().unwrap();
        // The client keeps its stream until it is killed, and reads none of its data.
        let (mut reads, mut writes) = server.into_split();
        let reader = fibra::spawn(move || reads.read(&mut [0]).map(drop));
        let writer = fibra::spawn(move || {
            loop {
                writes.write_all(&[0; 100_000]).unwrap();
            }
        });
        fibra::testing::wait_all_blocked();
        assert!(!writer.is_finished() && !reader.is_finished());
        writer.kill();
        reader.kill();
        assert!(matches!(writer.join(), Err::<(), _>(fibra::JoinError::Killed)));
        assert!(matches!(reader.join(), Err(fibra::JoinError::Killed)));
        let got = io::copy(&mut below, &mut io::sink()).unwrap();
        assert!(0 < got);
    });
}

#[test]
fn a_read_that_was_killed_loses_nothing() {
    fibra::run(|| {
        let (client, mut server) = tls_pair();
        let client = std::rc::Rc::new(client);
        for round in 0..20u8 {
            let reads = client.clone();
            let reader = fibra::spawn(move || (&*reads).read(&mut [0]));
            fibra::testing::wait_all_blocked();
            reader.kill();
            assert!(reader.join().is_err());
            server.write_all(&[round]).unwrap();
            let mut byte = [0];
            (&*client).read_exact(&mut byte).unwrap();
            assert_eq!(byte, [round]);
        }
    });
}

#[test]
fn a_write_that_was_killed_leaves_a_stream_that_can_be_read_on() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        let client = std::rc::Rc::new(client);
        let writes = client.clone();
        let writer = fibra::spawn(move || (&*writes).write_all(&vec![7; 50_000_000]).unwrap());
        fibra::testing::wait_all_blocked();
        writer.kill();
        assert!(writer.join().is_err());
        // Accepted data is sent before this, and no record is torn.
        // The client is kept: a socket that is closed with a ticket unread resets the connection.
        let ends = fibra::spawn(move || client.shutdown().map(|()| client).unwrap());
        let mut got = Vec::new();
        (&server).read_to_end(&mut got).unwrap();
        assert!(!got.is_empty() && got.iter().all(|byte| *byte == 7));
        ends.join().unwrap();
    });
}

#[test]
fn a_handshake_and_a_read_are_under_time_limits() {
    fibra::run(|| {
        let (here, _there) = tcp_pair();
        assert!(timeout(ms(5), || connector(client_config()).connect(name(), here)).is_err());

        let (mut client, mut server) = tls_pair();
        assert!(timeout(ms(5), || client.read(&mut [0])).is_err());
        client.get_ref().set_read_timeout(Some(ms(5))).unwrap();
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        client.get_ref().set_read_timeout(None).unwrap();
        server.write_all(b"!").unwrap();
        client.read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn what_a_limited_write_has_accepted_is_sent_by_the_next() {
    fibra::run(|| {
        let (client, server) = tls_pair();
        client.get_ref().set_write_timeout(Some(ms(5))).unwrap();
        let (mut accepted, chunk) = (0, vec![1; 100_000]);
        let error = loop {
            match (&client).write(&chunk) {
                Ok(n) => accepted += n,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        client.get_ref().set_write_timeout(None::<Duration>).unwrap();
        // The client is kept: a socket that is closed with a ticket unread resets the connection.
        let ends = fibra::spawn(move || client.shutdown().map(|()| client).unwrap());
        let mut got = Vec::new();
        (&server).read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), accepted);
        ends.join().unwrap();
    });
}

#[test]
fn a_client_that_sends_nothing_loses_its_connection() {
    fibra::run(|| {
        let (mut here, there) = tcp_pair();
        let acceptor = acceptor(server_config(localhost())).handshake_timeout(ms(20));
        let error = acceptor.accept(there).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("`handshake_timeout`"), "{error}");
        assert_eq!(here.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn the_limit_of_a_handshake_counts_from_its_beginning_and_ends_with_it() {
    fibra::run(|| {
        let (here, there) = tcp_pair();
        let acceptor = acceptor(server_config(localhost())).handshake_timeout(ms(100));
        let accepted = fibra::spawn(move || acceptor.accept(there));
        // A hello that is announced to be long, and comes slowly.
        (&here).write_all(&[22, 3, 1, 10, 0]).unwrap();
        while !accepted.is_finished() {
            let _ = (&here).write_all(&[1]);
            fibra::sleep(ms(10));
        }
        assert_eq!(accepted.join().unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);

        let (here, there) = tcp_pair();
        let limited = crate::support::tls::acceptor(server_config(localhost()));
        let limited = limited.handshake_timeout(ms(2000));
        let accepted = fibra::spawn(move || limited.accept(there).unwrap());
        let client = connector(client_config()).connect(name(), here).unwrap();
        let mut server = accepted.join().unwrap();
        let late = fibra::spawn(move || {
            fibra::sleep(ms(2500));
            (&client).write_all(b"late").unwrap();
            client
        });
        let mut text = [0; 4];
        server.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"late");
        drop(late.join().unwrap());
    });
}
