//! A lock without data: one word, and a queue for when it is held.
//!
//! ```text
//!   word: 0                      free
//!         owner                  held, nobody waits
//!         owner | WAITERS        held, and the queue is not empty
//! ```
//!
//! Invariants:
//! - While `WAITERS` is set the word changes under the lock of the queue only. So a release that
//!   finds it set goes to the queue, and hands the lock to the first: nobody barges in.
//! - The word names the next owner before its wait is over: a fiber that runs after it was served
//!   finds itself as the owner.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{Fate, Interrupt, Needs, Owner, WaitReason};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Site, Waiter, locked, wait};

const FREE: u64 = 0;
const WAITERS: u64 = 1;

/// Mutual exclusion.
#[derive(Debug)]
pub(super) struct RawMutex {
    word: AtomicU64,
    queue: Mutex<Queue>,
}

impl RawMutex {
    pub(super) const fn new() -> RawMutex {
        RawMutex { word: AtomicU64::new(FREE), queue: Mutex::new(Queue::new()) }
    }

    /// Locks it if it is free.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        let me = Owner::me().bits();
        self.word.compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Waits in line for it, at the latest `by` a deadline.
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

    /// Releases it, or hands it to the first in line. The caller holds it, or was given it by
    /// another fiber of the thread that does.
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

    /// Another fiber of the thread, or the thread itself, may release it: it counts as held by all of them.
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

    /// Who holds it.
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
            // What the last owner did is seen by the next, who looks at its fate.
            if next.claim(Fate::Served) {
                drop(queue);
                return next.wake();
            }
        }
        self.word.store(FREE, Ordering::Release);
    }

    /// Takes the lock, if it is free by now, and returns false; or notes that somebody waits. The
    /// caller has locked the queue.
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

    /// A plain thread is not in any deadlock report. One that holds the lock itself waits for ever.
    #[track_caller]
    fn refuse_to_wait_for_itself(&self, by: Option<Instant>) {
        let me = Owner::me();
        let is_mine = by.is_none() && me.is_thread() && self.owner() == Some(me);
        assert!(!is_mine, "this thread would wait for ever: it holds the lock itself");
    }
}

/// The flag that says whether anybody waits.
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
