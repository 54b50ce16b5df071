//! The order in which fibers that wait for one socket are served, and that none of them starves.

use std::cell::Cell;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};

use crate::support::net::{fill, pair, soon, yield_until};
use crate::support::{check, go, log, ms};

/// Reads all available data, without fibra's knowledge.
fn drain(socket: &impl AsFd) {
    let mut buffer = [0; 65_536];
    while matches!(rustix::io::read(socket, &mut buffer), Ok(1..)) {}
}

#[test]
fn readers_are_served_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let (client, server) = pair();
        let (server, served) = (Rc::new(server), Rc::new(Cell::new(0)));
        for name in ["a", "b", "c"] {
            let (server, served) = (server.clone(), served.clone());
            go(move || {
                for _ in 0..2 {
                    let mut byte = [0];
                    assert_eq!((&*server).read(&mut byte).unwrap(), 1);
                    served.set(served.get() + 1);
                    log(format!("{name}{}", byte[0]));
                }
            });
        }
        fibra::yield_now();
        for byte in 1..=6 {
            (&client).write_all(&[byte]).unwrap();
            yield_until(|| served.get() == byte);
        }
        check("a1 b2 c3 a4 b5 c6");
    });
}

#[test]
fn writers_are_served_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let (a, b) = UnixStream::pair().unwrap();
        fill(&a);
        let a = Rc::new(a);
        for name in ["first", "second", "third"] {
            let a = a.clone();
            go(move || {
                (&*a).write_all(name.as_bytes()).unwrap();
                log(name);
            });
        }
        fibra::yield_now();
        drain(&b);
        yield_until(|| Rc::strong_count(&a) == 1);
        check("first second third");
        drop(a);
        let mut text = String::new();
        soon(|| (&b).read_to_string(&mut text)).unwrap();
        assert_eq!(text, "firstsecondthird");
    });
}

#[test]
fn a_later_reader_does_not_overtake_an_earlier_one() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let a = Rc::new(a);
        let waits = fibra::spawn({
            let a = a.clone();
            move || a.recv(&mut [0]).map(|_| log("came first"))
        });
        fibra::yield_now();
        b.send(b"1").unwrap();
        b.send(b"2").unwrap();
        a.recv(&mut [0]).unwrap();
        log("came later");
        soon(|| waits.join()).unwrap().unwrap();
        check("came first came later");
    });
}

#[test]
fn accepts_are_served_in_the_order_in_which_they_came() {
    fibra::run(|| {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        for name in ["first", "second", "third"] {
            let listener = listener.clone();
            go(move || {
                listener.accept().unwrap();
                log(name);
            });
        }
        fibra::yield_now();
        let address = listener.local_addr().unwrap();
        let _clients = [(); 3].map(|()| soon(|| TcpStream::connect(address)).unwrap());
        yield_until(|| Rc::strong_count(&listener) == 1);
        check("first second third");
    });
}

/// Runs `body` beside fibers that yield all the time.
fn among_yielders(body: impl FnOnce()) {
    fibra::run(|| {
        for _ in 0..3 {
            go(|| {
                loop {
                    fibra::yield_now();
                }
            });
        }
        soon(body);
    });
}

#[test]
fn a_loop_that_yields_does_not_hold_up_a_datagram() {
    among_yielders(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let receives = fibra::spawn(move || a.recv(&mut [0]));
        fibra::yield_now();
        b.send(b"!").unwrap();
        let before = fibra::stats().switches;
        receives.join().unwrap().unwrap();
        // A batch and one revolution of the ring, with the numbers that they are rounded up to.
        let switches = fibra::stats().switches - before;
        assert!(switches < 200, "{switches}");
    });
}

#[test]
fn a_loop_that_yields_does_not_hold_up_an_accept() {
    among_yielders(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepts = fibra::spawn(move || listener.accept().map(drop));
        fibra::yield_now();
        let _client = TcpStream::connect(address).unwrap();
        accepts.join().unwrap().unwrap();
    });
}

#[test]
fn sockets_that_are_always_ready_hold_up_neither_timers_nor_others() {
    fibra::run(|| {
        let stop = Rc::new(Cell::new(false));
        let stopped = stop.clone();
        let busy = fibra::spawn(move || {
            let (a, b) = UnixDatagram::pair().unwrap();
            let mut rounds = 0u64;
            while !stopped.get() {
                a.send(b"!").unwrap();
                b.recv(&mut [0]).unwrap();
                rounds += 1;
            }
            rounds
        });
        let began = fibra::now();
        fibra::sleep(ms(5));
        assert!(fibra::now() - began < Duration::from_secs(5));
        let (a, b) = UdpSocket::bind("127.0.0.1:0")
            .and_then(|a| Ok((a, UdpSocket::bind("127.0.0.1:0")?)))
            .unwrap();
        let to = a.local_addr().unwrap();
        let receives = fibra::spawn(move || a.recv(&mut [0]));
        fibra::yield_now();
        b.send_to(b"!", to).unwrap();
        soon(|| receives.join()).unwrap().unwrap();
        stop.set(true);
        assert!(1 < soon(|| busy.join()).unwrap());
    });
}

#[test]
fn a_fast_pair_does_not_hold_up_another() {
    fibra::run(|| {
        let stop = Rc::new(Cell::new(false));
        let ping_pong = |stop: Rc<Cell<bool>>| {
            let (client, server) = pair();
            go(move || {
                let mut byte = [0];
                while let Ok(1) = (&server).read(&mut byte) {
                    (&server).write_all(&byte).unwrap();
                }
            });
            fibra::spawn(move || {
                let mut rounds = 0u32;
                while !stop.get() {
                    (&client).write_all(b"!").unwrap();
                    (&client).read_exact(&mut [0]).unwrap();
                    rounds += 1;
                }
                rounds
            })
        };
        let pairs: Vec<_> = (0..4).map(|_| ping_pong(stop.clone())).collect();
        fibra::sleep(ms(50));
        stop.set(true);
        let rounds: Vec<u32> = pairs.into_iter().map(|p| soon(|| p.join()).unwrap()).collect();
        let (least, most) = (rounds.iter().min().unwrap(), rounds.iter().max().unwrap());
        assert!(most / 2 <= *least + 2, "{rounds:?}");
    });
}

#[test]
fn a_killed_fiber_meets_the_kill_though_its_socket_is_always_ready() {
    fibra::run(|| {
        let busy = fibra::spawn(|| {
            let (a, b) = UnixDatagram::pair().unwrap();
            loop {
                a.send(b"!").unwrap();
                b.recv(&mut [0]).unwrap();
            }
        });
        fibra::yield_now();
        busy.kill();
        assert!(soon(|| busy.join()).is_err());
    });
}
