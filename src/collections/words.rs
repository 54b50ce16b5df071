//! A short queue of messages of one word each, which any thread appends and one takes.
//!
//! ```text
//!   position      5          6          7          8
//!   slots:  | 5, word  | 6, word  | 7, free  | 8, word  | 1 + N, free | ..   N of them, a circle
//!             head                  a writer              tail
//!                                   is about to store here; the reader waits for that
//! ```
//!
//! Invariants:
//! - The state of a slot is a position, and whether a word is there. The thread that advances
//!   `tail` over a position finds the slot free for that position before. It alone stores there,
//!   until it publishes the word by the state. The reader then takes the word, and makes the slot
//!   free for the position one circle later.
//! - A writer does not look at `head`, and the reader seldom at `tail`: each would take the word
//!   out of the other's cache.
//! - Only the reader uses `head`. If two threads read at the same time, messages may be lost or
//!   come twice, and nothing worse: every access is atomic.
//! - The queue is not empty from when `tail` is advanced, which is before the message can be taken.

#![forbid(unsafe_code)]

use std::fmt;
use std::hint;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, AtomicUsize};

use crate::collections::apart::Apart;

/// The number of slots, a power of two. More messages than that wait only if the reader does not
/// run; then they go elsewhere.
const SLOTS: usize = if cfg!(loom) { 2 } else { 256 };

/// The number of looks at a slot whose writer has not stored the message, before the reader lets
/// the writer have the processor.
const LOOKS: u32 = 64;

/// The number of bits of a state that hold the kind; the others hold the position.
const KIND_BITS: u32 = 2;

/// A message.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    pub(crate) kind: Kind,
    pub(crate) value: u64,
}

/// The kind of a message, which its users choose.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    One,
    Two,
}

/// The queue.
pub(crate) struct Words {
    /// The number of messages that were taken, which may wrap. Only the reader uses it.
    head: Apart<AtomicUsize>,
    /// The number of messages that were appended, or are about to be.
    tail: Apart<AtomicUsize>,
    slots: Box<[Slot]>,
}

struct Slot {
    /// [`free`] or [`full`].
    state: AtomicUsize,
    value: AtomicU64,
}

/// Returns the state of a slot that is free for the message at `position`.
fn free(position: usize) -> usize {
    position << KIND_BITS
}

/// Returns the state of a slot that holds the message at `position`.
fn full(position: usize, kind: Kind) -> usize {
    free(position) | if kind == Kind::One { 1 } else { 2 }
}

/// Returns the kind of the message at `position`, if the slot with that state holds it.
fn kind_at(position: usize, state: usize) -> Option<Kind> {
    match state ^ free(position) {
        1 => Some(Kind::One),
        2 => Some(Kind::Two),
        _ => None,
    }
}

impl Words {
    pub(crate) fn new() -> Words {
        let slot = |at| Slot { state: AtomicUsize::new(free(at)), value: AtomicU64::new(0) };
        Words {
            head: Apart(AtomicUsize::new(0)),
            tail: Apart(AtomicUsize::new(0)),
            slots: (0..SLOTS).map(slot).collect(),
        }
    }

    /// Appends `word`. Returns whether there was room.
    #[must_use]
    pub(crate) fn push(&self, word: Word) -> bool {
        let mut tail = self.tail.load(Ordering::Relaxed);
        let slot = loop {
            let slot = &self.slots[tail % SLOTS];
            // Acquire: the reader has taken the word that was here.
            if slot.state.load(Ordering::Acquire) == free(tail) {
                let next = tail.wrapping_add(1);
                let (ok, failed) = (Ordering::AcqRel, Ordering::Relaxed);
                match self.tail.compare_exchange_weak(tail, next, ok, failed) {
                    Ok(_) => break slot,
                    Err(now) => tail = now,
                }
            } else {
                let now = self.tail.load(Ordering::Relaxed);
                if now == tail {
                    return false;
                }
                tail = now;
            }
        };
        slot.value.store(word.value, Ordering::Relaxed);
        slot.state.store(full(tail, word.kind), Ordering::Release);
        true
    }

