//! Models of two threads that each publish a word and then read the other's word at the same time:
//! see `collections/publish.rs`.
//!
//! Each model repeats this many times, and counts the rounds in which neither thread has seen the
//! other's word. The models switch no stacks, so Miri can run them: it reorders memory accesses
//! like a weakly ordered processor.

#![allow(clippy::disallowed_methods, reason = "plain threads stand for schedulers here")]

use std::sync::atomic::{AtomicBool, Ordering};

use crate::collections::inbox::Inbox;
use crate::collections::publish_model::{Pair, ROUNDS, check};
use crate::collections::slot_table::Key;
use crate::fiber::id::FiberId;
use crate::fiber::token::Token;

#[test]
fn what_is_published_before_a_claim_is_seen_by_a_reader_that_sleeps_unclaimed() {
    check("a message and a sleep", |pair| {
        let inbox = Inbox::<()>::new();
        let message = AtomicBool::new(false);
        let (claimed, sleeps) = pair.run(
            || {
                message.store(true, Ordering::Relaxed);
                inbox.claim_wake()
            },
            || inbox.announce_sleep() && !message.load(Ordering::Relaxed),
        );
        sleeps && !claimed
    });
}

#[test]
fn a_message_is_found_or_its_pusher_wakes() {
    // Nothing is lost without the fences either, because the queue in the inbox has fences of its
    // own. Its documentation does not promise them.
    let lost = (0..ROUNDS).filter(|_| {
        let inbox = Inbox::<()>::new();
        let pair = Pair { fenced: true };
        let (claimed, sleeps) = pair.run(|| inbox.push(()), || inbox.announce_sleep());
        sleeps && !claimed
    });
    assert_eq!(lost.count(), 0);
}

#[test]
fn the_last_handle_is_seen_to_be_gone_or_wakes() {
    check("the last handle and a deadlock", |pair| {
        let inbox = Inbox::<()>::new();
        let token = Token::new(Key::from_bits(1), FiberId { scheduler: 1, number: 1 });
        token.hold();
        let (claimed, sleeps) = pair.run(
            || token.release() && inbox.claim_wake(),
            || inbox.announce_sleep() && token.is_held(),
        );
        sleeps && !claimed
    });
}

#[test]
#[cfg(feature = "net")]
fn a_request_is_seen_or_the_poller_is_woken() {
    use crate::sched::time::idle::Bed;
    check("a kill request and the opening of the poller", |pair| {
        let bed = Bed::<()>::new();
        let asked = AtomicBool::new(false);
        let (woken, sleeps_in_poller) = pair.run(
            || {
                asked.store(true, Ordering::Release);
                bed.call().is_some()
            },
            || {
                bed.open(());
                !asked.load(Ordering::Relaxed)
            },
        );
        sleeps_in_poller && !woken
    });
}
