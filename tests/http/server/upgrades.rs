//! Connections that leave HTTP.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Read, Write};
use std::rc::Rc;

use fibra::http::{BodyReader, Http, hyper, upgrade};
use fibra::net::TcpStream;
use fibra::server::Server;
use hyper::{Request, Response};
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use crate::server::{connection, eventually, head, read_until, say};
use crate::support::ms;

const UPGRADE: &str = "connection: upgrade\r\nupgrade: echo\r\n";

/// Leaves HTTP, and echoes.
fn echo(mut request: Request<BodyReader>) -> Response<String> {
    let upgrade = upgrade(&mut request);
    fibra::spawn(move || -> io::Result<u64> {
        let stream = upgrade.wait().map_err(io::Error::other)?;
        io::copy(&mut &stream, &mut &stream)
    });
    let response = Response::builder().status(101);
    let response = response.header("connection", "upgrade").header("upgrade", "echo");
    response.body(String::new()).unwrap()
}

#[test]
fn a_connection_leaves_http_with_what_was_sent_too_early() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new(), echo);
        stream.write_all((head("/", UPGRADE) + "early").as_bytes()).unwrap();
        assert!(read_until(&mut stream, "\r\n\r\n").starts_with("HTTP/1.1 101"));
        read_until(&mut stream, "early");
        stream.write_all(b"late").unwrap();
        read_until(&mut stream, "late");
        assert!(!serves.is_finished(), "the connection lasts as long as its stream");
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        serves.join().unwrap().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_stream_that_has_left_http_ends_with_its_server() {
    fibra::run(|| {
        let (http, server) = (Http::new(), Server::bind("127.0.0.1:0").unwrap());
        let (address, graceful) = (server.listener().local_addr().unwrap(), http.graceful());
        let (sender, errors) = fibra::channel::unbounded();
        let running = server.start(move |stream, _| {
            let sender = sender.clone();
            http.serve_connection(stream, move |mut request: Request<BodyReader>| {
                let (sender, upgrade) = (sender.clone(), upgrade(&mut request));
                fibra::spawn(move || {
                    let mut stream = upgrade.wait().unwrap();
                    sender.send(stream.read(&mut [0]).unwrap_err().kind()).unwrap();
                });
                Response::builder().status(101).body(String::new()).unwrap()
            })
        });
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(head("/", UPGRADE).as_bytes()).unwrap();
        read_until(&mut stream, "\r\n\r\n");
        graceful.shutdown();
        assert_eq!(running.shutdown(ms(10)).killed, 1);
        assert_eq!(errors.recv().unwrap(), io::ErrorKind::ConnectionAborted);
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
}

#[test]
fn a_request_that_asks_for_no_upgrade_gets_an_error_and_not_a_stream() {
    fibra::run(|| {
        let (mut stream, _serves) = connection(Http::new(), |mut request: Request<BodyReader>| {
            say(upgrade(&mut request).wait().unwrap_err().to_string())
        });
        stream.write_all(head("/", "").as_bytes()).unwrap();
        read_until(&mut stream, "no upgrade available");
    });
}

#[test]
fn a_request_whose_upgrade_is_declined_is_followed_by_others() {
    fibra::run(|| {
        let counts = Rc::new(Cell::new(0));
        let declined = counts.clone();
        let handler = move |mut request: Request<BodyReader>| {
            let upgrade = upgrade(&mut request);
            let declined = declined.clone();
            fibra::spawn(move || {
                let error = upgrade.wait().unwrap_err().source().unwrap().to_string();
                assert_eq!(error, "the response to this request does not upgrade the connection");
                declined.set(declined.get() + 1);
            });
            say("no")
        };
        let (mut stream, serves) = connection(Http::new(), handler);
        for number in 1..=2 {
            stream.write_all(head("/", UPGRADE).as_bytes()).unwrap();
            read_until(&mut stream, "no");
            eventually("the upgrade fails", || counts.get() == number);
        }
        drop(stream);
        serves.join().unwrap().unwrap();
    });
}

#[test]
fn websockets_of_tungstenite_read_and_write_in_two_fibers() {
    fibra::run(|| {
        let (stream, serves) = connection(Http::new(), |mut request: Request<BodyReader>| {
            let upgrade = upgrade(&mut request);
            let key = request.headers()["sec-websocket-key"].as_bytes();
            let accept = tungstenite::handshake::derive_accept_key(key);
            fibra::spawn(move || {
                let stream = upgrade.wait().unwrap();
                let mut reads = WebSocket::from_raw_socket(&stream, Role::Server, None);
                let mut writes = WebSocket::from_raw_socket(&stream, Role::Server, None);
                let (sender, texts) = fibra::channel::unbounded::<String>();
                fibra::scope(|scope| {
                    scope.spawn(move || {
                        texts.iter().for_each(|text| writes.send(Message::text(text)).unwrap());
                    });
                    while let Ok(Message::Text(text)) = reads.read() {
                        sender.send(text.to_uppercase()).unwrap();
                    }
                    drop(sender);
                });
            });
            Response::builder()
                .status(101)
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-accept", accept)
                .body(String::new())
                .unwrap()
        });
        let (mut socket, _) = tungstenite::client("ws://localhost/", stream).unwrap();
        for text in ["one", "two"] {
            socket.send(Message::text(text)).unwrap();
            assert_eq!(socket.read().unwrap().into_text().unwrap(), text.to_uppercase());
        }
        drop(socket);
        eventually("the connection ends", || serves.is_finished());
        serves.join().unwrap().unwrap();
    });
}
