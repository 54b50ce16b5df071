//! HTTP/2: the same handlers, many requests at a time on one connection, resets, and ends.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use fibra::future::block_on;
use fibra::http::{BodyReader, FiberExecutor, Http, Io, body, hyper};
use fibra::io::PollIo;
use fibra::net::TcpStream;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response, Version};

use crate::server::{Text, connection, eventually, exchange, head, say, serve, status};
use crate::support::{OnDrop, ms};

/// Returns hyper's client over a stream. Its connection runs in a fiber until the client and its
/// responses are dropped.
pub(crate) fn client<B>(stream: impl PollIo + Unpin + 'static) -> SendRequest<B>
where
    B: Body<Data: Send, Error: Into<super::BoxError>> + Unpin + 'static,
{
    let io = Io::new(stream);
    let handshake = hyper::client::conn::http2::handshake(FiberExecutor, io);
    let (requests, connection) = block_on(handshake).unwrap();
    fibra::spawn(|| block_on(connection));
    requests
}

fn connect(address: std::net::SocketAddr) -> SendRequest<Text> {
    client(TcpStream::connect(address).unwrap())
}

pub(crate) fn get(path: &str) -> Request<Text> {
    Request::get(format!("http://localhost{path}")).body(Text::default()).unwrap()
}

fn post(path: &str, body: impl Into<Bytes>) -> Request<Text> {
    Request::post(format!("http://localhost{path}")).body(Full::new(body.into())).unwrap()
}

fn text(response: Response<Incoming>) -> String {
    let body = block_on(response.into_body().collect()).unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[test]
fn a_connection_uses_the_version_that_its_client_uses() {
    fibra::run(|| {
        let address = serve(Http::new(), |request| say(format!("{:?}", request.version())));
        assert!(exchange(address, head("/", super::CLOSE)).ends_with("HTTP/1.1"));
        let response = block_on(connect(address).send_request(get("/"))).unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(text(response), "HTTP/2.0");
    });
}

#[test]
fn a_preface_may_arrive_byte_by_byte_and_may_be_wrong_in_every_byte() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    fibra::run(|| {
        let address = serve(Http::new(), |_| say("served"));
        let mut stream = TcpStream::connect(address).unwrap();
        for byte in PREFACE {
            stream.write_all(&[*byte]).unwrap();
            fibra::sleep(ms(1));
        }
        // An empty frame of settings; the server sends its own first.
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        let mut settings = [0; 9];
        stream.read_exact(&mut settings).unwrap();
        assert_eq!(settings[3], 4);
        for wrong in 0..PREFACE.len() {
            let mut bytes = PREFACE.to_vec();
            bytes[wrong] = b'x';
            assert!(!exchange(address, bytes).contains("200 OK"));
        }
    });
}

#[test]
fn one_version_only_if_that_is_wanted() {
    fibra::run(|| {
        let address = serve(Http::new().http2_only(), |_| say("two"));
        assert!(!exchange(address, head("/", "")).contains("two"));
        assert_eq!(text(block_on(connect(address).send_request(get("/"))).unwrap()), "two");
        let address = serve(Http::new().http1_only(), |_| say("one"));
        assert!(exchange(address, head("/", super::CLOSE)).ends_with("one"));
        assert!(block_on(connect(address).send_request(get("/"))).is_err());
    });
}

#[test]
fn handlers_of_one_connection_wait_at_the_same_time() {
    fibra::run(|| {
        let arrived = Rc::new(Cell::new(0));
        let counts = arrived.clone();
        let address = serve(Http::new(), move |request| {
            counts.set(counts.get() + 1);
            while counts.get() < 50 {
                fibra::sleep(ms(1));
            }
            say(request.uri().path().to_string())
        });
        let requests = connect(address);
        fibra::scope(|scope| {
            for n in 0..50 {
                let mut requests = requests.clone();
                scope.spawn(move || {
                    let path = format!("/{n}");
                    assert_eq!(text(block_on(requests.send_request(get(&path))).unwrap()), path);
                });
            }
        });
        assert_eq!(arrived.get(), 50);
    });
}

#[test]
fn bodies_and_trailers_pass_both_ways_while_they_are_written() {
    fibra::run(|| {
        let address = serve(Http::new().max_body_size(None), |request: Request<BodyReader>| {
            let (mut writer, outgoing) = body();
            fibra::spawn(move || {
                let mut incoming = request.into_body();
                let length = io::copy(&mut incoming, &mut writer).unwrap();
                assert_eq!(incoming.trailers().unwrap()["sent"], "all");
                let trailers = HeaderMap::from_iter([(
                    "length".parse().unwrap(),
                    HeaderValue::from_str(&length.to_string()).unwrap(),
                )]);
                writer.finish_with(trailers).unwrap();
            });
            Response::new(outgoing)
        });
        let mut requests = client(TcpStream::connect(address).unwrap());
        let (mut writer, outgoing) = body();
        fibra::spawn(move || {
            writer.write_all(&vec![b'x'; 3_000_000]).unwrap();
            let sent = HeaderValue::from_static("all");
            writer.finish_with(HeaderMap::from_iter([("sent".parse().unwrap(), sent)])).unwrap();
        });
        let request = Request::post("http://localhost/").body(Box::pin(outgoing)).unwrap();
        let response = block_on(requests.send_request(request)).unwrap();
        let collected = block_on(response.into_body().collect()).unwrap();
        assert_eq!(collected.trailers().unwrap()["length"], "3000000");
        assert!(collected.to_bytes().iter().all(|byte| *byte == b'x'));
    });
}

#[test]
fn a_request_that_is_reset_kills_its_handler_and_no_other() {
    fibra::run(|| {
        let killed = Rc::new(Cell::new(0));
        let counts = killed.clone();
        let address = serve(Http::new(), move |request| {
            if request.uri().path() == "/forever" {
                let counts = counts.clone();
                let _counts = OnDrop(move || counts.set(counts.get() + 1));
                fibra::park();
            }
            fibra::sleep(ms(30));
            say("done")
        });
        let mut requests = connect(address);
        let mut forever = Box::pin(requests.send_request(get("/forever")));
        let done = requests.send_request(get("/"));
        // Starts both.
        block_on(std::future::poll_fn(|cx| {
            let _ = forever.as_mut().poll(cx);
            std::task::Poll::Ready(())
        }));
        fibra::sleep(ms(10));
        assert_eq!(killed.get(), 0);
        drop(forever);
        assert_eq!(text(block_on(done).unwrap()), "done");
        eventually("the handler is killed", || killed.get() == 1);
    });
}

#[test]
fn a_connection_that_is_lost_or_killed_kills_all_its_handlers() {
    fibra::run(|| {
        for kills in [false, true] {
            let (begun, ended) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let (begins, ends) = (begun.clone(), ended.clone());
            let (stream, serves) = connection(Http::new(), move |_| {
                let ends = ends.clone();
                let _ends = OnDrop(move || ends.set(ends.get() + 1));
                begins.set(begins.get() + 1);
                fibra::park();
                say("never")
            });
            let stream = Rc::new(stream);
            let requests = client(stream.clone());
            let asks = (0..5).map(|_| {
                let mut requests = requests.clone();
                fibra::spawn(move || block_on(requests.send_request(get("/"))).is_err())
            });
            let asks: Vec<_> = asks.collect();
            eventually("all have begun", || begun.get() == 5);
            match kills {
                true => serves.kill(),
                false => stream.shutdown(std::net::Shutdown::Both).unwrap(),
            }
            eventually("all have ended", || ended.get() == 5);
            assert_eq!(serves.join().is_err(), kills);
            assert!(asks.into_iter().all(|ask| ask.join().unwrap()));
        }
    });
}

#[test]
fn a_graceful_end_lets_requests_finish_and_takes_no_further_ones() {
    fibra::run(|| {
        let http = Http::new();
        let (stream, serves) = connection(http.clone(), |_| {
            fibra::sleep(ms(40));
            say("the last")
        });
        let requests = client(stream);
        let mut asks = requests.clone();
        let asks = fibra::spawn(move || text(block_on(asks.send_request(get("/"))).unwrap()));
        fibra::sleep(ms(10));
        http.graceful().shutdown();
        assert_eq!(asks.join().unwrap(), "the last");
        serves.join().unwrap().unwrap();
        eventually("the client knows", || requests.is_closed());
    });
}

#[test]
fn limits_hold_as_in_http_1() {
    fibra::run(|| {
        let http = Http::new().max_body_size(10).max_headers(5).request_timeout(ms(400));
        let address = serve(http, |request: Request<BodyReader>| {
            if request.uri().path() == "/slow" {
                fibra::park();
            }
            say(io::read_to_string(request.into_body()).unwrap())
        });
        let mut requests = connect(address);
        let mut ask = |request| block_on(requests.send_request(request)).unwrap();
        assert_eq!(text(ask(post("/", "0123456789"))), "0123456789");
        assert_eq!(ask(post("/", "0123456789a")).status(), 413);
        assert_eq!(ask(get("/slow")).status(), 503);
        let mut many = get("/");
        for n in 0..6 {
            let name: hyper::header::HeaderName = format!("x{n}").parse().unwrap();
            many.headers_mut().insert(name, HeaderValue::from_static("y"));
        }
        assert_eq!(ask(many).status(), 431);
        // A panic is one response, and the connection goes on.
        assert_eq!(text(ask(post("/", "fine"))), "fine");
    });
}

#[test]
fn an_idle_connection_is_asked_to_end_and_pings_do_not_prolong_it() {
    fibra::run(|| {
        let (stream, serves) = connection(Http::new().idle_timeout(ms(50)), |_| say("!"));
        let mut builder = hyper::client::conn::http2::Builder::new(FiberExecutor);
        builder.timer(fibra::http::FiberTimer);
        builder.keep_alive_interval(ms(10)).keep_alive_while_idle(true);
        let (mut requests, connection) =
            block_on(builder.handshake::<_, Text>(Io::new(stream))).unwrap();
        fibra::spawn(|| block_on(connection));
        assert_eq!(text(block_on(requests.send_request(get("/"))).unwrap()), "!");
        serves.join().unwrap().unwrap();
        eventually("the client knows", || requests.is_closed());
    });
}

/// A client that disappears: its side of the connection stays open, and nothing answers.
#[test]
fn a_client_that_answers_no_ping_loses_its_connection_and_its_handler() {
    fibra::run(|| {
        let ended = std::rc::Rc::new(std::cell::Cell::new(false));
        let end = ended.clone();
        let http = Http::new().idle_timeout(None).http2_keep_alive_interval(ms(20));
        let http = http.http2_keep_alive_timeout(ms(30));
        let (mut stream, serves) = connection(http, move |_| {
            let end = end.clone();
            let _end = crate::support::OnDrop(move || end.set(true));
            fibra::park();
            say("never")
        });
        // `GET http://x/`, after empty settings.
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).unwrap();
        let get = [0x82, 0x86, 0x84, 0x01, 1, b'x'];
        stream.write_all(&[&[0, 0, 6, 1, 5, 0, 0, 0, 1][..], &get].concat()).unwrap();
        drop(serves.join().unwrap());
        assert!(ended.get());
        drop(stream);
    });
}

