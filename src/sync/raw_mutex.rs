//! A mutual exclusion lock without data: one word, and a queue of waiters.
//!
//! ```text
//!   word: 0                               free
//!         WAITERS | COMPETES              free, and the first waiter was woken to take it
//!         owner                           held, the queue is empty
//!         owner | WAITERS                 held, and the next release serves the first waiter
//!         owner | WAITERS | COMPETES      held, and the first waiter was woken
//! ```
//!
//! Invariants, beside those of the two bits in `contention.rs`:
//! - A release that finds `WAITERS` without `COMPETES` locks the queue. It either makes the first
//!   waiter the owner, so that no newcomer gets the lock before; or it lets that waiter compete.
//! - The word names the next owner before its wait is over: a fiber that runs after it was served
//!   finds itself as the owner.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{Interrupt, Needs, Owner, WaitOutcome, WaitReason};
use crate::sync::contention::{Competitor, persist};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Site, Waiter, locked, wait};

const FREE: u64 = 0;
const WAITERS: u64 = 1;
const COMPETES: u64 = 2;
const BITS: u64 = WAITERS | COMPETES;

/// A mutual exclusion lock without data.
#[derive(Debug)]
pub(super) struct RawMutex {
    word: AtomicU64,
    competitor: Competitor,
    queue: Mutex<Queue>,
}

impl RawMutex {
    pub(super) const fn new() -> RawMutex {
        RawMutex {
            word: AtomicU64::new(FREE),
            competitor: Competitor::new(),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// Takes the lock if it is free. Returns whether it did.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        let me = Owner::me();
        match self.word.compare_exchange(FREE, me.bits(), Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => true,
            Err(word) => self.may_take(word, me) && self.take(word, me),
        }
    }

    /// Returns whether a lock with the word `word` is free, and a newcomer may take it.
    fn may_take(&self, word: u64, me: Owner) -> bool {
        word == FREE || is_free(word) && self.competitor.may_be_overtaken_by(me)
    }

    /// Takes the lock if its word still is `word`, which is free.
    fn take(&self, word: u64, me: Owner) -> bool {
        let to = word | me.bits();
        self.word.compare_exchange(word, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
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
        let me = Owner::me();
        if self.lock_while_in_use_elsewhere(me) {
            return Ok(());
        }
        let mut queue = locked(&self.queue);
        let Some(word) = self.announce_waiter(me) else { return Ok(()) };
        let waiter = Arc::new(Waiter::new(()));
        if is_in_use_elsewhere(word) {
            queue.push_timed(waiter.clone());
        } else {
            queue.push(waiter.clone());
        }
        drop(queue);
        wait(self, &waiter, by, reason).map(drop)
    }

    /// Tries to take the lock for a short while, as long as code of another thread seems to use it.
    /// Returns whether it was taken.
    fn lock_while_in_use_elsewhere(&self, me: Owner) -> bool {
        let mut taken = false;
        persist(|| {
            let word = self.word.load(Ordering::Relaxed);
            taken = self.may_take(word, me) && self.take(word, me);
            let must_queue = word & COMPETES != 0 && !self.competitor.may_be_overtaken_by(me);
            taken || must_queue || !is_free(word) && !is_in_use_elsewhere(word)
        });
        taken
    }

    /// Releases the lock, or hands it to the first waiter. The caller holds it, or was given its
    /// guard by another fiber of the thread.
    #[inline]
    pub(super) fn unlock(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert!(!is_free(word), "it is held");
        let to = word & BITS;
        let is_free = to != WAITERS
            && self.word.compare_exchange(word, to, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.release_in_line();
        }
    }

    /// Notes that another fiber of the thread, or the thread itself, may release the lock: it
    /// counts as held by all of them.
    #[cold]
    pub(super) fn hand_on(&self) {
        let me = Owner::this_thread().bits();
        let _queue = locked(&self.queue);
        // All others change the word of a lock that is held only under the lock of the queue.
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(me | word & BITS, Ordering::Relaxed);
    }

    pub(super) fn is_locked(&self) -> bool {
        !is_free(self.word.load(Ordering::Relaxed))
    }

    /// Returns the holder of the lock, if it is held.
    #[inline]
    pub(super) fn owner(&self) -> Option<Owner> {
        let word = self.word.load(Ordering::Relaxed);
        (!is_free(word)).then(|| Owner::of_bits(word))
    }

    /// Releases the lock while its queue may have waiters.
    #[cold]
    fn release_in_line(&self) {
        let mut queue = locked(&self.queue);
        let word = self.word.load(Ordering::Relaxed);
        if word & COMPETES != 0 {
            return self.word.store(word & BITS, Ordering::Release);
        }
        let next = self.pass_on(&mut queue);
        drop(queue);
        next.into_iter().for_each(|next| next.wake());
    }

    /// Makes the first waiter the owner, or frees the lock and lets the first waiter compete.
    /// Returns that waiter, to be woken. The caller holds the lock and has locked the queue, and
    /// `COMPETES` is not set.
    fn pass_on(&self, queue: &mut Queue) -> Option<Arc<Waiter>> {
        while queue.first_is_due() {
            let next = queue.pop()?;
            self.word.store(next.owner().bits() | waiters(queue), Ordering::Relaxed);
            // The claim orders what the last owner did before what the next one does: the next one
            // reads the outcome of its wait first.
            if next.claim(WaitOutcome::Served) {
                return Some(next);
            }
        }
        let first = queue.front().cloned();
        if let Some(first) = &first {
            self.competitor.set(first.owner());
        }
        let to = if first.is_some() { BITS } else { FREE };
        self.word.store(to, Ordering::Release);
        first
    }

    /// Takes the lock if it has become free, and returns `None`. Otherwise notes that a waiter is
    /// about to be queued, and returns the word before that. The caller has locked the queue.
    fn announce_waiter(&self, me: Owner) -> Option<u64> {
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if self.may_take(word, me) {
                if self.take(word, me) {
                    return None;
                }
                continue;
            }
            let to = word | WAITERS;
            let note =
                || self.word.compare_exchange(word, to, Ordering::Relaxed, Ordering::Relaxed);
            if word == to || note().is_ok() {
                return Some(word);
            }
        }
    }

    /// Clears `COMPETES`; but if the lock is free, takes it for the caller instead, and returns
    /// true. The caller has locked the queue, and `COMPETES` is set.
    fn take_or_stop_competing(&self) -> bool {
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let free = is_free(word);
            let to = if free { word | Owner::me().bits() } else { word & !COMPETES };
            if self.word.compare_exchange(word, to, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return free;
            }
        }
    }

