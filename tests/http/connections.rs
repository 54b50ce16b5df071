//! HTTP on fibers: handlers that block, connections that end well and badly.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fibra::http::{BodyReader, Connection, Http, Io, StreamBody, body, hyper};
use fibra::io::PollIo;
use fibra::net::{TcpListener, TcpStream};
use fibra::{JoinError, JoinHandle};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};

use crate::support::{Noisy, check, go, ms, panic_of, text_of};

type Text = Full<Bytes>;

/// Starts a server that serves each connection in a fiber of its own. Returns its address.
fn serve<H, B>(http: Http, handler: H) -> SocketAddr
where
    H: Fn(Request<BodyReader>) -> Response<B> + Clone + 'static,
    B: hyper::body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    go(move || {
        for stream in listener.incoming() {
            let (http, handler, stream) = (http.clone(), handler.clone(), stream.unwrap());
            go(move || http.serve_connection(stream, handler));
        }
    });
    address
}

fn client(address: SocketAddr) -> Connection<Text> {
    Connection::new(TcpStream::connect(address).unwrap()).unwrap()
}

fn get(path: &str) -> Request<Text> {
    Request::get(path).header("host", "localhost").body(Text::default()).unwrap()
}

fn post(path: &str, body: Vec<u8>) -> Request<Text> {
    Request::post(path).header("host", "localhost").body(Full::from(body)).unwrap()
}

fn text(response: Response<BodyReader>) -> String {
    io::read_to_string(response.into_body()).unwrap()
}

fn say(text: impl Into<Bytes>) -> Response<Text> {
    Response::new(Full::new(text.into()))
}

/// Returns a flag, and the same flag for a handler that sets it.
fn flag() -> (Rc<Cell<bool>>, Rc<Cell<bool>>) {
    let flag = Rc::new(Cell::new(false));
    (flag.clone(), flag)
}

/// Lets others run until `flag` is set. A request may be on its way while all fibers wait.
fn sleep_until(flag: &Cell<bool>) {
    while !flag.get() {
        fibra::sleep(ms(1));
    }
}

#[test]
fn one_connection_serves_many_requests() {
    fibra::run(|| {
        let address = serve(Http::new(), |request| say(format!("{}", request.uri())));
        let mut client = client(address);
        for path in ["/one", "/two", "/three"] {
            assert_eq!(text(client.send(get(path)).unwrap()), path);
        }
        assert!(!client.is_closed());
    });
}

#[test]
fn requests_that_are_sent_at_once_are_answered_in_order() {
    fibra::run(|| {
        let address = serve(Http::new(), |request| say(format!("<{}>", request.uri())));
        let mut stream = TcpStream::connect(address).unwrap();
        let head = |path, more| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n");
        let requests = head("/a", "") + &head("/b", "") + &head("/c", "connection: close\r\n");
        stream.write_all(requests.as_bytes()).unwrap();
        let answers = io::read_to_string(stream).unwrap();
        let at = |text| answers.find(text).unwrap();
        assert!(at("</a>") < at("</b>") && at("</b>") < at("</c>"));
    });
}

#[test]
fn fifty_handlers_sleep_at_the_same_time() {
    fibra::run(|| {
        let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (count, maximum) = (now.clone(), most.clone());
        let address = serve(Http::new(), move |_| {
            count.set(count.get() + 1);
            maximum.set(maximum.get().max(count.get()));
            // All handlers wait for the last one to arrive.
            while maximum.get() < 50 {
                fibra::sleep(ms(1));
            }
            count.set(count.get() - 1);
            say("done")
        });
        let ask = |_| fibra::spawn(move || text(client(address).send(get("/")).unwrap()));
        let clients: Vec<_> = (0..50).map(ask).collect();
        clients.into_iter().for_each(|client| assert_eq!(client.join().unwrap(), "done"));
        assert_eq!((now.get(), most.get()), (0, 50));
    });
}