    /// Takes the first message. For the reader.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Word> {
        let head = self.head.load(Ordering::Relaxed);
        let slot = &self.slots[head % SLOTS];
        let kind = match kind_at(head, slot.state.load(Ordering::Acquire)) {
            Some(kind) => kind,
            None if self.is_empty() => return None,
            None => wait_for_kind(head, slot),
        };
        let value = slot.value.load(Ordering::Relaxed);
        self.head.store(head.wrapping_add(1), Ordering::Relaxed);
        slot.state.store(free(head.wrapping_add(SLOTS)), Ordering::Release);
        Some(Word { kind, value })
    }

    /// Returns the number of messages. For the reader.
    pub(crate) fn len(&self) -> usize {
        self.tail.load(Ordering::Acquire).wrapping_sub(self.head.load(Ordering::Relaxed))
    }

    /// Returns whether nothing has been appended. For the reader.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Waits until the thread that has advanced `tail` over `position` has stored its message in
/// `slot`.
#[cold]
fn wait_for_kind(position: usize, slot: &Slot) -> Kind {
    let mut looks = 0;
    loop {
        if let Some(kind) = kind_at(position, slot.state.load(Ordering::Acquire)) {
            return kind;
        }
        looks += 1;
        if looks < LOOKS && !cfg!(loom) {
            hint::spin_loop();
        } else {
            yield_to_the_writer();
        }
    }
}

fn yield_to_the_writer() {
    #[cfg(not(loom))]
    std::thread::yield_now();
    #[cfg(loom)]
    loom::thread::yield_now();
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::thread;

    use super::*;

    fn word(value: u64) -> Word {
        Word { kind: Kind::One, value }
    }

    #[test]
    fn messages_come_in_order_and_only_so_many_fit() {
        let words = Words::new();
        assert!(words.is_empty() && words.pop().is_none());
        for round in 0..3 {
            let values = (0..SLOTS as u64).map(|n| round * 1_000 + n);
            values.clone().for_each(|value| assert!(words.push(word(value))));
            assert!(!words.push(word(7)) && words.len() == SLOTS);
            values.for_each(|value| assert_eq!(words.pop(), Some(word(value))));
            assert_eq!((words.pop(), words.len()), (None, 0));
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the writers are plain threads here")]
    fn each_message_of_several_threads_comes_once_and_in_their_orders() {
        const EACH: u64 = if cfg!(miri) { 300 } else { 50_000 };
        let words = Words::new();
        thread::scope(|threads| {
            for writer in 0..2_u64 {
                let words = &words;
                threads.spawn(move || {
                    for n in 0..EACH {
                        while !words.push(word(writer << 32 | n)) {
                            thread::yield_now();
                        }
                    }
                });
            }
            let mut next = [0; 2];
            while next != [EACH; 2] {
                match words.pop() {
                    Some(Word { value, .. }) => {
                        let next = &mut next[usize::from(value >> 32 != 0)];
                        assert_eq!(value & 0xffff_ffff, *next);
                        *next += 1;
                    }
                    None => thread::yield_now(),
                }
            }
        });
        assert!(words.is_empty());
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    /// Two threads append, and fall back on nothing when they find no room: there are two slots,
    /// and up to three messages.
    #[test]
    fn loom_each_word_is_taken_once_with_its_value() {
        loom::model(|| {
            let words = Arc::new(Words::new());
            let writers =
                [(Kind::One, &[10, 11][..]), (Kind::Two, &[20][..])].map(|(kind, values)| {
                    let words = words.clone();
                    let push = move |value: &u64| words.push(Word { kind, value: *value });
                    thread::spawn(move || values.iter().copied().filter(push).collect::<Vec<_>>())
                });
            let mut taken: Vec<_> = (0..2).filter_map(|_| words.pop()).collect();
            let appended: Vec<Vec<u64>> =
                writers.map(|writer| writer.join().unwrap()).into_iter().collect();
            taken.extend(std::iter::from_fn(|| words.pop()));
            for (kind, appended) in [Kind::One, Kind::Two].into_iter().zip(appended) {
                let of_kind = taken.iter().filter(|word| word.kind == kind);
                assert_eq!(of_kind.map(|word| word.value).collect::<Vec<_>>(), appended);
            }
            assert!(words.is_empty());
        });
    }
}
