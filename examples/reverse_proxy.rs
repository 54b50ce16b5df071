//! A reverse proxy: requests are passed on to two servers in turn, and bodies pass while they
//! arrive.
//!
//! The handler of the proxy waits for the server behind it, like every handler. If it cannot
//! connect, it asks the other one. The bodies of both sides are those of hyper: they pass without a
//! copy, and no faster than they are taken.
//!
//! ```text
//! $ cargo run --release --example reverse_proxy --features http
//! GET /a -> 200 one: /a
//! GET /b -> 200 two: /b
//! POST /echo with 1000000 bytes -> 200 with 1000000 bytes
//! server two ends
//! GET /c -> 200 one: /c
//! GET /d -> 200 one: /d
//! server one ends
//! GET /e -> 502 no server answers
//! ```

mod broken_pipe;

use std::cell::Cell;
use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use fibra::future::block_on;
use fibra::http::{BodyReader, Http, Io, StreamBody, body, hyper};
use fibra::net::TcpStream;
use fibra::server::{Running, Server};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HeaderMap, TE, UPGRADE};
use hyper::{Request, Response, StatusCode};

/// The body of a response: that of the server behind, or a text of the proxy.
type Body = Either<Incoming, String>;

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    fibra::run(|| {
        let (one, two) = (server("one")?, server("two")?);
        let (behind, turn) = ([one.1, two.1], Rc::new(Cell::new(0)));
        let proxy = Server::bind("127.0.0.1:0")?;
        let address = proxy.listener().local_addr()?;
        let http = Http::new().max_body_size(None);
        let _running = proxy.start(move |stream, _| {
            let turn = turn.clone();
            http.serve_connection(stream, move |request| {
                let first = turn.replace(1 - turn.get());
                pass_on(request, [behind[first], behind[1 - first]])
            })
        });

        let get = |path: &str| -> io::Result<()> {
            let answer = ask(address, "GET", path, "")?;
            println!("GET {path} -> {} {}", answer.0, answer.1);
            Ok(())
        };
        get("/a")?;
        get("/b")?;
        let sent = "x".repeat(1_000_000);
        let (status, got) = ask(address, "POST", "/echo", &sent)?;
        println!("POST /echo with {} bytes -> {status} with {} bytes", sent.len(), got.len());
        two.0.shutdown(Duration::from_secs(1));
        println!("server two ends");
        get("/c")?;
        get("/d")?;
        one.0.shutdown(Duration::from_secs(1));
        println!("server one ends");
        get("/e")?;
        Ok(())
    })
}

/// Sends a request to the first server that accepts a connection, and returns its response.
fn pass_on(request: Request<BodyReader>, behind: [SocketAddr; 2]) -> Response<Body> {
    let Some(stream) = behind.iter().find_map(|address| TcpStream::connect(address).ok()) else {
        return refusal("no server answers");
    };
    let mut request = request.map(BodyReader::into_inner);
    without_hops(request.headers_mut());
    let response = block_on(async {
        let (mut requests, connection) = http1::handshake(Io::new(stream)).await?;
        // It ends with the bodies of this request and its response.
        fibra::spawn(|| block_on(connection));
        requests.send_request(request).await
    });
    match response {
        Ok(mut response) => {
            without_hops(response.headers_mut());
            response.map(Either::Left)
        }
        Err(error) => refusal(&error.to_string()),
    }
}

/// Removes headers that concern one connection, and not the message.
fn without_hops(headers: &mut HeaderMap) {
    let named: Vec<_> = headers.get_all(CONNECTION).iter().cloned().collect();
    let named = named.iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|names| names.split(',')).for_each(|name| drop(headers.remove(name.trim())));
    for name in [CONNECTION, TE, UPGRADE] {
        headers.remove(name);
    }
}

fn refusal(text: &str) -> Response<Body> {
    let mut response = Response::new(Either::Right(text.to_string()));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}

/// Starts a server that answers with its name and the path, or echoes.
fn server(name: &'static str) -> io::Result<(Running, SocketAddr)> {
    let server = Server::bind("127.0.0.1:0")?;
    let (address, http) = (server.listener().local_addr()?, Http::new());
    let running = server.start(move |stream, _| {
        http.serve_connection(stream, move |request: Request<BodyReader>| -> Response<StreamBody> {
            let (mut writer, body) = body();
            fibra::spawn(move || match request.uri().path() {
                "/echo" => io::copy(&mut request.into_body(), &mut writer).map(drop),
                path => write!(writer, "{name}: {path}"),
            });
            Response::new(body)
        })
    });
    Ok((running, address))
}

/// Sends a request, and returns the status and the body of its response.
fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    let head = format!("{method} {path} HTTP/1.0\r\nhost: x\r\ncontent-length: {}\r\n", body.len());
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let answer = io::read_to_string(stream)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((head.split(' ').nth(1).unwrap_or_default().to_string(), body.to_string()))
}
