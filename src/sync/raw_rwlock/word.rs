//! The word of a read-write lock, as plain data.
//!
//! ```text
//!   63          32 31             3   2   1   0
//!  [ scheduler    | fiber's number | C | 0 | W ]    held by a writer
//!  [ sum of marks | readers        | C | 1 | W ]    held by readers
//!  [ 0                             | C | 0 | W ]    free
//! ```
//!
//! `W` is `WAITERS` and `C` is `COMPETES`: see `contention.rs`.

use crate::sched::lowlevel::Owner;
use crate::sync::contention::is_elsewhere;

pub(super) const WAITERS: u64 = 1;
pub(super) const READ: u64 = 2;
pub(super) const COMPETES: u64 = 4;
pub(super) const BITS: u64 = WAITERS | COMPETES;
pub(super) const ONE_READER: u64 = 8;
pub(super) const READERS: u64 = (1 << 32) - ONE_READER;

/// The kind of access.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(in crate::sync) enum Mode {
    Read,
    Write,
}

impl Mode {
    /// Returns `word` with `owner` as a holder, if others leave room for it.
    pub(super) fn enter(self, word: u64, owner: Owner) -> Option<u64> {
        match self {
            Mode::Read => with_reader(word, owner.mark()),
            Mode::Write => with_writer(word, owner),
        }
    }
}

/// Returns whether newcomers may take the lock, and holders may release it, without a look at the
/// queue.
#[inline]
pub(super) fn is_open(word: u64) -> bool {
    word & BITS != WAITERS
}

/// Returns whether holders of the lock belong to other threads than `me`; or whether the first
/// waiters compete, which happens only if several threads use the lock.
pub(super) fn is_in_use_elsewhere(word: u64, me: Owner) -> bool {
    let is_here = || {
        if word & READ == 0 {
            !is_elsewhere(Owner::of_bits(word), me)
        } else {
            all_have(word, me.mark())
        }
    };
    word & COMPETES != 0 || word & !BITS != 0 && !is_here()
}

/// Returns `word` with `owner` as the writer, if the lock is free.
pub(super) fn with_writer(word: u64, owner: Owner) -> Option<u64> {
    (word & !BITS == 0).then_some(owner.bits() | word)
}

/// Returns `word` with one more reader; none if there is a writer or the number of readers has
/// reached its maximum.
#[inline]
pub(super) fn with_reader(word: u64, mark: u32) -> Option<u64> {
    let mark = u64::from(mark) << 32;
    if word & !BITS == 0 {
        return Some(word | mark | READ | ONE_READER);
    }
    if word & READ == 0 || word & READERS == READERS {
        return None;
    }
    Some((word + ONE_READER).wrapping_add(mark))
}

/// Returns `word` with one reader less.
#[inline]
pub(super) fn without_reader(word: u64, mark: u32) -> u64 {
    debug_assert!(word & READ != 0, "it is held by readers");
    if word & READERS == ONE_READER {
        return word & BITS;
    }
    (word - ONE_READER).wrapping_sub(u64::from(mark) << 32)
}

/// Returns the number of readers.
pub(super) fn readers(word: u64) -> u32 {
    ((word & READERS) / ONE_READER) as u32
}

/// Returns whether the sum of the marks is that of readers that all have the mark `mark`.
pub(super) fn all_have(word: u64, mark: u32) -> bool {
    (word >> 32) as u32 == readers(word).wrapping_mul(mark)
}
