//! TLS over streams.

#![cfg(feature = "tls")]

#[path = "../support/mod.rs"]
mod support;

mod faults;
mod streams;

use std::io::{ErrorKind, Read, Write};

use crate::support::tls::{acceptor, localhost, server_config, tcp_pair, tls_pair};
use crate::support::{OnDrop, go, ms, run_virtually};

#[test]
fn a_handshake_fails_when_the_other_side_sends_close_notify() {
    fibra::run(|| {
        let (mut client, server) = tcp_pair();
        // This is an alert of level 1, `close_notify`. The socket stays open.
        client.write_all(&[21, 3, 3, 0, 2, 1, 0]).unwrap();
        let accept = || acceptor(server_config(localhost())).accept(server).map(drop);
        let accepted = fibra::time::timeout(ms(5_000), accept).expect("it waits for more");
        assert_eq!(accepted.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        drop(client);
    });
}

#[test]
fn a_half_ends_well_also_while_another_fiber_unwinds() {
    run_virtually(|| {
        let (client, mut server) = tls_pair();
        go(|| {
            let _late = OnDrop(|| fibra::sleep(ms(1_000)));
            std::panic::resume_unwind(Box::new("while another writes"));
        });
        let (_reader, mut writer) = client.into_split();
        let writes = fibra::spawn(move || {
            writer.write_all(b"all of it").unwrap();
            fibra::sleep(ms(1));
            assert!(std::thread::panicking());
        });
        let mut text = String::new();
        server.read_to_string(&mut text).expect("it is cut off");
        assert_eq!(text, "all of it");
        writes.join().unwrap();
    });
}

#[test]
fn finish_sends_the_end_of_the_half() {
    fibra::run(|| {
        let (client, mut server) = tls_pair();
        let (_reader, mut writer) = client.into_split();
        writer.write_all(b"all of it").unwrap();
        writer.finish().unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).unwrap();
        assert_eq!(text, "all of it");
    });
}
