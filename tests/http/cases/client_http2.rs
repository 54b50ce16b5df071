//! The client and servers of HTTP/2 that refuse requests, leave, or send too much.

#![allow(clippy::disallowed_methods, reason = "a server on a thread of its own sends without end")]

use std::cell::Cell;
use std::io::{Read, Write};
use std::mem;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fibra::http::{Client, RequestBody, hyper};
use fibra::net::TcpStream;
use hyper::Version;

use crate::client_help::{Site, builder};
use crate::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PREFACE, PRIORITY,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, field, frame, read_frame,
};
use crate::support::ms;
use crate::support::net::{soon, yield_until};

const REFUSED_STREAM: u32 = 7;
/// `:status: 200`.
const OK: &[u8] = &[0x88];

fn client() -> Client {
    builder().http2_prior_knowledge().build().unwrap()
}

/// Begins the server's side of a connection.
fn begin(mut stream: &TcpStream) {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).unwrap();
    assert_eq!(preface, PREFACE);
    send(stream, frame(SETTINGS, 0, 0, []));
    send(stream, frame(SETTINGS, ACK, 0, []));
}

/// Sends bytes; the client may have gone away.
fn send(mut stream: &TcpStream, bytes: impl AsRef<[u8]>) {
    let _ = stream.write_all(bytes.as_ref());
}

/// Waits for the end of the next request, and returns its stream.
fn next_request(stream: &TcpStream) -> Option<u32> {
    loop {
        let Frame { kind, flags, stream, .. } = read_frame(stream)?;
        if matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            return Some(stream);
        }
    }
}

fn answer(stream: &TcpStream, id: u32) {
    send(stream, frame(HEADERS, END_HEADERS, id, OK));
    send(stream, frame(DATA, END_STREAM, id, "ok"));
}

fn answer_all(stream: &TcpStream) {
    while let Some(id) = next_request(stream) {
        answer(stream, id);
    }
}

fn goaway(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, 0, 0, payload)
}

fn text(client: &Client, site: &Site) -> String {
    let response = soon(|| client.get(site.url("/")).send().unwrap());
    assert_eq!(response.version(), Version::HTTP_2);
    soon(|| response.text().unwrap())
}

/// Answers the first request of the first connection, and does `then` with the second one. Further
/// connections answer all.
fn second_meets(then: fn(&TcpStream, u32)) -> Site {
    Site::scripted(move |number, stream| {
        begin(&stream);
        if number == 1 {
            let first = next_request(&stream).unwrap();
            answer(&stream, first);
            let Some(second) = next_request(&stream) else { return };
            then(&stream, second);
        }
        answer_all(&stream);
    })
}

fn leaves(stream: &TcpStream, _: u32) {
    send(stream, goaway(1, 0));
}

fn refuses(stream: &TcpStream, id: u32) {
    send(stream, frame(RST_STREAM, 0, id, REFUSED_STREAM.to_be_bytes()));
}

fn breaks(stream: &TcpStream, _: u32) {
    drop(stream.shutdown(std::net::Shutdown::Both));
}

fn fails(stream: &TcpStream, id: u32) {
    send(stream, frame(RST_STREAM, 0, id, 2_u32.to_be_bytes()));
}

#[test]
fn a_request_that_the_server_refused_or_left_unread_is_repeated() {
    fibra::run(|| {
        for (what, then) in [("leaves", leaves as fn(&_, _)), ("refuses", refuses)] {
            for method in ["GET", "PUT", "POST"] {
                let (site, client) = (second_meets(then), client());
                assert_eq!(text(&client, &site), "ok");
                let request = client.request(method.parse().unwrap(), site.url("/")).body("x");
                let sent = soon(|| request.send().and_then(|response| response.text()));
                assert_eq!(sent.unwrap_or_else(|error| panic!("{what}, {method}: {error}")), "ok");
            }
        }
    });
}

#[test]
fn a_request_that_the_server_may_have_begun_is_repeated_only_if_that_is_safe() {
    fibra::run(|| {
        for (method, repeated) in [("GET", true), ("POST", false)] {
            let (site, client) = (second_meets(breaks), client());
            assert_eq!(text(&client, &site), "ok");
            let request = client.request(method.parse().unwrap(), site.url("/")).body("x");
            assert_eq!(soon(|| request.send()).is_ok(), repeated, "{method}");
        }
        let (site, client) = (second_meets(fails), client());
        assert_eq!(text(&client, &site), "ok");
        let body = RequestBody::new(&b"once"[..]);
        let error = soon(|| client.post(site.url("/")).body(body).send().unwrap_err());
        assert!(error.is_request(), "{error}");
    });
}

#[test]
fn a_server_that_refuses_everything_is_asked_twice() {
    fibra::run(|| {
        let asked = Rc::new(Cell::new(0));
        let counts = asked.clone();
        let site = Site::scripted(move |_, stream| {
            begin(&stream);
            let mut first = true;
            while let Some(id) = next_request(&stream) {
                if mem::replace(&mut first, false) {
                    answer(&stream, id);
                } else {
                    counts.set(counts.get() + 1);
                    refuses(&stream, id);
                }
            }
        });
        let client = client();
        assert_eq!(text(&client, &site), "ok");
        // While one request is repeated on a new connection, the others make that a used one.
        let requests: Vec<_> = (0..20)
            .map(|_| {
                let (client, url) = (client.clone(), site.url("/"));
                fibra::spawn(move || client.get(url).send().map(drop))
            })
            .collect();
        requests.into_iter().for_each(|request| drop(soon(|| request.join())));
        assert!(asked.get() <= 40, "{}", asked.get());
    });
}

