//! Clients that lie, smuggle, or go away at any moment; and kills at every wait.

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;

use fibra::http::{BodyReader, Http, body, hyper};
use fibra::net::TcpStream;
use hyper::{Request, Response};

use crate::server::{
    CLOSE, Text, connection, eventually, exchange, head, read_all, say, serve, status,
};
use crate::support::ms;

/// Answers with the path and the body.
fn tell(mut request: Request<BodyReader>) -> Response<Text> {
    let path = request.uri().path().to_string();
    match io::read_to_string(request.body_mut()) {
        Ok(body) => say(format!("<{path}:{body}>")),
        Err(error) => Response::builder().status(400).body(error.to_string().into()).unwrap(),
    }
}

/// What follows each request below. A server that takes another length for the body's answers it,
/// or parts of it.
const NEXT: &str = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";

#[test]
fn a_request_with_two_meanings_is_refused_or_ends_its_connection() {
    let post = "POST /first HTTP/1.1\r\nhost: x\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    // The headers, the body, and the status.
    let cases = [
        // Both lengths: the chunks count, and nothing that follows is a request.
        (format!("content-length: 5\r\n{chunked}"), "0\r\n\r\n", 200),
        (format!("{chunked}content-length: 5\r\n"), "0\r\n\r\n", 200),
        // Two lengths.
        ("content-length: 0\r\ncontent-length: 38\r\n".into(), "", 400),
        ("content-length: 38\r\ncontent-length: 0\r\n".into(), "", 400),
        ("content-length: 0, 38\r\n".into(), "", 400),
        // Lengths that some parsers accept.
        ("content-length: +0\r\n".into(), "", 400),
        ("content-length: -1\r\n".into(), "", 400),
        ("content-length: 0x0\r\n".into(), "", 400),
        ("content-length: \r\n".into(), "", 400),
        ("content-length: 99999999999999999999999\r\n".into(), "", 400),
        // Encodings that some parsers take for chunks, and others do not.
        ("transfer-encoding: xchunked\r\n".into(), "0\r\n\r\n", 400),
        ("transfer-encoding: chunked, identity\r\n".into(), "0\r\n\r\n", 400),
        ("transfer-encoding: identity\r\n".into(), "", 400),
        ("transfer-encoding: \"chunked\"\r\n".into(), "0\r\n\r\n", 400),
        ("transfer-encoding : chunked\r\n".into(), "0\r\n\r\n", 400),
        ("transfer-encoding\t: chunked\r\n".into(), "0\r\n\r\n", 400),
        (" transfer-encoding: chunked\r\n".into(), "0\r\n\r\n", 400),
        ("x: y\r\n transfer-encoding: chunked\r\n".into(), "0\r\n\r\n", 400),
        ("x: y\rtransfer-encoding: chunked\r\n".into(), "0\r\n\r\n", 400),
        ("transfer-encoding: chun\0ked\r\n".into(), "0\r\n\r\n", 400),
        // Chunks whose lengths some parsers accept.
        (chunked.into(), "0x0\r\n\r\n", 400),
        (chunked.into(), "-0\r\n\r\n", 400),
        (chunked.into(), "fffffffffffffffff\r\n", 400),
        (chunked.into(), "2\r\nabc\r\n0\r\n\r\n", 400),
        (chunked.into(), "3\nabc\r\n0\r\n\r\n", 400),
    ];
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        for (headers, body, expected) in cases {
            let answer = exchange(address, format!("{post}{headers}\r\n{body}{NEXT}"));
            assert!(!answer.contains("smuggled"), "{headers:?} {body:?}: {answer}");
            assert_eq!(status(&answer), expected, "{headers:?} {body:?}: {answer}");
        }
    });
}

#[test]
fn a_body_that_is_shorter_than_its_length_is_an_error() {
    fibra::run(|| {
        for short in [
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n",
            "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n9\r\n12345",
        ] {
            let read = Rc::new(RefCell::new(None));
            let saves = read.clone();
            let http = Http::new().half_close(true);
            let (mut stream, serves) = connection(http, move |mut request: Request<_>| {
                let result = io::read_to_string(request.body_mut() as &mut BodyReader);
                *saves.borrow_mut() = Some(result.is_err());
                say("")
            });
            stream.write_all(short.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            read_all(&mut stream);
            drop(serves.join().unwrap());
            assert_eq!(*read.borrow(), Some(true), "{short}");
        }
    });
}

#[test]
fn a_body_that_is_longer_than_its_length_is_the_next_request() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        let post = "POST /first HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
        let answer = exchange(address, format!("{post}{}", head("/second", CLOSE)));
        assert!(answer.contains("</first:abc>") && answer.ends_with("</second:>"), "{answer}");
        let answer = exchange(address, format!("{post}defgh\r\n\r\n"));
        assert!(answer.contains("</first:abc>") && answer.contains(" 400 "), "{answer}");
    });
}

