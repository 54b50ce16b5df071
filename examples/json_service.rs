//! A JSON service that is replaced by its next version while clients use it: none is refused.
//!
//! The running process starts the next one and hands its listener over as standard input. When the
//! next one serves, the old one stops accepting and finishes its requests. In a real service, a
//! signal such as SIGHUP begins that (see `reload`), and the program on the disk is a new one.
//!
//! ```text
//! $ cargo run --release --example json_service --features http
//! the next process serves
//! the first process has ended its connections: true
//! requests: 100, failed: 0
//! the first and the last answer: {"version":1,"sum":3} {"version":2,"sum":3}
//! ```

mod broken_pipe;

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use fibra::http::{BodyReader, Http, hyper, status_of};
use fibra::net::{TcpListener, TcpStream};
use fibra::process::{Child, Command};
use fibra::server::{Running, Server};
use hyper::{Request, Response};

const REQUESTS: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    fibra::run(|| if std::env::args().nth(1).is_some() { second() } else { first() })
}

/// Serves, and then lets the next process serve, while a client asks without a pause.
fn first() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, handed_on) = (listener.local_addr()?, listener.as_fd().try_clone_to_owned()?);
    let http = Http::new();
    let graceful = http.graceful();
    let running = serve(listener, http, 1);

    let asks = fibra::spawn(move || {
        let answers = (0..REQUESTS).map(|_| {
            fibra::sleep(Duration::from_millis(2));
            ask(address)
        });
        answers.collect::<Vec<_>>()
    });
    fibra::sleep(Duration::from_millis(20));
    let mut next = start_next(handed_on)?;
    println!("the next process serves");
    graceful.shutdown();
    let drained = running.shutdown(Duration::from_secs(10));
    println!("the first process has ended its connections: {}", drained.killed == 0);

    let answers = asks.join()?;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    println!("requests: {}, failed: {failed}", answers.len());
    let texts: Vec<_> = answers.into_iter().flatten().collect();
    println!("the first and the last answer: {} {}", texts[0], texts[texts.len() - 1]);
    next.kill()?;
    next.wait()?;
    Ok(())
}

/// Starts this program again, with the listener as its standard input. Returns when it serves.
fn start_next(listener: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("2").stdin(listener).stdout(std::process::Stdio::piped()).kill_on_drop(true);
    let mut next = command.spawn()?;
    let output = next.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    BufReader::new(output).read_line(&mut String::new())?;
    Ok(next)
}

/// Serves from the listener that the first process has left as standard input.
fn second() -> Result<(), Box<dyn Error>> {
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    let _running = serve(TcpListener::from_std(listener.into())?, Http::new(), 2);
    println!("ready");
    loop {
        fibra::sleep(Duration::from_secs(60));
    }
}

fn serve(listener: TcpListener, http: Http, version: u32) -> Running {
    Server::new(listener)
        .start(move |stream, _| http.serve_connection(stream, move |request| add(request, version)))
}

/// Adds the numbers in a body such as `[1,2]`. A program with larger ones uses serde.
fn add(mut request: Request<BodyReader>, version: u32) -> Response<String> {
    let mut text = String::new();
    if let Err(error) = request.body_mut().read_to_string(&mut text) {
        return refusal(status_of(&error).as_u16(), &error.to_string());
    }
    fibra::sleep(Duration::from_millis(1)); // a database, another service
    let numbers = text.trim().trim_start_matches('[').trim_end_matches(']').split(',');
    match numbers.map(|number| number.trim().parse::<i64>()).sum::<Result<i64, _>>() {
        Ok(sum) => json(200, format!(r#"{{"version":{version},"sum":{sum}}}"#)),
        Err(error) => refusal(400, &error.to_string()),
    }
}

fn refusal(status: u16, text: &str) -> Response<String> {
    json(status, format!(r#"{{"error":{text:?}}}"#))
}

fn json(status: u16, body: String) -> Response<String> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(body).unwrap_or_default()
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(format!("{head}[1,2]").as_bytes())?;
    let answer = io::read_to_string(stream)?;
    let body = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?.1;
    Ok(body.to_string())
}