    /// Returns whether `waiter` was woken to compete.
    fn is_competing(&self, waiter: &Waiter) -> bool {
        let queue = locked(&self.queue);
        self.word.load(Ordering::Relaxed) & COMPETES != 0 && queue.is_first(waiter)
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

#[inline]
fn is_free(word: u64) -> bool {
    word & !BITS == 0
}

/// Returns whether the holder of the lock belongs to another thread; or whether the first waiter
/// competes, which happens only if several threads use the lock.
fn is_in_use_elsewhere(word: u64) -> bool {
    word & COMPETES != 0 || Owner::of_bits(word).is_elsewhere()
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
        let was_first = queue.is_first(waiter);
        if !queue.withdraw(waiter) {
            return false;
        }
        let mut next = None;
        if was_first && self.word.load(Ordering::Relaxed) & COMPETES != 0 {
            // The next waiter competes instead; or the lock is passed on.
            if self.take_or_stop_competing() {
                next = self.pass_on(&mut queue);
            }
        }
        if queue.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        drop(queue);
        next.into_iter().for_each(|next| next.wake());
        true
    }

    fn compete(&self, waiter: &Waiter) -> bool {
        if !self.is_competing(waiter) {
            return false;
        }
        let taken = persist(|| {
            let word = self.word.load(Ordering::Relaxed);
            is_free(word) && self.take(word, waiter.owner())
        });
        let mut queue = locked(&self.queue);
        if !taken && !self.take_or_stop_competing() {
            return false;
        }
        // No other code serves it while this fiber or thread holds the lock.
        let claimed = waiter.claim(WaitOutcome::Served);
        debug_assert!(claimed, "it was taken out of the queue by another");
        queue.remove(waiter);
        self.word.store(waiter.owner().bits() | waiters(&queue), Ordering::Relaxed);
        true
    }

    fn needs(&self, waiter: &Waiter) -> Option<Needs> {
        let queue = locked(&self.queue);
        if !waiter.waits() {
            return None;
        }
        // While the lock is free, the first waiter is about to end its wait, and the others wait
        // for the first.
        let first = || queue.front().filter(|_| !queue.is_first(waiter)).map(|it| it.owner());
        self.owner().or_else(first).map(Needs::one)
    }
}
