//! The ends of servers: graceful, by a time limit, and in the middle of a request.

use std::io::{Read, Write};
use std::time::Duration;

use fibra::http::Http;
use fibra::net::TcpStream;
use fibra::server::Server;

use crate::server::{CLOSE, connection, eventually, head, read_all, read_until, say};
use crate::support::ms;

#[test]
fn a_connection_that_begins_after_a_graceful_end_serves_one_request() {
    fibra::run(|| {
        for early in [true, false] {
            let http = Http::new();
            http.graceful().shutdown();
            let (mut stream, serves) = connection(http, |_| say("the last"));
            if !early {
                fibra::sleep(ms(5));
                assert!(!serves.is_finished());
            }
            stream.write_all(head("/", "").as_bytes()).unwrap();
            assert!(read_all(&mut stream).ends_with("the last"));
            serves.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_graceful_end_closes_connections_that_wait_for_their_version_or_a_next_request() {
    fibra::run(|| {
        let http = Http::new();
        let (mut new, serves_new) = connection(http.clone(), |_| say("never"));
        let (mut idle, serves_idle) = connection(http.clone(), |_| say("!"));
        idle.write_all(head("/", "").as_bytes()).unwrap();
        read_until(&mut idle, "!");
        fibra::sleep(ms(1));
        http.graceful().shutdown();
        for (stream, serves) in [(&mut new, serves_new), (&mut idle, serves_idle)] {
            serves.join().unwrap().unwrap();
            assert_eq!(read_all(stream), "");
        }
    });
}

#[test]
fn a_server_that_ends_finishes_what_it_can_in_its_time_and_kills_the_rest() {
    fibra::run(|| {
        let (http, server) = (Http::new(), Server::bind("127.0.0.1:0").unwrap());
        let (graceful, address) = (http.graceful(), server.listener().local_addr().unwrap());
        let running = server.start(move |stream, _| {
            http.serve_connection(stream, |request| {
                match request.uri().path() {
                    "/slow" => fibra::sleep(ms(40)),
                    _ => fibra::park(),
                }
                say("in time")
            })
        });
        let ask = |path| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head(path, "").as_bytes()).unwrap();
            stream
        };
        let (mut slow, mut never) = (ask("/slow"), ask("/never"));
        eventually("both connect", || running.connections() == 2);
        fibra::sleep(ms(5));
        graceful.shutdown();
        assert_eq!(running.shutdown(ms(400)).killed, 1);
        assert!(read_all(&mut slow).ends_with("in time"));
        assert_eq!(read_all(&mut never), "");
        assert!(TcpStream::connect(address).is_err());
    });
}

#[test]
fn a_server_that_is_stopped_in_the_middle_of_a_body_breaks_it_off() {
    fibra::run(|| {
        let (http, server) = (Http::new(), Server::bind("127.0.0.1:0").unwrap());
        let address = server.listener().local_addr().unwrap();
        let running = server.start(move |stream, _| {
            http.serve_connection(stream, |_| {
                let (mut writer, body) = fibra::http::body();
                fibra::spawn(move || {
                    writer.write_all(b"a part").unwrap();
                    writer.flush().unwrap();
                    fibra::park();
                });
                fibra::http::hyper::Response::new(body)
            })
        });
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(head("/", CLOSE).as_bytes()).unwrap();
        read_until(&mut stream, "a part");
        assert_eq!(running.shutdown(Duration::ZERO).killed, 1);
        let mut rest = String::new();
        // Without the last chunk.
        assert!(stream.read_to_string(&mut rest).is_err() || !rest.contains("0\r\n\r\n"));
    });
}
