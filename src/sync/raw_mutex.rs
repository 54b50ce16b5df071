//! A mutual exclusion lock without data: one word, and a queue of waiters.
//!
//! ```text
//!   word: 0                      free
//!         owner                  held, the queue is empty
//!         owner | WAITERS        held, and the queue is not empty
//! ```
//!
//! Invariants:
//! - While `WAITERS` is set, the word changes only under the lock of the queue. So a release that
//!   finds it set locks the queue and hands the lock to the first waiter: no newcomer gets it
//!   before.
//! - The word names the next owner before its wait is over: a fiber that runs after it was served
//!   finds itself as the owner.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{Interrupt, Needs, Owner, WaitOutcome, WaitReason};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Site, Waiter, locked, wait};

const FREE: u64 = 0;
const WAITERS: u64 = 1;

/// A mutual exclusion lock without data.
#[derive(Debug)]
pub(super) struct RawMutex {
    word: AtomicU64,
    queue: Mutex<Queue>,
}

impl RawMutex {
    pub(super) const fn new() -> RawMutex {
        RawMutex { word: AtomicU64::new(FREE), queue: Mutex::new(Queue::new()) }
    }

    /// Takes the lock if it is free. Returns whether it did.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        let me = Owner::me().bits();
        self.word.compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waits in the queue for the lock, until the deadline `by` if there is one.
    #[cold]
    #[track_caller]
    pub(super) fn lock_slowly(
        &self,
        by: Option<Instant>,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        self.refuse_to_wait_for_itself(by);
        let mut queue = locked(&self.queue);
        if !self.announce_waiter() {
            return Ok(());
        }
        let waiter = Arc::new(Waiter::new(()));
        queue.push(waiter.clone());
        drop(queue);
        wait(self, &waiter, by, reason).map(drop)
    }

    /// Releases the lock, or hands it to the first waiter. The caller holds it, or was given its
    /// guard by another fiber of the thread.
    #[inline]
    pub(super) fn unlock(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert_ne!(word & !WAITERS, FREE, "it is held");
        let is_free = word & WAITERS == 0
            && self.word.compare_exchange(word, FREE, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.hand_over();
        }
    }

    /// Notes that another fiber of the thread, or the thread itself, may release the lock: it
    /// counts as held by all of them.
    #[cold]
    pub(super) fn hand_on(&self) {
        let me = Owner::this_thread().bits();
        let _queue = locked(&self.queue);
        let update = |word| Some(me | word & WAITERS);
        let handed = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        debug_assert!(handed.is_ok(), "the closure always has a value");
    }

    pub(super) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) != FREE
    }

    /// Returns the holder of the lock, if it is held.
    #[inline]
    pub(super) fn owner(&self) -> Option<Owner> {
        let word = self.word.load(Ordering::Relaxed);
        (word != FREE).then(|| Owner::of_bits(word))
    }

    #[cold]
    fn hand_over(&self) {
        let mut queue = locked(&self.queue);
        while let Some(next) = queue.pop() {
            self.word.store(next.owner().bits() | waiters(&queue), Ordering::Relaxed);
            // The claim orders what the last owner did before what the next one does: the next one
            // reads the outcome of its wait first.
            if next.claim(WaitOutcome::Served) {
                drop(queue);
                return next.wake();
            }
        }
        self.word.store(FREE, Ordering::Release);
    }

    /// Takes the lock if it has become free, and returns false. Otherwise notes that a waiter is
    /// about to be queued, and returns true. The caller has locked the queue.
    fn announce_waiter(&self) -> bool {
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let (to, order) = match word {
                FREE => (Owner::me().bits(), Ordering::Acquire),
                _ if word & WAITERS != 0 => return true,
                _ => (word | WAITERS, Ordering::Relaxed),
            };
            if self.word.compare_exchange(word, to, order, Ordering::Relaxed).is_ok() {
                return word != FREE;
            }
        }
    }

    /// Panics if a plain thread that holds the lock would wait for it without a limit. The search
    /// for deadlocks does not cover plain threads.
    #[track_caller]
    fn refuse_to_wait_for_itself(&self, by: Option<Instant>) {
        let me = Owner::me();
        let is_mine = by.is_none() && me.is_thread() && self.owner() == Some(me);
        assert!(!is_mine, "this thread would wait forever: it holds the lock itself");
    }
}

/// Returns the bit to set in the word while `queue` has waiters.
fn waiters(queue: &Queue) -> u64 {
    if queue.is_empty() { 0 } else { WAITERS }
}

impl Site for RawMutex {
    type Extra = ();

    const IS_LOCK: bool = true;

    fn withdraw(&self, waiter: &Waiter) -> bool {
        let mut queue = locked(&self.queue);
        if !queue.withdraw(waiter) {
            return false;
        }
        if queue.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        true
    }

    fn needs(&self, waiter: &Waiter) -> Option<Needs> {
        let _queue = locked(&self.queue);
        self.owner().filter(|_| waiter.waits()).map(Needs::one)
    }
}
