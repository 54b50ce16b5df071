//! fibra: one fiber per connection, with the calls of std; HTTP by hyper, with a handler that may
//! block and one fiber per request.

use std::io::{self, Read, Write};

use fibra::http::{BodyReader, Http};
use fibra::net::{TcpListener, TcpStream};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};

use super::{ANY_PORT, BUFFER, announce};
use crate::exchange::Service;

pub(super) const STACK: usize = 64 * 1024;

pub(crate) fn serve(service: Service) -> io::Result<()> {
    fibra::run(|| {
        let http = match service {
            #[cfg(feature = "http2")]
            Service::Http2 => Http::new().http2_only(),
            _ => Http::new(),
        };
        let listener = TcpListener::bind(ANY_PORT)?;
        announce(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            let connection = fibra::Builder::new().stack_size(STACK);
            match service {
                Service::Echo => connection.spawn(|| drop(echo(stream))).detach(),
                Service::Http | Service::Http2 => {
                    let http = http.clone();
                    connection.spawn(move || drop(http.serve_connection(stream, hello))).detach();
                }
            }
        }
    })
}

pub(super) fn hello(_: Request<BodyReader>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

pub(super) fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n])?;
    }
}
