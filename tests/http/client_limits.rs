//! Time limits, servers that are slow or lie, and kills at every wait.

#![allow(clippy::disallowed_methods, reason = "a resolver blocks a thread of its own")]

use std::cell::Cell;
use std::error::Error as _;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use fibra::http::{Client, Error, RequestBody};
use fibra::net::{Resolver, TcpListener};
use fibra::testing::wait_all_blocked;
use fibra::time::timeout;

use crate::client_help::{OK, Site, answer_all, builder, client, head_of, say, write};
use crate::support::net::{soon, yield_until};
use crate::support::{HOUR, ms};

/// A server that accepts connections and never answers.
fn silent() -> Site {
    Site::scripted(|_, stream| while head_of(&stream).is_some() {})
}

/// Returns how long `f` takes.
fn took<T>(f: impl FnOnce() -> T) -> (Duration, T) {
    let start = fibra::now();
    let result = f();
    (fibra::now() - start, result)
}

#[test]
fn a_server_that_never_answers_is_given_up_at_each_limit() {
    fibra::run(|| {
        let site = silent();
        let limited = builder().timeout(ms(20)).build().unwrap();
        let (time, error) = took(|| limited.get(site.url("/")).send().unwrap_err());
        assert!(error.is_timeout() && ms(20) <= time && time < ms(2000), "{error:?} {time:?}");
        let url = site.url("/");
        let text =
            format!("the request to {url} was not complete within its time limit: raise `timeout`");
        assert_eq!(error.to_string(), text);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::TimedOut);

        let error = limited.get(&url).timeout(ms(1)).send().unwrap_err();
        assert!(error.is_timeout());

        let patient = builder().read_timeout(ms(20)).build().unwrap();
        let (time, error) = took(|| patient.get(&url).send().unwrap_err());
        assert!(error.is_timeout() && ms(20) <= time && time < ms(2000));
        let text =
            format!("the server of {url} sent nothing for longer than `read_timeout` allows");
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn a_slow_server_is_within_the_limit_between_bytes_and_beyond_that_of_the_whole() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream);
            for part in "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef".as_bytes().chunks(9) {
                fibra::sleep(ms(20));
                write(&stream, std::str::from_utf8(part).unwrap());
            }
            fibra::park();
        });
        let patient = builder().read_timeout(ms(500)).build().unwrap();
        let text = patient.get(site.url("/")).send().unwrap().text().unwrap();
        assert_eq!(text, "abcdef");
        let error = patient.get(site.url("/")).timeout(ms(50)).send();
        assert!(error.and_then(|response| response.text()).unwrap_err().is_timeout());
    });
}

#[test]
fn a_body_that_stops_is_given_up_at_each_limit() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream);
            write(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc");
            fibra::park();
        });
        let patient = builder().read_timeout(ms(200)).build().unwrap();
        let error = patient.get(site.url("/")).send().unwrap().text().unwrap_err();
        assert!(error.is_timeout());
        let mut response = client().get(site.url("/")).timeout(ms(200)).send().unwrap();
        let mut text = [0; 6];
        response.read_exact(&mut text[..3]).unwrap();
        let error = response.read(&mut text).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.get_ref().unwrap().is::<Error>());
        assert!(response.read(&mut text).is_err());
    });
}

#[test]
fn a_body_without_end_is_given_up_at_the_limit_of_the_whole() {
    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            head_of(&stream);
            write(&stream, "HTTP/1.1 200 OK\r\n\r\n");
            drop(io::copy(&mut io::repeat(b'x'), &mut stream));
        });
        let mut response = client().get(site.url("/")).timeout(ms(300)).send().unwrap();
        let error = response.copy_to(&mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn an_upload_is_not_silence() {
    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            head_of(&stream);
            let mut left = 40_000_000_usize;
            let mut buffer = vec![0; 1_000_000];
            while 0 < left {
                left -= stream.read(&mut buffer).unwrap();
                fibra::sleep(ms(10));
            }
            write(&stream, OK);
        });
        let patient = builder().read_timeout(ms(300)).build().unwrap();
        let body = RequestBody::sized(io::repeat(b'x'), 40_000_000);
        let response = patient.post(site.url("/")).body(body).send().unwrap();
        assert_eq!(response.text().unwrap(), "ok");
    });
}

