//! Requests that clients get wrong, or that servers do.

#![allow(clippy::disallowed_methods, reason = "a client on a thread of its own sends without end")]

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fibra::http::{BodyReader, Http, hyper};
use fibra::net::TcpStream;
use hyper::{Request, Response};

use crate::server::{CLOSE, Text, connection, exchange, head, read_all, say, serve, status};
use crate::support::ms;
use crate::support::net::soon;

/// Answers with the request's target and body.
fn tell(mut request: Request<BodyReader>) -> Response<Text> {
    let target = request.uri().to_string();
    match io::read_to_string(request.body_mut()) {
        Ok(body) => say(format!("<{target}:{body}>")),
        Err(error) => Response::builder().status(400).body(error.to_string().into()).unwrap(),
    }
}

#[test]
fn a_request_names_one_host() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        for (headers, expected) in [
            ("host: x\r\n", 200),
            ("host:\r\n", 200),
            ("host: [::1]:80\r\n", 200),
            ("", 400),
            ("host: x\r\nhost: x\r\n", 400),
            ("host: x\r\nhost: y\r\n", 400),
        ] {
            let answer = exchange(address, format!("GET / HTTP/1.1\r\n{CLOSE}{headers}\r\n"));
            assert_eq!(status(&answer), expected, "{headers:?}: {answer}");
        }
        // Earlier versions need no host.
        assert!(exchange(address, "GET / HTTP/1.0\r\n\r\n").ends_with("</:>"));
    });
}

#[test]
fn a_target_may_be_a_path_a_url_an_authority_or_a_star() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        for (line, expected) in [
            ("GET /a?b HTTP/1.1", "</a?b:>"),
            ("GET http://x/a HTTP/1.1", "<http://x/a:>"),
            ("OPTIONS * HTTP/1.1", "<*:>"),
        ] {
            let answer = exchange(address, format!("{line}\r\nhost: x\r\n{CLOSE}\r\n"));
            assert!(answer.ends_with(expected), "{line}: {answer}");
        }
        for line in [
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /a b HTTP/1.1",
            "GET / HTTP/3.0",
            "/ HTTP/1.1",
        ] {
            let answer = exchange(address, format!("{line}\r\nhost: x\r\n{CLOSE}\r\n"));
            assert_eq!(status(&answer), 400, "{line}: {answer}");
        }
    });
}

#[test]
fn empty_lines_before_a_request_are_skipped() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        let post = "POST /1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx";
        let answer = exchange(address, format!("\r\n\r\n{post}\r\n\r\n{}", head("/2", CLOSE)));
        assert!(answer.contains("</1:x>") && answer.ends_with("</2:>"), "{answer}");
    });
}

#[test]
fn extensions_of_chunks_are_skipped_up_to_a_limit() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        let post =
            format!("POST / HTTP/1.1\r\nhost: x\r\n{CLOSE}transfer-encoding: chunked\r\n\r\n");
        let short = "3;name=value;\"quoted\"\r\nabc\r\n0;last\r\n\r\n";
        assert!(exchange(address, format!("{post}{short}")).ends_with("</:abc>"));
        let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(1 << 20));
        assert_eq!(status(&exchange(address, format!("{post}{long}"))), 400);
        let many = format!("1;{}\r\na\r\n", "x".repeat(100)).repeat(1000);
        assert_eq!(status(&exchange(address, format!("{post}{many}0\r\n\r\n"))), 400);
        let trailers = format!("0\r\n{}\r\n", "x: y\r\n".repeat(100_000));
        assert_eq!(status(&exchange(address, format!("{post}{trailers}"))), 400);
    });
}