#[test]
fn a_handler_waits_for_a_channel() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let sender = channel.clone();
        let address = serve(Http::new(), move |request| match request.uri().path() {
            "/wait" => say(channel.recv().unwrap()),
            path => {
                sender.send(path.to_string()).unwrap();
                say("sent")
            }
        });
        let waits = fibra::spawn(move || text(client(address).send(get("/wait")).unwrap()));
        assert_eq!(text(client(address).send(get("/value")).unwrap()), "sent");
        assert_eq!(waits.join().unwrap(), "/value");
    });
}

#[test]
fn a_body_that_is_larger_than_all_buffers_is_echoed_while_it_is_read() {
    const LENGTH: usize = 5_000_000;
    fibra::run(|| {
        let http = Http::new().max_body_size(None);
        let address = serve(http, |mut request: Request<BodyReader>| {
            let (mut writer, body) = body();
            go(move || io::copy(request.body_mut(), &mut writer).unwrap());
            Response::new(body)
        });
        let (mut writer, body) = body();
        go(move || {
            let data: Vec<u8> = (0..LENGTH).map(|i| (i % 251) as u8).collect();
            writer.write_all(&data).unwrap();
        });
        let mut client =
            Connection::<StreamBody>::new(TcpStream::connect(address).unwrap()).unwrap();
        let request = Request::post("/").header("host", "localhost").body(body).unwrap();
        let mut got = Vec::new();
        client.send(request).unwrap().into_body().read_to_end(&mut got).unwrap();
        assert!(got.len() == LENGTH && got.iter().enumerate().all(|(i, b)| *b == (i % 251) as u8));
    });
}

#[test]
fn a_small_stack_is_enough_for_a_connection() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let small = fibra::Builder::new().stack_size(32 << 10);
        let serves = small.spawn(move || {
            let stream = listener.accept().unwrap().0;
            Http::new().serve_connection(stream, |_| say("small"))
        });
        let mut client = client(address);
        for _ in 0..3 {
            assert_eq!(text(client.send(get("/")).unwrap()), "small");
        }
        drop(client);
        serves.join().unwrap().unwrap();
    });
}

#[test]
fn a_body_that_is_never_read_does_no_harm() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| say("no thanks"));
        let response = client(address).send(post("/", vec![1; 1000])).unwrap();
        assert_eq!(text(response), "no thanks");
    });
}

#[test]
fn a_writer_that_panics_breaks_its_message() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| {
            let (mut writer, body) = body();
            go(move || {
                writer.write_all(&[b'x'; 20_000]).unwrap();
                writer.flush().unwrap();
                panic!("in the middle");
            });
            Response::new(body)
        });
        // The connection is closed immediately, perhaps before the head was sent.
        let response = client(address).send(get("/"));
        let read = response.map(|response| io::read_to_string(response.into_body()));
        assert!(!matches!(read, Ok(Ok(_))));
    });
}

#[test]
fn a_handler_that_panics_answers_with_status_500() {
    fibra::run(|| {
        let address = serve(Http::new(), |request| match request.uri().path() {
            "/panic" => panic!("a mistake"),
            _ => say("fine"),
        });
        let mut client = client(address);
        let response = client.send(get("/panic")).unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(text(response), "");
        assert_eq!(text(client.send(get("/")).unwrap()), "fine");
    });
}

#[test]
fn a_client_that_is_slow_to_ask_is_cut_off() {
    fibra::run(|| {
        let http = Http::new().head_timeout(ms(20)).idle_timeout(ms(20));
        let address = serve(http, |_| say("in time"));
        let whole = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        // No request; a part of one; one request, and no second one.
        for (asked, answered) in [("", 0), (&whole[..20], 0), (whole, 1)] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(asked.as_bytes()).unwrap();
            let answer = io::read_to_string(stream).unwrap();
            assert_eq!(answer.matches("in time").count(), answered, "{asked:?}: {answer}");
        }
    });
}

#[test]
fn a_client_that_goes_away_kills_its_handler() {
    fibra::run(|| {
        let (told, ended) = fibra::sync::oneshot::<()>();
        let told = Rc::new(Cell::new(Some(told)));
        let (begun, begins) = flag();
        let address = serve(Http::new(), move |_| {
            let _told = told.take();
            begins.set(true);
            fibra::park();
            say("never")
        });
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        sleep_until(&begun);
        drop(stream);
        assert!(ended.recv().is_err());
    });
}

