//! tokio's `current_thread` runtime; HTTP by hyper.
//!
//! Tasks come from `tokio::spawn` inside a spawned task, as in the comparison of switches.

use std::convert::Infallible;
use std::io;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ANY_PORT, BUFFER, announce};
use crate::exchange::Service;

pub(crate) fn serve(service: Service) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move { tokio::spawn(accept(service)).await? })
}

pub(super) async fn accept(service: Service) -> io::Result<()> {
    let listener = TcpListener::bind(ANY_PORT).await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        match service {
            Service::Echo => drop(tokio::spawn(echo(stream))),
            Service::Http => drop(tokio::spawn(http(stream))),
            #[cfg(feature = "http2")]
            Service::Http2 => drop(tokio::spawn(http2(stream))),
            #[cfg(not(feature = "http2"))]
            Service::Http2 => return Err(super::no_http()),
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn http(stream: TcpStream) -> hyper::Result<()> {
    let mut http = http1::Builder::new();
    // For hyper's time limit for the head of a request, which the other contenders have as well.
    http.timer(TokioTimer::new());
    http.serve_connection(TokioIo::new(stream), service_fn(hello)).await
}

#[cfg(feature = "http2")]
async fn http2(stream: TcpStream) -> hyper::Result<()> {
    let http = hyper::server::conn::http2::Builder::new(hyper_util::rt::TokioExecutor::new());
    http.serve_connection(TokioIo::new(stream), service_fn(hello)).await
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}
