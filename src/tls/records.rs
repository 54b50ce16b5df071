//! Finds the end that a peer announces during a handshake.
//!
//! rustls takes no `close_notify` for an end that is not encrypted, and goes on to wait for the handshake. Who has
//! sent one sends nothing more. (Whoever could forge it could also cut the connection.)

/// A look at the records of a stream, in the pieces in which they come.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Type, version and length of a record, and the first two bytes of an alert.
    head: [u8; HEAD + ALERT],
    /// So many of these have come.
    seen: usize,
    /// So much of the record is still to come behind them.
    left: usize,
}

const HEAD: usize = 5;
const ALERT: usize = 2;
const TYPE_OF_ALERTS: u8 = 21;
const CLOSE_NOTIFY: u8 = 0;

impl Records {
    /// Goes on with `bytes`. Returns whether they hold a `close_notify` that is not encrypted.
    pub(super) fn tell_the_end(&mut self, bytes: &[u8]) -> bool {
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

    /// Whether this is an alert that is not encrypted: it has two bytes then.
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
            assert!(all.chunks(size).any(|piece| records.tell_the_end(piece)), "{size}");
            assert!(!before.chunks(size).any(|piece| others.tell_the_end(piece)), "{size}");
        }
    }
}
