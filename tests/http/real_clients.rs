//! A server for programs that are clients: `.ci/http-clients` runs it.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

use fibra::http::{BodyReader, FileBody, Files, Http, hyper};
use fibra::net::{TcpListener, TcpStream};
use hyper::{Request, Response, StatusCode};

use crate::support::tls::{AUTHORITY, acceptor, localhost, server_config};

fn handle(files: &Files, mut request: Request<BodyReader>) -> Response<FileBody> {
    let path = request.uri().path().to_string();
    if let Some(file) = path.strip_prefix("/files") {
        return files.respond_at(&request, file);
    }
    match &*path {
        "/" => Response::new("hello".into()),
        "/length" => {
            let length = io::copy(request.body_mut(), &mut io::sink()).unwrap_or(0);
            Response::new(length.to_string().into())
        }
        "/echo" => {
            let mut body = Vec::new();
            let read = request.body_mut().read_to_end(&mut body);
            assert!(read.is_ok(), "{read:?}");
            Response::new(hyper::body::Bytes::from(body).into())
        }
        "/redirect" => status(StatusCode::FOUND, "/"),
        "/refuse" => status(StatusCode::FORBIDDEN, ""),
        _ => status(StatusCode::NOT_FOUND, ""),
    }
}

fn status(status: StatusCode, location: &str) -> Response<FileBody> {
    Response::builder().status(status).header("location", location).body("".into()).unwrap()
}

/// Serves each connection by `serve`, and returns the address.
fn listen(serve: impl Fn(TcpStream) + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    fibra::spawn(move || {
        for stream in listener.incoming() {
            let (serve, stream) = (serve.clone(), stream.unwrap());
            fibra::spawn(move || serve(stream));
        }
    });
    address
}

#[test]
#[ignore = "serves clients until its standard input ends: see .ci/http-clients"]
fn serves_until_its_input_ends() {
    let folder = std::env::var("FIBRA_HTTP_CLIENTS").unwrap();
    let folder = Path::new(&folder);
    fibra::run(|| {
        let http = Http::new().max_body_size(None);
        let files = Files::new(folder);
        let (plain_http, plain_files) = (http.clone(), files.clone());
        let plain = listen(move |stream| {
            let files = plain_files.clone();
            drop(plain_http.serve_connection(stream, move |request| handle(&files, request)));
        });
        let mut config = server_config(localhost());
        config.alpn_protocols = http.alpn_protocols();
        let acceptor = acceptor(config);
        let tls = listen(move |stream| {
            let Ok(stream) = acceptor.accept(stream) else { return };
            let files = files.clone();
            drop(http.serve_connection(stream, move |request| handle(&files, request)));
        });
        std::fs::write(folder.join("ca.der"), AUTHORITY.as_ref().der()).unwrap();
        let addresses = format!("{plain} localhost:{}\n", tls.port());
        std::fs::write(folder.join("new"), addresses).unwrap();
        std::fs::rename(folder.join("new"), folder.join("addresses")).unwrap();
        fibra::blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).unwrap();
    });
}
