//! UDP on fibers.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::rc::Rc;

use fibra::net::UdpSocket;

use crate::support::net::{kind_of, soon};
use crate::support::{go, ms};

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

/// Creates two sockets that are connected to each other.
fn connected() -> (UdpSocket, UdpSocket) {
    let (a, b) = (socket(), socket());
    a.connect(b.local_addr().unwrap()).unwrap();
    b.connect(a.local_addr().unwrap()).unwrap();
    (a, b)
}

#[test]
fn a_datagram_goes_there_and_back() {
    fibra::run(|| {
        let (client, server) = (socket(), socket());
        let address = server.local_addr().unwrap();
        let serves = fibra::spawn(move || {
            let mut buffer = [0; 16];
            for _ in 0..100 {
                let (length, from) = server.recv_from(&mut buffer).unwrap();
                assert_eq!(server.send_to(&buffer[..length], from).unwrap(), length);
            }
        });
        for round in 0..100 {
            let question = format!("{round}");
            client.send_to(question.as_bytes(), address).unwrap();
            let mut buffer = [0; 16];
            let (length, from) = soon(|| client.recv_from(&mut buffer)).unwrap();
            assert_eq!((&buffer[..length], from), (question.as_bytes(), address));
        }
        serves.join().unwrap();
    });
}

#[test]
fn connected_sockets_send_and_receive() {
    fibra::run(|| {
        let (a, b) = connected();
        assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
        go(move || b.send(b"hello").unwrap());
        let mut buffer = [0; 3];
        assert_eq!(soon(|| a.recv(&mut buffer)).unwrap(), 3);
        assert_eq!(&buffer, b"hel"); // the rest is lost
    });
}

#[test]
fn a_datagram_may_be_empty() {
    fibra::run(|| {
        let (a, b) = connected();
        go(move || assert_eq!(b.send(b"").unwrap(), 0));
        assert_eq!(soon(|| a.recv(&mut [0])).unwrap(), 0);
    });
}

#[test]
fn a_peek_waits_and_takes_nothing() {
    fibra::run(|| {
        let (a, b) = connected();
        let from = b.local_addr().unwrap();
        go(move || b.send(b"!").unwrap());
        let mut byte = [0];
        assert_eq!(soon(|| a.peek(&mut byte)).unwrap(), 1);
        assert_eq!(soon(|| a.peek_from(&mut byte)).unwrap(), (1, from));
        assert_eq!(soon(|| a.recv(&mut byte)).unwrap(), 1);
        a.set_read_timeout(Some(ms(2))).unwrap();
        assert_eq!(kind_of(a.recv(&mut byte)), ErrorKind::TimedOut);
        assert_eq!(kind_of(a.peek(&mut byte)), ErrorKind::TimedOut);
    });
}

#[test]
fn a_limit_is_kept_and_what_comes_later_is_received() {
    fibra::run(|| {
        let (a, b) = connected();
        a.set_read_timeout(Some(ms(3))).unwrap();
        a.set_write_timeout(Some(ms(4))).unwrap();
        assert_eq!(a.write_timeout().unwrap(), Some(ms(4)));
        let began = fibra::now();
        let error = a.recv_from(&mut [0]).unwrap_err();
        assert_eq!(error.to_string(), "timed out while receiving from a UDP socket");
        assert!(ms(3) <= fibra::now() - began);
        b.send(b"late").unwrap();
        a.set_read_timeout(None).unwrap();
        assert_eq!(soon(|| a.recv(&mut [0; 8])).unwrap(), 4);
    });
}

#[test]
fn a_datagram_that_is_refused_is_an_error_of_the_next_receive() {
    fibra::run(|| {
        let (a, b) = connected();
        drop(b);
        a.send(b"anybody?").unwrap();
        assert_eq!(kind_of(soon(|| a.recv(&mut [0]))), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn each_datagram_is_received_once_and_the_first_reader_is_served_first() {
    fibra::run(|| {
        let (a, b) = connected();
        let a = Rc::new(a);
        let receivers: Vec<_> = (0..10u8)
            .map(|_| {
                let a = a.clone();
                fibra::spawn(move || {
                    let mut byte = [0];
                    a.recv(&mut byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        fibra::yield_now();
        for byte in 0..10u8 {
            b.send(&[byte]).unwrap();
        }
        let got: Vec<_> = receivers.into_iter().map(|r| soon(|| r.join()).unwrap()).collect();
        assert_eq!(got, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_clone_is_the_same_socket() {
    fibra::run(|| {
        let (a, b) = connected();
        let clone = a.try_clone().unwrap();
        let receives = fibra::spawn(move || clone.recv(&mut [0; 8]));
        fibra::yield_now();
        drop(a);
        b.send(b"four").unwrap();
        assert_eq!(soon(|| receives.join()).unwrap().unwrap(), 4);
    });
}

#[test]
fn options_are_those_of_the_socket() {
    let socket = socket();
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    socket.set_ttl(41).unwrap();
    assert_eq!(socket.ttl().unwrap(), 41);
    socket.set_multicast_loop_v4(false).unwrap();
    assert!(!socket.multicast_loop_v4().unwrap());
    socket.set_multicast_ttl_v4(42).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 42);
    assert!(socket.take_error().unwrap().is_none());
    assert!(socket.peer_addr().is_err());
    let group = Ipv4Addr::new(224, 0, 0, 251);
    // There may be no network with multicast.
    if socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).is_ok() {
        socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
    }
}

#[test]
fn to_std_and_back() {
    let (a, b) = connected();
    let a = a.into_std().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| a.recv(&mut [0]).unwrap()); // the socket is in blocking mode
        b.send(b"1").unwrap();
    });
    let a = UdpSocket::from_std(a).unwrap();
    a.set_read_timeout(Some(ms(2))).unwrap();
    let error = a.recv(&mut [0]).unwrap_err(); // this call blocks too, on a plain thread
    assert_eq!(error.to_string(), "timed out while receiving from a UDP socket");
}

#[test]
fn a_send_without_an_address_is_an_error() {
    fibra::run(|| {
        assert_eq!(kind_of(socket().send_to(b"", &[][..])), ErrorKind::InvalidInput);
        assert!(socket().send(b"not connected").is_err());
    });
}
