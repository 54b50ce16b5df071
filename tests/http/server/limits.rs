//! Each limit of `Http`: what a client gets that exceeds it, and that it does not hit others.

use std::io::{self, Read, Write};
use std::time::Duration;

use fibra::http::{BodyReader, Http, body, hyper, status_of};
use fibra::net::TcpStream;
use hyper::{Request, Response};

use crate::server::{CLOSE, connection, exchange, head, read_all, read_until, say, serve, status};
use crate::support::ms;

/// Echoes the body, or answers with the status of the error.
fn echo(mut request: Request<BodyReader>) -> Response<super::Text> {
    let mut text = String::new();
    match request.body_mut().read_to_string(&mut text) {
        Ok(_) => say(text),
        Err(error) => {
            let mut response = say(error.to_string());
            *response.status_mut() = status_of(&error);
            response
        }
    }
}

fn post(length: impl std::fmt::Display, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{CLOSE}\r\n{body}")
}

fn chunked(chunks: &[&str]) -> String {
    let mut text =
        format!("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n{CLOSE}\r\n");
    for chunk in chunks {
        text += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    text + "0\r\n\r\n"
}

fn error_of(result: hyper::Result<()>) -> io::ErrorKind {
    use std::error::Error;
    let error = result.unwrap_err();
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.unwrap_or_else(|| panic!("{error:?}")).kind()
}

#[test]
fn a_head_may_have_its_size_and_not_one_byte_over() {
    fibra::run(|| {
        let address = serve(Http::new().max_head_size(1000), |_| say("fine"));
        let long = |n| format!("x: {}\r\n{CLOSE}", "y".repeat(n));
        assert_eq!(status(&exchange(address, head("/", &long(900)))), 200);
        assert_eq!(status(&exchange(address, head("/", &long(1000)))), 431);
        let path = format!("/{}", "y".repeat(1000));
        assert_eq!(status(&exchange(address, head(&path, CLOSE))), 431);
        // Larger than any buffer, and without end.
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx: ").unwrap();
        while stream.write_all(&[b'y'; 10_000]).is_ok() {}
        let answer = read_all(&mut stream);
        assert!(answer.is_empty() || status(&answer) == 431, "{answer}");
    });
}

#[test]
fn the_number_of_headers_is_limited() {
    fibra::run(|| {
        for (limit, http) in [(100, Http::new()), (10, Http::new().max_headers(10))] {
            let address = serve(http, |_| say("fine"));
            // With `host` and `connection`.
            let many = |n| (0..n).map(|i| format!("x{i}: y\r\n")).collect::<String>() + CLOSE;
            assert_eq!(status(&exchange(address, head("/", &many(limit - 2)))), 200);
            assert_eq!(status(&exchange(address, head("/", &many(limit - 1)))), 431);
        }
    });
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    fibra::run(|| {
        let address = serve(Http::new().max_body_size(10), echo);
        assert!(exchange(address, post(10, "0123456789")).ends_with("0123456789"));
        assert_eq!(status(&exchange(address, post(11, ""))), 413);
        assert_eq!(status(&exchange(address, post(u64::MAX / 2, ""))), 413);
        let address = serve(Http::new(), echo);
        assert_eq!(status(&exchange(address, post((2 << 20) + 1, ""))), 413);
        let address = serve(Http::new().max_body_size(None), echo);
        let large = "z".repeat(3 << 20);
        assert!(exchange(address, post(large.len(), &large)).ends_with("zzz"));
    });
}

#[test]
fn a_body_that_becomes_too_large_is_an_error_of_the_read() {
    fibra::run(|| {
        let address = serve(Http::new().max_body_size(10), echo);
        assert!(exchange(address, chunked(&["01234", "56789"])).ends_with("0123456789"));
        let answer = exchange(address, chunked(&["01234", "56789", "a"]));
        assert_eq!(status(&answer), 413);
        assert!(answer.ends_with("larger than `Http::max_body_size`"), "{answer}");
    });
}

/// Starts a server of a service that reads bodies within the limits of `http`.
fn serve_limited(http: Http) -> std::net::SocketAddr {
    use http_body_util::BodyExt;
    use hyper::body::{Body, Incoming};
    use hyper::service::service_fn;

    let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    fibra::spawn(move || {
        for stream in listener.incoming() {
            let (http, stream) = (http.clone(), stream.unwrap());
            fibra::spawn(move || {
                let limits = http.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let mut body = limits.limit_body(request.into_body());
                    async move {
                        let error = match (&mut body).collect().await {
                            Ok(body) => return io::Result::Ok(say(body.to_bytes())),
                            Err(error) => error,
                        };
                        assert!(!body.is_end_stream());
                        assert!(body.frame().await.unwrap().is_err());
                        let mut response = say(error.to_string());
                        *response.status_mut() = status_of(&error);
                        Ok(response)
                    }
                });
                http.serve_service(stream, service)
            });
        }
    });
    address
}

