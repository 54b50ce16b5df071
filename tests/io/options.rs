//! Options of sockets that std cannot set: each has the effect that its documentation states.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use fibra::net::{Keepalive, TcpListener, TcpStream, UdpSocket};

use crate::support::net::{RefusingAddress, kind_of, pair, soon};

const ANY: &str = "127.0.0.1:0";

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_builder_without_options_does_what_bind_and_connect_do() {
    fibra::run(|| {
        let (plain, built) =
            (TcpListener::bind(ANY).unwrap(), TcpListener::builder().bind(ANY).unwrap());
        for listener in [plain, built] {
            assert!(listener.reuse_address().unwrap());
            assert!(!listener.reuse_port().unwrap());
            let stream = TcpStream::builder().connect(listener.local_addr().unwrap()).unwrap();
            assert!(!stream.nodelay().unwrap());
            assert_eq!(stream.keepalive().unwrap(), None);
            assert_eq!(stream.linger().unwrap(), None);
        }
    });
}

#[test]
fn two_listeners_share_a_port_only_if_both_ask_for_it() {
    fibra::run(|| {
        let shares = TcpListener::builder().reuse_port(true);
        let first = shares.bind(ANY).unwrap();
        assert!(first.reuse_port().unwrap());
        let address = first.local_addr().unwrap();
        assert!(shares.bind(address).is_ok());
        assert_eq!(kind_of(TcpListener::bind(address)), ErrorKind::AddrInUse);
    });
}

#[test]
fn listeners_of_one_port_get_all_connections_between_them() {
    fibra::run(|| {
        let listeners = TcpListener::builder().bind_each(4, ANY).unwrap();
        let address = listeners[0].local_addr().unwrap();
        let (sender, accepted) = fibra::sync::mpmc::unbounded();
        for (number, listener) in listeners.into_iter().enumerate() {
            let sender = sender.clone();
            fibra::spawn(move || {
                for stream in listener.incoming() {
                    drop(stream.unwrap());
                    sender.send(number).unwrap();
                }
            });
        }
        let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
        let counted: Vec<usize> = soon(|| accepted.iter().take(clients.len()).collect());
        // All 64 connections would go to one of them once in 4^63 runs.
        assert!(BTreeSet::from_iter(counted).len() > 1);
    });
}

#[test]
fn binding_no_listeners_returns_none() {
    fibra::run(|| assert!(TcpListener::builder().bind_each(0, ANY).unwrap().is_empty()));
}

#[test]
fn a_listener_that_does_not_reuse_its_address_cannot_be_bound_again_soon() {
    fibra::run(|| {
        let listener = TcpListener::bind(ANY).unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        // The side that closes first keeps the address for a while.
        drop(listener.accept().unwrap());
        assert_eq!((&client).read(&mut [0]).unwrap(), 0);
        drop((client, listener));
        let strict = TcpListener::builder().reuse_address(false);
        assert_eq!(kind_of(strict.bind(address)), ErrorKind::AddrInUse);
        TcpListener::bind(address).unwrap();
    });
}

#[test]
fn connections_inherit_what_was_set_for_their_listener() {
    fibra::run(|| {
        let keepalive = Keepalive::new().idle(secs(20)).interval(secs(5)).count(3);
        let listener = TcpListener::builder()
            .nodelay(true)
            .keepalive(keepalive)
            .linger(Duration::ZERO)
            .recv_buffer_size(16_384)
            .send_buffer_size(32_768)
            .bind(ANY)
            .unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        assert!(stream.nodelay().unwrap());
        assert_eq!(stream.keepalive().unwrap(), Some(keepalive));
        assert_eq!(stream.linger().unwrap(), Some(Duration::ZERO));
        // Linux doubles the numbers.
        assert_eq!(stream.recv_buffer_size().unwrap(), 32_768);
        assert_eq!(stream.send_buffer_size().unwrap(), 65_536);
    });
}

#[test]
fn options_of_a_stream_can_be_changed() {
    fibra::run(|| {
        let (stream, _other) = pair();
        stream.set_keepalive(Some(Keepalive::new().idle(secs(30)))).unwrap();
        let set = stream.keepalive().unwrap().unwrap();
        assert_eq!(set.idle, Some(secs(30)));
        assert!(set.interval.is_some() && set.count.is_some(), "those of the system");
        stream.set_keepalive(None).unwrap();
        assert_eq!(stream.keepalive().unwrap(), None);
        stream.set_linger(Some(Duration::from_millis(1500))).unwrap();
        assert_eq!(stream.linger().unwrap(), Some(secs(2)), "rounded up");
        stream.set_linger(None).unwrap();
        stream.set_recv_buffer_size(10_000).unwrap();
        assert_eq!(stream.recv_buffer_size().unwrap(), 20_000);
        stream.set_send_buffer_size(10_000).unwrap();
        assert_eq!(stream.send_buffer_size().unwrap(), 20_000);
    });
}

