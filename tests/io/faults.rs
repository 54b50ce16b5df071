//! Faults of sockets: resets, no descriptors left, kills and time limits in every call.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use fibra::JoinError;
use fibra::io::{Waitable, wait_readable, wait_writable};
use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

use crate::support::net::{
    RefusingAddress, SocketPath, check_end, fill, kind_of, open_fds, pair, soon, with_path,
    yield_until,
};
use crate::support::{in_child, ms, name_of, stderr};

/// A call that waits, and the action after which one of the waiting fibers continues.
struct Call {
    wait: Rc<dyn Fn()>,
    feed: Box<dyn FnOnce()>,
}

fn call(wait: impl Fn() + 'static, feed: impl FnOnce() + 'static) -> Call {
    Call { wait: Rc::new(wait), feed: Box::new(feed) }
}

/// Creates a call that waits for data: one side waits, and the other side sends a byte.
fn reading<S: 'static, P: AsFd + 'static>(
    (socket, peer): (S, P),
    wait: impl Fn(&S) -> std::io::Result<usize> + 'static,
) -> Call {
    let feed = move || assert_eq!(rustix::io::write(&peer, b"!"), Ok(1));
    call(move || assert_eq!(wait(&socket).unwrap(), 1), feed)
}

/// Creates a call that waits for room: one side is full, and the other side reads everything.
fn writing<S: AsFd + 'static, P: AsFd + 'static>(
    (socket, peer): (S, P),
    wait: impl Fn(&S) -> std::io::Result<usize> + 'static,
) -> Call {
    let mut zeros = vec![0; 65_536];
    while 1 < zeros.len() {
        // Writes become smaller and smaller, so that in the end not even one byte fits.
        while rustix::io::write(&socket, &zeros).is_ok() {}
        zeros.truncate(zeros.len() / 2);
    }
    while rustix::io::write(&socket, b"!").is_ok() {}
    rustix::io::ioctl_fionbio(&peer, true).unwrap();
    let feed = move || {
        let mut buffer = [0; 65_536];
        while matches!(rustix::io::read(&peer, &mut buffer), Ok(1..)) {}
        std::mem::forget(peer); // it must stay open; the process is a child
    };
    call(move || assert_eq!(wait(&socket).unwrap(), 1), feed)
}

fn pipe() -> (Waitable<std::io::PipeReader>, Waitable<std::io::PipeWriter>) {
    let (reader, writer) = std::io::pipe().unwrap();
    (Waitable::new(reader).unwrap(), Waitable::new(writer).unwrap())
}

fn epip() -> (Waitable<std::io::PipeWriter>, Waitable<std::io::PipeReader>) {
    let (reader, writer) = pipe();
    (writer, reader)
}

fn udp() -> (UdpSocket, UdpSocket) {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let (a, b) = (socket(), socket());
    a.connect(b.local_addr().unwrap()).unwrap();
    b.connect(a.local_addr().unwrap()).unwrap();
    (a, b)
}

fn unix() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

fn messages() -> (UnixDatagram, UnixDatagram) {
    UnixDatagram::pair().unwrap()
}

