//! HTTP on all schedulers of a runtime: handlers, bodies, and a graceful end of all threads.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fibra::http::{BodyReader, Connection, Graceful, Http, StreamBody, body, hyper};
use fibra::net::{TcpListener, TcpStream};
use fibra::server::{Running, Server};
use fibra::{Handle, Runtime};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};

use crate::support::ms;

const LONG: Duration = Duration::from_secs(60);
const ANY: &str = "127.0.0.1:0";

type Text = Full<Bytes>;

fn client(address: SocketAddr) -> Connection<Text> {
    Connection::new(TcpStream::connect(address).unwrap()).unwrap()
}

fn get(path: &str) -> Request<Text> {
    Request::get(path).header("host", "localhost").body(Text::default()).unwrap()
}

fn text(response: Response<BodyReader>) -> String {
    io::read_to_string(response.into_body()).unwrap()
}

/// Serves HTTP on each of two schedulers, with one listener and with one for each, and calls `test`
/// with each server.
fn in_both_modes<H, B>(handler: H, test: impl Fn(Running, Graceful, SocketAddr))
where
    H: Fn(Request<BodyReader>) -> Response<B> + Clone + Send + Sync + 'static,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    Runtime::builder().threads(2).build().unwrap().run(|| {
        for own in [false, true] {
            let http = Http::new();
            let (graceful, handler) = (http.graceful(), handler.clone());
            let serve = move |stream, _| http.serve_connection(stream, handler.clone());
            let (running, address) = if own {
                let listeners = TcpListener::builder().bind_each(2, ANY).unwrap();
                let address = listeners[0].local_addr().unwrap();
                (Server::new(listeners).start_on_each(serve), address)
            } else {
                let server = Server::bind(ANY).unwrap();
                let address = server.listener().local_addr().unwrap();
                (server.start_on_each(serve), address)
            };
            test(running, graceful, address);
        }
    });
}

#[test]
fn handlers_run_on_all_threads_and_use_values_of_their_own_thread() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let sees = seen.clone();
    let handler = move |request: Request<BodyReader>| {
        let local = Rc::new(Cell::new(0));
        let other = local.clone();
        let child = fibra::spawn(move || other.set(Handle::current().index().unwrap() + 1));
        child.join().unwrap();
        assert_eq!(local.get(), Handle::current().index().unwrap() + 1);
        sees.lock().unwrap().insert(local.get());
        Response::new(Text::from(request.uri().path().to_string()))
    };
    in_both_modes(handler, |running, _, address| {
        seen.lock().unwrap().clear();
        let mut clients: Vec<_> = (0..32).map(|_| client(address)).collect();
        for (n, client) in clients.iter_mut().enumerate() {
            for round in 0..3 {
                let path = format!("/{n}/{round}");
                assert_eq!(text(client.send(get(&path)).unwrap()), path);
            }
        }
        // With listeners of their own, all 32 connections go to one thread once in 2^31 runs.
        assert_eq!(*seen.lock().unwrap(), BTreeSet::from([1, 2]));
        drop(clients);
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn bodies_are_read_and_written_while_they_arrive_on_any_thread() {
    let handler = |request: Request<BodyReader>| -> Response<StreamBody> {
        let mut incoming = request.into_body();
        let (mut writer, outgoing) = body();
        fibra::spawn(move || {
            let mut buffer = [0; 1000];
            loop {
                match incoming.read(&mut buffer).unwrap() {
                    0 => return writer.finish().unwrap(),
                    n => writer.write_all(&buffer[..n]).unwrap(),
                }
            }
        });
        Response::new(outgoing)
    };
    in_both_modes(handler, |running, _, address| {
        let ask = |n: usize| {
            fibra::spawn(move || {
                let sent = vec![n as u8; 100_000];
                let request = Request::post("/").header("host", "localhost");
                let request = request.body(Full::from(sent.clone())).unwrap();
                let mut got = Vec::new();
                let mut client = client(address);
                client.send(request).unwrap().into_body().read_to_end(&mut got).unwrap();
                assert!(got == sent);
            })
        };
        let clients: Vec<_> = (0..8).map(ask).collect();
        clients.into_iter().for_each(|client| client.join().unwrap());
        assert_eq!(running.shutdown(LONG).killed, 0);
    });
}

#[test]
fn a_graceful_end_lets_requests_finish_on_all_threads_and_closes_idle_connections() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counts = begun.clone();
    let handler = move |request: Request<BodyReader>| {
        if request.uri().path() == "/slow" {
            counts.fetch_add(1, Ordering::SeqCst);
            fibra::sleep(ms(30));
        }
        Response::new(Text::from("done"))
    };
    in_both_modes(handler, |running, graceful, address| {
        begun.store(0, Ordering::SeqCst);
        let mut idle: Vec<_> = (0..8).map(|_| client(address)).collect();
        for client in &mut idle {
            assert_eq!(text(client.send(get("/")).unwrap()), "done");
        }
        let slow: Vec<_> = (0..8)
            .map(|_| fibra::spawn(move || text(client(address).send(get("/slow")).unwrap())))
            .collect();
        while begun.load(Ordering::SeqCst) < 8 {
            fibra::sleep(ms(1));
        }
        graceful.shutdown();
        assert_eq!(running.shutdown(LONG).killed, 0);
        for client in slow {
            assert_eq!(client.join().unwrap(), "done");
        }
        for client in &mut idle {
            assert!(client.send(get("/")).is_err());
        }
    });
}

#[test]
fn handlers_that_do_not_end_are_killed_on_all_threads() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counts = begun.clone();
    let handler = move |_| -> Response<Text> {
        counts.fetch_add(1, Ordering::SeqCst);
        fibra::park();
        unreachable!("it is killed")
    };
    in_both_modes(handler, |running, graceful, address| {
        begun.store(0, Ordering::SeqCst);
        let clients: Vec<_> =
            (0..6).map(|_| fibra::spawn(move || client(address).send(get("/")).is_err())).collect();
        // A connection without a request would end by itself.
        while begun.load(Ordering::SeqCst) < 6 {
            fibra::sleep(ms(1));
        }
        graceful.shutdown();
        assert_eq!(running.shutdown(ms(5)).killed, 6);
        clients.into_iter().for_each(|client| assert!(client.join().unwrap()));
    });
}