#[test]
fn the_limits_of_bodies_hold_for_services_that_use_them() {
    fibra::run(|| {
        let address = serve_limited(Http::new().max_body_size(10).body_timeout(ms(100)));
        assert!(exchange(address, post(10, "0123456789")).ends_with("0123456789"));
        assert!(exchange(address, chunked(&["01234", "56789"])).ends_with("0123456789"));
        assert_eq!(status(&exchange(address, post(11, ""))), 413);
        let answer = exchange(address, chunked(&["01234", "56789", "a"]));
        assert_eq!(status(&answer), 413);
        assert!(answer.ends_with("larger than `Http::max_body_size`"), "{answer}");
        assert_eq!(status(&exchange(address, post(6, "slo"))), 408);
        let address = serve_limited(Http::new().max_body_size(None).body_timeout(None));
        let large = "z".repeat(3 << 20);
        assert!(exchange(address, post(large.len(), &large)).ends_with("zzz"));
    });
}

#[test]
fn a_head_that_comes_slowly_is_refused_however_often_bytes_come() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new().head_timeout(ms(60)), |_| say("never"));
        let start = fibra::now();
        while stream.write_all(b"G").is_ok() && !serves.is_finished() {
            fibra::sleep(ms(5));
        }
        assert!((fibra::now() - start) >= ms(60));
        assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_part_of_a_head_gets_status_408_and_the_connection_is_closed() {
    fibra::run(|| {
        for part in ["GET / HTTP/1.1\r\nhost", "PO", "\r\n", "PRIM"] {
            let http = Http::new().head_timeout(ms(20));
            let (mut stream, serves) = connection(http, |_| say("never"));
            stream.write_all(part.as_bytes()).unwrap();
            let answer = read_all(&mut stream);
            assert_eq!(status(&answer), 408, "{part}");
            for header in ["\r\nconnection: close\r\n", "\r\ncontent-length: 0\r\n", "\r\ndate: "] {
                assert!(answer.contains(header), "{answer}");
            }
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
            assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
        }
    });
}

/// It may be the beginning of HTTP/2, where an answer of HTTP/1 is no help.
#[test]
#[cfg(feature = "http2")]
fn a_client_whose_version_is_not_known_gets_no_status() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new().head_timeout(ms(20)), |_| say("never"));
        stream.write_all(b"PRI * HT").unwrap();
        assert_eq!(read_all(&mut stream), "");
        assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
    });
}

#[test]
#[cfg(feature = "tls")]
fn a_part_of_a_head_over_tls_gets_status_408_too() {
    use crate::support::tls::tls_pair;

    fibra::run(|| {
        let (here, there) = tls_pair();
        let http = Http::new().head_timeout(ms(50));
        let serves = fibra::spawn(move || http.serve_connection(there, |_| say("never")));
        (&here).write_all(b"GET / HTTP/1.1\r\nhost").unwrap();
        // To the announced end.
        assert_eq!(status(&io::read_to_string(&here).unwrap()), 408);
        assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_connection_without_a_request_is_cut_off_like_a_slow_head() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new().head_timeout(ms(20)), |_| say("never"));
        assert_eq!(read_all(&mut stream), "");
        assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
    });
}

#[test]
fn an_idle_connection_is_closed_after_its_time_and_not_before() {
    fibra::run(|| {
        let http = Http::new().idle_timeout(ms(400)).head_timeout(ms(200));
        let (mut stream, serves) = connection(http, |_| say("!"));
        // Each request begins a new time.
        for _ in 0..3 {
            stream.write_all(head("/", "").as_bytes()).unwrap();
            read_until(&mut stream, "!");
            fibra::sleep(ms(250));
            assert!(!serves.is_finished());
        }
        assert_eq!(read_all(&mut stream), "");
        serves.join().unwrap().unwrap();
    });
}

