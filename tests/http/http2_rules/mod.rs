//! The rules of HTTP/2 (RFC 9113) and of HPACK (RFC 7541) that a server has to enforce, as frames
//! that break them, and what the server does then.
//!
//! Each case has a connection of its own. A client of the test sends the frames, then a PING, and
//! reads what comes back. The cases stand in the order of the RFC. Where it leaves a choice (an
//! error of a stream may be treated as one of the connection, see 5.4.1), the case expects what
//! the library does. In some cases it ends the connection with a less exact code than the RFC has
//! (`EndsLike`): the crate `h2` treats all frames and blocks alike that it cannot decode.

mod compression;
mod connection;
mod each_frame;
mod framing;
mod messages;
mod states;

use std::io::{self, Write};
use std::time::Duration;

use fibra::http::{BodyReader, Http, hyper};
use fibra::net::TcpStream;
use hyper::{Request, Response};

use crate::frames::{
    DATA, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PING, POST, RST_STREAM, begin, field,
    frame, read_frame,
};
use crate::server::{Text, connection as connect, say};

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION_ERROR: u32 = 9;

/// The PING that follows the frames of each case, and its answer.
const LAST: &[u8; 8] = b"the last";

/// What a server does with the frames of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Does {
    /// Ends the connection with this code.
    Ends(u32),
    /// Ends the connection with PROTOCOL_ERROR, where the RFC has this more exact code.
    EndsLike(u32),
    /// Resets the stream with this code. The connection goes on.
    Resets(u32, u32),
    /// Answers on the stream, with this first byte of its head, and the connection goes on.
    Answers(u32, u8),
    /// Nothing, and the connection goes on.
    Nothing,
}

use Does::{Answers, Ends, EndsLike, Nothing, Resets};

/// The first byte of a head with the status 200.
const OK: u8 = 0x88;

/// A rule, what breaks or keeps it, the frames, and what the server does.
type Case = (&'static str, &'static str, Vec<u8>, Does);

/// Answers with the length of the body; waits forever at the path `/park`.
fn handler(request: Request<BodyReader>) -> Response<Text> {
    if request.uri().path() == "/park" {
        fibra::park();
    }
    match io::read_to_string(request.into_body()) {
        Ok(body) => say(body.len().to_string()),
        Err(error) => Response::builder().status(400).body(error.to_string().into()).unwrap(),
    }
}

/// Plays each case on a connection of its own.
fn check(cases: impl IntoIterator<Item = Case>) {
    fibra::run(|| {
        let mut wrong = Vec::new();
        for (rule, what, frames, expected) in cases {
            let seen = play(&frames, expected);
            let wanted = match expected {
                EndsLike(_) => Ends(PROTOCOL_ERROR),
                other => other,
            };
            if seen != Ok(wanted) {
                wrong.push(format!("{rule}, {what}: expected {expected:?}, saw {seen:?}"));
            }
        }
        assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
    });
}

/// Sends `frames` and a PING, and reads until the server has done what is expected, or something
/// that excludes it.
fn play(frames: &[u8], expected: Does) -> Result<Does, String> {
    let (mut stream, serves) = connect(Http::new().http2_only(), handler);
    begin(&mut stream, &[]);
    // The server may close the connection before it has read all.
    let _ = stream.write_all(frames).and_then(|()| stream.write_all(&frame(PING, 0, 0, LAST)));
    let seen = fibra::time::timeout(Duration::from_secs(10), || read(&stream, expected));
    let seen = seen.unwrap_or_else(|_| Err("nothing for ten seconds".into()));
    drop(stream);
    serves.kill();
    drop(serves.join());
    seen
}

fn read(stream: &TcpStream, expected: Does) -> Result<Does, String> {
    let mut seen = Vec::new();
    let mut is_alive = false;
    while let Some(frame) = read_frame(stream) {
        let does = match frame.kind {
            GOAWAY if frame.code() != NO_ERROR => Some(Ends(frame.code())),
            RST_STREAM => Some(Resets(frame.stream, frame.code())),
            HEADERS => Some(Answers(frame.stream, frame.payload[0])),
            PING if frame.payload == LAST => {
                is_alive = true;
                None
            }
            _ => None,
        };
        match does {
            Some(Ends(code)) => {
                return match read_frame(stream) {
                    None => Ok(Ends(code)),
                    Some(_) => Err(format!("GOAWAY with {code}, and the connection goes on")),
                };
            }
            // A stream that was answered too early may be reset afterwards.
            Some(does) => seen.push(does),
            None => {}
        }
        if is_alive && expected == Nothing {
            return seen.first().copied().map_or(Ok(Nothing), Ok);
        }
        if is_alive && seen.contains(&expected) {
            return Ok(expected);
        }
        if is_alive && seen.iter().any(|does| excludes(*does, expected)) {
            return Err(format!("{seen:?}"));
        }
    }
    Err(format!("{seen:?}, and the end of the connection"))
}

/// Returns whether a server that does `seen` does not do `expected` afterwards.
fn excludes(seen: Does, expected: Does) -> bool {
    match (seen, expected) {
        (Answers(stream, _), Answers(other, _)) => stream == other,
        (Resets(stream, _), Answers(other, _) | Resets(other, _)) => stream == other,
        (_, Ends(_) | EndsLike(_)) => true,
        (Answers(stream, _), Resets(other, _)) => stream == other,
        _ => false,
    }
}

/// Returns a head whose fields are `fields`, which ends the headers.
fn head(flags: u8, stream: u32, fields: &[&[u8]]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, fields.concat())
}

/// Returns the head of a request whose body follows.
fn post(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, POST)
}

/// Returns a request that is not answered.
fn parked(stream: u32) -> Vec<u8> {
    head(END_STREAM, stream, &[&GET[..2], &field(":path", "/park"), &GET[3..]])
}

fn data(flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, flags, stream, payload)
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, 8_u32.to_be_bytes())
}