/// Each chunk costs more than its bytes. The other connections have their turns meanwhile.
#[test]
fn a_body_of_tiny_chunks_does_not_stop_other_connections() {
    fibra::run(|| {
        let address = serve(Http::new(), |mut request: Request<BodyReader>| {
            drop(io::copy(request.body_mut(), &mut io::sink()));
            say("served")
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stops = stop.clone();
        let floods = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            let (many, start) = ("1\r\nx\r\n".repeat(10_000), Instant::now());
            while !stops.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(60) {
                if stream.write_all(many.as_bytes()).is_err() {
                    return;
                }
            }
        });
        fibra::sleep(ms(50));
        let start = Instant::now();
        for _ in 0..5 {
            assert!(exchange(address, head("/", CLOSE)).ends_with("served"));
        }
        let took = start.elapsed();
        stop.store(true, Ordering::Relaxed);
        fibra::blocking(move || floods.join()).unwrap();
        assert!(took < Duration::from_secs(40), "{took:?}");
    });
}

/// The chunks end the body, and the handler gets the bytes of the other coding.
#[test]
fn a_coding_below_the_chunks_of_a_request_is_passed_on() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        let post = format!(
            "POST / HTTP/1.1\r\nhost: x\r\n{CLOSE}transfer-encoding: gzip, chunked\r\n\r\n\
             4\r\nzzzz\r\n0\r\n\r\n"
        );
        assert!(exchange(address, post).ends_with("</:zzzz>"));
    });
}

#[test]
fn a_client_of_http_1_0_keeps_its_connection_if_it_asks() {
    fibra::run(|| {
        let address = serve(Http::new(), tell);
        let kept = "GET /1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n";
        let answer = exchange(address, format!("{kept}GET /2 HTTP/1.0\r\n\r\n"));
        let (first, second) = answer.split_once("</1:>").unwrap();
        assert!(first.contains("connection: keep-alive\r\n"), "{first}");
        assert!(second.ends_with("</2:>") && !second.contains("keep-alive"), "{second}");
        // A body without a length ends with the connection, and has no chunks.
        let streams = serve(Http::new(), |_| {
            let (mut writer, body) = fibra::http::body();
            fibra::spawn(move || writer.write_all(b"abc").and_then(|()| writer.finish()));
            Response::new(body)
        });
        let answer = exchange(streams, kept);
        assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
        assert!(!answer.contains("chunked"), "{answer}");
    });
}

/// A client that writes all before it reads gets the refusal, and no reset.
#[test]
fn a_client_that_sends_a_body_which_is_not_wanted_gets_the_response() {
    fibra::run(|| {
        let refuses = |_| Response::builder().status(403).body(Text::from("no")).unwrap();
        let address = serve(Http::new().max_body_size(None), refuses);
        for size in [100_000, 3_000_000] {
            for close in ["", CLOSE] {
                let head =
                    format!("POST / HTTP/1.1\r\nhost: x\r\n{close}content-length: {size}\r\n\r\n");
                let sent = [head.as_bytes(), &vec![b'x'; size]].concat();
                let mut stream = TcpStream::connect(address).unwrap();
                let written = soon(|| stream.write_all(&sent));
                let answer = soon(|| read_all(&mut stream));
                assert!(answer.ends_with("no"), "{size} {close:?}: {written:?} {answer:?}");
            }
        }
    });
}

#[test]
fn a_client_that_expects_permission_is_not_kept_waiting_by_an_echo() {
    fibra::run(|| {
        // The response begins before its handler has read anything.
        let echo = |request: Request<BodyReader>| {
            let (mut writer, body) = fibra::http::body();
            let mut incoming = request.into_body();
            fibra::spawn(move || {
                io::copy(&mut incoming, &mut writer).and_then(|_| writer.finish())
            });
            Response::new(body)
        };
        let (mut stream, _serves) = connection(Http::new(), echo);
        let head = format!(
            "POST / HTTP/1.1\r\nhost: x\r\n{CLOSE}expect: 100-continue\r\ncontent-length: 4\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The permission, or the head of the response, which is one, too.
        let mut first = [0; 12];
        soon(|| stream.read_exact(&mut first).unwrap());
        stream.write_all(b"body").unwrap();
        assert!(soon(|| read_all(&mut stream)).contains("body"));
    });
}
