//! Bodies of responses that are compressed with gzip: when they are asked for, and how they are
//! decoded.
//!
//! Invariants:
//! - The body is decoded as it is read: up to [`PART`] bytes at a time, however well it is
//!   compressed.
//! - A body that breaks off, that is damaged, or that has other data after its last member, is an
//!   error. A body without any bytes is an empty one.

use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use hyper::body::{Buf, Bytes};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, RANGE,
};
use hyper::http::response::Parts;
use hyper::{Method, StatusCode};

/// The most bytes that are decoded in one step.
const PART: usize = 16 << 10;

/// The longest header of a member: a name of a file and a comment may be in it.
const LONGEST_HEADER: usize = 8 << 10;

/// Returns whether a request with these headers may ask for gzip: not if it has chosen an encoding
/// itself, nor for a part of a file, whose numbers count encoded bytes.
pub(super) fn may_ask(method: &Method, headers: &HeaderMap) -> bool {
    *method != Method::HEAD
        && !headers.contains_key(ACCEPT_ENCODING)
        && !headers.contains_key(RANGE)
}

/// Asks for gzip.
pub(super) fn ask(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
}

/// Returns a decoder for the body of a response with this head, if it is compressed, and removes
/// the headers that describe the compressed body.
pub(super) fn decoder_for(head: &mut Parts) -> Option<Gunzip> {
    let has_none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED, StatusCode::PARTIAL_CONTENT];
    let mut codings = head.headers.get_all(CONTENT_ENCODING).iter();
    let (Some(coding), None) = (codings.next(), codings.next()) else { return None };
    let is_gzip =
        [&b"gzip"[..], b"x-gzip"].iter().any(|name| coding.as_bytes().eq_ignore_ascii_case(name));
    if !is_gzip || has_none.contains(&head.status) {
        return None;
    }
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    Some(Gunzip::new())
}

/// A decoder, which is given compressed bytes and asked for decoded ones.
pub(super) struct Gunzip {
    /// Compressed bytes that are not decoded so far.
    input: Bytes,
    inflate: Decompress,
    /// Whether the last step has filled its buffer, so that there may be more without further
    /// input.
    has_more: bool,
    crc: Crc,
    position: Position,
}

/// The position in a member.
enum Position {
    /// In its header, of which these bytes have come.
    Header(Vec<u8>),
    Data,
    /// In its last eight bytes, of which these have come.
    Trailer(Vec<u8>),
}

impl Gunzip {
    fn new() -> Gunzip {
        Gunzip {
            input: Bytes::new(),
            inflate: Decompress::new(false),
            has_more: false,
            crc: Crc::new(),
            position: Position::Header(Vec::new()),
        }
    }

    /// Adds compressed bytes. The caller has taken all decoded ones before.
    pub(super) fn push(&mut self, data: Bytes) {
        debug_assert!(self.input.is_empty(), "the input is decoded as far as possible");
        self.input = data;
    }

    /// Decodes some bytes. Returns `None` if that needs more input.
    pub(super) fn decode(&mut self) -> io::Result<Option<Bytes>> {
        while !self.input.is_empty() || self.has_more {
            match &mut self.position {
                Position::Header(header) => {
                    if take_header(header, &mut self.input)? {
                        self.position = Position::Data;
                    }
                }
                Position::Data => {
                    let decoded = self.inflate()?;
                    if !decoded.is_empty() {
                        return Ok(Some(decoded));
                    }
                }
                Position::Trailer(trailer) => {
                    take(trailer, &mut self.input, 8 - trailer.len());
                    if trailer.len() == 8 {
                        self.check()?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Checks that the body may end here.
    pub(super) fn finish(&self) -> io::Result<()> {
        match &self.position {
            Position::Header(header) if header.is_empty() => Ok(()),
            _ => {
                let text = "it ends in the middle of the compressed data";
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, text))
            }
        }
    }

    fn inflate(&mut self) -> io::Result<Bytes> {
        let size = self.input.len().saturating_mul(4).clamp(PART / 16, PART);
        let mut decoded = vec![0; if self.has_more { PART } else { size }];
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(&self.input, &mut decoded, FlushDecompress::None);
        let status = status.map_err(|_| damaged("the compressed data is damaged"))?;
        // Both differences are at most the lengths of the two slices.
        let taken = (self.inflate.total_in() - read) as usize;
        let length = (self.inflate.total_out() - written) as usize;
        self.input.advance(taken);
        self.has_more = length == decoded.len();
        if status == Status::StreamEnd {
            self.has_more = false;
            self.position = Position::Trailer(Vec::with_capacity(8));
        } else if taken == 0 && length == 0 && !self.input.is_empty() {
            return Err(damaged("the compressed data cannot be continued"));
        }
        decoded.truncate(length);
        self.crc.update(&decoded);
        Ok(decoded.into())
    }

    /// Compares the trailer of a member with what was decoded, and begins the next member.
    fn check(&mut self) -> io::Result<()> {
        let Position::Trailer(trailer) = &self.position else { return Ok(()) };
        let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| trailer[at + byte]));
        if word(0) != self.crc.sum() || word(4) != self.crc.amount() {
            return Err(damaged("its checksum is wrong"));
        }
        self.position = Position::Header(Vec::new());
        self.crc.reset();
        self.inflate.reset(false);
        Ok(())
    }
}

/// Moves up to `most` bytes.
fn take(to: &mut Vec<u8>, from: &mut Bytes, most: usize) {
    let part = from.split_to(most.min(from.len()));
    to.extend_from_slice(&part);
}

/// Moves bytes from `input` to the header of a member. Returns whether the header is complete.
fn take_header(header: &mut Vec<u8>, input: &mut Bytes) -> io::Result<bool> {
    let before = header.len();
    let most = LONGEST_HEADER.min(input.len());
    header.extend_from_slice(&input[..most]);
    let length = length_of_header(header)?;
    input.advance(length.unwrap_or(header.len()) - before);
    if length.is_none() && header.len() > LONGEST_HEADER {
        return Err(damaged("its header is too long"));
    }
    Ok(length.is_some())
}

/// Returns the length of the header that `bytes` begin with, or `None` if they are only a part of
/// it.
fn length_of_header(bytes: &[u8]) -> io::Result<Option<usize>> {
    const FIXED: usize = 10;
    const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
    const CHECKSUM: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    const RESERVED: u8 = 0xe0;
    let known = bytes.len().min(MAGIC.len());
    if bytes[..known] != MAGIC[..known] {
        return Err(damaged("it does not begin like gzip"));
    }
    let Some(&flags) = bytes.get(3) else { return Ok(None) };
    if flags & RESERVED != 0 {
        return Err(damaged("its header has flags that gzip does not have"));
    }
    let mut length = FIXED;
    if flags & EXTRA != 0 {
        let Some(size) = bytes.get(length..length + 2) else { return Ok(None) };
        length += 2 + usize::from(u16::from_le_bytes([size[0], size[1]]));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let rest = bytes.get(length..).unwrap_or_default();
            let Some(end) = rest.iter().position(|&byte| byte == 0) else { return Ok(None) };
            length += end + 1;
        }
    }
    if flags & CHECKSUM != 0 {
        length += 2;
    }
    Ok((length <= bytes.len()).then_some(length))
}

fn damaged(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
