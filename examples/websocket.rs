//! A chat over WebSockets with tungstenite, a crate for blocking sockets, without changes to it.
//!
//! tungstenite is generic over `Read + Write`, which fibra's sockets implement. Each connection has
//! a fiber that reads, a channel for the messages of the others, and a fiber that writes them.
//!
//! ```text
//! $ cargo run --release --example websocket [GUESTS = 3]
//! guest 1 heard: guest 2 is here, guest 3 is here
//! guest 2 heard: guest 1 is here, guest 3 is here
//! guest 3 heard: guest 1 is here, guest 2 is here
//! ```

mod arguments;
mod broken_pipe;

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use fibra::channel::{Sender, unbounded};
use fibra::net::{TcpListener, TcpStream};
use fibra::sync::Barrier;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// The channels to all guests in the room.
type Room = Rc<RefCell<Vec<Sender<String>>>>;

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let guests = arguments::number(1, "GUESTS", 1..=1000, 3);
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let room = Room::default();
        fibra::spawn(move || -> std::io::Result<()> {
            for stream in listener.incoming() {
                let room = room.clone();
                let stream = stream?;
                fibra::spawn(move || welcome(stream, &room).map_err(std::io::Error::other));
            }
            Ok(())
        });

        // Each guest waits until all are there.
        let all_are_here = Barrier::new(guests);
        let all_are_here = &all_are_here;
        let heard: Vec<String> = fibra::scope(|scope| {
            let visit = |number| {
                scope.spawn(move || -> Result<String, Box<dyn Error>> {
                    let url = format!("ws://{address}/");
                    let stream = TcpStream::connect(address)?;
                    let (mut socket, _) = tungstenite::client(url, stream)?;
                    // The server sends a greeting when the guest is in its list.
                    socket.read()?;
                    all_are_here.wait();
                    socket.send(format!("guest {number} is here").into())?;
                    let mut heard = Vec::new();
                    while heard.len() < guests {
                        heard.push(socket.read()?.into_text()?.to_string());
                    }
                    heard.retain(|text| *text != format!("guest {number} is here"));
                    heard.sort();
                    Ok(format!("guest {number} heard: {}", heard.join(", ")))
                })
            };
            let visits: Vec<_> = (1..=guests).map(visit).collect();
            visits.into_iter().map(|visit| visit.join().unwrap().unwrap()).collect()
        });
        heard.iter().for_each(|line| println!("{line}"));
        Ok(())
    })
}

/// Passes the messages of one guest on to all others, until the guest leaves.
fn welcome(stream: TcpStream, room: &Room) -> Result<(), Box<dyn Error + Send + Sync>> {
    let writes = stream.try_clone()?;
    let mut reads = tungstenite::accept(stream)?;
    let mut writes = WebSocket::from_raw_socket(writes, Role::Server, None);
    let (sender, receiver) = unbounded();
    sender.send("hello".into())?;
    room.borrow_mut().push(sender);
    fibra::spawn(move || {
        for text in &receiver {
            if writes.send(Message::text(text)).is_err() {
                break;
            }
        }
    });
    while let Message::Text(text) = reads.read()? {
        // Sending to an unbounded channel never waits, so the list may stay borrowed.
        room.borrow_mut().retain(|guest| guest.send(text.to_string()).is_ok());
    }
    Ok(())
}