type MakesCall = (&'static str, fn() -> Call);

const CALLS: &[MakesCall] = &[
    ("TcpStream::read", || reading(pair(), |mut s| s.read(&mut [0]))),
    ("TcpStream::read_vectored", || {
        reading(pair(), |mut s| s.read_vectored(&mut [IoSliceMut::new(&mut [0])]))
    }),
    ("TcpStream::write", || writing(pair(), |mut s| s.write(b"!"))),
    ("TcpStream::write_vectored", || {
        writing(pair(), |mut s| s.write_vectored(&[IoSlice::new(b"!")]))
    }),
    ("TcpStream::peek", || reading(pair(), |s| s.peek(&mut [0]))),
    ("TcpListener::accept", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        call(
            move || drop(listener.accept().unwrap()),
            move || drop(StdStream::connect(address).unwrap()),
        )
    }),
    ("UdpSocket::recv", || reading(udp(), |s| s.recv(&mut [0]))),
    ("UdpSocket::recv_from", || reading(udp(), |s| Ok(s.recv_from(&mut [0])?.0))),
    ("UdpSocket::peek", || reading(udp(), |s| s.peek(&mut [0]))),
    ("UdpSocket::peek_from", || reading(udp(), |s| Ok(s.peek_from(&mut [0])?.0))),
    ("UnixStream::read", || reading(unix(), |mut s| s.read(&mut [0]))),
    ("UnixStream::read_vectored", || {
        reading(unix(), |mut s| s.read_vectored(&mut [IoSliceMut::new(&mut [0])]))
    }),
    ("UnixStream::write", || writing(unix(), |mut s| s.write(b"!"))),
    ("UnixStream::write_vectored", || {
        writing(unix(), |mut s| s.write_vectored(&[IoSlice::new(b"!")]))
    }),
    ("UnixStream::recv_fds", || reading(unix(), |s| s.recv_fds(&mut [0], &mut Vec::new()))),
    ("UnixStream::send_fds", || writing(unix(), |s| s.send_fds(b"!", &[s.as_fd()]))),
    ("UnixListener::accept", || {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        let feed = move || drop(std::os::unix::net::UnixStream::connect(&path.0).unwrap());
        call(move || drop(listener.accept().unwrap()), feed)
    }),
    ("UnixDatagram::recv", || reading(messages(), |s| s.recv(&mut [0]))),
    ("UnixDatagram::recv_from", || reading(messages(), |s| Ok(s.recv_from(&mut [0])?.0))),
    ("UnixDatagram::send", || writing(messages(), |s| s.send(b"!"))),
    ("UnixDatagram::send_to", || {
        let path = SocketPath::new();
        let receiver = UnixDatagram::bind(&path.0).unwrap();
        let sender = UnixDatagram::unbound().unwrap().into_std().unwrap();
        sender.set_nonblocking(true).unwrap();
        while sender.send_to(b"!", &path.0).is_ok() {}
        let sender = UnixDatagram::from_std(sender).unwrap();
        let feed = move || {
            while rustix::io::read(&receiver, &mut [0; 8]).is_ok() {}
            std::mem::forget(receiver);
        };
        call(move || assert_eq!(sender.send_to(b"!", &path.0).unwrap(), 1), feed)
    }),
    ("Waitable::read", || reading(pipe(), |mut s| s.read(&mut [0]))),
    ("Waitable::write", || writing(epip(), |mut s| s.write(b"!"))),
    ("Waitable::read_with", || reading(pipe(), |s| s.read_with(|mut s| s.read(&mut [0])))),
    ("Waitable::write_with", || writing(epip(), |s| s.write_with(|mut s| s.write(b"!")))),
    ("Waitable::wait_readable", || reading(pipe(), |s| s.wait_readable().map(|()| 1))),
    ("Waitable::wait_writable", || writing(epip(), |s| s.wait_writable().map(|()| 1))),
    ("a Waitable of a Waitable", || {
        let (outer, writer) = pipe();
        // The outer one then has the descriptor, and the inner one needs a duplicate.
        let read = || (&outer).read(&mut [0]);
        assert!(fibra::time::timeout(ms(1), read).is_err());
        reading((outer, writer), |outer| {
            Waitable::new(outer)?.read_with(|fd| Ok(rustix::io::read(fd, &mut [0; 1])?))
        })
    }),
    ("io::wait_readable of a Waitable", || {
        let (outer, writer) = pipe();
        let read = || (&outer).read(&mut [0]);
        assert!(fibra::time::timeout(ms(1), read).is_err());
        reading((outer, writer), |outer| wait_readable(outer).map(|()| 1))
    }),
    ("io::wait_readable", || reading(pipe(), |s| wait_readable(s.get_ref()).map(|()| 1))),
    ("io::wait_writable", || writing(epip(), |s| wait_writable(s.get_ref()).map(|()| 1))),
];

/// Checks that every call leaves as many descriptors open as before, after `cut_short`.
fn leaves_no_descriptor(test: &str, cut_short: fn(&str, Rc<dyn Fn()>)) {
    let output = in_child(test, &[], || {
        fibra::run(|| {
            drop(pair()); // opens the poller
            fibra::time::timeout(ms(1), || wait_readable(pipe().0)).unwrap_err();
            for &(name, make) in CALLS {
                let before = open_fds();
                let Call { wait, feed } = make();
                cut_short(name, wait);
                drop(feed);
                assert_eq!(open_fds(), before, "{name}");
                assert_eq!(fibra::stats().timers, 0, "{name}");
            }
        });
    });
    check_end(&output);
}

#[test]
fn a_kill_in_any_call_leaves_no_descriptor() {
    leaves_no_descriptor(name_of!(a_kill_in_any_call_leaves_no_descriptor), |name, wait| {
        let waits = fibra::spawn(move || wait());
        (0..3).for_each(|_| fibra::yield_now());
        assert!(!waits.is_finished(), "{name} does not wait");
        waits.kill();
        assert!(matches!(waits.join(), Err(JoinError::Killed)), "{name}");
    });
}

#[test]
fn a_time_limit_around_any_call_leaves_no_descriptor() {
    let test = name_of!(a_time_limit_around_any_call_leaves_no_descriptor);
    leaves_no_descriptor(test, |name, wait| {
        assert!(fibra::time::timeout(ms(2), || wait()).is_err(), "{name}");
    });
}

