//! An echo server and its clients in one process: a fiber per connection, with the code that a
//! thread per connection would have.
//!
//! ```text
//! $ cargo run --release --example echo_server [CLIENTS = 3]
//! client 1 sends 'one' and receives 'one'
//! client 2 sends 'one' and receives 'one'
//! client 3 sends 'one' and receives 'one'
//! client 1 sends 'two' and receives 'two'
//! ...
//! 3 connections, 33 bytes echoed
//! ```

mod arguments;
mod broken_pipe;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use fibra::net::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let clients = arguments::number(1, "CLIENTS", 1..=1000, 3);
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let echoed = Rc::new(Cell::new(0));
        let server = fibra::spawn({
            let echoed = echoed.clone();
            move || serve(&listener, clients, &echoed)
        });

        let streams: Vec<_> =
            (0..clients).map(|_| TcpStream::connect(address)).collect::<Result<_, _>>()?;
        for word in ["one", "two", "three"] {
            for (number, stream) in (1..).zip(&streams) {
                println!("client {number} sends '{word}' and receives '{}'", ask(stream, word)?);
            }
        }
        drop(streams); // The server's fibers read the end of their streams, and end.
        let connections = server.join().expect("the server is not killed")?;
        println!("{} connections, {} bytes echoed", connections.len(), echoed.get());
        Ok(())
    })
}

/// Serves a number of connections to their ends, and returns the addresses of their clients.
fn serve(
    listener: &TcpListener,
    connections: usize,
    echoed: &Cell<u64>,
) -> io::Result<Vec<SocketAddr>> {
    fibra::scope(|s| {
        let accepted = (0..connections).map(|_| {
            let (stream, from) = listener.accept()?;
            s.spawn(move || {
                // Reader and writer are references to one stream. `io::copy` knows nothing of
                // fibers.
                let bytes = io::copy(&mut &stream, &mut &stream).unwrap_or(0);
                echoed.set(echoed.get() + bytes);
            });
            Ok(from)
        });
        accepted.collect()
    })
}

fn ask(mut stream: &TcpStream, word: &str) -> io::Result<String> {
    stream.write_all(word.as_bytes())?;
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
