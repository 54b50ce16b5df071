//! Servers: limits, ends, and errors of their listeners.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use fibra::channel::Channel;
use fibra::net::{TcpListener, TcpStream};
use fibra::server::{Accept, Running, Server};

use crate::support::{OnDrop, check, log};

const LONG: Duration = Duration::from_secs(60);

fn ask(address: SocketAddr, text: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(text.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn serve_until_asked_to_end(gate: &Channel<()>) -> (Running, SocketAddr, Rc<Cell<usize>>) {
    let server = Server::bind("127.0.0.1:0").unwrap().max_connections(2);
    let address = server.listener().local_addr().unwrap();
    let most = Rc::new(Cell::new(0));
    let (now, seen) = (Cell::new(0), most.clone());
    let gate = gate.clone();
    let running = server.start(move |mut stream, _| {
        now.set(now.get() + 1);
        seen.set(seen.get().max(now.get()));
        let _leaves = OnDrop(|| ());
        gate.recv().unwrap();
        now.set(now.get() - 1);
        stream.write_all(b"served").unwrap();
    });
    (running, address, most)
}

#[test]
fn connections_beyond_the_limit_wait_to_be_accepted() {
    fibra::run(|| {
        let gate = Channel::new();
        let (running, address, most) = serve_until_asked_to_end(&gate);
        let clients: Vec<_> = (0..5).map(|_| fibra::spawn(move || ask(address, ""))).collect();
        for left in [5, 4, 3, 2, 1] {
            while running.connections() < left.min(2) {
                fibra::sleep(Duration::from_millis(1));
            }
            fibra::yield_now(); // the handlers run
            gate.send(()).unwrap();
        }
        for client in clients {
            assert_eq!(client.join().unwrap().unwrap(), "served");
        }
        assert_eq!(most.get(), 2);
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn a_shutdown_lets_connections_end_and_refuses_new_ones() {
    fibra::run(|| {
        let gate = Channel::new();
        let (running, address, _) = serve_until_asked_to_end(&gate);
        let client = fibra::spawn(move || ask(address, ""));
        while running.connections() == 0 {
            fibra::sleep(Duration::from_millis(1));
        }
        let stopping = running.stopping();
        assert!(!stopping.is_stopping());
        let ends = fibra::spawn(move || running.shutdown(LONG));
        stopping.wait();
        while TcpStream::connect(address).is_ok() {
            fibra::yield_now();
        }
        gate.send(()).unwrap();
        assert_eq!(ends.join().unwrap().killed, 0);
        assert_eq!(client.join().unwrap().unwrap(), "served");
    });
}

#[test]
fn what_is_left_after_the_grace_is_killed_and_unwound() {
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.listener().local_addr().unwrap();
        let accepted = Channel::new();
        let report = accepted.clone();
        let running = server.start(move |mut stream, _| {
            let _unwound = OnDrop(|| log("unwound"));
            report.send(()).unwrap();
            stream.read_exact(&mut [0]).unwrap();
        });
        let client = TcpStream::connect(address).unwrap();
        accepted.recv().unwrap();
        let end = running.shutdown(Duration::from_millis(1));
        log(format!("{end:?}"));
        assert_eq!((&client).read(&mut [0]).unwrap_or(0), 0, "closed, or reset");
    });
    check("unwound Drained { killed: 1 }");
}

#[test]
fn a_handler_that_panics_ends_its_connection_only() {
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.listener().local_addr().unwrap();
        let running = server.start(|mut stream, _| {
            let mut question = String::new();
            stream.read_to_string(&mut question).unwrap();
            assert_ne!(question, "panic");
            stream.write_all(b"fine").unwrap();
        });
        assert_eq!(ask(address, "panic").unwrap_or_default(), "");
        assert_eq!(ask(address, "calm").unwrap(), "fine");
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn dropping_a_running_server_kills_it_and_its_connections() {
    fibra::run(|| {
        let gate = Channel::new();
        let (running, address, _) = serve_until_asked_to_end(&gate);
        let client = fibra::spawn(move || ask(address, ""));
        while running.connections() == 0 {
            fibra::sleep(Duration::from_millis(1));
        }
        drop(running);
        assert_eq!(client.join().unwrap().unwrap_or_default(), "");
        while TcpStream::connect(address).is_ok() {
            fibra::yield_now();
        }
        assert_eq!(fibra::stats().fibers, 1);
    });
}

#[test]
fn unix_sockets_are_served_like_tcp() {
    let path = std::env::temp_dir().join(format!("fibra-server-{}", std::process::id()));
    let _removes = OnDrop(|| drop(std::fs::remove_file(&path)));
    fibra::run(|| {
        let listener = fibra::net::UnixListener::bind(&path).unwrap();
        let running = Server::new(listener).start(|mut stream, _| stream.write_all(b"hello"));
        let mut greeting = String::new();
        let mut client = fibra::net::UnixStream::connect(&path).unwrap();
        client.read_to_string(&mut greeting).unwrap();
        assert_eq!(greeting, "hello");
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

/// A listener that fails with the given errors, one per call.
struct Script(Vec<io::Error>, Cell<usize>);

impl Accept for Script {
    type Connection = ();
    type Peer = ();

    fn accept(&self) -> io::Result<((), ())> {
        let next = self.1.replace(self.1.get() + 1);
        let error = self.0.get(next).expect("asked after a fatal error");
        Err(error.raw_os_error().map_or(io::ErrorKind::Other.into(), io::Error::from_raw_os_error))
    }
}

#[test]
fn an_accept_is_repeated_after_a_shortage_and_not_after_a_broken_listener() {
    const EMFILE: i32 = 24;
    const ECONNABORTED: i32 = 103;
    const EINVAL: i32 = 22;
    let runtime = fibra::Runtime::builder().virtual_clock().build().unwrap();
    runtime.run(|| {
        let errors = [EMFILE, EMFILE, EMFILE, ECONNABORTED, ECONNABORTED, EINVAL];
        let script = Script(errors.map(io::Error::from_raw_os_error).into(), Cell::new(0));
        let start = fibra::now();
        let server = Server::new(script).on_error(move |error| {
            log(format!(
                "{}:{}",
                (fibra::now() - start).as_millis(),
                error.raw_os_error().unwrap()
            ));
        });
        let error = server.serve(|(), ()| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EINVAL));
    });
    check("0:24 10:24 30:24 70:103 70:103 70:22");
}

#[test]
fn a_real_listener_that_is_shut_down_ends_the_server() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = listener.try_clone().unwrap();
        let serves = fibra::spawn(move || Server::new(listener).serve(|_, _| ()));
        fibra::yield_now();
        rustix::net::shutdown(&other, rustix::net::Shutdown::Both).unwrap();
        assert!(serves.join().unwrap().is_err());
    });
}

#[test]
fn a_scoped_handler_borrows_from_its_caller() {
    fibra::run(|| {
        let greeting = String::from("hello ");
        let served = Cell::new(0);
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.listener().local_addr().unwrap();
        let end = fibra::scope(|s| {
            let running = server.start_in(s, |mut stream, _| {
                let mut name = String::new();
                stream.read_to_string(&mut name).unwrap();
                served.set(served.get() + 1);
                stream.write_all(format!("{greeting}{name}").as_bytes()).unwrap();
            });
            assert_eq!(ask(address, "world").unwrap(), "hello world");
            assert_eq!(ask(address, "moon").unwrap(), "hello moon");
            running.shutdown(LONG)
        });
        assert_eq!((end.killed, served.get()), (0, 2));
        assert_eq!(fibra::stats().fibers, 1);
    });
}

#[test]
fn a_panic_of_a_scoped_handler_does_not_end_the_scope() {
    fibra::run(|| {
        let served = Cell::new(0);
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.listener().local_addr().unwrap();
        fibra::nursery(|n| {
            let running = server.start_in(n, |mut stream, _| {
                let mut question = String::new();
                stream.read_to_string(&mut question).unwrap();
                assert_ne!(question, "panic");
                served.set(served.get() + 1);
                stream.write_all(b"fine").unwrap();
            });
            assert_eq!(ask(address, "panic").unwrap_or_default(), "");
            assert_eq!(ask(address, "calm").unwrap(), "fine");
            running.shutdown(LONG);
        });
        assert_eq!(served.get(), 1);
    });
}

#[test]
fn a_scope_waits_for_the_handlers_of_a_server_that_was_dropped() {
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let address = server.listener().local_addr().unwrap();
        let accepted = Channel::new();
        let mut unwound = Cell::new(false);
        fibra::scope(|s| {
            let running = server.start_in(s, |mut stream, _| {
                let _sets = OnDrop(|| {
                    fibra::shield(|| fibra::sleep(Duration::from_millis(2)));
                    unwound.set(true);
                });
                accepted.send(()).unwrap();
                stream.read_exact(&mut [0]).unwrap();
            });
            let _client = TcpStream::connect(address).unwrap();
            accepted.recv().unwrap();
            drop(running);
            assert!(!unwound.get());
        });
        assert!(*unwound.get_mut());
    });
}

#[test]
fn a_server_that_is_forgotten_in_a_scope_ends_with_the_scope() {
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0").unwrap();
        let borrowed = String::from("borrowed");
        let body = fibra::spawn(move || {
            fibra::scope(|s| {
                std::mem::forget(server.start_in(s, |_, _| drop(borrowed.clone())));
            });
        });
        fibra::yield_now();
        body.kill();
        assert!(body.join().unwrap_err().is_killed());
        assert_eq!(fibra::stats().fibers, 1);
    });
}

