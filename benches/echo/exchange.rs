//! The requests of the load generator, and the answers that it expects.
//!
//! A message of the echo carries the number of its connection and its own number, and every byte of
//! its answer is compared. So an answer that belongs to another message, or is cut or doubled, is
//! found. All bytes of an HTTP answer except the date must equal those of the first answer, which
//! is checked closely.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::str::FromStr;

use crate::Failure;

/// The size of the numbers of the connection and of the message.
const STAMP: usize = 16;
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
const BODY: &str = "Hello, World!";

/// The service that a server offers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Service {
    Echo,
    Http,
    /// HTTP/2 without TLS, by prior knowledge.
    Http2,
}

/// The requests that are made of it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Load {
    Echo { size: usize },
    Http,
}

impl Load {
    pub(crate) fn service(self) -> Service {
        match self {
            Self::Echo { .. } => Service::Echo,
            Self::Http => Service::Http,
        }
    }
}

impl Service {
    /// Returns its name on a server's command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Http => "http",
            Self::Http2 => "http2",
        }
    }
}

impl FromStr for Load {
    type Err = Failure;

    fn from_str(word: &str) -> Result<Self, Failure> {
        match word {
            "http" => Ok(Self::Http),
            size => match size.parse()? {
                size if STAMP <= size => Ok(Self::Echo { size }),
                _ => Err(format!("a message has at least {STAMP} bytes").into()),
            },
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Echo { size } => write!(f, "echo, {size} B"),
            Self::Http => f.write_str("HTTP plaintext"),
        }
    }
}

/// The bytes of one load, and the range of them that changes.
pub(crate) struct Exchange {
    load: Load,
    /// The bytes of a request. The echo's stamp is written into it before each use.
    request: Vec<u8>,
    /// The expected answer, except for the bytes of `varies`.
    answer: Vec<u8>,
    varies: Range<usize>,
}

impl Exchange {
    /// Asks the server at `address` for its answer, if that is not known beforehand.
    pub(crate) fn new(load: Load, address: SocketAddr) -> Result<Self, Failure> {
        match load {
            Load::Echo { size } => {
                let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
                Ok(Self { load, request: bytes.clone(), answer: bytes, varies: 0..STAMP })
            }
            Load::Http => {
                let answer = first_answer(address)?;
                let varies = date_in(&answer)?;
                Ok(Self { load, request: GET.to_vec(), answer, varies })
            }
        }
    }

    /// Returns the request with this number on this connection.
    pub(crate) fn request(&mut self, connection: usize, number: u64) -> &[u8] {
        if let Load::Echo { .. } = self.load {
            self.request[..STAMP].copy_from_slice(&stamp(connection, number));
        }
        &self.request
    }

    pub(crate) fn answer_length(&self) -> usize {
        self.answer.len()
    }

    /// Returns whether `bytes`, received after the first `before` bytes of an answer, are correct.
    pub(crate) fn is_right(
        &self,
        connection: usize,
        number: u64,
        before: usize,
        bytes: &[u8],
    ) -> bool {
        let end = before + bytes.len();
        if self.answer.len() < end {
            return false;
        }
        let is_equal = |part: Range<usize>, expected: &[u8]| {
            let part = part.start.max(before)..part.end.min(end);
            part.is_empty() || bytes[part.start - before..part.end - before] == expected[part]
        };
        is_equal(0..self.varies.start, &self.answer)
            && is_equal(self.varies.end..self.answer.len(), &self.answer)
            && (self.load == Load::Http || is_equal(0..STAMP, &stamp(connection, number)))
    }
}

fn stamp(connection: usize, number: u64) -> [u8; STAMP] {
    let mut stamp = [0; STAMP];
    stamp[..8].copy_from_slice(&(connection as u64).to_le_bytes());
    stamp[8..].copy_from_slice(&number.to_le_bytes());
    stamp
}

/// Sends one request and reads the answer, whose body has the length that the header states.
fn first_answer(address: SocketAddr) -> Result<Vec<u8>, Failure> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(GET)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(byte(&mut stream)?);
    }
    let header = str::from_utf8(&answer)?.to_ascii_lowercase();
    let length = header.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.ok_or("an answer without Content-Length")?.trim().parse()?;
    for _ in 0_usize..length {
        answer.push(byte(&mut stream)?);
    }
    if header.starts_with("http/1.1 200 ") && answer.ends_with(BODY.as_bytes()) {
        return Ok(answer);
    }
    Err(format!("answered: {}", String::from_utf8_lossy(&answer)).into())
}

fn byte(stream: &mut TcpStream) -> Result<u8, Failure> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Returns the position of the date in the header: all contenders send one, so that all do the same
/// work.
fn date_in(answer: &[u8]) -> Result<Range<usize>, Failure> {
    const FIELD: &str = "\r\ndate: ";
    let text = str::from_utf8(answer)?.to_ascii_lowercase();
    let start = text.find(FIELD).ok_or("an answer without Date")? + FIELD.len();
    let length = text[start..].find('\r').ok_or("a header without an end")?;
    Ok(start..start + length)
}