#[test]
fn a_linger_of_zero_resets_the_connection() {
    fibra::run(|| {
        let (client, mut server) = pair();
        client.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        assert_eq!(kind_of(soon(|| server.read(&mut [0]))), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_socket_for_ipv6_only_leaves_the_port_to_ipv4() {
    fibra::run(|| {
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let listener = match TcpListener::builder().only_v6(true).bind(any) {
            Ok(listener) => listener,
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => return, // no IPv6 here
            Err(error) => panic!("{error}"),
        };
        assert!(listener.only_v6().unwrap());
        let port = listener.local_addr().unwrap().port();
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let both = TcpListener::builder().only_v6(false).bind(any).unwrap();
        let port = both.local_addr().unwrap().port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
    });
}

#[test]
fn only_v6_has_no_effect_on_an_ipv4_address() {
    fibra::run(|| {
        let listener = TcpListener::builder().only_v6(true).bind(ANY).unwrap();
        assert!(listener.only_v6().is_err());
    });
}

#[test]
fn the_length_of_the_queue_is_that_of_the_builder() {
    fibra::run(|| {
        let listener = TcpListener::builder().backlog(0).bind(ANY).unwrap();
        let address = listener.local_addr().unwrap();
        // Linux admits one more than the number. A further client does not get through.
        let _first = TcpStream::connect(address).unwrap();
        let second = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert_eq!(kind_of(second), ErrorKind::TimedOut);
    });
}

#[test]
fn a_stream_connects_from_the_address_that_was_chosen() {
    fibra::run(|| {
        let listener = TcpListener::bind(ANY).unwrap();
        let address = listener.local_addr().unwrap();
        let source = SocketAddr::from(([127, 0, 0, 2], 0));
        let builder = TcpStream::builder().local_addr(source).nodelay(true);
        let mut client = builder.connect(address).unwrap();
        assert!(client.nodelay().unwrap());
        let (mut server, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), source.ip());
        client.write_all(b"!").unwrap();
        server.read_exact(&mut [0]).unwrap();
        drop(builder.connect_timeout(&address, secs(10)).unwrap());
    });
}

#[test]
fn a_race_of_addresses_uses_the_options_for_each() {
    fibra::run(|| {
        let nobody = RefusingAddress::new();
        let listener = TcpListener::bind(ANY).unwrap();
        let addresses = [nobody.address, listener.local_addr().unwrap()];
        let stream = TcpStream::builder().nodelay(true).connect(&addresses[..]).unwrap();
        assert!(stream.nodelay().unwrap());
        let elsewhere = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let from_v6 = TcpStream::builder().local_addr(elsewhere);
        assert!(from_v6.connect(&addresses[..]).is_err(), "the families differ");
    });
}

#[test]
fn the_error_of_an_option_names_it() {
    fibra::run(|| {
        let error = TcpListener::builder().recv_buffer_size(usize::MAX).bind(ANY).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with("cannot set `recv_buffer_size`"), "{error}");
        let too_long = Keepalive::new().idle(secs(1 << 20));
        let error = TcpListener::builder().keepalive(too_long).bind(ANY).unwrap_err();
        assert!(error.to_string().starts_with("cannot set `keepalive`"), "{error}");
        let (stream, _other) = pair();
        assert!(stream.set_keepalive(Some(too_long)).is_err());
        assert_eq!(stream.keepalive().unwrap(), None, "not turned on");
    });
}

#[test]
fn addresses_that_cannot_be_bound_are_passed_over() {
    fibra::run(|| {
        let taken = TcpListener::bind(ANY).unwrap().local_addr().unwrap();
        let _holds = TcpListener::bind(taken).unwrap();
        let addresses = [taken, ANY.parse().unwrap()];
        let listener = TcpListener::builder().bind(&addresses[..]).unwrap();
        assert_ne!(listener.local_addr().unwrap(), taken);
        assert_eq!(kind_of(TcpListener::bind(&addresses[..1])), ErrorKind::AddrInUse);
        assert_eq!(kind_of(TcpListener::bind(&addresses[..0])), ErrorKind::InvalidInput);
        assert_eq!(kind_of(UdpSocket::bind(&addresses[..0])), ErrorKind::InvalidInput);
    });
}

#[test]
fn udp_sockets_have_options_too() {
    fibra::run(|| {
        let builder = UdpSocket::builder().reuse_port(true).recv_buffer_size(20_000);
        let first = builder.clone().send_buffer_size(30_000).bind(ANY).unwrap();
        let second = builder.reuse_address(true).bind(first.local_addr().unwrap()).unwrap();
        assert!(second.reuse_port().unwrap() && second.reuse_address().unwrap());
        assert!(!first.reuse_address().unwrap());
        assert_eq!(second.recv_buffer_size().unwrap(), 40_000);
        assert_eq!(first.send_buffer_size().unwrap(), 60_000);
        first.set_recv_buffer_size(8_192).unwrap();
        assert_eq!(first.recv_buffer_size().unwrap(), 16_384);
        let lonely = UdpSocket::bind(ANY).unwrap();
        let again = UdpSocket::builder().bind(lonely.local_addr().unwrap());
        assert_eq!(kind_of(again), ErrorKind::AddrInUse);
        let v6 = UdpSocket::builder().only_v6(true).bind((Ipv6Addr::LOCALHOST, 0));
        assert!(v6.is_ok_and(|socket| socket.only_v6().unwrap()) || !has_ipv6());
    });
}

fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

#[test]
fn builders_work_on_a_plain_thread() -> io::Result<()> {
    let listener = TcpListener::builder().nodelay(true).bind(ANY)?;
    let address = listener.local_addr()?;
    std::thread::scope(|threads| {
        let client = threads.spawn(|| TcpStream::builder().connect(address));
        let (mut stream, _) = listener.accept()?;
        stream.write_all(b"!")?;
        client.join().unwrap()?.read_exact(&mut [0])
    })
}
