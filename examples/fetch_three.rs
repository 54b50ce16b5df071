//! Three pages are fetched at the same time, with a retry where a server is overloaded. Ctrl-C
//! ends the program at any moment, and closes the connections.
//!
//! The arguments are URLs. Without any, servers in this program answer:
//!
//! ```text
//! $ cargo run --release --example fetch_three --features http-client
//! /ready: 200 OK, 6 bytes
//! /overloaded: 503 Service Unavailable, once more in 20ms
//! /overloaded: 200 OK, 11 bytes
//! /slow: 200 OK, 5 bytes
//! all within 0.1s: as long as the slowest took
//!
//! $ cargo run --release --example fetch_three --features https https://www.rust-lang.org/
//! /: 200 OK, 18609 bytes
//! ...
//! ```

mod broken_pipe;

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use fibra::http::{self, BodyReader, Http, Response, hyper};
use fibra::pool::{Backoff, Retry};
use fibra::server::{Running, Server};
use hyper::{Request, StatusCode};

const MS: Duration = Duration::from_millis(1);

fn main() -> ExitCode {
    broken_pipe::end_quietly();
    fibra::main(fetch_all)
}

fn fetch_all() -> Result<(), Box<dyn Error>> {
    let (_servers, served) = serve()?;
    let given: Vec<String> = std::env::args().skip(1).collect();
    let urls = if given.is_empty() { served } else { given };
    let start = fibra::now();
    fibra::scope(|scope| {
        for url in &urls {
            scope.spawn(|| match fetch(url) {
                Ok(text) => println!("{text}"),
                Err(error) => println!("{error}"),
            });
        }
    });
    let took = (fibra::now() - start).as_secs_f64();
    println!("all within {took:.1}s: as long as the slowest took");
    Ok(())
}

/// Fetches a page, up to three times as long as its server is overloaded.
fn fetch(url: &str) -> Result<String, Box<dyn Error>> {
    let attempts = Retry::attempts(3).wait(Backoff::fixed(20 * MS)).on(is_overloaded);
    let reported = attempts.before_sleep(|_, error: &http::Error, wait| {
        let path = error.url().map_or("", |url| url.path());
        println!("{path}: {}, once more in {wait:?}", error.status().unwrap_or_default());
    });
    let response = reported.run(|_| http::get(url).and_then(Response::error_for_status))?;
    let (path, status) = (response.url().path().to_owned(), response.status());
    Ok(format!("{path}: {status}, {} bytes", response.bytes()?.len()))
}

fn is_overloaded(error: &http::Error) -> bool {
    error.status().is_some_and(|status| status == 503)
}

/// Starts a server for the three pages, one of which is overloaded at first.
fn serve() -> io::Result<(Running, Vec<String>)> {
    let server = Server::bind("127.0.0.1:0")?;
    let address = server.listener().local_addr()?;
    let overloaded = Rc::new(Cell::new(true));
    let running = server.start(move |stream, _| {
        let overloaded = overloaded.clone();
        Http::new().serve_connection(stream, move |request| answer(&request, &overloaded))
    });
    let urls = ["ready", "overloaded", "slow"].map(|page| format!("http://{address}/{page}"));
    Ok((running, urls.into()))
}

fn answer(request: &Request<BodyReader>, overloaded: &Cell<bool>) -> hyper::Response<String> {
    let path = request.uri().path();
    let refused = path == "/overloaded" && overloaded.replace(false);
    if path == "/slow" {
        fibra::sleep(100 * MS);
    }
    let mut response = hyper::Response::new(path.to_string());
    if refused {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}
