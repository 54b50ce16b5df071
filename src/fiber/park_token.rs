//! The word of a fiber that `park` checks: whether the fiber was unparked, and whether its
//! scheduler must list it before it parks.
//!
//! Both are in one word, so that a `park` in which neither is set checks for them once.

#![forbid(unsafe_code)]

use std::cell::Cell;

const UNPARKED: u8 = 1;
const UNLISTED: u8 = 2;

/// The word that `park` checks.
#[derive(Debug)]
pub(crate) struct ParkToken(Cell<u8>);

impl ParkToken {
    pub(crate) const fn new() -> ParkToken {
        ParkToken(Cell::new(0))
    }

    /// Returns whether the fiber was not unparked, and need not be listed before it parks.
    #[inline(always)]
    pub(crate) fn is_clear(&self) -> bool {
        self.0.get() == 0
    }

    /// Notes that the fiber was unparked.
    #[inline(always)]
    pub(crate) fn set(&self) {
        self.0.set(self.0.get() | UNPARKED);
    }

    /// Returns whether the fiber was unparked, and clears that.
    #[inline(always)]
    pub(crate) fn take(&self) -> bool {
        let word = self.0.get();
        self.0.set(word & !UNPARKED);
        word & UNPARKED != 0
    }

    /// Notes that other threads may unpark the fiber and that its scheduler does not list it.
    pub(crate) fn note_unlisted(&self) {
        self.0.set(self.0.get() | UNLISTED);
    }

    /// Notes that the fiber is listed, or that no other thread may unpark it.
    pub(crate) fn note_listed(&self) {
        self.0.set(self.0.get() & !UNLISTED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_notes_are_independent() {
        let token = ParkToken::new();
        assert!(token.is_clear() && !token.take());
        token.set();
        token.note_unlisted();
        assert!(token.take() && !token.take() && !token.is_clear());
        token.set();
        token.note_listed();
        assert!(!token.is_clear() && token.take() && token.is_clear());
    }
}