#[test]
fn a_handler_of_serve_borrows_and_has_ended_when_serve_returns() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (other, address) = (listener.try_clone().unwrap(), listener.local_addr().unwrap());
        let client = fibra::spawn(move || {
            let stream = TcpStream::connect(address).unwrap();
            (&stream).read_exact(&mut [0]).unwrap();
            rustix::net::shutdown(&other, rustix::net::Shutdown::Both).unwrap();
            stream
        });
        let running = Cell::new(0);
        let result = Server::new(listener).serve(|mut stream, _| {
            running.set(running.get() + 1);
            let _leaves = OnDrop(|| running.set(running.get() - 1));
            stream.write_all(b"!").unwrap();
            fibra::park();
        });
        assert!(result.is_err());
        assert_eq!(running.get(), 0);
        drop(client.join().unwrap());
    });
}

#[test]
fn a_panic_of_the_error_callback_is_raised_by_wait_and_not_by_the_scope() {
    fibra::run(|| {
        let script = || Script(vec![io::Error::from_raw_os_error(24)], Cell::new(0));
        let ends = move || Server::new(script()).on_error(|_| panic!("in the callback"));
        let from_start = fibra::spawn(move || ends().start(|(), ()| ()).wait());
        let from_serve = fibra::spawn(move || ends().serve(|(), ()| ()));
        for outcome in [from_start.join(), from_serve.join()] {
            assert!(outcome.unwrap_err().to_string().contains("in the callback"));
        }
        fibra::scope(|s| {
            let running = ends().start_in(s, |(), ()| ());
            fibra::yield_now();
            running.shutdown(LONG);
        });
    });
}