#[test]
fn the_limit_of_a_connection_covers_the_name_and_the_wait_in_the_queue_does_not_count() {
    fibra::run(|| {
        let never = Resolver::new(|_| {
            std::thread::sleep(ms(100));
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        });
        let client = builder().resolver(never).connect_timeout(ms(10)).build().unwrap();
        let error = client.get("http://slow.test:1/").send().unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let text = "no connection for http://slow.test:1/ within its time limit: raise \
                    `connect_timeout`";
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn the_limit_of_the_whole_covers_the_wait_for_a_connection() {
    fibra::run(|| {
        let site = silent();
        let client = builder().max_connections_per_host(1).build().unwrap();
        let (other, url) = (client.clone(), site.url("/"));
        let holds = fibra::spawn(move || other.get(url).send().map(drop));
        wait_all_blocked();
        let error = client.get(site.url("/")).timeout(ms(10)).send().unwrap_err();
        assert!(error.is_timeout());
        holds.kill();
        drop(holds.join());
    });
}

#[test]
fn lies_about_the_length_of_a_body_are_errors() {
    fibra::run(|| {
        let table = [
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nshort\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffff\r\nshort\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\nshort\r\n0\r\n\r\n",
        ];
        for answer in table {
            let site = Site::scripted(move |_, stream| {
                head_of(&stream);
                write(&stream, answer);
            });
            let response = client().get(site.url("/")).send().unwrap();
            let error = soon(|| response.text().unwrap_err());
            assert!(error.is_body() && error.source().is_some(), "{answer:?}: {error:?}");
        }
    });
}

#[test]
fn a_head_that_is_not_http_is_an_error() {
    fibra::run(|| {
        let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
        let table = [
            "SSH-2.0-OpenSSH\r\n\r\n".to_string(),
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy".into(),
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nxy".into(),
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n".into(),
            "HTTP/1.1 20".into(),
            String::new(),
            long,
        ];
        for answer in table {
            let shown: String = answer.chars().take(40).collect();
            let site = Site::scripted(move |_, stream| {
                head_of(&stream);
                write(&stream, &answer);
            });
            let error = soon(|| client().get(site.url("/")).send().unwrap_err());
            assert!(error.is_request(), "{shown:?}: {error:?}");
            assert!(!format!("{error:?}").contains('\n'));
        }
    });
}

#[test]
fn both_lengths_at_the_same_time_smuggle_nothing() {
    fibra::run(|| {
        let site = Site::scripted(|_, stream| {
            head_of(&stream);
            write(
                &stream,
                "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
                 2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad",
            );
            fibra::park();
        });
        let client = client();
        for n in 1..=2 {
            let sent = client.get(site.url("/")).send().and_then(|response| response.text());
            assert!(sent.as_ref().map_or(true, |text| text == "ok"), "{sent:?}");
            assert_eq!(site.connections.get(), n);
        }
    });
}

#[test]
fn a_reader_that_is_too_short_or_fails_fails_the_request() {
    fibra::run(|| {
        struct Fails;
        impl Read for Fails {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the disk is broken"))
            }
        }
        let site = Site::scripted(|_, stream| answer_all(&stream, ""));
        let table = [
            (RequestBody::sized(&b"short"[..], 10), "ended after 5 bytes, but 10 were announced"),
            (RequestBody::new(Fails), "the disk is broken"),
            (RequestBody::sized(Fails, 10), "the disk is broken"),
        ];
        for (body, text) in table {
            let error = soon(|| client().post(site.url("/")).body(body).send().unwrap_err());
            assert!(error.to_string().contains(text), "{error}");
        }
    });
}

/// Starts a request in a fiber, kills it when everything waits, and checks that the client works
/// afterwards.
fn kill_in_the_middle(
    client: &Client,
    has_begun: impl Fn() -> bool,
    request: impl FnOnce(Client) + 'static,
) {
    let killed = client.clone();
    let fiber = fibra::spawn(move || request(killed));
    yield_until(has_begun);
    wait_all_blocked();
    fiber.kill();
    assert!(fiber.join().unwrap_err().is_killed());
    let site = Site::new(|_| say("ok"));
    let text = soon(|| client.get(site.url("/")).send().unwrap().text().unwrap());
    assert_eq!(text, "ok");
}

#[test]
fn a_kill_at_any_wait_closes_the_connection_and_spares_the_client() {
    fibra::run(|| {
        let client = builder().max_connections_per_host(1).build().unwrap();
        let (begun, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (heads, told) = (begun.clone(), ended.clone());
        let begun = |n| {
            let begun = begun.clone();
            move || begun.get() == n
        };
        let site = Site::scripted(move |_, stream| {
            let head = head_of(&stream).unwrap();
            heads.set(heads.get() + 1);
            if head.starts_with("GET /body") {
                write(&stream, "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort");
            }
            while head_of(&stream).is_some() {}
            told.set(told.get() + 1);
        });

        // While it waits for the head, for the body, and for the upload.
        let url = site.url("/head");
        kill_in_the_middle(&client, begun(1), move |client| drop(client.get(url).send()));
        let url = site.url("/body");
        kill_in_the_middle(&client, begun(2), move |client| {
            drop(client.get(url).send().unwrap().text())
        });
        let (_writer, body) = fibra::http::body();
        let url = site.url("/upload");
        kill_in_the_middle(&client, begun(3), move |client| {
            drop(client.post(url).body(body).send())
        });
        yield_until(|| ended.get() == 3);

        // While it waits for a connection that another request uses.
        let url = site.url("/body");
        let holds = client.get(&url).send().unwrap();
        kill_in_the_middle(&client, || true, move |client| drop(client.get(url).send()));
        drop(holds);
        yield_until(|| ended.get() == 4);
        let response = soon(|| client.get(site.url("/body")).send().unwrap());
        assert_eq!(response.status(), 200);
    });
}

#[test]
fn a_kill_while_it_connects_leaves_nothing_behind() {
    fibra::run(|| {
        let resolver = Resolver::new(|_| {
            std::thread::sleep(ms(50));
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        });
        let client = builder().max_connections_per_host(1).resolver(resolver).build().unwrap();
        let url = "http://slow.test/";
        kill_in_the_middle(&client, || true, move |client| drop(client.get(url).send()));
        // A listener whose queue is full: the system does not answer.
        let listener = TcpListener::builder().backlog(0).bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _queued: Vec<_> = (0..3)
            .filter_map(|_| fibra::net::TcpStream::connect_timeout(&address, ms(20)).ok())
            .collect();
        let url = format!("http://{address}/");
        kill_in_the_middle(&client, || true, move |client| drop(client.get(url).send()));
    });
}

#[test]
fn a_time_limit_of_the_caller_works_like_a_kill() {
    fibra::run(|| {
        let (site, client) = (silent(), client());
        assert!(timeout(ms(10), || client.get(site.url("/")).send()).is_err());
        yield_until(|| site.open.get() == 0);
        assert_eq!(format!("{client:?}"), "Client { servers: 0, idle: 0 }");
        let limit = client.get(site.url("/")).timeout(HOUR);
        assert!(timeout(ms(10), || limit.send()).is_err());
    });
}

#[test]
fn a_half_open_connection_in_the_pool_is_found_out_by_the_limit() {
    fibra::run(|| {
        // The second request on a connection gets no answer: as if the network had swallowed it.
        let site = Site::scripted(|_, stream| {
            head_of(&stream);
            write(&stream, OK);
            head_of(&stream);
            fibra::park();
        });
        let client = builder().read_timeout(ms(200)).build().unwrap();
        for n in 1..=2 {
            assert_eq!(client.get(site.url("/")).send().unwrap().text().unwrap(), "ok");
            assert_eq!(site.connections.get(), n);
            assert!(client.get(site.url("/")).send().unwrap_err().is_timeout());
        }
    });
}

/// A server that disappears: its side of the connection stays open, and nothing answers.
#[test]
#[cfg(feature = "http2")]
fn a_server_that_answers_no_ping_fails_its_requests_and_is_connected_to_again() {
    use std::io::{Read, Write};

    fibra::run(|| {
        let site = Site::scripted(|_, mut stream| {
            // Empty settings.
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
            while stream.read(&mut [0; 1024]).is_ok_and(|length| length != 0) {}
        });
        let client = builder()
            .http2_prior_knowledge()
            .http2_keep_alive_interval(ms(20))
            .http2_keep_alive_timeout(ms(20))
            .build()
            .unwrap();
        for connections in 1..=2 {
            let error = soon(|| client.get(site.url("/")).send().unwrap_err());
            assert!(error.is_request(), "{error}");
            assert_eq!(site.connections.get(), connections);
        }
        yield_until(|| site.open.get() == 0);
    });
}

#[test]
#[cfg(feature = "http2")]
fn an_idle_connection_is_tested_with_pings_if_that_is_wanted() {
    use std::io::{Read, Write};

    fibra::run(|| {
        for while_idle in [true, false] {
            let site = Site::scripted(|_, mut stream| {
                // Empty settings, and a response with status 204 to the first request, which is the
                // first frame of type 1 after the preface.
                stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
                stream.read_exact(&mut [0; 24]).unwrap();
                let mut frame = [0; 9];
                while frame[3] != 1 {
                    stream.read_exact(&mut frame).unwrap();
                    stream.read_exact(&mut vec![0; usize::from(frame[2])]).unwrap();
                }
                stream.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x89]).unwrap();
                while stream.read(&mut [0; 1024]).is_ok_and(|length| length != 0) {}
            });
            let client = builder()
                .http2_prior_knowledge()
                .http2_keep_alive_interval(ms(10))
                .http2_keep_alive_timeout(ms(10))
                .http2_keep_alive_while_idle(while_idle)
                .build()
                .unwrap();
            assert_eq!(client.get(site.url("/")).send().unwrap().status(), 204);
            if while_idle {
                yield_until(|| site.open.get() == 0);
            } else {
                fibra::sleep(ms(100));
                assert_eq!(site.open.get(), 1);
            }
        }
    });
}
