//! A queue through which other threads reach a scheduler: pushing never blocks, no message is lost.
//!
//! Two races are resolved here. The first is between "is it empty?" and "sleep". The scheduler
//! announces that it will sleep and *then* looks again; a pusher pushes and *then* checks whether
//! the reader sleeps. Whichever comes second sees the other: either the scheduler finds the message
//! and stays awake, or the pusher finds the announcement and wakes it. A fence on each side ensures
//! that one of them comes second: see [`publish`].
//!
//! ```text
//!   scheduler                         pusher
//!   sleeping = true                   push
//!   fence                             fence
//!   empty? -- no --> stay up          sleeping.swap(false)? -- yes --> wake
//!     yes --> wait                      no --> it is awake, or another pusher wakes it
//! ```
//!
//! The second race is between "is the reader still there?" and "push". Messages that must not be
//! lost are pushed under a lock that [`Inbox::close`] takes: a message that was accepted is found
//! by a reader that closes first and then pops the rest. Other messages are still accepted until
//! [`Inbox::abandon`].
//!
//! Messages of one word, which most are, go through a short queue that is quicker for one reader;
//! all others, and those that find it full, through a channel of crossbeam. While there is a
//! message in the channel, all go there. So the reader, which empties the short queue first, gets
//! them in order.

#[cfg(loom)]
use loom::sync::atomic::AtomicBool;
use std::sync::Mutex;
#[cfg(not(loom))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::collections::locked::locked;
use crate::collections::publish;
use crate::collections::words::{Word, Words};

/// A message. By default it is none of one word.
pub(crate) trait Message: Sized {
    /// Returns the message as a word, if it is one.
    fn as_word(&self) -> Option<Word> {
        None
    }

    /// Returns the message that `as_word` has returned.
    fn of_word(word: Word) -> Self {
        unreachable!("no message of this type is a word, and not {word:?}")
    }
}

#[cfg(test)]
impl Message for () {}

/// A many-to-one queue whose one reader may sleep.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    words: Words,
    sender: Sender<T>,
    receiver: Receiver<T>,
    sleeping: AtomicBool,
    closed: AtomicBool,
    abandoned: AtomicBool,
    /// Held while a message that must not be lost is pushed, and while the inbox is closed.
    gate: Mutex<()>,
}

impl<T: Message> Inbox<T> {
    pub(crate) fn new() -> Inbox<T> {
        let (sender, receiver) = unbounded();
        Inbox {
            words: Words::new(),
            sender,
            receiver,
            sleeping: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            gate: Mutex::new(()),
        }
    }

    /// Appends `message`. Returns whether the reader sleeps and must be woken by the caller.
    ///
    /// A message that comes after the reader has gone is dropped, or is never popped.
    #[must_use]
    pub(crate) fn push(&self, message: T) -> bool {
        if self.abandoned.load(Ordering::Relaxed) {
            return false;
        }
        self.append(message);
        self.claim_wake()
    }

    #[inline(always)]
    fn append(&self, message: T) {
        if let Some(word) = message.as_word() {
            if self.receiver.is_empty() && self.words.push(word) {
                return;
            }
        }
        // Sending fails only when all receivers are gone, and `self` holds one.
        let _ = self.sender.send(message);
    }

    /// Like [`push`](Inbox::push), but returns the message if the inbox is closed.
    pub(crate) fn push_if_open(&self, message: T) -> Result<bool, T> {
        let gate = locked(&self.gate);
        if self.is_closed() {
            return Err(message);
        }
        self.append(message);
        drop(gate);
        Ok(self.claim_wake())
    }

    /// Refuses messages that must not be lost from now on: the reader pops what is there, and soon
    /// goes.
    pub(crate) fn close(&self) {
        let _gate = locked(&self.gate);
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Returns whether messages that must not be lost are refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Declares that the reader has gone, and drops what is left.
    pub(crate) fn abandon(&self) {
        self.close();
        self.abandoned.store(true, Ordering::Relaxed);
        while self.pop().is_some() {}
    }

    /// Returns whether the reader sleeps. If several callers ask, one gets `true`: the one that
    /// must wake it. What the caller has published before is seen by a reader that goes to sleep
    /// unclaimed.
    #[must_use]
    pub(crate) fn claim_wake(&self) -> bool {
        publish::fence();
        // Acquire: the claiming thread sees what the reader did before it announced its sleep.
        self.sleeping.load(Ordering::Relaxed) && self.sleeping.swap(false, Ordering::AcqRel)
    }

    /// Returns whether the reader sleeps, as far as the calling thread knows.
    pub(crate) fn is_asleep(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed)
    }

    /// Takes the first message. For the reader.
    pub(crate) fn pop(&self) -> Option<T> {
        if let Some(word) = self.words.pop() {
            return Some(T::of_word(word));
        }
        if self.receiver.is_empty() {
            return None;
        }
        // A thread may have appended a word between the two looks, and then this message.
        let word = self.words.pop().map(T::of_word);
        word.or_else(|| self.receiver.try_recv().ok())
    }

