//! Pseudo-random numbers for the examples: the same ones for the same seed.

use std::cell::Cell;
use std::ops::Range;

/// A source of pseudo-random numbers.
pub(crate) struct Random(Cell<u64>);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(Cell::new(seed))
    }

    /// Returns another source, whose numbers are independent of those of this one.
    pub(crate) fn fork(&self) -> Random {
        Random::new(self.within(0..u64::MAX))
    }

    /// Returns a number in `range`, which is not empty, by splitmix64 and a remainder.
    pub(crate) fn within(&self, range: Range<u64>) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut bits = self.0.get();
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (bits ^ (bits >> 31)) % (range.end - range.start)
    }
}
