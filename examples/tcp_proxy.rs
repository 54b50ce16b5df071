//! A proxy: connections to one address are passed on to another, in both directions.
//!
//! Each connection has two fibers, one per direction. When one side ends its stream, the end is
//! passed on, and the other side may still answer.
//!
//! ```text
//! $ cargo run --release --example tcp_proxy
//! client: GET /1     server: 200 /1
//! client: GET /2     server: 200 /2
//! client: GET /3     server: 200 /3
//! 3 connections: 18 bytes to the server, 18 bytes back
//! $ cargo run --release --example tcp_proxy 127.0.0.1:8080 example.org:80
//! ```
//!
//! Without arguments the program has its own server and clients.

mod broken_pipe;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::Shutdown;

use fibra::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    fibra::run(|| match &arguments[..] {
        [] => demonstrate(),
        [from, to] => serve(&TcpListener::bind(from)?, to, usize::MAX, &Totals::default()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "two addresses, or none")),
    })
}

#[derive(Default)]
struct Totals {
    there: Cell<u64>,
    back: Cell<u64>,
}

/// Passes up to `most` connections on to `to`.
fn serve(listener: &TcpListener, to: &str, most: usize, totals: &Totals) -> io::Result<()> {
    fibra::scope(|s| {
        for client in listener.incoming().take(most) {
            let client = client?;
            s.spawn(move || {
                if let Err(error) = pass_on(&client, to, totals) {
                    eprintln!("a connection has failed: {error}");
                }
            });
        }
        Ok(())
    })
}

fn pass_on(client: &TcpStream, to: &str, totals: &Totals) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    let (there, back) = fibra::scope(|s| {
        let there = s.spawn(|| copy(client, &server));
        let back = copy(&server, client);
        (there.join().unwrap_or(Ok(0)), back)
    });
    totals.there.set(totals.there.get() + there?);
    totals.back.set(totals.back.get() + back?);
    Ok(())
}

/// Copies until the end of `from`, and passes the end on to `to`.
fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<u64> {
    let bytes = io::copy(&mut from, &mut to)?;
    // Fails if that side has closed the connection.
    let _ = to.shutdown(Shutdown::Write);
    Ok(bytes)
}

fn demonstrate() -> io::Result<()> {
    const CLIENTS: usize = 3;
    let (server, proxy) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
    let (behind, address) = (server.local_addr()?.to_string(), proxy.local_addr()?);
    let totals = Totals::default();
    fibra::scope(|s| {
        s.spawn(|| {
            for stream in server.incoming().take(CLIENTS) {
                answer(&stream.expect("a connection")).expect("an answer");
            }
        });
        let proxies = s.spawn(|| serve(&proxy, &behind, CLIENTS, &totals));
        for number in 1..=CLIENTS {
            let mut stream = TcpStream::connect(address)?;
            let question = format!("GET /{number}");
            stream.write_all(question.as_bytes())?;
            stream.shutdown(Shutdown::Write)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            println!("client: {question}     server: {answer}");
        }
        proxies.join().expect("the proxy is not killed")
    })?;
    let (there, back) = (totals.there.get(), totals.back.get());
    println!("{CLIENTS} connections: {there} bytes to the server, {back} bytes back");
    Ok(())
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut question = String::new();
    stream.read_to_string(&mut question)?;
    stream.write_all(question.replace("GET", "200").as_bytes())
}