    /// Returns the number of messages. For the reader.
    pub(crate) fn len(&self) -> usize {
        self.words.len() + self.receiver.len()
    }

    /// Returns whether nothing has been pushed. For the reader; much cheaper than a `pop` that
    /// finds no message.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.receiver.is_empty()
    }

    /// Announces that the reader will sleep. Returns whether it may: not if there is a message.
    /// What others publish before they claim the wake is seen from here on, or they claim it.
    #[must_use]
    pub(crate) fn announce_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::Release);
        publish::fence();
        if self.is_empty() {
            return true;
        }
        self.announce_awake();
        false
    }

    /// Withdraws the announcement.
    pub(crate) fn announce_awake(&self) {
        self.sleeping.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::collections::words::Kind;

    impl Message for i32 {}

    /// Even numbers are words.
    impl Message for u64 {
        fn as_word(&self) -> Option<Word> {
            (self % 2 == 0).then_some(Word { kind: Kind::Two, value: *self })
        }

        fn of_word(word: Word) -> u64 {
            word.value
        }
    }

    #[test]
    fn words_and_other_messages_of_one_pusher_come_in_order() {
        let inbox = Inbox::new();
        for round in [[0, 2, 3, 4, 6, 7], [1, 2, 4, 5, 6, 8], [2, 4, 6, 8, 10, 12]] {
            round.iter().for_each(|message| assert!(!inbox.push(*message)));
            assert_eq!(inbox.len(), 6);
            assert_eq!(std::iter::from_fn(|| inbox.pop()).collect::<Vec<_>>(), round);
        }
        (0..2_000_u64).for_each(|message| assert!(!inbox.push(message * 2)));
        assert!((0..2_000).all(|message| inbox.pop() == Some(message * 2)) && inbox.is_empty());
    }

    #[test]
    fn keeps_the_order_of_one_pusher() {
        let inbox = Inbox::new();
        assert!(inbox.is_empty());
        for i in 0..3 {
            assert!(!inbox.push(i), "the reader is awake");
        }
        assert_eq!(
            [inbox.pop(), inbox.pop(), inbox.pop(), inbox.pop()],
            [Some(0), Some(1), Some(2), None]
        );
    }

    #[test]
    fn refuses_sleep_when_there_is_a_message() {
        let inbox = Inbox::new();
        assert!(!inbox.push(1));
        assert!(!inbox.announce_sleep());
        assert_eq!(inbox.pop(), Some(1));
        assert!(inbox.announce_sleep());
        assert!(inbox.push(2), "the sleeper must be woken");
        assert!(!inbox.push(3), "by one pusher only");
    }

    #[test]
    fn refuses_messages_when_the_reader_has_gone_and_keeps_those_accepted_before() {
        let inbox = Inbox::new();
        assert_eq!(inbox.push_if_open(1), Ok(false));
        inbox.close();
        assert_eq!(inbox.push_if_open(2), Err(2));
        assert!(!inbox.push(3));
        assert_eq!([inbox.pop(), inbox.pop(), inbox.pop()], [Some(1), Some(3), None]);
    }

    #[test]
    fn an_abandoned_inbox_stores_nothing() {
        let inbox = Inbox::new();
        assert!(!inbox.push(1));
        inbox.abandon();
        assert!(!inbox.push(2));
        assert_eq!((inbox.push_if_open(3), inbox.pop()), (Err(3), None));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the reader is a plain thread here")]
    fn what_is_accepted_is_found_by_a_reader_that_closes_and_then_looks() {
        for _ in 0..if cfg!(miri) { 5 } else { 200 } {
            let inbox = Arc::new(Inbox::new());
            let pushers = [1, 2].map(|_| {
                let inbox = inbox.clone();
                thread::spawn(move || (0..).take_while(|i| inbox.push_if_open(*i).is_ok()).count())
            });
            thread::yield_now();
            inbox.close();
            let found = std::iter::from_fn(|| inbox.pop()).count();
            let accepted: usize = pushers.map(|pusher| pusher.join().unwrap()).iter().sum();
            assert_eq!(found, accepted);
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the reader is a plain thread here")]
    fn no_message_is_lost_between_looking_and_sleeping() {
        const PUSHERS: u64 = 4;
        const EACH: u64 = if cfg!(miri) { 50 } else { 20_000 };
        let inbox = Arc::new(Inbox::new());
        let reader = thread::current();
        let pushers: Vec<_> = (0..PUSHERS)
            .map(|_| {
                let (inbox, reader) = (inbox.clone(), reader.clone());
                thread::spawn(move || {
                    for i in 0..EACH {
                        if inbox.push(i) {
                            reader.unpark();
                        }
                    }
                })
            })
            .collect();

        let (mut count, mut sum) = (0, 0);
        while count < PUSHERS * EACH {
            while let Some(i) = inbox.pop() {
                count += 1;
                sum += i;
            }
            // Without the second look this would occasionally sleep forever.
            if count < PUSHERS * EACH && inbox.announce_sleep() {
                thread::park();
                inbox.announce_awake();
            }
        }
        assert_eq!(sum, PUSHERS * (EACH * (EACH - 1) / 2));
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    }
}
