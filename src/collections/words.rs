//! A short queue of messages of one word each, which any thread appends and one takes.
//!
//! ```text
//!   slots:  | . | . | w5 | w6 | - | w8 | . | . |      a circle; the writer of w7 is about to store
//!                   head                 tail         it, and the reader waits for that
//! ```
//!
//! Invariants:
//! - A slot between `head` and `tail` belongs to the thread that has advanced `tail` over it, until
//!   it stores a kind, and then to the reader, until that removes the kind. A slot with a kind is
//!   not taken, so there are at most as many messages as slots.
//! - A writer does not look at `head`, and the reader seldom at `tail`: each would take the word out
//!   of the other's cache.
//! - Only the reader uses `head`. If two threads read at the same time, messages may be lost or
//!   come twice, and nothing worse: every access is atomic.
//! - The queue is not empty from when `tail` is advanced, which is before the message can be taken.

#![forbid(unsafe_code)]

use std::fmt;
use std::hint;
use std::num::NonZeroU32;
use std::thread;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};
use std::sync::atomic::Ordering;
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

use crate::collections::apart::Apart;

/// The number of slots, a power of two. More messages than that wait only if the reader does not
/// run; then they go elsewhere.
const SLOTS: usize = if cfg!(loom) { 2 } else { 256 };

/// The number of looks at a slot whose writer has not stored the message, before the reader lets
/// the writer have the processor.
const LOOKS: u32 = 64;

/// A message.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct Word {
    pub(crate) kind: NonZeroU32,
    pub(crate) value: u64,
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
    /// The kind of the message, or 0 while there is none.
    kind: AtomicU32,
    value: AtomicU64,
}

impl Words {
    pub(crate) fn new() -> Words {
        let empty = |_| Slot { kind: AtomicU32::new(0), value: AtomicU64::new(0) };
        Words {
            head: Apart(AtomicUsize::new(0)),
            tail: Apart(AtomicUsize::new(0)),
            slots: (0..SLOTS).map(empty).collect(),
        }
    }

    /// Appends `word`. Returns whether there was room.
    #[must_use]
    pub(crate) fn push(&self, word: Word) -> bool {
        let mut tail = self.tail.load(Ordering::Relaxed);
        let slot = loop {
            let slot = &self.slots[tail % SLOTS];
            // Acquire: the reader has taken what was here. If another writer has taken the slot
            // since `tail` was read, the exchange fails.
            if slot.kind.load(Ordering::Acquire) != 0 {
                let now = self.tail.load(Ordering::Relaxed);
                if now == tail {
                    return false;
                }
                tail = now;
                continue;
            }
            let next = tail.wrapping_add(1);
            match self.tail.compare_exchange_weak(tail, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break slot,
                Err(now) => tail = now,
            }
        };
        slot.value.store(word.value, Ordering::Relaxed);
        slot.kind.store(word.kind.get(), Ordering::Release);
        true
    }

    /// Takes the first message. For the reader.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Word> {
        let head = self.head.load(Ordering::Relaxed);
        let slot = &self.slots[head % SLOTS];
        let kind = match NonZeroU32::new(slot.kind.load(Ordering::Acquire)) {
            Some(kind) => kind,
            None if self.is_empty() => return None,
            None => wait_for_kind(slot),
        };
        let value = slot.value.load(Ordering::Relaxed);
        self.head.store(head.wrapping_add(1), Ordering::Relaxed);
        slot.kind.store(0, Ordering::Release);
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

/// Waits until the thread that has taken `slot` has stored its message there.
#[cold]
fn wait_for_kind(slot: &Slot) -> NonZeroU32 {
    for look in 0_u32.. {
        if let Some(kind) = NonZeroU32::new(slot.kind.load(Ordering::Acquire)) {
            return kind;
        }
        if look < LOOKS && !cfg!(loom) {
            hint::spin_loop();
        } else {
            yield_to_the_writer();
        }
    }
    unreachable!("the loop has no end")
}

fn yield_to_the_writer() {
    #[cfg(not(loom))]
    thread::yield_now();
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
    use super::*;

    fn word(value: u64) -> Word {
        Word { kind: NonZeroU32::MIN, value }
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

    #[test]
    fn loom_each_word_is_taken_once_with_its_value() {
        loom::model(|| {
            let words = Arc::new(Words::new());
            let writers = [1, 2].map(|value| {
                let words = words.clone();
                let kind = NonZeroU32::new(value).unwrap();
                thread::spawn(move || words.push(Word { kind, value: u64::from(value) * 10 }))
            });
            let mut taken = Vec::new();
            // The second message goes around the end, and uses a slot again.
            while taken.len() < 2 {
                match words.pop() {
                    Some(word) => taken.push(word),
                    None => thread::yield_now(),
                }
                if taken.len() == 1 && words.len() == 0 {
                    let kind = NonZeroU32::new(3).unwrap();
                    let _ = words.push(Word { kind, value: 30 });
                }
            }
            assert!(writers.map(|writer| writer.join().unwrap()) == [true; 2]);
            taken.extend(std::iter::from_fn(|| words.pop()));
            assert!(taken.iter().all(|word| word.value == u64::from(word.kind.get()) * 10));
            taken.sort_unstable_by_key(|word| word.kind);
            taken.dedup();
            let of_writers = taken.iter().filter(|word| word.kind.get() != 3).count();
            assert_eq!(of_writers, 2, "a message is lost, or came twice");
        });
    }
}
