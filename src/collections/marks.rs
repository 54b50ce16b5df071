//! A word for each index, marked by any thread and taken by one; equal messages merge in it.
//!
//! ```text
//!   chunk 0: 64 words   chunk 1: 128   chunk 2: 256   ...   allocated when first marked
//! ```
//!
//! Invariants:
//! - A word never moves, and there are at most twice as many words as the largest index that was
//!   marked.
//! - Of the threads that mark a word between two takes, `mark` returns `true` to exactly one.
//! - What a thread wrote before it marked a word is seen by the thread that takes the mark.

#![forbid(unsafe_code)]

#[cfg(loom)]
use loom::sync::atomic::AtomicU32;
use std::fmt;
use std::sync::OnceLock;
#[cfg(not(loom))]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

/// Number of words in the first chunk. A power of two.
const FIRST: u64 = 64;
/// Number of chunks, enough for all indices of 32 bits.
const CHUNKS: usize = 27;

const NONE: u32 = 0;
const SEVERAL: u32 = u32::MAX;

/// A growing array of words that start unmarked.
pub(crate) struct Marks {
    chunks: [OnceLock<Box<[AtomicU32]>>; CHUNKS],
}

/// The values with which a word was marked since it was last taken.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// Marked with this value only.
    Of(u32),
    /// Marked with several different values.
    Several,
}

impl Marks {
    /// Creates words that are all unmarked. Allocates nothing.
    pub(crate) const fn new() -> Marks {
        Marks { chunks: [const { OnceLock::new() }; CHUNKS] }
    }

    /// Marks the word of `index` with `value`, which is less than `u32::MAX - 1`. Returns whether
    /// the word was unmarked.
    #[must_use]
    pub(crate) fn mark(&self, index: u32, value: u32) -> bool {
        let (chunk, at, len) = place(index);
        let words =
            self.chunks[chunk].get_or_init(|| (0..len).map(|_| AtomicU32::new(NONE)).collect());
        let value = value + 1;
        let merged = |now| match now {
            NONE => Some(value),
            now if now == value => Some(value),
            _ => Some(SEVERAL),
        };
        // The word is written even if it does not change: the thread that takes the mark
        // synchronizes with this release.
        let before = words[at].fetch_update(Ordering::AcqRel, Ordering::Relaxed, merged);
        before == Ok(NONE)
    }

    /// Removes all marks.
    pub(crate) fn clear(&self) {
        for word in self.chunks.iter().filter_map(OnceLock::get).flatten() {
            word.swap(NONE, Ordering::AcqRel);
        }
    }

    /// Removes the mark of `index` and returns it.
    pub(crate) fn take(&self, index: u32) -> Option<Mark> {
        let (chunk, at, _) = place(index);
        match self.chunks[chunk].get()?[at].swap(NONE, Ordering::AcqRel) {
            NONE => None,
            SEVERAL => Some(Mark::Several),
            value => Some(Mark::Of(value - 1)),
        }
    }
}

/// Returns the chunk of `index`, its place in that chunk, and the length of that chunk.
#[allow(clippy::cast_possible_truncation, reason = "a chunk is in the address space")]
fn place(index: u32) -> (usize, usize, usize) {
    let shifted = u64::from(index) + FIRST;
    let len = 1 << shifted.ilog2();
    ((shifted.ilog2() - FIRST.ilog2()) as usize, (shifted - len) as usize, len as usize)
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marks").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn places_of_neighbours_are_neighbours() {
        assert_eq!(
            [0, 63, 64, 191, 192].map(place),
            [(0, 0, 64), (0, 63, 64), (1, 0, 128), (1, 127, 128), (2, 0, 256)]
        );
        assert_eq!(place(u32::MAX).0, CHUNKS - 1);
    }

    #[test]
    fn equal_marks_merge_and_different_ones_are_distinguished() {
        let marks = Marks::new();
        assert_eq!(marks.take(7), None);
        assert!(marks.mark(7, 0) && !marks.mark(7, 0));
        assert_eq!((marks.take(7), marks.take(7)), (Some(Mark::Of(0)), None));
        assert!(marks.mark(7, 1) && !marks.mark(7, 2) && marks.mark(8, 2));
        assert_eq!((marks.take(7), marks.take(8)), (Some(Mark::Several), Some(Mark::Of(2))));
        assert!(marks.mark(7, 1) && marks.mark(300, 1));
        marks.clear();
        assert_eq!((marks.take(7), marks.take(300)), (None, None));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the takers are plain threads here")]
    fn one_of_several_marks_at_the_same_time_is_the_first() {
        let rounds = if cfg!(miri) { 20 } else { 2_000 };
        let marks = Marks::new();
        for round in 0..rounds {
            let mark = || marks.mark(round % 70, 3);
            let first = thread::scope(|threads| {
                let others = [0; 2].map(|_| threads.spawn(mark));
                usize::from(mark())
                    + others.map(|it| usize::from(it.join().unwrap())).iter().sum::<usize>()
            });
            assert_eq!((first, marks.take(round % 70)), (1, Some(Mark::Of(3))));
        }
    }
}
