//! A chat over WebSockets with tungstenite, a crate for blocking sockets, without changes to it.
//!
//! The server speaks HTTP, and a request to `/chat` turns its connection into a WebSocket.
//! tungstenite is generic over `Read + Write`, which an `Upgraded` connection implements. Each
//! connection has a fiber that reads, a channel for the messages of the others, and a fiber that
//! writes them. (The guests here send no pings. `secure_chat` shows how these are answered,
//! TLS, and guests that are too slow.)
//!
//! ```text
//! $ cargo run --release --example websocket --features http [GUESTS = 3]
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
use fibra::http::{BodyReader, Http, Upgraded, hyper, upgrade};
use fibra::net::TcpStream;
use fibra::server::Server;
use fibra::sync::Barrier;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::{Request, Response, StatusCode};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

/// The channels to all guests in the room.
type Room = Rc<RefCell<Vec<Sender<String>>>>;

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let guests = arguments::number(1, "GUESTS", 1..=1000, 3);
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.listener().local_addr()?;
        let (http, room) = (Http::new().http1_only(), Room::default());
        let _running = server.start(move |stream, _| {
            let room = room.clone();
            http.serve_connection(stream, move |request| answer(request, &room))
        });

        // Each guest waits until all are there.
        let all_are_here = Barrier::new(guests);
        let all_are_here = &all_are_here;
        let heard: Vec<String> = fibra::scope(|scope| {
            let visit = |number| {
                scope.spawn(move || -> Result<String, Box<dyn Error>> {
                    let url = format!("ws://{address}/chat");
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

/// Turns the connection into a WebSocket, if the request asks for that.
fn answer(mut request: Request<BodyReader>, room: &Room) -> Response<String> {
    let key = request.headers().get(SEC_WEBSOCKET_KEY).cloned();
    let (Some(key), "/chat") = (key, request.uri().path()) else {
        let mut refusal = Response::new("connect to /chat".to_string());
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        return refusal;
    };
    let (upgrade, room) = (upgrade(&mut request), room.clone());
    fibra::spawn(move || welcome(&upgrade.wait()?, &room));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()))
        .body(String::new())
        .unwrap_or_default()
}

/// Passes the messages of one guest on to all others, until the guest leaves.
fn welcome(stream: &Upgraded, room: &Room) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut reads = WebSocket::from_raw_socket(stream, Role::Server, None);
    let mut writes = WebSocket::from_raw_socket(stream, Role::Server, None);
    let (sender, receiver) = unbounded();
    sender.send("hello".into())?;
    room.borrow_mut().push(sender);
    fibra::scope(|scope| {
        let writer = scope.spawn(move || {
            for text in &receiver {
                if writes.send(Message::text(text)).is_err() {
                    break;
                }
            }
        });
        while let Ok(Message::Text(text)) = reads.read() {
            // Sending to an unbounded channel never waits, so the list may stay borrowed.
            room.borrow_mut().retain(|guest| guest.send(text.to_string()).is_ok());
        }
        writer.kill();
    });
    Ok(())
}
