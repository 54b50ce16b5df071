//! Servers for the tests of the client: one that answers by a handler, and one that is scripted
//! byte by byte.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use fibra::http::{BodyReader, Client, ClientBuilder, Http, hyper};
use fibra::net::{TcpListener, TcpStream};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};

use crate::support::{OnDrop, go};

pub(crate) type Text = Full<Bytes>;
pub(crate) type Asked = Request<BodyReader>;

/// A server on fibers of the test.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    /// The number of connections that it has accepted.
    pub(crate) connections: Rc<Cell<usize>>,
    /// The number of those that it serves.
    pub(crate) open: Rc<Cell<usize>>,
}

impl Site {
    /// Starts a server whose handler gets each request.
    pub(crate) fn new<H>(handler: H) -> Site
    where
        H: Fn(Asked) -> Response<Text> + Clone + 'static,
    {
        Site::scripted(move |_, stream| drop(Http::new().serve_connection(stream, handler.clone())))
    }

    /// Starts a server that serves each connection by `script`, which gets its number, from 1.
    pub(crate) fn scripted(script: impl Fn(usize, TcpStream) + Clone + 'static) -> Site {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = Site { address, connections: Rc::default(), open: Rc::default() };
        let (connections, open) = (site.connections.clone(), site.open.clone());
        go(move || {
            for stream in listener.incoming() {
                let (script, stream) = (script.clone(), stream.unwrap());
                let number = connections.get() + 1;
                connections.set(number);
                open.set(open.get() + 1);
                let open = open.clone();
                go(move || {
                    let _closed = OnDrop(|| open.set(open.get() - 1));
                    script(number, stream);
                });
            }
        });
        site
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns a URL of the same server under another name.
    pub(crate) fn elsewhere(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder().no_proxy()
}

pub(crate) fn client() -> Client {
    builder().build().unwrap()
}

pub(crate) fn say(text: impl Into<Bytes>) -> Response<Text> {
    Response::new(Full::new(text.into()))
}

/// Returns a redirect to `location`.
pub(crate) fn redirect(status: u16, location: &str) -> Response<Text> {
    Response::builder().status(status).header("location", location).body(Text::default()).unwrap()
}

/// Returns a header of a request as text.
pub(crate) fn header(request: &Asked, name: &str) -> String {
    let value = request.headers().get(name);
    value.map_or("none".into(), |value| value.to_str().unwrap().into())
}

/// Returns the whole body of a request.
pub(crate) fn body_of(mut request: Asked) -> String {
    let mut text = String::new();
    request.body_mut().read_to_string(&mut text).unwrap();
    text
}

/// Reads the head of a request, and nothing of its body. Returns `None` at the end of the stream.
pub(crate) fn head_of(mut stream: &TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(String::from_utf8(head).unwrap())
}

/// Writes `text`; the client may have gone away.
pub(crate) fn write(mut stream: &TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

/// Answers each request of a connection with `text`, until the client closes it.
pub(crate) fn answer_all(stream: &TcpStream, text: &str) {
    while head_of(stream).is_some() {
        write(stream, text);
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
