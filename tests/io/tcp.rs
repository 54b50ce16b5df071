//! TCP streams and listeners on fibers.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};

use crate::support::net::{RefusingAddress, fill, kind_of, pair, soon};
use crate::support::{measure_until, ms};

#[test]
fn a_thousand_round_trips_on_one_thread() {
    fibra::run(|| {
        let (mut client, server) = pair();
        let echo = fibra::spawn(move || io::copy(&mut &server, &mut &server).unwrap());
        let mut answer = [0; 5];
        for round in 0..1000 {
            let question = format!("{round:05}");
            client.write_all(question.as_bytes()).unwrap();
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, question.as_bytes());
        }
        drop(client);
        assert_eq!(echo.join().unwrap(), 5000);
    });
}

#[test]
fn what_does_not_fit_waits_until_the_other_side_reads() {
    fibra::run(|| {
        let (client, mut server) = pair();
        let data: Vec<u8> = (0..20_000_000u32).map(|i| (i % 251) as u8).collect();
        let expected = data.clone();
        let writes = fibra::spawn(move || (&client).write_all(&data));
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        assert!(got == expected);
        writes.join().unwrap().unwrap();
    });
}

#[test]
fn a_peek_waits_and_takes_nothing() {
    fibra::run(|| {
        let (mut client, mut server) = pair();
        let write = fibra::spawn(move || client.write_all(b"abc"));
        let mut seen = [0; 2];
        assert_eq!(soon(|| server.peek(&mut seen)).unwrap(), 2);
        assert_eq!(server.peek(&mut seen).unwrap(), 2);
        assert_eq!(&seen, b"ab");
        write.join().unwrap().unwrap();
        let mut text = String::new();
        soon(|| server.read_to_string(&mut text)).unwrap();
        assert_eq!(text, "abc");
    });
}

#[test]
fn a_shutdown_wakes_the_reader() {
    fibra::run(|| {
        let (client, _server) = pair();
        let client = Rc::new(client);
        let reader = client.clone();
        let reads = fibra::spawn(move || (&*reader).read(&mut [0]));
        fibra::yield_now();
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(soon(|| reads.join()).unwrap().unwrap(), 0);
    });
}