#[test]
fn a_client_that_answers_pings_keeps_its_connection() {
    fibra::run(|| {
        let http = Http::new().http2_keep_alive_interval(ms(10)).http2_keep_alive_timeout(ms(100));
        let address = serve(http, |_| {
            fibra::sleep(ms(300));
            say("slow")
        });
        let mut requests = connect(address);
        assert_eq!(text(block_on(requests.send_request(get("/"))).unwrap()), "slow");
    });
}

#[test]
fn a_handler_that_panics_answers_with_status_500() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| -> Response<Text> { panic!("a mistake") });
        let mut requests = connect(address);
        for _ in 0..2 {
            assert_eq!(block_on(requests.send_request(get("/"))).unwrap().status(), 500);
        }
        assert_eq!(status(&exchange(address, head("/", super::CLOSE))), 500);
    });
}

#[cfg(feature = "tls")]
#[test]
fn the_version_is_agreed_on_by_alpn() {
    use crate::support::tls::{
        acceptor, client_config, connector, localhost, name, server_config, tcp_pair,
    };

    fibra::run(|| {
        for (offered, version) in [
            (&["h2", "http/1.1"][..], "HTTP/2.0"),
            (&["http/1.1"], "HTTP/1.1"),
            (&["h2"], "HTTP/2.0"),
            // By the first bytes.
            (&[], "HTTP/2.0"),
        ] {
            let (here, there) = tcp_pair();
            let http = Http::new();
            let mut config = server_config(localhost());
            config.alpn_protocols = http.alpn_protocols();
            let serves = fibra::spawn(move || {
                let stream = acceptor(config).accept(there).unwrap();
                http.serve_connection(stream, |request| say(format!("{:?}", request.version())))
            });
            let mut config = client_config();
            config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let mut stream = connector(config).connect(name(), here).unwrap();
            if version == "HTTP/2.0" {
                let mut requests = client(stream);
                assert_eq!(text(block_on(requests.send_request(get("/"))).unwrap()), version);
            } else {
                stream.write_all(head("/", super::CLOSE).as_bytes()).unwrap();
                assert!(io::read_to_string(stream).unwrap().ends_with(version));
            }
            serves.join().unwrap().unwrap();
        }
    });
}
