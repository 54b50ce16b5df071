//! Responses of servers: bodies that must not be there, and files.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::rc::Rc;

use fibra::http::{BodyReader, Files, Http, hyper};
use hyper::{Request, Response};

use crate::server::{CLOSE, Text, eventually, exchange, head, serve, status};

#[test]
fn a_body_that_a_status_forbids_is_not_sent() {
    fibra::run(|| {
        for code in [204, 304] {
            let address = serve(Http::new(), move |_| {
                Response::builder().status(code).body(Text::from("forbidden")).unwrap()
            });
            let answer = exchange(address, head("/1", "") + &head("/2", CLOSE));
            assert_eq!(answer.matches(&format!("HTTP/1.1 {code}")).count(), 2, "{answer}");
            assert!(!answer.contains("forbidden"), "{answer}");
            assert!(code != 204 || !answer.contains("content-length"), "{answer}");
        }
    });
}

#[test]
fn a_body_that_no_client_gets_ends_its_writer() {
    fibra::run(|| {
        let stopped = Rc::new(Cell::new(0));
        let counts = stopped.clone();
        let address = serve(Http::new(), move |request: Request<BodyReader>| {
            let (mut writer, body) = fibra::http::body();
            let counts = counts.clone();
            fibra::spawn(move || {
                while writer.write_all(&[0; 1000]).is_ok() {}
                counts.set(counts.get() + 1);
            });
            let code = if request.uri().path() == "/204" { 204 } else { 200 };
            Response::builder().status(code).body(body).unwrap()
        });
        let answer = exchange(address, format!("HEAD / HTTP/1.1\r\nhost: x\r\n{CLOSE}\r\n"));
        assert!(status(&answer) == 200 && answer.ends_with("\r\n\r\n"), "{answer}");
        eventually("the writer of the response to HEAD ends", || stopped.get() == 1);
        assert!(exchange(address, head("/204", CLOSE)).ends_with("\r\n\r\n"));
        eventually("the writer of the empty response ends", || stopped.get() == 2);
    });
}

#[test]
fn a_handler_cannot_send_an_informational_status() {
    fibra::run(|| {
        for code in [100, 103] {
            let address = serve(Http::new(), move |_| {
                Response::builder().status(code).body(Text::default()).unwrap()
            });
            let answer = exchange(address, head("/1", "") + &head("/2", CLOSE));
            assert_eq!(answer.matches("HTTP/1.1 500").count(), 2, "{answer}");
        }
    });
}

/// The same handler serves both versions, and what only one of them has must not break the other.
#[cfg(feature = "http2")]
#[test]
fn what_only_http_1_has_is_left_out_in_http_2() {
    use fibra::future::block_on;
    use fibra::net::TcpStream;

    use crate::server::http2::{client, get};

    fibra::run(|| {
        let address = serve(Http::new(), |request: Request<BodyReader>| {
            let code = if request.uri().path() == "/early" { 103 } else { 200 };
            let response = Response::builder().status(code).header("connection", "close");
            let response = response.header("keep-alive", "timeout=5").header("upgrade", "x");
            response.header("transfer-encoding", "chunked").body(Text::from("body")).unwrap()
        });
        let mut requests = client::<Text>(TcpStream::connect(address).unwrap());
        for _ in 0..2 {
            let response = block_on(requests.send_request(get("/"))).unwrap();
            for name in ["connection", "keep-alive", "upgrade", "transfer-encoding"] {
                assert!(!response.headers().contains_key(name), "{name}");
            }
            let early = block_on(requests.send_request(get("/early"))).unwrap();
            assert_eq!(early.status(), 500);
        }
    });
}

#[test]
fn a_range_of_an_empty_file_or_beyond_the_end_is_answered_with_the_right_length() {
    fibra::run(|| {
        let folder = std::env::temp_dir().join(format!("fibra-ranges-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("empty"), "").unwrap();
        fs::write(folder.join("short"), "0123456789").unwrap();
        let files = Files::new(&folder);
        let address = serve(Http::new(), move |request| files.respond(&request));
        let get = |path: &str, range: &str| {
            exchange(address, head(path, &format!("{CLOSE}range: {range}\r\n")))
        };
        let empty = get("/empty", "bytes=0-");
        assert_eq!(status(&empty), 416, "{empty}");
        assert!(empty.contains("content-range: bytes */0\r\n"), "{empty}");
        assert!(empty.contains("content-length: 0\r\n") && empty.ends_with("\r\n\r\n"), "{empty}");
        let beyond = get("/short", "bytes=0-3145727");
        assert_eq!(status(&beyond), 206, "{beyond}");
        assert!(beyond.contains("content-range: bytes 0-9/10\r\n"), "{beyond}");
        assert!(beyond.ends_with("0123456789"), "{beyond}");
        let refused = exchange(address, head("/%00/short", CLOSE));
        assert_eq!(status(&refused), 404, "{refused}");
        fs::remove_dir_all(folder).unwrap();
    });
}
