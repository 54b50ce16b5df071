//! Sockets under a virtual clock: external waits take real time, and all other waits jump.

#![allow(clippy::disallowed_methods, reason = "compares the virtual time with the real one")]

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use fibra::net::{TcpListener, TcpStream, UnixDatagram, UnixStream};

use crate::support::net::{kind_of, pair};
use crate::support::{HOUR, go, join_panic, ms, run_virtually};

/// Longer than any of these tests should take.
const MOMENT: Duration = Duration::from_secs(20);

#[test]
fn a_time_limit_of_a_read_is_waited_for() {
    run_virtually(|| {
        let (mut client, _server) = pair();
        client.set_read_timeout(Some(ms(10))).unwrap();
        let (began, virtually) = (Instant::now(), fibra::now());
        assert_eq!(kind_of(client.read(&mut [0])), ErrorKind::TimedOut);
        assert!((ms(10)..MOMENT).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert!((ms(10)..MOMENT).contains(&(fibra::now() - virtually)));
    });
}

#[test]
fn sleeps_jump_when_there_is_no_external_wait() {
    run_virtually(|| {
        let (client, mut server) = pair();
        (&client).write_all(b"!").unwrap();
        server.read_exact(&mut [0]).unwrap(); // it may now be registered with the poller
        let (began, virtually) = (Instant::now(), fibra::now());
        let naps = [1, 5, 3].map(|hours| fibra::spawn(move || fibra::sleep(HOUR * hours)));
        naps.into_iter().for_each(|nap| nap.join().unwrap());
        assert!(began.elapsed() < MOMENT);
        assert_eq!(fibra::now() - virtually, HOUR * 5);
    });
}

#[test]
fn a_reader_holds_the_clock_until_it_has_its_data() {
    run_virtually(|| {
        let (client, mut server) = pair();
        let virtually = fibra::now();
        let nap = fibra::spawn(move || {
            fibra::sleep(HOUR);
            fibra::now() - virtually
        });
        // Another thread answers in real time.
        let answers = std::thread::Builder::new().spawn(move || {
            let client = client.into_std().unwrap();
            (&client).write_all(b"!").unwrap();
        });
        server.read_exact(&mut [0]).unwrap();
        assert!(fibra::now() - virtually < MOMENT, "the clock went on by itself");
        assert!(!nap.is_finished());
        // Now no fiber waits for an external event any more.
        let began = Instant::now();
        assert_eq!(nap.join().unwrap(), HOUR);
        assert!(began.elapsed() < MOMENT);
        answers.unwrap().join().unwrap();
    });
}

#[test]
fn what_is_ready_already_costs_no_time() {
    run_virtually(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        a.set_read_timeout(Some(HOUR)).unwrap();
        let virtually = fibra::now();
        for _ in 0..100 {
            b.send(b"!").unwrap();
            a.recv(&mut [0]).unwrap();
        }
        assert_eq!(fibra::now(), virtually);
    });
}

#[test]
fn a_conversation_between_fibers_ends_before_its_time_limit() {
    run_virtually(|| {
        let talk = || {
            let (client, server) = pair();
            go(move || std::io::copy(&mut &server, &mut &server));
            for _ in 0..100 {
                (&client).write_all(b"hello").unwrap();
                (&client).read_exact(&mut [0; 5]).unwrap();
            }
        };
        fibra::time::timeout(MOMENT, talk).unwrap();
    });
}

#[test]
fn a_deadlock_is_found_when_no_external_wait_is_left() {
    run_virtually(|| {
        let (mut client, server) = pair();
        let reads = fibra::spawn(move || {
            let _ = client.read(&mut [0]);
            fibra::park();
        });
        fibra::yield_now();
        let ends = fibra::spawn(move || drop(server));
        ends.join().unwrap();
        let text = join_panic(reads);
        assert!(text.contains("deadlock"), "{text}");
    });
}

#[test]
fn a_full_listener_is_asked_again_in_real_time() {
    crate::support::net::with_path(|path| {
        use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
        let flags = SocketFlags::CLOEXEC;
        let full = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        net::bind(&full, &SocketAddrUnix::new(path).unwrap()).unwrap();
        net::listen(&full, 0).unwrap();
        run_virtually(|| {
            let _queued = UnixStream::connect(path).unwrap();
            let virtually = fibra::now();
            let began = Instant::now();
            assert!(fibra::time::timeout(ms(10), || UnixStream::connect(path)).is_err());
            assert!(ms(9) <= began.elapsed(), "{:?}", began.elapsed());
            assert!(fibra::now() - virtually < MOMENT);
        });
    });
}

#[test]
fn a_connection_takes_real_time_and_a_sleep_does_not() {
    run_virtually(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = fibra::spawn(move || {
            fibra::sleep(HOUR);
            TcpStream::connect_timeout(&address, MOMENT).unwrap()
        });
        // The accept holds the clock; without the limit it would hold it for an hour of real time.
        assert!(fibra::time::timeout(ms(5), || listener.accept()).is_err());
        client.join().unwrap();
        listener.accept().unwrap();
    });
}
