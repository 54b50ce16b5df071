//! An HTTP server whose handlers block, and its clients, on one thread.
//!
//! `POST /sum` reads lines of numbers as they arrive, and answers with JSON. `GET /slow` sleeps.
//! Fifty clients request it at the same time and have their answers after one sleep, not fifty:
//! each connection has a fiber of its own, and its handler may wait like any other code.
//!
//! ```text
//! $ cargo run --release --example http_server --features http [CLIENTS = 50]
//! POST /sum -> 200 {"numbers":1000,"sum":500500}
//! GET /else -> 404 {"error":"there is nothing at /else"}
//! 50 clients of GET /slow, which sleeps for 20 ms, were served after 25.9 ms
//! ```

mod arguments;
mod broken_pipe;

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::time::Duration;

use fibra::http::{BodyReader, Connection, Http, hyper};
use fibra::net::TcpStream;
use fibra::server::Server;
use hyper::{Method, Request, Response, StatusCode};

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let clients = arguments::number(1, "CLIENTS", 1..=10_000, 50);
    fibra::run(|| {
        let http = Http::new();
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.listener().local_addr()?;
        let running = server.start(move |stream, _| http.serve_connection(stream, handle));

        let numbers: String = (1..=1000).map(|n| format!("{n}\n")).collect();
        let mut client = Connection::new(TcpStream::connect(address)?)?;
        for (method, path, body) in [("POST", "/sum", numbers), ("GET", "/else", String::new())] {
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            let response = client.send(request.body(body)?)?;
            let status = response.status().as_u16();
            let answer = std::io::read_to_string(response.into_body())?;
            println!("{method} {path} -> {status} {answer}");
        }

        let start = fibra::now();
        fibra::scope(|scope| {
            (0..clients).for_each(|_| drop(scope.spawn(|| ask(address).unwrap())));
        });
        let took = fibra::now() - start;
        println!(
            "{clients} clients of GET /slow, which sleeps for 20 ms, were served after {took:.1?}"
        );
        running.shutdown(Duration::from_secs(1));
        Ok(())
    })
}

fn ask(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut client = Connection::new(TcpStream::connect(address)?)?;
    let request = Request::get("/slow").header("host", "localhost").body(String::new())?;
    assert_eq!(client.send(request)?.status(), StatusCode::OK);
    Ok(())
}

fn handle(request: Request<BodyReader>) -> Response<String> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/sum") => sum(request.into_body()),
        (&Method::GET, "/slow") => {
            fibra::sleep(Duration::from_millis(20));
            json(StatusCode::OK, r#"{"slept":true}"#.into())
        }
        (_, path) => {
            let text = format!(r#"{{"error":"there is nothing at {path}"}}"#);
            json(StatusCode::NOT_FOUND, text)
        }
    }
}

/// Adds up the lines of a body. It is read as it arrives, so it may be larger than memory.
fn sum(body: BodyReader) -> Response<String> {
    let (mut numbers, mut sum) = (0, 0u64);
    for line in BufReader::new(body).lines() {
        let number = line.ok().and_then(|line| line.parse::<u64>().ok());
        let Some(total) = number.and_then(|number| sum.checked_add(number)) else {
            return json(StatusCode::BAD_REQUEST, r#"{"error":"a line is not a number"}"#.into());
        };
        (numbers, sum) = (numbers + 1, total);
    }
    json(StatusCode::OK, format!(r#"{{"numbers":{numbers},"sum":{sum}}}"#))
}

fn json(status: StatusCode, text: String) -> Response<String> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(text).expect("the parts are valid")
}