#[test]
fn a_server_that_leaves_answers_the_requests_before() {
    fibra::run(|| {
        let site = Site::scripted(|number, stream| {
            begin(&stream);
            if number == 1 {
                let first = next_request(&stream).unwrap();
                send(&stream, goaway(first, 0));
                fibra::sleep(ms(20));
                answer(&stream, first);
            }
            answer_all(&stream);
        });
        let client = client();
        let (other, url) = (client.clone(), site.url("/"));
        let first = fibra::spawn(move || other.get(url).send().unwrap().text().unwrap());
        yield_until(|| site.connections.get() == 1);
        fibra::sleep(ms(10));
        assert_eq!(text(&client, &site), "ok");
        assert_eq!(site.connections.get(), 2);
        assert_eq!(soon(|| first.join().unwrap()), "ok");
    });
}

#[test]
fn a_head_that_is_too_large_is_an_error_and_no_hang() {
    fibra::run(|| {
        // The second one is refused before it has ended.
        for fields in [200, 1000] {
            let site = Site::scripted(move |number, stream| {
                begin(&stream);
                if number == 1 {
                    let id = next_request(&stream).unwrap();
                    let block = field("x-large", &"y".repeat(100)).repeat(fields);
                    let mut chunks = block.chunks(16_000).peekable();
                    send(&stream, frame(HEADERS, 0, id, OK));
                    while let Some(chunk) = chunks.next() {
                        let flags = if chunks.peek().is_none() { END_HEADERS } else { 0 };
                        send(&stream, frame(CONTINUATION, flags, id, chunk));
                    }
                    send(&stream, frame(DATA, END_STREAM, id, "ok"));
                }
                answer_all(&stream);
            });
            // A request on a new connection is not repeated.
            let client = client();
            let sent = soon(|| client.get(site.url("/")).send().map(drop));
            assert!(sent.as_ref().is_err_and(|error| error.is_request()), "{fields}: {sent:?}");
            assert_eq!(site.connections.get(), 1);
            fibra::sleep(ms(5));
            if fields == 1000 {
                assert_eq!(text(&client, &site), "ok");
            }
        }
    });
}

fn number(bytes: &[u8]) -> u64 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap()).into()
}

/// One response that is not read uses up its own window, and not that of the connection.
#[test]
fn a_response_that_is_not_read_does_not_stop_the_others() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            begin(&stream);
            // The windows as this server knows them, and how much the first response has sent.
            let (mut connection, mut window) = (65_535_u64, 65_535_u64);
            let mut large = None;
            while let Some(frame) = read_frame(&stream) {
                let by = |frame: &Frame| number(&frame.payload);
                match frame.kind {
                    SETTINGS => {
                        let mut entries = frame.payload.chunks(6);
                        let initial = entries.find(|entry| entry[..2] == [0, 4]);
                        window = initial.map_or(window, |entry| number(&entry[2..]));
                    }
                    WINDOW_UPDATE if frame.stream == 0 => connection += by(&frame),
                    WINDOW_UPDATE if Some(frame.stream) == large => window += by(&frame),
                    HEADERS if large.is_none() => {
                        large = Some(frame.stream);
                        send(&stream, crate::frames::frame(HEADERS, END_HEADERS, frame.stream, OK));
                    }
                    HEADERS => {
                        assert!(2 < connection, "the connection has no window left");
                        answer(&stream, frame.stream);
                    }
                    _ => {}
                }
                while let Some(id) = large.filter(|_| window != 0 && connection != 0) {
                    let length = window.min(connection).min(16_384);
                    let data = vec![0; length as usize];
                    send(&stream, crate::frames::frame(DATA, 0, id, data));
                    window -= length;
                    connection -= length;
                }
            }
        });
        let client = client();
        let unread = soon(|| client.get(site.url("/")).send().unwrap());
        fibra::sleep(ms(50));
        for _ in 0..3 {
            assert_eq!(text(&client, &site), "ok");
        }
        drop(unread);
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn informational_responses_of_http_2_are_skipped() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            begin(&stream);
            while let Some(id) = next_request(&stream) {
                let hints = [field(":status", "103"), field("link", "</a>")].concat();
                send(&stream, frame(HEADERS, END_HEADERS, id, hints));
                answer(&stream, id);
            }
        });
        let client = client();
        for _ in 0..2 {
            assert_eq!(text(&client, &site), "ok");
        }
    });
}

/// Nothing has to be sent for these frames, so nothing ever makes the client wait.
#[test]
fn frames_that_never_pause_stop_neither_the_limit_nor_other_fibers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let floods = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&frame(SETTINGS, 0, 0, [])).unwrap();
        let many = frame(PRIORITY, 0, 1, [0, 0, 0, 0, 15]).repeat(10_000);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) && stream.write_all(&many).is_ok() {}
    });
    fibra::run(|| {
        let start = Instant::now();
        let other = fibra::spawn(|| fibra::sleep(ms(20)));
        let client = client();
        let error = client.get(&url).timeout(ms(100)).send().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        other.join().unwrap();
        drop(client);
        assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    });
    floods.join().unwrap();
}
