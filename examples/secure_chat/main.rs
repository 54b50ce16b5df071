//! A chat over WebSockets and TLS, with a page for browsers. One fiber is the room: all others send
//! it what happens, and it passes lines on.
//!
//! The program makes its certificate itself. Without an address, four guests follow a script: one
//! of them reads nothing, and is removed when its queue is full. With an address, the chat lasts
//! until Ctrl-C, which closes all connections in the way of the protocol.
//!
//! ```text
//! $ cargo run --release --example secure_chat --features http,tls
//! alice hears: * welcome: alice
//! bob hears: * welcome: alice, bob
//! alice hears: * bob is here
//! ...
//! bob hears: alice: hello, all
//! carol hears: alice: hello, all
//! ...
//! alice hears: * dave does not read, and was removed
//! ...
//! dave is not connected any more
//! alice hears: * carol has left
//! ...
//! alice hears: the room is closed: the server ends
//! connections that had to be killed: 0
//! $ cargo run --release --example secure_chat --features http,tls 127.0.0.1:8443
//! open https://localhost:8443/ and accept the certificate; Ctrl-C ends the chat
//! ```

#[path = "../broken_pipe/mod.rs"]
mod broken_pipe;
mod identity;
mod room;

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use fibra::channel::unbounded;
use fibra::http::Http;
use fibra::net::TcpStream;
use fibra::server::Server;
use fibra::signal::{Signal, Signals};
use fibra::tls::{TlsConnector, TlsStream};
use room::Event;
use tungstenite::{Message, WebSocket};

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let http = Http::new().http1_only();
    let (acceptor, connector) = identity::new(http.alpn_protocols())?;
    fibra::run(|| {
        let given = std::env::args().nth(1);
        let server = Server::bind(given.as_deref().unwrap_or("127.0.0.1:0"))?;
        let address = server.listener().local_addr()?;
        let (events, happened) = unbounded();
        fibra::spawn(move || room::host(&happened));
        let (room, graceful) = (events.clone(), http.graceful());
        let running = server.start(move |stream, _| -> Result<(), Box<dyn Error>> {
            let stream = acceptor.accept(stream)?;
            let room = room.clone();
            Ok(http.serve_connection(stream, move |request| room::answer(request, &room))?)
        });

        let guests = match given {
            None => play(address, &connector)?,
            Some(_) => {
                let url = format!("https://localhost:{}/", address.port());
                let interrupts = Signals::new(&[Signal::SIGINT])?;
                println!("open {url} and accept the certificate; Ctrl-C ends the chat");
                interrupts.recv()?;
                Vec::new()
            }
        };
        // The guests are told, connections that only serve the page end, and all have some time.
        events.send(Event::End)?;
        graceful.shutdown();
        for mut guest in guests {
            guest.hear()?;
            guest.leave()?;
        }
        let drained = running.shutdown(Duration::from_secs(10));
        println!("connections that had to be killed: {}", drained.killed);
        Ok(())
    })
}

/// Plays a scripted session, and returns the guests that are there at its end.
fn play(address: SocketAddr, connector: &TlsConnector) -> Result<Vec<Guest>, Box<dyn Error>> {
    let mut guests: Vec<Guest> = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let mut guest = Guest::enter(name, address, connector)?;
        guest.hear()?;
        guests.iter_mut().try_for_each(Guest::hear)?;
        guests.push(guest);
    }
    for (who, text) in [(0, "hello, all"), (2, "hello, alice"), (1, "can others read this?")] {
        guests[who].say(text)?;
        let others = guests.iter_mut().enumerate().filter(|(number, _)| *number != who);
        others.map(|(_, guest)| guest).try_for_each(Guest::hear)?;
    }

    // dave reads nothing. What alice sends fills the buffers of its connection, and then its queue.
    let mut dave = Guest::enter("dave", address, connector)?;
    guests.iter_mut().try_for_each(Guest::hear)?;
    let picture = "#".repeat(256 << 10);
    let mut heard = [picture.clone(), picture.clone()];
    while heard.iter().all(|line| line.ends_with(&picture)) {
        guests[0].say(&picture)?;
        heard = [guests[1].next()?, guests[2].next()?];
    }
    println!("bob hears: {}\ncarol hears: {}", heard[0], heard[1]);
    guests[0].hear()?;
    while dave.next().is_ok() {}
    println!("dave is not connected any more");

    guests.remove(2).leave()?;
    guests.iter_mut().try_for_each(Guest::hear)?;
    Ok(guests)
}

/// A client: tungstenite over a TLS stream.
struct Guest {
    name: &'static str,
    socket: WebSocket<TlsStream<TcpStream>>,
}

impl Guest {
    fn enter(
        name: &'static str,
        address: SocketAddr,
        connector: &TlsConnector,
    ) -> Result<Guest, Box<dyn Error>> {
        let stream = connector.connect("localhost".try_into()?, TcpStream::connect(address)?)?;
        let (mut socket, _) = tungstenite::client("wss://localhost/chat", stream)?;
        socket.send(name.into())?;
        Ok(Guest { name, socket })
    }

    fn say(&mut self, text: &str) -> tungstenite::Result<()> {
        self.socket.send(text.into())
    }

    /// Waits for a message, and returns its text: a line, or the reason of the end.
    fn next(&mut self) -> tungstenite::Result<String> {
        Ok(match self.socket.read()? {
            Message::Close(Some(frame)) => format!("the room is closed: {}", frame.reason),
            message => message.to_text()?.to_owned(),
        })
    }

    /// Waits for a line that is not a picture, and prints it.
    fn hear(&mut self) -> tungstenite::Result<()> {
        let mut line = self.next()?;
        while 1000 < line.len() {
            line = self.next()?;
        }
        println!("{} hears: {line}", self.name);
        Ok(())
    }

    /// Closes the connection, and waits until the server has done the same.
    fn leave(mut self) -> tungstenite::Result<()> {
        self.socket.close(None)?;
        while self.socket.read().is_ok() {}
        Ok(())
    }
}
