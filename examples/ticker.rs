//! A ticker: one fiber per connection waits in a `select!` for the client, for news and for the
//! time, and acts on what comes first.
//!
//! The server sends each client the prices as they change, answers its commands, and sends a sign
//! of life when nothing has happened for a while. Without `readable` in the `select!`, each
//! connection would need a second fiber that reads.
//!
//! ```text
//! $ cargo run --release --example ticker
//! nothing happens   | still here
//! the price is 7    | tin: 7
//! the price is 8    | tin: 8
//! asks for "tin"    | tin: 8
//! asks for "gold"   | no price of gold
//! says "bye"        | (the end)
//! ```

mod broken_pipe;

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

use fibra::channel::{Receiver, unbounded};
use fibra::net::{TcpListener, TcpStream};

/// The time without an event after which the server sends a sign of life.
const QUIET: Duration = Duration::from_millis(50);

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (prices, changes) = unbounded();
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (connection, _) = listener.accept()?;
        fibra::scope(|s| {
            let server = s.spawn(|| serve(&connection, &changes));
            let mut lines = BufReader::new(&client).lines();
            let mut show = |event: &str| {
                let line = lines.find(|line| event == "nothing happens" || !is_sign_of_life(line));
                let line = line.transpose()?.unwrap_or_else(|| "(the end)".into());
                println!("{event:17} | {line}");
                Ok::<(), io::Error>(())
            };
            show("nothing happens")?;
            for price in [7, 8] {
                prices.send(price).expect("the server receives");
                show(&format!("the price is {price}"))?;
            }
            for metal in ["tin", "gold"] {
                writeln!(&client, "{metal}")?;
                show(&format!("asks for {metal:?}"))?;
            }
            writeln!(&client, "bye")?;
            show("says \"bye\"")?;
            server.join().expect("it does not panic")
        })
    })
}

/// Serves one client until it says goodbye or leaves.
fn serve(mut stream: &TcpStream, changes: &Receiver<u32>) -> io::Result<()> {
    let price = Cell::new(0);
    let mut received = Vec::new();
    loop {
        fibra::select! {
            change = recv(changes) => match change {
                Ok(new) => {
                    price.set(new);
                    writeln!(stream, "tin: {new}")?;
                }
                Err(_) => break,
            },
            ready = readable(stream) => {
                ready?;
                let mut buffer = [0; 512];
                let length = stream.read(&mut buffer)?;
                received.extend_from_slice(&buffer[..length]);
                if length == 0 || !answer(stream, &mut received, price.get())? {
                    break;
                }
            }
            after(QUIET) => writeln!(stream, "still here")?,
        }
    }
    stream.shutdown(std::net::Shutdown::Both)
}

/// Answers the complete lines in `received`, and removes them. Returns whether the client stays.
fn answer(mut stream: &TcpStream, received: &mut Vec<u8>, price: u32) -> io::Result<bool> {
    while let Some(end) = received.iter().position(|&byte| byte == b'\n') {
        let line: Vec<u8> = received.drain(..=end).collect();
        match String::from_utf8_lossy(&line).trim() {
            "bye" => return Ok(false),
            "tin" => writeln!(stream, "tin: {price}")?,
            other => writeln!(stream, "no price of {other}")?,
        }
    }
    Ok(true)
}

fn is_sign_of_life(line: &io::Result<String>) -> bool {
    line.as_ref().is_ok_and(|line| line == "still here")
}
