//! The server: both versions of HTTP, limits, faults, and ends. Clients are raw bytes over a
//! socket, or hyper's.

mod ends;
mod faults;
mod files;
#[cfg(feature = "http2")]
mod floods;
#[cfg(feature = "http2")]
pub(crate) mod http2;
mod limits;
mod messages;
mod upgrades;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use fibra::http::{BodyReader, Http, hyper};
use fibra::net::{TcpListener, TcpStream};
use fibra::{JoinHandle, spawn};
use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::{Request, Response};

pub(crate) type Text = Full<Bytes>;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) fn say(text: impl Into<Bytes>) -> Response<Text> {
    Response::new(Full::new(text.into()))
}

/// Starts a server that serves each connection in a fiber of its own. Returns its address.
pub(crate) fn serve<H, B>(http: Http, handler: H) -> SocketAddr
where
    H: Fn(Request<BodyReader>) -> Response<B> + Clone + 'static,
    B: Body<Error: Into<BoxError>> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || {
        for stream in listener.incoming() {
            let (http, handler, stream) = (http.clone(), handler.clone(), stream.unwrap());
            spawn(move || http.serve_connection(stream, handler));
        }
    });
    address
}

/// Returns the client's side of a connection that a fiber serves, and the fiber.
pub(crate) fn connection<H, B>(http: Http, handler: H) -> (TcpStream, JoinHandle<hyper::Result<()>>)
where
    H: Fn(Request<BodyReader>) -> Response<B> + Clone + 'static,
    B: Body<Error: Into<BoxError>> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    (here, spawn(move || http.serve_connection(there, handler)))
}

/// Returns the head of a request for `path`, with further headers that end in CRLF.
pub(crate) fn head(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n{more}\r\n")
}

pub(crate) const CLOSE: &str = "connection: close\r\n";

/// Sends bytes, and returns all that the server sends until it closes.
pub(crate) fn exchange(address: SocketAddr, sent: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(sent.as_ref()).unwrap();
    read_all(&mut stream)
}

/// Reads until the server closes, orderly or not.
pub(crate) fn read_all(stream: &mut TcpStream) -> String {
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => got.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    String::from_utf8_lossy(&got).into_owned()
}

/// Reads until what was read ends with `end`.
pub(crate) fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut got = Vec::new();
    while !got.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        got.push(byte[0]);
    }
    String::from_utf8(got).unwrap()
}

/// Returns the status of the first response in `answer`.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.unwrap_or_else(|| panic!("no status: {answer:?}")).parse().unwrap()
}

/// Waits until `done`, and fails after a long time.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = fibra::now();
    while !done() {
        assert!((fibra::now() - start) < Duration::from_secs(20), "never: {what}");
        fibra::sleep(Duration::from_millis(1));
    }
}
