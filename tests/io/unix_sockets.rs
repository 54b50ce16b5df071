//! Unix domain sockets on fibers.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::rc::Rc;

use fibra::net::{UnixDatagram, UnixListener, UnixStream};

use crate::support::net::{fill, kind_of, soon, with_path};
use crate::support::{go, ms};

#[test]
fn a_thousand_round_trips() {
    with_path(|path| {
        fibra::run(|| {
            let listener = UnixListener::bind(path).unwrap();
            let serves = fibra::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                io::copy(&mut &stream, &mut &stream).unwrap()
            });
            let mut client = UnixStream::connect(path).unwrap();
            for round in 0..1000 {
                let question = format!("{round:05}");
                client.write_all(question.as_bytes()).unwrap();
                let mut answer = [0; 5];
                soon(|| client.read_exact(&mut answer)).unwrap();
                assert_eq!(answer, question.as_bytes());
            }
            drop(client);
            assert_eq!(serves.join().unwrap(), 5000);
        });
    });
}

#[test]
fn a_connect_waits_while_the_listener_is_full() {
    with_path(|path| {
        use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
        let flags = SocketFlags::CLOEXEC;
        let full = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        net::bind(&full, &SocketAddrUnix::new(path).unwrap()).unwrap();
        net::listen(&full, 1).unwrap();
        let listener = std::os::unix::net::UnixListener::from(full);
        fibra::run(|| {
            let listener = Rc::new(UnixListener::from_std(listener).unwrap());
            let connect = || {
                let path = path.to_owned();
                fibra::spawn(move || UnixStream::connect(path).unwrap())
            };
            let clients: Vec<_> = (0..8).map(|_| connect()).collect();
            fibra::sleep(ms(5));
            assert!(clients.iter().any(|client| !client.is_finished()), "there was room for all");
            let given_up = fibra::time::timeout(ms(5), || UnixStream::connect(path));
            assert!(given_up.is_err());
            let accepted: Vec<_> = soon(|| listener.incoming().take(8).collect());
            assert!(accepted.iter().all(Result::is_ok));
            clients.into_iter().for_each(|client| drop(soon(|| client.join()).unwrap()));
        });
    });
}