#[test]
fn a_client_that_goes_away_ends_the_body_that_is_written() {
    fibra::run(|| {
        let (told, ended) = fibra::channel::oneshot();
        let told = Rc::new(Cell::new(Some(told)));
        let address = serve(Http::new(), move |_| {
            let (mut writer, body) = body();
            let told = told.take().unwrap();
            go(move || {
                let error = loop {
                    if let Err(error) = writer.write_all(&[0; 10_000]) {
                        break error;
                    }
                };
                told.send(error.kind()).unwrap();
            });
            Response::new(body)
        });
        let mut client = client(address);
        let mut response = client.send(get("/")).unwrap();
        response.body_mut().read_exact(&mut [0; 100_000]).unwrap();
        drop((response, client));
        assert_eq!(ended.recv().unwrap(), io::ErrorKind::BrokenPipe);
    });
}

/// Returns the client's side of a connection that a fiber serves, and the fiber.
fn connection<H>(http: Http, handler: H) -> (TcpStream, JoinHandle<hyper::Result<()>>)
where
    H: Fn(Request<BodyReader>) -> Response<Text> + Clone + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    (here, fibra::spawn(move || http.serve_connection(there, handler)))
}

#[test]
fn a_kill_of_a_connection_ends_its_handler_and_closes_its_socket() {
    fibra::run(|| {
        let (begun, begins) = flag();
        let (mut stream, serves) = connection(Http::new(), move |_| {
            let _noisy = Noisy("handler unwound");
            begins.set(true);
            fibra::park();
            say("never")
        });
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        sleep_until(&begun);
        serves.kill();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        assert!(matches!(serves.join(), Err(JoinError::Killed)));
    });
    check("handler unwound");
}

#[test]
fn a_graceful_end_waits_for_requests_and_for_nothing_else() {
    fibra::run(|| {
        let http = Http::new();
        let graceful = http.graceful();
        let (mut idle, serves_none) = connection(http.clone(), |_| say(""));
        let channel = fibra::channel::Channel::<String>::new();
        let receiver = channel.clone();
        let (begun, begins) = flag();
        let (busy, serves) = connection(http, move |_| {
            begins.set(true);
            say(receiver.recv().unwrap())
        });
        let mut client = Connection::new(busy).unwrap();
        let asks = fibra::spawn(move || text(client.send(get("/")).unwrap()));
        sleep_until(&begun);

        graceful.shutdown();
        serves_none.join().unwrap().unwrap();
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        assert!(!serves.is_finished());
        channel.send("the last answer".into()).unwrap();
        assert_eq!(asks.join().unwrap(), "the last answer");
        serves.join().unwrap().unwrap();
    });
}

#[test]
fn what_is_not_http_is_an_error() {
    fibra::run(|| {
        let (mut stream, serves) = connection(Http::new(), |_| say(""));
        stream.write_all(b"\x16\x03\x01 this is TLS, or worse\r\n\r\n").unwrap();
        assert!(serves.join().unwrap().unwrap_err().is_parse());
        let answer = io::read_to_string(stream).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    });
}

#[test]
fn a_client_out_of_time_gives_up() {
    fibra::run(|| {
        let address = serve(Http::new(), |_| -> Response<Text> {
            loop {
                fibra::park();
            }
        });
        let asks = || client(address).send(get("/")).map(drop);
        assert!(fibra::time::timeout(ms(20), asks).is_err());
    });
}

#[test]
fn a_server_and_its_clients_may_be_on_different_threads() {
    let (told, address) = fibra::sync::oneshot();
    let (done, all_done) = fibra::sync::oneshot();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            fibra::run(|| {
                let address = serve(Http::new(), |_| {
                    fibra::sleep(Duration::from_micros(100));
                    say("across threads")
                });
                told.send(address).unwrap();
                all_done.recv().unwrap();
            });
        });
        fibra::run(|| {
            let mut client = client(address.recv().unwrap());
            for _ in 0..100 {
                assert_eq!(text(client.send(get("/")).unwrap()), "across threads");
            }
            done.send(()).unwrap();
        });
    });
}

