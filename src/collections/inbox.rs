//! A queue through which other threads reach a scheduler: pushing never blocks, nothing is lost.
//!
//! The race between "is it empty?" and "sleep" has an owner. The scheduler announces that it will
//! sleep and *then* looks again; a pusher pushes and *then* asks whether somebody sleeps. Whichever
//! comes second sees the other: either the scheduler finds the message and stays up, or the pusher
//! finds the announcement and wakes it.
//!
//! ```text
//!   scheduler                         pusher
//!   sleeping = true                   push
//!   empty? -- no --> stay up          sleeping.swap(false)? -- yes --> wake
//!     yes --> wait                      no --> it is awake, or another pusher wakes it
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, unbounded};

/// A many-to-one queue whose one reader may sleep.
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
    sleeping: AtomicBool,
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Inbox<T> {
        let (sender, receiver) = unbounded();
        Inbox { sender, receiver, sleeping: AtomicBool::new(false) }
    }

    /// Appends `message`. Returns whether the reader sleeps, and must be woken by the caller.
    #[must_use]
    pub(crate) fn push(&self, message: T) -> bool {
        // Sending fails only when all receivers are gone, and `self` holds one.
        let _ = self.sender.send(message);
        self.claim_wake()
    }

    /// Whether the reader sleeps. Of several callers one is told so: the one that must wake it.
    #[must_use]
    pub(crate) fn claim_wake(&self) -> bool {
        self.sleeping.swap(false, Ordering::SeqCst)
    }

    /// Takes the first message. For the reader.
    pub(crate) fn pop(&self) -> Option<T> {
        self.receiver.try_recv().ok()
    }

    /// Whether nothing has been pushed. For the reader; much cheaper than a `pop` that finds none.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Announces that the reader will sleep. Returns whether it may: not if there is a message.
    #[must_use]
    pub(crate) fn announce_sleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        if self.receiver.is_empty() {
            return true;
        }
        self.announce_awake();
        false
    }

    /// Takes the announcement back.
    pub(crate) fn announce_awake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn keeps_the_order_of_one_pusher() {
        let inbox = Inbox::new();
        assert!(inbox.is_empty());
        for i in 0..3 {
            assert!(!inbox.push(i), "nobody sleeps");
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
    #[allow(clippy::disallowed_methods, reason = "the reader is a plain thread here")]
    fn no_message_is_lost_between_looking_and_sleeping() {
        const PUSHERS: u64 = 4;
        const EACH: u64 = 20_000;
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
            // Without the second look this would sleep for ever once in a while.
            if count < PUSHERS * EACH && inbox.announce_sleep() {
                thread::park();
                inbox.announce_awake();
            }
        }
        assert_eq!(sum, PUSHERS * (EACH * (EACH - 1) / 2));
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
    }
}
