//! Parts of messages that servers often get wrong: `Expect`, trailers, half-closed clients.

use std::io::{self, Read, Write};

use fibra::http::{BodyReader, Http, body, hyper};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response};

use crate::server::{CLOSE, connection, exchange, head, read_all, read_until, say, serve, status};
use crate::support::ms;

const EXPECT: &str = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\
                      expect: 100-continue\r\n\r\n";

#[test]
fn a_client_that_asks_first_may_continue_when_the_handler_reads() {
    fibra::run(|| {
        let (mut stream, _serves) = connection(Http::new(), |request: Request<BodyReader>| {
            say(io::read_to_string(request.into_body()).unwrap())
        });
        stream.write_all(EXPECT.as_bytes()).unwrap();
        assert_eq!(read_until(&mut stream, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(b"body").unwrap();
        assert!(read_all(&mut stream).ends_with("body"));
    });
}

#[test]
fn a_client_that_asks_first_gets_the_response_alone_if_its_body_is_not_wanted() {
    fibra::run(|| {
        let refuses = |_| Response::builder().status(403).body(String::new()).unwrap();
        assert_eq!(status(&exchange(serve(Http::new(), refuses), EXPECT)), 403);
        let too_small = Http::new().max_body_size(3);
        assert_eq!(status(&exchange(serve(too_small, refuses), EXPECT)), 413);
    });
}

#[test]
fn trailers_of_a_request_are_there_after_its_body() {
    fibra::run(|| {
        let address = serve(Http::new(), |mut request: Request<BodyReader>| {
            let mut text = String::new();
            let body = request.body_mut();
            assert!(body.trailers().is_none());
            body.read_to_string(&mut text).unwrap();
            let sum = body.trailers().unwrap()["x-sum"].to_str().unwrap().to_string();
            say(format!("{text} {sum}"))
        });
        let request = format!(
            "POST / HTTP/1.1\r\nhost: x\r\n{CLOSE}trailer: x-sum\r\ntransfer-encoding: chunked\r\n\
             \r\n3\r\nabc\r\n0\r\nx-sum: 294\r\n\r\n"
        );
        assert!(exchange(address, request).ends_with("abc 294"));
    });
}

#[test]
fn trailers_of_a_response_follow_its_body_for_a_client_that_wants_them() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| {
            let (mut writer, body) = body();
            fibra::spawn(move || {
                writer.write_all(b"abc").unwrap();
                let sum = HeaderValue::from_static("294");
                let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), sum)]);
                writer.finish_with(trailers).unwrap();
            });
            Response::builder().header("trailer", "x-sum").body(body).unwrap()
        });
        let answer = exchange(address, head("/", &format!("te: trailers\r\n{CLOSE}")));
        assert!(answer.ends_with("3\r\nabc\r\n0\r\nx-sum: 294\r\n\r\n"), "{answer}");
        let answer = exchange(address, head("/", CLOSE));
        assert!(answer.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{answer}");
    });
}

#[test]
fn a_client_that_stops_sending_is_taken_for_one_that_has_gone() {
    fibra::run(|| {
        let handler = |_| {
            fibra::sleep(ms(20));
            say("late")
        };
        for (http, answered) in [(Http::new(), false), (Http::new().half_close(true), true)] {
            let (mut stream, serves) = connection(http, handler);
            stream.write_all(head("/", CLOSE).as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(read_all(&mut stream).ends_with("late"), answered);
            assert_eq!(serves.join().unwrap().is_ok(), answered);
        }
    });
}

#[test]
fn a_response_to_head_has_a_length_and_no_body() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| say("12345"));
        let answer = exchange(address, format!("HEAD / HTTP/1.1\r\nhost: x\r\n{CLOSE}\r\n"));
        assert!(answer.contains("content-length: 5\r\n") && answer.ends_with("\r\n\r\n"));
    });
}

#[test]
fn a_client_of_http_1_0_is_served() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| say("old"));
        assert!(exchange(address, "GET / HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nold"));
    });
}