#[test]
fn when_the_first_in_line_is_killed_the_next_goes_on() {
    let output = in_child(name_of!(when_the_first_in_line_is_killed_the_next_goes_on), &[], || {
        // Killed before the event, after it, and timed out.
        for how in 0..3 {
            fibra::run(|| {
                for &(name, make) in CALLS {
                    let Call { wait, feed } = make();
                    let waits = || {
                        let wait = wait.clone();
                        fibra::spawn(move || wait())
                    };
                    let limited = wait.clone();
                    let first = match how {
                        2 => fibra::spawn(move || {
                            let _ = fibra::time::timeout(ms(2), || limited());
                        }),
                        _ => waits(),
                    };
                    fibra::yield_now();
                    let next = waits();
                    fibra::yield_now();
                    match how {
                        0 => first.kill(),
                        1 => {}
                        _ => yield_until(|| first.is_finished()),
                    }
                    feed();
                    if how == 1 {
                        first.kill();
                    }
                    let first = first.join();
                    // An operation that has its data before the kill is complete: the kill is too
                    // late, and the byte is consumed. A wait for readiness consumes nothing.
                    if how != 1 || first.is_err() {
                        soon(|| next.join()).unwrap_or_else(|error| panic!("{name}: {error}"));
                    } else {
                        next.kill();
                        let _ = next.join();
                    }
                }
            });
        }
    });
    check_end(&output);
}

/// Closes `stream` so that the other side sees a reset.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[test]
fn a_reset_ends_a_read() {
    fibra::run(|| {
        let (mut client, server) = pair();
        let reads = fibra::spawn(move || (kind_of(client.read(&mut [0])), client));
        fibra::yield_now();
        reset(server);
        let (kind, mut client) = soon(|| reads.join()).unwrap();
        assert_eq!(kind, ErrorKind::ConnectionReset);
        // The error was reported once; after that, reads return the end of the stream.
        assert_eq!(soon(|| client.read(&mut [0])).unwrap(), 0);
    });
}

#[test]
fn a_reset_ends_a_write() {
    fibra::run(|| {
        let (mut client, server) = pair();
        fill(&client);
        let writes = fibra::spawn(move || kind_of(client.write_all(&[0; 1_000_000])));
        fibra::yield_now();
        reset(server);
        let kind = soon(|| writes.join()).unwrap();
        assert!(matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{kind}");
    });
}

#[test]
fn a_reset_ends_all_waits() {
    fibra::run(|| {
        let (client, server) = pair();
        fill(&client);
        let client = Rc::new(client);
        let waits: Vec<_> = (0..6)
            .map(|n| {
                let client = client.clone();
                fibra::spawn(move || match n % 2 {
                    0 => (&*client).read(&mut [0]),
                    _ => (&*client).write(b"!"),
                })
            })
            .collect();
        fibra::yield_now();
        reset(server);
        let ends: Vec<_> = waits.into_iter().map(|wait| soon(|| wait.join()).unwrap()).collect();
        assert!(ends.iter().any(Result::is_err), "{ends:?}");
        assert!(ends.iter().all(|end| !matches!(end, Ok(1..))), "{ends:?}");
    });
}

#[test]
fn a_slow_reader_holds_its_writer_back() {
    fibra::run(|| {
        const ALL: usize = 16_000_000;
        let (client, mut server) = pair();
        let writes = fibra::spawn(move || {
            let block = [7; 10_000];
            let mut written = 0;
            while written < ALL {
                written += (&client).write(&block).unwrap();
            }
            written
        });
        let mut read = 0;
        let mut buffer = vec![0; 100_000];
        while read < ALL / 4 {
            read += soon(|| server.read(&mut buffer)).unwrap();
            fibra::yield_now();
            assert!(!writes.is_finished(), "{read} bytes were read, and all are written");
        }
        loop {
            match soon(|| server.read(&mut buffer)).unwrap() {
                0 => break,
                length => read += length,
            }
        }
        assert_eq!(read, writes.join().unwrap());
    });
}

/// Runs `body` in a process of its own that may have `descriptors` open at a time.
fn with_descriptors(test: &str, descriptors: usize, body: impl FnOnce()) {
    const LIMITED: &str = "FIBRA_TEST_LIMITED";
    if std::env::var_os(LIMITED).is_some() {
        body();
        return eprintln!("descriptors were few");
    }
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(LIMITED, "")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("descriptors were few"));
}

/// Opens all descriptors that are left.
fn take_all() -> Vec<OwnedFd> {
    let open = || std::fs::File::open("/dev/null").ok().map(OwnedFd::from);
    std::iter::from_fn(open).collect()
}

