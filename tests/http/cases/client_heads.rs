//! Responses that servers get wrong, or that clients do, and what it means for the connection.

#![allow(clippy::disallowed_methods, reason = "a server on a thread of its own sends without end")]

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use fibra::http::Client;
use hyper::header::HeaderValue;
use hyper::{Method, StatusCode};

use crate::client_help::{OK, Site, answer_all, builder, client, head_of, write};
use crate::support::ms;
use crate::support::net::{soon, yield_until};

use fibra::http::hyper;

fn text(client: &Client, site: &Site) -> String {
    soon(|| client.get(site.url("/")).send().unwrap().text().unwrap())
}

#[test]
fn informational_responses_come_before_the_response_and_are_skipped() {
    fibra::run(|| {
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n";
        let all = format!("{hints}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 \r\n\r\n{hints}{OK}");
        let site = Site::scripted(move |number, stream| {
            while head_of(&stream).is_some() {
                if number == 1 {
                    write(&stream, &all);
                    continue;
                }
                for byte in all.split_inclusive('\n') {
                    write(&stream, byte);
                    fibra::sleep(ms(1));
                }
            }
        });
        let client = client();
        for _ in 0..2 {
            assert_eq!(text(&client, &site), "ok");
        }
        assert_eq!(site.connections.get(), 1);
        assert_eq!(text(&crate::client_help::client(), &site), "ok");
    });
}

/// hyper reads them for as long as there are any. The limit has to end that, and other fibers have
/// to run meanwhile.
#[test]
fn informational_responses_without_end_are_given_up_at_the_limit() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let floods = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 16]).unwrap();
        let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) && stream.write_all(many.as_bytes()).is_ok()
        {
        }
    });
    fibra::run(|| {
        let start = Instant::now();
        let other = fibra::spawn(|| fibra::sleep(ms(20)));
        let error = client().get(&url).timeout(ms(100)).send().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        other.join().unwrap();
        assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    });
    floods.join().unwrap();
}

#[test]
fn a_response_that_cannot_have_a_body_leaves_its_connection_usable() {
    fibra::run(|| {
        for (method, head) in [
            (Method::GET, "HTTP/1.1 204 No Content\r\n\r\n"),
            (Method::GET, "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n"),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n"),
            (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
            (Method::HEAD, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            (Method::HEAD, "HTTP/1.1 200 OK\r\n\r\n"),
        ] {
            let site = Site::scripted(move |_, stream| answer_all(&stream, head));
            let client = client();
            for _ in 0..2 {
                let request = client.request(method.clone(), site.url("/"));
                assert_eq!(soon(|| request.send().unwrap().text().unwrap()), "");
            }
            assert_eq!(site.connections.get(), 1, "{head:?}");
        }
    });
}

/// If the body were taken for the next response, a server could answer a request to another one
/// of its users.
#[test]
fn a_body_that_must_not_be_there_is_not_the_next_response() {
    fibra::run(|| {
        let forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
        for (method, head) in [
            (Method::GET, "HTTP/1.1 204 No Content\r\ncontent-length: 44\r\n\r\n"),
            (Method::GET, "HTTP/1.1 304 Not Modified\r\ncontent-length: 44\r\n\r\n"),
            (Method::HEAD, "HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n"),
        ] {
            // The body arrives with the head, or a moment later.
            for together in [true, false] {
                let site = Site::scripted(move |number, stream| {
                    if number != 1 {
                        return answer_all(&stream, OK);
                    }
                    head_of(&stream);
                    if together {
                        write(&stream, &format!("{head}{forged}"));
                    } else {
                        write(&stream, head);
                        write(&stream, forged);
                    }
                    fibra::park();
                });
                let client = client();
                let request = client.request(method.clone(), site.url("/"));
                assert_eq!(soon(|| request.send().unwrap().text().unwrap()), "");
                if !together {
                    fibra::sleep(ms(5));
                }
                assert_eq!(text(&client, &site), "ok", "{head:?} {together}");
            }
        }
    });
}

#[test]
fn a_line_after_a_response_ends_its_connection_and_no_request() {
    fibra::run(|| {
        for (stray, later) in [("\r\n", false), ("\r\n", true), ("\n", true)] {
            let site = Site::scripted(move |_, stream| {
                head_of(&stream);
                write(&stream, &if later { OK.into() } else { format!("{OK}{stray}") });
                fibra::sleep(ms(2));
                if later {
                    write(&stream, stray);
                }
                fibra::park();
            });
            let client = client();
            for n in 1..=2 {
                assert_eq!(text(&client, &site), "ok");
                assert_eq!(site.connections.get(), n);
                fibra::sleep(ms(10));
            }
        }
    });
}

#[test]
fn a_hundred_headers_are_accepted_and_one_more_is_an_error() {
    fibra::run(|| {
        for (number, accepted) in [(100, true), (101, false), (5000, false)] {
            let headers: String = (1..number).map(|n| format!("x-{n}: y\r\n")).collect();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{headers}\r\n");
            let site = Site::scripted(move |_, stream| answer_all(&stream, &answer));
            let sent = soon(|| client().get(site.url("/")).send());
            match sent {
                Ok(response) => assert!(accepted && response.headers().len() == number),
                Err(error) => {
                    assert!(!accepted && error.is_request(), "{error}");
                    assert!(error.to_string().contains("too large"), "{error}");
                }
            }
        }
    });
}

#[test]
fn values_may_be_empty_or_not_text_and_may_not_be_folded() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            while let Some(head) = head_of(&stream) {
                let more = match head.split(' ').nth(1) {
                    Some("/fold") => "x: a\r\n b\r\n",
                    Some("/space") => "x : a\r\n",
                    Some("/nothing") => ": a\r\n",
                    _ => "x-empty:\r\nX-Twice: 1\r\nx-twice:  2  \r\n",
                };
                write(&stream, &format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{more}"));
                let _ = (&stream).write_all(b"x-latin: \xe9\r\n\r\n");
            }
        });
        let client = client();
        let response = client.get(site.url("/")).send().unwrap();
        let headers = response.headers();
        assert_eq!(headers["x-empty"], "");
        assert_eq!(headers["x-latin"], HeaderValue::from_bytes(b"\xe9").unwrap());
        let twice: Vec<_> = headers.get_all("x-twice").iter().collect();
        assert_eq!(twice, ["1", "2"]);
        for path in ["/fold", "/space", "/nothing"] {
            let error = soon(|| client.get(site.url(path)).send().unwrap_err());
            assert!(error.is_request(), "{path}: {error}");
        }
    });
}