#[test]
fn a_connect_that_fails_names_the_path() {
    with_path(|path| {
        let connect = || {
            let error = UnixStream::connect(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            let text = error.to_string();
            assert!(text.starts_with(&format!("cannot connect to {}: ", path.display())), "{text}");
        };
        connect();
        fibra::run(connect);
        drop(UnixListener::bind(path).unwrap());
        assert_eq!(kind_of(UnixStream::connect(path)), ErrorKind::ConnectionRefused);
        assert_eq!(kind_of(UnixListener::bind(path)), ErrorKind::AddrInUse);
        let unnamed = UnixDatagram::unbound().unwrap().local_addr().unwrap();
        assert_eq!(kind_of(UnixStream::connect_addr(&unnamed)), ErrorKind::InvalidInput);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn abstract_addresses() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    let name = format!("fibra-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let other = SocketAddr::from_abstract_name(format!("{name}-2")).unwrap();
    fibra::run(|| {
        let listener = UnixListener::bind_addr(&address).unwrap();
        let at = listener.local_addr().unwrap();
        assert_eq!(at.as_abstract_name(), Some(name.as_bytes()));
        let mut client = UnixStream::connect_addr(&address).unwrap();
        let (mut server, from) = listener.accept().unwrap();
        assert!(from.is_unnamed());
        client.write_all(b"!").unwrap();
        soon(|| server.read_exact(&mut [0])).unwrap();

        let receiver = UnixDatagram::bind_addr(&other).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to_addr(b"1", &other).unwrap();
        sender.connect_addr(&other).unwrap();
        sender.send(b"2").unwrap();
        let mut byte = [0];
        for expected in b"12" {
            soon(|| receiver.recv(&mut byte)).unwrap();
            assert_eq!(byte[0], *expected);
        }
    });
}

#[test]
fn halves_clones_options_and_std() {
    fibra::run(|| {
        let (a, mut b) = UnixStream::pair().unwrap();
        assert!(a.take_error().unwrap().is_none());
        assert!(a.peer_addr().unwrap().is_unnamed() && a.local_addr().unwrap().is_unnamed());
        let mut clone = a.try_clone().unwrap();
        let (mut reader, writer) = a.into_split();
        let reads = fibra::spawn(move || {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            reader
        });
        fibra::yield_now();
        b.write_all(b"ab").unwrap();
        let a = soon(|| reads.join()).unwrap().reunite(writer).unwrap();
        let (mut first, mut second) = ([0; 1], [0; 1]);
        let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
        assert_eq!(clone.read_vectored(&mut buffers).unwrap(), 1);
        assert_eq!(b.write_vectored(&[IoSlice::new(b"c"), IoSlice::new(b"d")]).unwrap(), 2);
        drop(clone);
        let mut a = a.into_std().unwrap();
        a.read_exact(&mut [0; 2]).unwrap();
        let a = UnixStream::from_std(a).unwrap();
        let (_, writer) = a.into_split();
        drop(writer);
        assert_eq!(soon(|| b.read(&mut [0])).unwrap(), 0);
    });
}

#[test]
fn a_shutdown_wakes_both_directions() {
    fibra::run(|| {
        let (a, _b) = UnixStream::pair().unwrap();
        fill(&a);
        let a = Rc::new(a);
        let (reader, writer) = (a.clone(), a.clone());
        let reads = fibra::spawn(move || (&*reader).read(&mut [0]));
        let writes = fibra::spawn(move || (&*writer).write(b"!"));
        fibra::yield_now();
        a.shutdown(Shutdown::Both).unwrap();
        assert_eq!(soon(|| reads.join()).unwrap().unwrap(), 0);
        assert_eq!(kind_of(soon(|| writes.join()).unwrap()), ErrorKind::BrokenPipe);
    });
}

#[test]
fn time_limits_of_a_stream() {
    fibra::run(|| {
        let (mut a, mut b) = UnixStream::pair().unwrap();
        a.set_read_timeout(Some(ms(3))).unwrap();
        a.set_write_timeout(Some(ms(3))).unwrap();
        let began = fibra::now();
        assert_eq!(kind_of(a.read(&mut [0])), ErrorKind::TimedOut);
        fill(&a);
        assert_eq!(kind_of(a.write(b"!")), ErrorKind::TimedOut);
        assert!(ms(6) <= fibra::now() - began);
        b.write_all(b"late").unwrap();
        soon(|| a.read_exact(&mut [0; 4])).unwrap();
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn a_read_goes_on_behind_a_message_with_descriptors() {
    fibra::run(|| {
        let (mut a, b) = UnixStream::pair().unwrap();
        let reads = fibra::spawn(move || {
            let mut got = Vec::new();
            let mut buffer = [0; 64];
            while got.len() < 6 {
                let length = a.read(&mut buffer).unwrap();
                got.extend_from_slice(&buffer[..length]);
            }
            got
        });
        fibra::yield_now();
        (&b).write_all(b"ab").unwrap();
        assert_eq!(b.send_fds(b"cd", &[b.as_fd()]).unwrap(), 2);
        (&b).write_all(b"ef").unwrap();
        assert_eq!(soon(|| reads.join()).unwrap(), b"abcdef");
    });
}

#[test]
fn descriptors_are_passed_on_with_data() {
    fibra::run(|| {
        let (a, b) = UnixStream::pair().unwrap();
        let (c, mut d) = UnixStream::pair().unwrap();
        let receives = fibra::spawn(move || {
            let (mut buffer, mut fds, mut lengths) = ([0; 8], Vec::new(), Vec::new());
            while let length @ 1.. = b.recv_fds(&mut buffer, &mut fds).unwrap() {
                lengths.push((length, fds.len()));
            }
            (lengths, fds)
        });
        fibra::yield_now();
        a.send_fds(b"two", &[c.as_fd(), d.as_fd()]).unwrap();
        a.send_fds(b"none", &[]).unwrap();
        a.send_fds(b"!", &vec![c.as_fd(); 253]).unwrap();
        assert_eq!(kind_of(a.send_fds(b"!", &vec![c.as_fd(); 254])), ErrorKind::InvalidInput);
        assert_eq!(kind_of(a.send_fds(b"", &[c.as_fd()])), ErrorKind::InvalidInput);
        drop((a, c));
        let (lengths, mut fds) = soon(|| receives.join()).unwrap();
        let bytes: usize = lengths.iter().map(|(length, _)| length).sum();
        assert_eq!((bytes, lengths[0], fds.len()), (8, (3, 2), 255), "{lengths:?}");
        fds.truncate(1);
        let c = UnixStream::from_std(fds.remove(0).into()).unwrap();
        go(move || (&c).write_all(b"through").unwrap());
        let mut text = String::new();
        soon(|| d.read_to_string(&mut text)).unwrap();
        assert_eq!(text, "through");
    });
}

#[test]
fn a_message_with_descriptors_waits_for_room_and_has_limits() {
    fibra::run(|| {
        let (a, b) = UnixStream::pair().unwrap();
        a.set_write_timeout(Some(ms(3))).unwrap();
        b.set_read_timeout(Some(ms(3))).unwrap();
        let mut fds = Vec::new();
        assert_eq!(kind_of(b.recv_fds(&mut [0], &mut fds)), ErrorKind::TimedOut);
        fill(&a);
        assert_eq!(kind_of(a.send_fds(b"!", &[a.as_fd()])), ErrorKind::TimedOut);
        assert!(fds.is_empty());
    });
}

#[test]
fn datagrams_keep_their_order_and_their_borders() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        go(move || {
            for length in 0..2000usize {
                assert_eq!(b.send(&vec![b'x'; length % 100]).unwrap(), length % 100);
            }
        });
        let mut buffer = [0; 128];
        for length in 0..2000 {
            assert_eq!(soon(|| a.recv(&mut buffer)).unwrap(), length % 100);
        }
    });
}

/// Sends more messages than a queue holds to a receiver that begins late.
fn flood(connected: bool) {
    const MESSAGES: u16 = 500;
    with_path(|path| {
        fibra::run(|| {
            let receiver = UnixDatagram::bind(path).unwrap();
            let (sender, path) = (UnixDatagram::unbound().unwrap(), path.to_owned());
            let sends = fibra::spawn(move || {
                if connected {
                    sender.connect(&path).unwrap();
                }
                for number in 0..MESSAGES {
                    let data = number.to_ne_bytes();
                    let sent =
                        if connected { sender.send(&data) } else { sender.send_to(&data, &path) };
                    assert_eq!(sent.unwrap(), 2);
                }
            });
            fibra::sleep(ms(5));
            assert!(!sends.is_finished(), "the queue holds all of them");
            let mut data = [0; 2];
            for number in 0..MESSAGES {
                let (length, from) = soon(|| receiver.recv_from(&mut data)).unwrap();
                assert_eq!((length, u16::from_ne_bytes(data)), (2, number));
                assert!(from.is_unnamed());
            }
            sends.join().unwrap();
        });
    });
}

#[test]
fn a_sender_waits_for_a_receiver_that_it_is_connected_to() {
    flood(true);
}

#[test]
fn a_sender_waits_for_a_receiver_that_it_is_not_connected_to() {
    flood(false);
}

#[test]
fn a_plain_thread_waits_for_a_receiver_that_it_is_not_connected_to() {
    with_path(|path| {
        let receiver = UnixDatagram::bind(path).unwrap();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                let sender = UnixDatagram::unbound().unwrap();
                (0..300).for_each(|_| assert_eq!(sender.send_to(b"!", path).unwrap(), 1));
            });
            (0..300).for_each(|_| assert_eq!(receiver.recv(&mut [0]).unwrap(), 1));
        });
    });
}

