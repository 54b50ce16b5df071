//! Detection of an end that a peer announces during a handshake.
//!
//! rustls does not treat an unencrypted `close_notify` as an end, and continues to wait for the
//! handshake. A peer that has sent one sends nothing more. (An attacker that can forge it can
//! also cut the connection.)

/// A parser of the records of a stream, in the pieces in which they come.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The type, version and length of a record, and the first two bytes of an alert.
    head: [u8; HEAD + ALERT],
    /// Number of these bytes that have come.
    seen: usize,
    /// Number of bytes of the record that are still to come after them.
    left: usize,
}

const HEAD: usize = 5;
const ALERT: usize = 2;
const TYPE_OF_ALERTS: u8 = 21;
const CLOSE_NOTIFY: u8 = 0;

impl Records {
    /// Processes further `bytes`. Returns whether they contain an unencrypted `close_notify`.
    pub(super) fn find_close_notify(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if self.seen < HEAD || self.is_alert() && self.seen < HEAD + ALERT {
                self.head[self.seen] = bytes[0];
                self.seen += 1;
                bytes = &bytes[1..];
                if self.seen == HEAD {
                    let alert = if self.is_alert() { ALERT } else { 0 };
                    self.left = self.length() - alert;
                }
                if self.is_alert() && self.seen == HEAD + ALERT && self.head[6] == CLOSE_NOTIFY {
                    return true;
                }
            }
            let skipped = if self.is_complete() { self.left.min(bytes.len()) } else { 0 };
            self.left -= skipped;
            bytes = &bytes[skipped..];
            if self.is_complete() && self.left == 0 {
                self.seen = 0;
            }
        }
        false
    }

    fn length(&self) -> usize {
        usize::from(u16::from_be_bytes([self.head[3], self.head[4]]))
    }

    /// Returns whether this is an unencrypted alert, which has two bytes.
    fn is_alert(&self) -> bool {
        HEAD <= self.seen && self.head[0] == TYPE_OF_ALERTS && self.length() == ALERT
    }

    fn is_complete(&self) -> bool {
        self.seen == if self.is_alert() { HEAD + ALERT } else { HEAD }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = &[22, 3, 1, 0, 3, 1, 2, 3];
    const EMPTY: &[u8] = &[22, 3, 1, 0, 0];
    const WARNING: &[u8] = &[21, 3, 3, 0, 2, 1, 90];
    const ENCRYPTED: &[u8] = &[21, 3, 3, 0, 4, 1, 0, 1, 0];
    const CLOSE: &[u8] = &[21, 3, 3, 0, 2, 1, 0];

    #[test]
    fn an_end_is_found_behind_other_records_whatever_the_pieces_are() {
        let before = [HELLO, EMPTY, WARNING, ENCRYPTED, HELLO].concat();
        let all = [&before[..], CLOSE].concat();
        for size in 1..=all.len() {
            let (mut records, mut others) = (Records::default(), Records::default());
            assert!(all.chunks(size).any(|piece| records.find_close_notify(piece)), "{size}");
            assert!(!before.chunks(size).any(|piece| others.find_close_notify(piece)), "{size}");
        }
    }
}