#[test]
fn a_second_head_that_comes_slowly_is_refused_before_an_idle_connection_is_closed() {
    fibra::run(|| {
        let http = Http::new().idle_timeout(Duration::from_secs(60)).head_timeout(ms(30));
        let (mut stream, serves) = connection(http, |_| say("!"));
        stream.write_all(head("/", "").as_bytes()).unwrap();
        read_until(&mut stream, "!");
        stream.write_all(b"GET / HT").unwrap();
        assert_eq!(status(&read_all(&mut stream)), 408);
        assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_handler_that_takes_longer_than_a_head_or_a_pause_may_is_not_cut_off() {
    fibra::run(|| {
        let http = Http::new().idle_timeout(ms(50)).head_timeout(ms(50)).send_timeout(ms(50));
        let address = serve(http, |_| {
            fibra::sleep(ms(200));
            say("slow")
        });
        assert!(exchange(address, head("/", CLOSE)).ends_with("slow"));
    });
}

#[test]
fn a_body_that_stops_coming_is_an_error_of_the_read() {
    fibra::run(|| {
        let address = serve(Http::new().body_timeout(ms(300)), echo);
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(post(6, "").as_bytes()).unwrap();
        // Slow, and never silent for too long.
        for byte in b"slowly" {
            fibra::sleep(ms(60));
            stream.write_all(&[*byte]).unwrap();
        }
        assert!(read_all(&mut stream).ends_with("slowly"));
        let answer = exchange(address, post(6, "slo"));
        assert_eq!(status(&answer), 408);
    });
}

#[test]
fn a_client_that_takes_nothing_is_cut_off_and_its_body_waits_meanwhile() {
    use std::cell::Cell;
    use std::rc::Rc;

    fibra::run(|| {
        let written = Rc::new(Cell::new(0));
        let counts = written.clone();
        let (mut stream, serves) = connection(Http::new().send_timeout(ms(600)), move |_| {
            let (mut writer, body) = body();
            let counts = counts.clone();
            fibra::spawn(move || {
                while writer.write_all(&[0; 10_000]).is_ok() {
                    counts.set(counts.get() + 10_000);
                }
            });
            Response::new(body)
        });
        stream.write_all(head("/", "").as_bytes()).unwrap();
        // It takes some, slowly, and the limit begins anew each time.
        const PART: usize = 8 << 20;
        for _ in 0..4 {
            fibra::sleep(ms(200));
            stream.read_exact(&mut vec![0; PART]).unwrap();
            assert!(!serves.is_finished());
        }
        assert_eq!(error_of(serves.join().unwrap()), io::ErrorKind::TimedOut);
        // What was written is what was read, and what buffers and sockets hold: for a client that
        // reads much, the kernel makes these large.
        assert!(written.get() < 4 * PART + (100 << 20), "{}", written.get());
    });
}

#[test]
fn a_request_that_takes_too_long_is_answered_with_503_and_its_handler_killed() {
    fibra::run(|| {
        let (told, ended) = fibra::sync::oneshot::<()>();
        let told = std::rc::Rc::new(std::cell::Cell::new(Some(told)));
        let address = serve(Http::new().request_timeout(ms(30)), move |_| {
            let _told = told.take();
            fibra::park();
            say("never")
        });
        assert_eq!(status(&exchange(address, head("/", CLOSE))), 503);
        assert!(ended.recv().is_err());
    });
}

#[test]
fn a_response_that_takes_too_long_is_broken_off() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new().request_timeout(ms(30)), |_| {
            let (mut writer, body) = body();
            fibra::spawn(move || {
                writer.write_all(b"a part").unwrap();
                writer.flush().unwrap();
                fibra::park();
            });
            Response::new(body)
        });
        stream.write_all(head("/", "").as_bytes()).unwrap();
        let answer = read_all(&mut stream);
        assert!(answer.contains("a part") && !answer.ends_with("0\r\n\r\n"), "{answer}");
        assert!(serves.join().unwrap().is_err());
    });
}

#[test]
fn limits_that_are_off_limit_nothing() {
    fibra::run(|| {
        let http = Http::new().head_timeout(None).idle_timeout(None).send_timeout(None);
        let http = http.body_timeout(None).request_timeout(None).max_body_size(None);
        let address = serve(http, echo);
        assert!(exchange(address, chunked(&["all", " of it"])).ends_with("all of it"));
    });
}