#[test]
fn a_shutdown_wakes_the_writer() {
    fibra::run(|| {
        let (client, _server) = pair();
        fill(&client);
        let client = Rc::new(client);
        let writer = client.clone();
        let writes = fibra::spawn(move || kind_of((&*writer).write_all(&[0; 10_000_000])));
        fibra::yield_now();
        client.shutdown(Shutdown::Both).unwrap();
        assert_eq!(soon(|| writes.join()).unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn an_event_for_the_writer_leaves_the_reader_waiting_for_the_next() {
    fibra::run(|| {
        let (client, mut server) = pair();
        fill(&client);
        let client = Rc::new(client);
        let (reader, writer) = (client.clone(), client.clone());
        let reads = fibra::spawn(move || (&*reader).read_exact(&mut [0]));
        let writes = fibra::spawn(move || (&*writer).write_all(b"!"));
        fibra::yield_now();
        let mut buffer = vec![0; 65_536];
        soon(|| {
            while !writes.is_finished() {
                assert_ne!(server.read(&mut buffer).unwrap(), 0);
                fibra::yield_now();
            }
        });
        assert!(!reads.is_finished());
        server.write_all(b"!").unwrap();
        soon(|| reads.join()).unwrap().unwrap();
    });
}

#[test]
fn one_direction_ends_and_the_other_goes_on() {
    fibra::run(|| {
        let (mut client, mut server) = pair();
        let serves = fibra::spawn(move || {
            let mut question = String::new();
            server.read_to_string(&mut question).unwrap();
            fibra::yield_now();
            server.write_all(question.to_uppercase().as_bytes()).unwrap();
        });
        client.write_all(b"loud").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(kind_of(client.write(b"!")), ErrorKind::BrokenPipe);
        let mut answer = String::new();
        soon(|| client.read_to_string(&mut answer)).unwrap();
        assert_eq!(answer, "LOUD");
        serves.join().unwrap();
    });
}

#[test]
fn several_buffers_at_once() {
    fibra::run(|| {
        let (mut client, mut server) = pair();
        let write = fibra::spawn(move || {
            client.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")])
        });
        let (mut first, mut second) = ([0; 3], [0; 8]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(soon(|| server.read_vectored(&mut buffers)).unwrap(), 5);
        assert_eq!((&first, &second[..2]), (b"abc", &b"de"[..]));
        assert_eq!(write.join().unwrap().unwrap(), 5);
        server.flush().unwrap();
    });
}

#[test]
fn a_clone_is_the_same_connection() {
    fibra::run(|| {
        let (mut client, server) = pair();
        client.set_read_timeout(Some(ms(5))).unwrap();
        let mut clone = client.try_clone().unwrap();
        assert_eq!(clone.read_timeout().unwrap(), Some(ms(5)));
        clone.set_read_timeout(None).unwrap();
        assert_eq!(client.read_timeout().unwrap(), Some(ms(5)));
        assert_ne!(client.as_raw_fd(), clone.as_raw_fd());
        let echo = fibra::spawn(move || io::copy(&mut &server, &mut &server));
        let reads = fibra::spawn(move || {
            let mut text = String::new();
            clone.read_to_string(&mut text).unwrap();
            text
        });
        fibra::yield_now();
        client.write_all(b"through the other").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        drop(client);
        assert_eq!(soon(|| reads.join()).unwrap(), "through the other");
        echo.join().unwrap().unwrap();
    });
}

#[test]
fn halves_read_and_write_and_are_put_together_again() {
    fibra::run(|| {
        let (client, server) = pair();
        let echo = fibra::spawn(move || io::copy(&mut &server, &mut &server).unwrap());
        let (mut reader, mut writer) = client.into_split();
        let reads = fibra::spawn(move || {
            let mut word = [0; 4];
            reader.read_exact(&mut word).unwrap();
            (reader, word)
        });
        writer.write_all(b"half").unwrap();
        let (reader, word) = soon(|| reads.join()).unwrap();
        assert_eq!(&word, b"half");
        let (other, _its_peer) = pair();
        let (other_reader, other_writer) = other.into_split();
        let error = reader.reunite(other_writer).unwrap_err();
        assert_eq!(error.to_string(), "the two halves belong to different streams");
        let client = error.0.reunite(writer).unwrap();
        drop((other_reader, error.1));
        let (mut reader, writer) = client.into_split();
        drop(writer); // sends the end of the stream
        assert_eq!(soon(|| echo.join()).unwrap(), 4);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn options_are_those_of_the_socket() {
    fibra::run(|| {
        let (client, server) = pair();
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        client.set_ttl(41).unwrap();
        assert_eq!(client.ttl().unwrap(), 41);
        assert_eq!(client.local_addr().unwrap(), server.peer_addr().unwrap());
        assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
        assert!(client.take_error().unwrap().is_none());
        assert!(format!("{client:?}").starts_with("TcpStream"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_ttl(42).unwrap();
        assert_eq!(listener.try_clone().unwrap().ttl().unwrap(), 42);
        assert!(listener.take_error().unwrap().is_none());
    });
}

#[test]
fn to_std_and_back() {
    fibra::run(|| {
        let (client, mut server) = pair();
        server.write_all(b"abc").unwrap();
        let mut client = client.into_std().unwrap();
        client.read_exact(&mut [0; 2]).unwrap(); // the socket is in blocking mode
        let mut client = TcpStream::from_std(client).unwrap();
        client.set_read_timeout(Some(ms(2))).unwrap();
        client.read_exact(&mut [0]).unwrap();
        assert_eq!(kind_of(client.read(&mut [0])), ErrorKind::TimedOut);
        drop(OwnedFd::from(client));
        assert_eq!(soon(|| server.read(&mut [0])).unwrap(), 0);
    });
}

#[test]
fn a_read_that_times_out_loses_nothing() {
    fibra::run(|| {
        let (mut client, mut server) = pair();
        server.set_read_timeout(Some(ms(3))).unwrap();
        let began = fibra::now();
        let error = server.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "timed out while reading from a TCP stream");
        assert!(ms(3) <= fibra::now() - began);
        client.write_all(b"late").unwrap();
        let mut word = [0; 4];
        server.set_read_timeout(None).unwrap();
        soon(|| server.read_exact(&mut word)).unwrap();
        assert_eq!(&word, b"late");
        assert_eq!(kind_of(server.set_read_timeout(Some(Duration::ZERO))), ErrorKind::InvalidInput);
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn a_write_that_times_out_has_written_nothing() {
    fibra::run(|| {
        let (mut client, mut server) = pair();
        fill(&client);
        client.set_write_timeout(Some(ms(3))).unwrap();
        assert_eq!(client.write_timeout().unwrap(), Some(ms(3)));
        assert_eq!(kind_of(client.write(b"lost?")), ErrorKind::TimedOut);
        drop(client);
        let mut got = Vec::new();
        soon(|| server.read_to_end(&mut got)).unwrap();
        assert!(!got.contains(&b'l'));
    });
}

#[test]
fn a_limit_around_the_conversation_ends_the_wait_in_it() {
    fibra::run(|| {
        let (mut client, mut server) = pair();
        assert!(fibra::time::timeout(ms(3), || server.read(&mut [0])).is_err());
        client.write_all(b"!").unwrap();
        soon(|| server.read_exact(&mut [0])).unwrap();
    });
}

#[test]
fn a_refused_connection_names_the_address() {
    let refusing = RefusingAddress::new();
    let address = refusing.address;
    let connect = || {
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot connect to {address}: ")), "{text}");
        assert_eq!(kind_of(TcpStream::connect(&[][..])), ErrorKind::InvalidInput);
    };
    connect();
    fibra::run(connect);
}

/// A listener that no longer answers, and the sockets that keep it busy.
struct Blackhole {
    address: SocketAddr,
    _socket: OwnedFd,
    _queued: Vec<OwnedFd>,
}

fn blackhole() -> Blackhole {
    use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
    let socket = || {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
    };
    let listener = socket();
    net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    net::listen(&listener, 0).unwrap();
    let address = SocketAddr::try_from(net::getsockname(&listener).unwrap()).unwrap();
    // Its queue holds one or two; further connection requests are dropped.
    let queued = (0..4).map(|_| {
        let client = socket();
        let _ = net::connect(&client, &address);
        client
    });
    Blackhole { address, _queued: queued.collect(), _socket: listener }
}

#[test]
fn an_address_that_does_not_answer_is_given_up_in_time() {
    let blackhole = blackhole();
    let connect = || {
        let error = TcpStream::connect_timeout(&blackhole.address, ms(20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains(&blackhole.address.to_string()), "{error}");
        let zero = TcpStream::connect_timeout(&blackhole.address, Duration::ZERO);
        assert_eq!(kind_of(zero), ErrorKind::InvalidInput);
    };
    connect();
    fibra::run(connect);
}

#[test]
fn of_several_addresses_a_dead_one_holds_up_the_others_for_a_moment_only() {
    fibra::run(|| {
        let blackhole = blackhole();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = listener.local_addr().unwrap();
        let began = fibra::now();
        let client = TcpStream::connect(&[blackhole.address, alive][..]).unwrap();
        let took = fibra::now() - began;
        assert_eq!(client.peer_addr().unwrap(), alive);
        assert!(ms(240) < took && took < ms(5000), "{took:?}");
        assert_eq!(fibra::stats().fibers, 1, "the other attempt has ended");
        drop(listener.accept().unwrap());
    });
}

#[test]
fn of_several_addresses_one_that_refuses_holds_up_none() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let alive = listener.local_addr().unwrap();
        let refusing = RefusingAddress::new();
        let connect = || {
            let began = fibra::now();
            let addresses = [refusing.address, refusing.address, alive];
            let client = TcpStream::connect(&addresses[..]).unwrap();
            assert_eq!(client.peer_addr().unwrap(), alive);
            fibra::now() - began
        };
        measure_until(|took| *took < ms(240), connect);
        let error = TcpStream::connect(&[refusing.address, refusing.address][..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_connect_that_is_killed_takes_its_attempts_along() {
    fibra::run(|| {
        let (one, other) = (blackhole(), blackhole());
        let addresses = [one.address, other.address];
        let connects = fibra::spawn(move || TcpStream::connect(&addresses[..]).map(drop));
        fibra::sleep(ms(1));
        connects.kill();
        assert!(soon(|| connects.join()).is_err());
        assert_eq!(fibra::stats().fibers, 1);
        let limited = fibra::time::timeout(ms(3), || TcpStream::connect(&addresses[..]));
        assert!(limited.is_err());
        assert_eq!(fibra::stats().fibers, 1);
    });
}

#[test]
fn connections_that_came_before_are_accepted() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..10).map(|_| TcpStream::connect(address).unwrap()).collect();
        let ports: Vec<_> = soon(|| {
            let incoming = listener.incoming().take(10);
            incoming.map(|stream| stream.unwrap().peer_addr().unwrap()).collect()
        });
        let expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        assert_eq!(ports, expected);
    });
}

#[test]
fn a_listener_goes_to_std_and_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap().into_std().unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(move || listener.accept().unwrap()); // the socket is in blocking mode
        std::net::TcpStream::connect(address).unwrap();
    });
}