#[test]
fn a_response_body_that_lies_about_its_length_ends_the_connection() {
    fibra::run(|| {
        for announced in ["9", "2"] {
            let (mut stream, serves) = connection(Http::new(), move |_| {
                let (mut writer, body) = body();
                fibra::spawn(move || writer.write_all(b"abc"));
                Response::builder().header("content-length", announced).body(body).unwrap()
            });
            stream.write_all(head("/", CLOSE).as_bytes()).unwrap();
            let answer = read_all(&mut stream);
            assert!(!answer.ends_with("abc") || announced == "9", "{answer}");
            assert_eq!(serves.join().unwrap().is_err(), announced == "9");
        }
    });
}

#[test]
fn many_clients_that_never_finish_a_head_do_not_stop_the_others() {
    fibra::run(|| {
        let address = serve(Http::new().head_timeout(ms(300)), |_| say("served"));
        let mut slow: Vec<_> = (0..200)
            .map(|_| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(b"GET / HTTP/1.1\r\nx: ").unwrap();
                stream
            })
            .collect();
        assert!(exchange(address, head("/", CLOSE)).ends_with("served"));
        slow.iter_mut().for_each(|stream| assert_eq!(status(&read_all(stream)), 408));
    });
}

#[test]
fn a_client_may_go_away_after_every_byte() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        let request = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n\
                       3\r\nabc\r\n0\r\n\r\n";
        for length in 0..request.len() {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&request.as_bytes()[..length]).unwrap();
        }
        assert!(exchange(address, head("/", CLOSE)).ends_with("</:>"));
    });
}

/// The handler waits at each of these in turn; then its connection is killed.
#[test]
fn a_kill_of_a_connection_ends_its_handler_at_every_wait() {
    const WAITS: usize = 6;
    fibra::run(|| {
        for waits in 0..WAITS {
            let (begun, ended) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
            let (begins, ends) = (begun.clone(), ended.clone());
            let (mut stream, serves) = connection(Http::new(), move |request| {
                let ends = ends.clone();
                let _ends = crate::support::OnDrop(move || ends.set(true));
                begins.set(true);
                match waits {
                    0 => fibra::park(),
                    1 => fibra::sleep(std::time::Duration::from_secs(60)),
                    2 => drop(io::read_to_string::<BodyReader>(request.into_body())),
                    3 => fibra::sync::Event::new().wait(),
                    4 => fibra::spawn(fibra::park).join().unwrap(),
                    _ => drop(fibra::channel::Channel::<()>::new().recv()),
                }
                say("never")
            });
            let post = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
            stream.write_all(post.as_bytes()).unwrap();
            eventually("the handler begins", || begun.get());
            serves.kill();
            assert!(serves.join().unwrap_err().is_killed());
            eventually("the handler ends", || ended.get());
            assert_eq!(read_all(&mut stream), "");
        }
    });
}

/// A connection waits for the version, a head, a handler, a body, and for its client to read.
#[test]
fn a_connection_is_killed_at_every_wait() {
    fibra::run(|| {
        let requests =
            ["", "P", "GET / HT", &head("/park", ""), &head("/body", ""), &head("/", "")];
        for request in requests {
            let (mut stream, serves) = connection(Http::new(), |request: Request<BodyReader>| {
                if request.uri().path() == "/park" {
                    fibra::park();
                }
                let (mut writer, body) = body();
                let stops = request.uri().path() == "/body";
                fibra::spawn(move || {
                    while !stops && writer.write_all(&[0; 10_000]).is_ok() {}
                    fibra::sleep(ms(50));
                });
                Response::new(body)
            });
            stream.write_all(request.as_bytes()).unwrap();
            fibra::sleep(ms(10));
            assert!(!serves.is_finished(), "{request}");
            serves.kill();
            assert!(serves.join().unwrap_err().is_killed());
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest));
        }
    });
}
