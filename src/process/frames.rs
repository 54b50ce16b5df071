//! The messages between a pool and its workers.
//!
//! ```text
//!   worker, first of all:       GREETING    (output that the program printed before is skipped)
//!   then, in both directions:   number, 8 bytes | length, 4 bytes | the message
//!                               (integers are little-endian; an answer has its request's number)
//! ```
//!
//! Invariants:
//! - Memory is allocated as bytes arrive, and not as a length announces them.
//! - An answer without a request, or a second one, does not have the number of the request that
//!   waits for its answer.

use std::io::{self, Read, Write};

const GREETING: &[u8] = b"\0fibra worker 2\n";

/// The largest message that is sent in one piece with its length.
const SMALL: usize = 64 << 10;

/// Announces to the pool that messages follow.
pub(super) fn greet(mut to: impl Write) -> io::Result<()> {
    to.write_all(GREETING)
}

/// Skips everything up to and including the greeting.
pub(super) fn skip_to_greeting(mut from: impl Read) -> io::Result<()> {
    let mut seen = 0;
    let mut byte = [0];
    while seen < GREETING.len() {
        from.read_exact(&mut byte)?;
        // The first byte of the greeting occurs in it only once.
        seen =
            if byte[0] == GREETING[seen] { seen + 1 } else { usize::from(byte[0] == GREETING[0]) };
    }
    Ok(())
}

/// Returns the length of a message, or an error if it is too long to be sent.
pub(super) fn check_length(message: &[u8]) -> io::Result<u32> {
    u32::try_from(message.len()).map_err(|_| {
        let text =
            format!("a message of {} bytes is too long: the limit is 4 GiB - 1", message.len());
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

/// Sends a message with a number.
pub(super) fn send(mut to: impl Write, number: u64, message: &[u8]) -> io::Result<()> {
    let (number, length) = (number.to_le_bytes(), check_length(message)?.to_le_bytes());
    if message.len() <= SMALL {
        return to.write_all(&[&number[..], &length, message].concat());
    }
    to.write_all(&[&number[..], &length].concat())?;
    to.write_all(message)
}

/// Receives a message, with its number. Returns `None` if the other side has closed at a boundary
/// between messages.
pub(super) fn receive(mut from: impl Read) -> io::Result<Option<(u64, Vec<u8>)>> {
    let (mut number, mut length) = ([0; 8], [0; 4]);
    if read_some(&mut from, &mut number[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut number[1..])?;
    from.read_exact(&mut length)?;
    let number = u64::from_le_bytes(number);
    let length = u32::from_le_bytes(length) as usize;
    let mut message = Vec::with_capacity(length.min(SMALL));
    if (&mut from).take(length as u64).read_to_end(&mut message)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((number, message)))
}

/// Reads once, and retries if a signal interrupts the read.
fn read_some(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_all_sizes_arrive_behind_the_greeting_and_whatever_was_printed_before() {
        let mut pipe = b"banner\0fibra \0".to_vec();
        greet(&mut pipe).unwrap();
        let messages = [0, 1, SMALL, SMALL + 1].map(|size| vec![7; size]);
        for (number, message) in (0..).zip(&messages) {
            send(&mut pipe, number, message).unwrap();
        }
        let mut from = &pipe[..];
        skip_to_greeting(&mut from).unwrap();
        for message in (0..).zip(messages) {
            assert!(receive(&mut from).unwrap() == Some(message));
        }
        assert!(receive(&mut from).unwrap().is_none());
    }

    #[test]
    fn a_message_that_is_cut_off_is_an_error() {
        let mut pipe = Vec::new();
        send(&mut pipe, 1, b"message").unwrap();
        for length in 1..pipe.len() {
            let error = receive(&pipe[..length]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