#[test]
fn a_server_of_http_1_0_ends_a_body_by_closing_or_keeps_its_connection() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream);
            write(&stream, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
        });
        let client = client();
        for n in 1..=2 {
            assert_eq!(text(&client, &site), "until the end");
            assert_eq!(site.connections.get(), n);
        }
        for (more, connections) in [("", 2), ("connection: keep-alive\r\n", 1)] {
            let site = Site::scripted(move |_, stream| {
                let answer = format!("HTTP/1.0 200 OK\r\n{more}content-length: 2\r\n\r\nok");
                answer_all(&stream, &answer);
            });
            for _ in 1..=2 {
                assert_eq!(text(&client, &site), "ok");
            }
            assert_eq!(site.connections.get(), connections, "{more:?}");
        }
    });
}

#[test]
fn an_announced_end_is_believed_in_any_form() {
    fibra::run(|| {
        for close in [
            "connection: close",
            "Connection: Close",
            "connection: keep-alive, CLOSE",
            "connection: x\r\nconnection: close",
        ] {
            let site = Site::scripted(move |_, stream| {
                let answer = format!("HTTP/1.1 200 OK\r\n{close}\r\ncontent-length: 2\r\n\r\nok");
                answer_all(&stream, &answer);
            });
            let client = client();
            for n in 1..=2 {
                assert_eq!(text(&client, &site), "ok");
                assert_eq!(site.connections.get(), n, "{close}");
            }
            yield_until(|| site.open.get() == 0);
        }
    });
}

/// The client does not ask for codings (`te`), so it decodes the chunks and nothing else.
#[test]
fn a_coding_below_the_chunks_is_passed_on() {
    fibra::run(|| {
        let answer =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n4\r\nzzzz\r\n0\r\n\r\n";
        let site = Site::scripted(move |_, stream| answer_all(&stream, answer));
        let client = client();
        for _ in 0..2 {
            let response = client.get(site.url("/")).send().unwrap();
            assert_eq!(response.headers()["transfer-encoding"], "gzip, chunked");
            assert_eq!(response.text().unwrap(), "zzzz");
        }
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn a_response_that_comes_before_its_request_is_an_error() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            write(&stream, OK);
            fibra::park();
        });
        let sent = soon(|| {
            fibra::sleep(ms(1));
            client().get(site.url("/")).send()
        });
        // It has arrived before the request was sent, or not.
        assert!(sent.as_ref().is_err_and(|error| error.is_request()) || sent.is_ok(), "{sent:?}");
    });
}

#[test]
fn an_upgrade_that_was_not_asked_for_is_a_response_and_ends_the_connection() {
    fibra::run(|| {
        let site = Site::scripted(|number, stream| {
            if number != 1 {
                return answer_all(&stream, OK);
            }
            head_of(&stream);
            write(
                &stream,
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            );
            write(&stream, "bytes of another protocol");
            fibra::park();
        });
        let client = builder().max_connections_per_host(1).build().unwrap();
        let sent = soon(|| client.get(site.url("/")).send());
        if let Ok(mut response) = sent {
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            let mut rest = String::new();
            drop(soon(|| response.read_to_string(&mut rest)));
            assert_eq!(rest, "");
        }
        assert_eq!(text(&client, &site), "ok");
        assert_eq!(site.connections.get(), 2);
    });
}