#[test]
fn without_descriptors_calls_fail_and_work_again_when_there_are_some() {
    let test = name_of!(without_descriptors_calls_fail_and_work_again_when_there_are_some);
    with_descriptors(test, 40, || {
        let too_many = |error: std::io::Error| {
            assert_eq!(error.raw_os_error(), Some(24), "{error}");
        };
        fibra::run(|| {
            let (client, mut server) = pair();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let waits = StdStream::connect(address).unwrap();
            let (left, right) = UnixStream::pair().unwrap();
            left.send_fds(b"!", &[left.as_fd()]).unwrap();
            let mut taken = take_all();
            let mut fds = Vec::new();
            assert_eq!(kind_of(right.recv_fds(&mut [0], &mut fds)), ErrorKind::Other);
            assert!(fds.is_empty());
            too_many(listener.accept().unwrap_err());
            too_many(listener.accept().unwrap_err());
            too_many(TcpStream::connect(address).unwrap_err());
            too_many(UdpSocket::bind("127.0.0.1:0").unwrap_err());
            too_many(UnixStream::pair().unwrap_err());
            too_many(UnixDatagram::pair().unwrap_err());
            too_many(client.try_clone().unwrap_err());
            taken.pop();
            let (_accepted, from) = soon(|| listener.accept()).unwrap();
            assert_eq!(from, waits.local_addr().unwrap());
            // A socket that is open already still works.
            let reads = fibra::spawn(move || server.read(&mut [0]).unwrap());
            fibra::yield_now();
            (&client).write_all(b"!").unwrap();
            assert_eq!(soon(|| reads.join()).unwrap(), 1);
        });
        // No poller can be opened: a call that would have to wait fails, but not forever.
        let (mut reader, writer) = pipe();
        fibra::run(|| {
            let taken = take_all();
            too_many(reader.read(&mut [0]).unwrap_err());
            too_many(wait_readable(reader.get_ref()).unwrap_err());
            fibra::sleep(ms(1));
            drop(taken);
            let writes = fibra::spawn(move || (&writer).write_all(b"!"));
            soon(|| reader.read_exact(&mut [0])).unwrap();
            writes.join().unwrap().unwrap();
        });
    });
}

#[test]
fn a_connect_without_a_listener_is_refused_in_fibers_and_on_threads() {
    let bound = RefusingAddress::new();
    let refusing = bound.address;
    assert_eq!(kind_of(TcpStream::connect(refusing)), ErrorKind::ConnectionRefused);
    fibra::run(|| {
        let tries: Vec<_> =
            (0..20).map(|_| fibra::spawn(move || kind_of(TcpStream::connect(refusing)))).collect();
        for attempt in tries {
            assert_eq!(soon(|| attempt.join()).unwrap(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn calls_that_connect_leave_no_descriptor_when_they_are_cut_short() {
    let test = name_of!(calls_that_connect_leave_no_descriptor_when_they_are_cut_short);
    let output = in_child(test, &[], || {
        with_path(|path| {
            use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
            let socket = |family| {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                net::socket_with(family, SocketType::STREAM, flags, None).unwrap()
            };
            let tcp = socket(AddressFamily::INET);
            net::bind(&tcp, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
            net::listen(&tcp, 0).unwrap();
            let address = SocketAddr::try_from(net::getsockname(&tcp).unwrap()).unwrap();
            let full = socket(AddressFamily::UNIX);
            net::bind(&full, &SocketAddrUnix::new(path).unwrap()).unwrap();
            net::listen(&full, 0).unwrap();
            let _queued: Vec<_> = (0..4)
                .map(|_| {
                    let (one, other) = (socket(AddressFamily::INET), socket(AddressFamily::UNIX));
                    let _ = net::connect(&one, &address);
                    let _ = net::connect(&other, &SocketAddrUnix::new(path).unwrap());
                    (one, other)
                })
                .collect();
            let file = path.to_owned();
            let connects: Vec<Rc<dyn Fn()>> = vec![
                Rc::new(move || drop(TcpStream::connect(address))),
                Rc::new(move || drop(TcpStream::connect(&[address, address][..]))),
                Rc::new(move || {
                    drop(TcpStream::connect_timeout(&address, Duration::from_secs(60)));
                }),
                Rc::new(move || drop(UnixStream::connect(&file))),
            ];
            fibra::run(|| {
                drop(pair());
                fibra::time::timeout(ms(1), || wait_readable(pipe().0)).unwrap_err();
                for connect in connects {
                    let before = open_fds();
                    assert!(fibra::time::timeout(ms(300), || connect()).is_err());
                    assert_eq!(open_fds(), before);
                    let attempt = fibra::spawn(move || connect());
                    fibra::sleep(ms(1));
                    attempt.kill();
                    assert!(attempt.join().is_err());
                    assert_eq!((open_fds(), fibra::stats().timers), (before, 0));
                }
            });
        });
    });
    check_end(&output);
}
