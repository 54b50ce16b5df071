//! Models of the ways in which other threads reach a scheduler, for loom: see `.ci/loom`.
//!
//! The queue in the inbox is not loom's: for the models it has no weak orders, and would hide a
//! lost message. So what is published here is a word of its own, which is written and read without
//! any order, like the messages of a queue that promises none.

use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::collections::inbox::Inbox;
use crate::collections::marks::{Mark, Marks};
use crate::collections::publish::FENCED;
use crate::collections::slot_table::Key;
use crate::fiber::id::FiberId;
use crate::fiber::token::Token;

fn token() -> Token {
    Token::new(Key::from_bits(1), FiberId { scheduler: 1, number: 1 })
}

/// Runs the model of two posters and a reader that goes to sleep.
fn two_posters_and_a_sleep() {
    loom::model(|| {
        let shared = Arc::new((Inbox::<()>::new(), AtomicUsize::new(0)));
        let posters = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (inbox, messages) = &*shared;
                messages.fetch_add(1, Ordering::Relaxed);
                inbox.claim_wake()
            })
        });
        let (inbox, messages) = &*shared;
        let sleeps = inbox.announce_sleep();
        let seen = messages.load(Ordering::Relaxed);
        let wakes = posters.map(|poster| poster.join().unwrap());
        assert!(sleeps, "the queue itself is empty");
        let woken = wakes.iter().filter(|&&woken| woken).count();
        assert!(woken <= 1, "one wake for one sleep");
        assert!(seen == 2 || woken == 1, "{seen} messages were seen, and there was no wake");
    });
}

#[test]
fn loom_a_message_is_seen_or_its_poster_wakes() {
    two_posters_and_a_sleep();
}

#[test]
#[should_panic(expected = "messages were seen, and there was no wake")]
fn loom_a_message_is_lost_without_the_fences() {
    // loom runs its threads on this one.
    FENCED.set(false);
    two_posters_and_a_sleep();
}

#[test]
fn loom_a_message_that_comes_after_a_sleep_is_seen_by_the_next_look() {
    loom::model(|| {
        let shared = Arc::new((Inbox::<()>::new(), AtomicUsize::new(0), AtomicBool::new(false)));
        let other = shared.clone();
        let poster = thread::spawn(move || {
            let (inbox, messages, called) = &*other;
            messages.fetch_add(1, Ordering::Relaxed);
            if inbox.claim_wake() {
                called.store(true, Ordering::Release);
            }
        });
        let (inbox, messages, called) = &*shared;
        // It sleeps once, is woken by something else, and sleeps again.
        let mut seen = 0;
        for _ in 0..2 {
            let _ = inbox.announce_sleep();
            seen = messages.load(Ordering::Relaxed);
            inbox.announce_awake();
        }
        let _ = inbox.announce_sleep();
        seen = seen.max(messages.load(Ordering::Relaxed));
        poster.join().unwrap();
        assert!(seen == 1 || called.load(Ordering::Acquire), "it would sleep forever");
    });
}

#[test]
fn loom_the_last_handle_is_seen_to_be_gone_or_its_drop_wakes() {
    loom::model(|| {
        let shared = Arc::new((Inbox::<()>::new(), token()));
        shared.1.hold();
        shared.1.hold();
        let droppers = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || shared.1.release() && shared.0.claim_wake())
        });
        let (inbox, token) = &*shared;
        let _ = inbox.announce_sleep();
        let is_held = token.is_held();
        let wakes = droppers.map(|dropper| dropper.join().unwrap());
        assert!(!is_held || wakes.contains(&true), "it would wait for a handle that is gone");
    });
}

#[test]
fn loom_what_precedes_a_merged_unpark_is_seen_after_its_delivery() {
    loom::model(|| {
        // The token, what the fiber waits for, and the mail.
        let shared = Arc::new((token(), AtomicUsize::new(0), AtomicUsize::new(0)));
        let threads = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (token, done, mail) = &*shared;
                done.fetch_add(1, Ordering::Relaxed);
                if token.note_unpark() {
                    mail.fetch_add(1, Ordering::AcqRel);
                }
            })
        });
        let (token, done, mail) = &*shared;
        let mut seen = 0;
        let deliver = || {
            (0..mail.swap(0, Ordering::AcqRel)).for_each(|_| token.take_unpark());
            done.load(Ordering::Relaxed)
        };
        for _ in 0..2 {
            seen = deliver();
        }
        threads.map(|thread| thread.join().unwrap());
        // What was not delivered so far is in the mail.
        let left = mail.load(Ordering::Acquire);
        assert!(seen == 2 || left == 1, "{seen} of 2 were seen, and there is no mail");
    });
}

#[test]
fn loom_what_precedes_a_merged_mark_is_seen_after_its_delivery() {
    loom::model(|| {
        let shared = Arc::new((Marks::new(), AtomicU32::new(0), AtomicUsize::new(0)));
        // The first mark allocates the words, which is not part of the model.
        assert!(shared.0.mark(3, 7) && shared.0.take(3) == Some(Mark::Of(7)));
        let threads = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (marks, done, mail) = &*shared;
                done.fetch_add(1, Ordering::Relaxed);
                if marks.mark(3, 7) {
                    mail.fetch_add(1, Ordering::AcqRel);
                }
            })
        });
        let (marks, done, mail) = &*shared;
        let mut seen = 0;
        for _ in 0..2 {
            if mail.swap(0, Ordering::AcqRel) != 0 {
                assert_eq!(marks.take(3), Some(Mark::Of(7)));
            }
            seen = done.load(Ordering::Relaxed);
        }
        threads.map(|thread| thread.join().unwrap());
        let left = mail.load(Ordering::Acquire);
        assert!(seen == 2 || left == 1, "{seen} of 2 were seen, and there is no mail");
    });
}

/// A scheduler takes a place, at which the mark of a wake is left that was posted to no one, while
/// a waker with the same bits, of an earlier scheduler, wakes there, too.
#[test]
fn loom_a_wake_merges_with_none_that_was_posted_to_an_earlier_scheduler() {
    loom::model(|| {
        // The marks of the place, and the number of wakes in the mail of its scheduler.
        let place = Arc::new((Marks::new(), Mutex::new(None)));
        assert!(place.0.mark(3, 7));
        let wake = |(marks, mail): &(Marks, Mutex<Option<usize>>)| {
            if marks.mark(3, 7) {
                mail.lock().unwrap().iter_mut().for_each(|wakes| *wakes += 1);
            }
        };
        let other = place.clone();
        let earlier = thread::spawn(move || wake(&other));
        let mut settled = place.1.lock().unwrap();
        place.0.clear();
        *settled = Some(0);
        drop(settled);
        wake(&place);
        earlier.join().unwrap();
        assert_ne!(*place.1.lock().unwrap(), Some(0), "the wake is lost");
    });
}