#[test]
fn time_limits_of_datagrams() {
    with_path(|path| {
        let try_all = || {
            let (a, b) = UnixDatagram::pair().unwrap();
            a.set_read_timeout(Some(ms(3))).unwrap();
            assert_eq!(kind_of(a.recv(&mut [0])), ErrorKind::TimedOut);
            assert_eq!(kind_of(a.recv_from(&mut [0])), ErrorKind::TimedOut);
            a.set_write_timeout(Some(ms(3))).unwrap();
            let error = (0..).find_map(|_| a.send(b"!").err()).unwrap();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let _receiver = UnixDatagram::bind(path).unwrap();
            let sender = UnixDatagram::unbound().unwrap();
            sender.set_write_timeout(Some(ms(3))).unwrap();
            let error = (0..).find_map(|_| sender.send_to(b"!", path).err()).unwrap();
            assert_eq!(error.to_string(), "timed out while sending to a Unix datagram socket");
            drop(b);
            std::fs::remove_file(path).unwrap();
        };
        try_all();
        fibra::run(|| {
            try_all();
            assert_eq!(fibra::stats().timers, 0);
        });
    });
}

#[test]
fn datagram_sockets_are_cloned_shut_down_and_given_to_std() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        assert!(a.peer_addr().unwrap().is_unnamed());
        assert!(a.take_error().unwrap().is_none());
        let clone = a.try_clone().unwrap();
        let receives = fibra::spawn(move || clone.recv(&mut [0; 4]));
        fibra::yield_now();
        a.shutdown(Shutdown::Read).unwrap();
        assert_eq!(soon(|| receives.join()).unwrap().unwrap(), 0);
        let (length, from) = soon(|| a.recv_from(&mut [0; 4])).unwrap();
        assert!(length == 0 && from.is_unnamed());
        let b = UnixDatagram::from_std(b.into_std().unwrap()).unwrap();
        assert_eq!(kind_of(b.send(b"!")), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_listener_is_cloned_and_given_to_std() {
    with_path(|path| {
        fibra::run(|| {
            let listener = UnixListener::bind(path).unwrap();
            assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(path));
            assert!(listener.take_error().unwrap().is_none());
            let clone = listener.try_clone().unwrap();
            let accepts = fibra::spawn(move || clone.accept().map(drop));
            fibra::yield_now();
            let _client = UnixStream::connect(path).unwrap();
            soon(|| accepts.join()).unwrap().unwrap();
            let listener: std::os::unix::net::UnixListener = listener.try_into().unwrap();
            let listener = UnixListener::try_from(listener).unwrap();
            let _client = UnixStream::connect(path).unwrap();
            assert!(soon(|| (&listener).into_iter().next()).unwrap().is_ok());
        });
    });
}
