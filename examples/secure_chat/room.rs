//! The server's side: the fiber of the room, and two fibers for each member, one that reads and one
//! that writes what is queued.

use std::error::Error;
use std::io::{self, Read, Write};

use fibra::Fiber;
use fibra::channel::{Receiver, Sender, bounded};
use fibra::http::{BodyReader, Upgraded, hyper, upgrade};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode};
use tungstenite::handshake::server::create_response_with_body;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Role};
use tungstenite::{Message, WebSocket};

/// The number of messages that may wait for a member.
const QUEUE_LENGTH: usize = 16;

/// What happens in the room.
pub(crate) enum Event {
    Joined(Member),
    Said(Fiber, String),
    Left(Fiber),
    End,
}

pub(crate) struct Member {
    name: String,
    queue: Sender<Message>,
    /// The fiber that reads. The other one ends with it.
    fiber: Fiber,
}

/// Passes on what happens to all members, until the end.
pub(crate) fn host(happened: &Receiver<Event>) {
    let mut members: Vec<Member> = Vec::new();
    for event in happened.iter() {
        // A member that was removed may have sent something just before.
        let at = |fiber: &Fiber| members.iter().position(|member| member.fiber == *fiber);
        match event {
            Event::Joined(member) => {
                tell(&mut members, None, &format!("* {} is here", member.name));
                members.push(member);
                let names: Vec<_> = members.iter().map(|member| &*member.name).collect();
                let welcome = format!("* welcome: {}", names.join(", "));
                let _ = members[members.len() - 1].queue.try_send(welcome.into());
            }
            Event::Said(fiber, text) => {
                let Some(from) = at(&fiber) else { continue };
                let line = format!("{}: {text}", members[from].name);
                tell(&mut members, Some(&fiber), &line);
            }
            Event::Left(fiber) => {
                let Some(at) = at(&fiber) else { continue };
                let line = format!("* {} has left", members.remove(at).name);
                tell(&mut members, None, &line);
            }
            Event::End => break,
        }
    }
    let reason = CloseFrame { code: CloseCode::Away, reason: "the server ends".into() };
    for member in members {
        let goodbye = Message::Close(Some(reason.clone()));
        if member.queue.try_send(goodbye).is_err() {
            member.fiber.kill();
        }
    }
}

/// Queues a line for all members but one. This never waits: a member whose queue is full is
/// removed, and its connection is closed, also in the middle of a message.
fn tell(members: &mut Vec<Member>, but: Option<&Fiber>, line: &str) {
    let is_told =
        |member: &Member| but == Some(&member.fiber) || member.queue.try_send(line.into()).is_ok();
    let removed: Vec<Member> = members.extract_if(.., |member| !is_told(member)).collect();
    for member in removed {
        member.fiber.kill();
        tell(members, None, &format!("* {} does not read, and was removed", member.name));
    }
}

/// Answers a request: with the page, or by turning the connection into a WebSocket.
pub(crate) fn answer(mut request: Request<BodyReader>, room: &Sender<Event>) -> Response<String> {
    match request.uri().path() {
        "/" => {
            let page = Response::builder().header(CONTENT_TYPE, "text/html; charset=utf-8");
            return page.body(PAGE.into()).unwrap_or_default();
        }
        "/chat" => {}
        _ => return refusal(StatusCode::NOT_FOUND, "there is / and /chat".into()),
    }
    match create_response_with_body(&request, String::new) {
        Ok(response) => {
            let (upgrade, room) = (upgrade(&mut request), room.clone());
            fibra::spawn(move || welcome(&upgrade.wait()?, &room));
            response
        }
        Err(error) => refusal(StatusCode::BAD_REQUEST, error.to_string()),
    }
}

fn refusal(status: StatusCode, text: String) -> Response<String> {
    let mut response = Response::new(text);
    *response.status_mut() = status;
    response
}

/// Serves one member. The first message is its name.
fn welcome(stream: &Upgraded, room: &Sender<Event>) -> Result<(), Box<dyn Error>> {
    let mut reads = WebSocket::from_raw_socket(ReadsOnly(stream), Role::Server, None);
    let Message::Text(name) = reads.read()? else { return Ok(()) };
    let (queue, queued) = bounded(QUEUE_LENGTH);
    let (fiber, name) = (fibra::current(), name.to_string());
    room.send(Event::Joined(Member { name, queue: queue.clone(), fiber: fiber.clone() }))?;
    fibra::scope(|scope| {
        let writer = scope.spawn(|| write(stream, &queued));
        let end = loop {
            match reads.read() {
                Ok(Message::Text(text)) => {
                    let _ = room.send(Event::Said(fiber.clone(), text.to_string()));
                }
                // If the queue is full, there is no answer.
                Ok(Message::Ping(data)) => drop(queue.try_send(Message::Pong(data))),
                Ok(Message::Close(_)) => break queue.try_send(Message::Close(None)).is_ok(),
                Ok(_) => {}
                Err(_) => break false,
            }
        };
        if !end {
            writer.kill();
        }
    });
    room.send(Event::Left(fiber))?;
    Ok(())
}

/// Writes what is queued, up to the message that closes the connection.
fn write(stream: &Upgraded, queued: &Receiver<Message>) -> Result<(), Box<dyn Error>> {
    let mut writes = WebSocket::from_raw_socket(stream, Role::Server, None);
    for message in queued.iter() {
        let is_last = message.is_close();
        writes.send(message)?;
        if is_last {
            break;
        }
    }
    Ok(stream.shutdown()?)
}

/// The side of a stream that reads. tungstenite answers some messages while it reads; these answers
/// are dropped here and queued for the fiber that writes, which may be in the middle of a message.
struct ReadsOnly<'a>(&'a Upgraded);

impl Read for ReadsOnly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for ReadsOnly<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PAGE: &str = r##"<!doctype html>
<title>A chat</title>
<pre id="heard">your name first
</pre>
<form><input autofocus autocomplete="off"></form>
<script>
    const input = document.querySelector("input"), heard = document.querySelector("#heard");
    const socket = new WebSocket(`wss://${location.host}/chat`);
    socket.onmessage = (event) => heard.textContent += event.data + "\n";
    socket.onclose = (event) => heard.textContent += `closed: ${event.reason}\n`;
    document.querySelector("form").onsubmit = (event) => {
        event.preventDefault();
        socket.send(input.value);
        input.value = "";
    };
</script>
"##;