#[cfg(feature = "tls")]
mod over_tls {
    use super::*;
    use crate::support::tls::{acceptor, client_config, connector, localhost, name, server_config};

    #[test]
    fn https_is_http_over_a_tls_stream() {
        fibra::run(|| {
            let (here, there) = crate::support::tls::tcp_pair();
            let acceptor = acceptor(server_config(localhost()));
            let serves = fibra::spawn(move || {
                let stream = acceptor.accept(there).unwrap();
                let http = Http::new().max_body_size(None);
                http.serve_connection(stream, |mut request: Request<BodyReader>| {
                    let mut got = Vec::new();
                    request.body_mut().read_to_end(&mut got).unwrap();
                    say(got)
                })
            });
            let stream = connector(client_config()).connect(name(), here).unwrap();
            let mut client = Connection::new(stream).unwrap();
            for length in [0, 1, 1000, 3_000_000] {
                let body = vec![b'x'; length];
                let answer = text(client.send(post("/", body)).unwrap());
                assert!(answer.len() == length && answer.bytes().all(|byte| byte == b'x'));
            }
            drop(client);
            serves.join().unwrap().unwrap();
        });
    }
}

#[test]
fn serving_outside_of_a_fiber_panics_with_the_remedy() {
    let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let stream = fibra::io::Waitable::new(stream).unwrap();
    let serves = move || Http::new().serve_connection(stream, |_| say(""));
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(serves)).unwrap_err();
    assert!(text_of(payload.as_ref()).contains("fibra::run"));
}

/// Claims to have read one byte more than fits.
struct Boaster;

impl PollIo for Boaster {
    fn poll_read(&self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len() + 1))
    }

    fn poll_write(&self, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_stream_that_claims_to_have_read_more_than_fits_is_an_error() {
    use fibra::http::hyper::rt::{Read, ReadBuf};
    let mut room = [0; 4];
    let mut buffer = ReadBuf::new(&mut room);
    let mut context = Context::from_waker(Waker::noop());
    let text = panic_of(|| {
        let _ = Pin::new(&mut Io::new(Boaster)).poll_read(&mut context, buffer.unfilled());
    });
    assert!(text.contains("more bytes than the buffer holds"), "{text}");
    assert!(buffer.filled().is_empty());
}

#[test]
fn a_read_into_an_uninitialised_buffer_fills_only_what_was_received() {
    use fibra::future::block_on;
    use fibra::http::hyper::rt::{Read as _, ReadBuf};
    use std::mem::MaybeUninit;

    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        // Through a pointer, and directly.
        let stream = Rc::new(listener.accept().unwrap().0);
        let mut io = Io::new(stream);
        for message in ["first", "the second"] {
            sender.write_all(message.as_bytes()).unwrap();
            let mut room = [MaybeUninit::uninit(); 64];
            let mut buffer = ReadBuf::uninit(&mut room);
            let read =
                std::future::poll_fn(|cx| Pin::new(&mut io).poll_read(cx, buffer.unfilled()));
            block_on(read).unwrap();
            assert_eq!(buffer.filled(), message.as_bytes());
        }
        drop(sender);
        let mut buffer = ReadBuf::uninit(&mut []);
        let read = std::future::poll_fn(|cx| Pin::new(&mut io).poll_read(cx, buffer.unfilled()));
        block_on(read).unwrap();
    });
}

/// The service is polled on a borrowed stack.
#[test]
fn a_service_that_panics_ends_its_connection_and_nothing_else() {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connection = fibra::spawn(move || {
            let service = hyper::service::service_fn(async |_: Request<hyper::body::Incoming>| {
                if std::hint::black_box(true) {
                    panic!("in the middle of a poll");
                }
                Ok::<_, std::convert::Infallible>(say("never"))
            });
            let (stream, _) = listener.accept().unwrap();
            Http::new().serve_service(stream, service)
        });
        assert!(client(address).send(get("/")).is_err());
        let Err(JoinError::Panicked(payload)) = connection.join() else { panic!("it ended well") };
        assert_eq!(payload.message(), "in the middle of a poll");
    });
}
