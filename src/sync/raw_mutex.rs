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
use crate::sync::contention::{Competitor, is_elsewhere, let_near_first_pass, persist};
use crate::sync::queue::Queue;
use crate::sync::task::Grants;
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

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

    /// Takes the lock if it is free and has no waiters. Returns whether it did.
    #[inline]
    pub(super) fn lock_quickly(&self) -> bool {
        // A compare-and-swap that fails costs as much as one that succeeds.
        self.word.load(Ordering::Relaxed) == FREE && self.take(FREE, Owner::me())
    }

    /// Takes the lock if it is free. Returns whether it did.
    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        self.lock_quickly() || self.overtake(Owner::me())
    }

    /// Takes the lock if it is free, before the waiter that competes, if it may.
    #[cold]
    fn overtake(&self, me: Owner) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        self.may_take(word, me) && self.take(word, me)
    }

    /// Returns whether a lock with the word `word` is free, and a newcomer may take it.
    fn may_take(&self, word: u64, me: Owner) -> bool {
        word == FREE || is_free(word) && self.competitor.may_be_overtaken_by(me)
    }

    /// Takes the lock if its word still is `word`, which is free.
    #[inline]
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
        let word = self.word.load(Ordering::Relaxed);
        if is_in_use_elsewhere(word, me) && self.lock_while_in_use_elsewhere(me) {
            return Ok(());
        }
        match self.join_line(me, || Arc::new(Waiter::new(()))) {
            Some(waiter) => wait(self, &waiter, by, reason).map(drop),
            None => Ok(()),
        }
    }

    /// Queues the waiter that `new` makes for `me`, unless the lock is free by now and is taken.
    fn join_line(&self, me: Owner, new: impl FnOnce() -> Arc<Waiter>) -> Option<Arc<Waiter>> {
        let mut queue = locked(&self.queue);
        let word = self.announce_waiter(me)?;
        let waiter = new();
        if is_in_use_elsewhere(word, me) {
            queue.push_timed(waiter.clone());
        } else {
            queue.push(waiter.clone());
        }
        Some(waiter)
    }

    /// Tries to take the lock for a short while, as long as code of another thread seems to use it.
    /// Returns whether it was taken.
    #[cold]
    fn lock_while_in_use_elsewhere(&self, me: Owner) -> bool {
        let must_wait = |word| word & COMPETES != 0 && !self.competitor.may_be_overtaken_by(me);
        while must_wait(self.word.load(Ordering::Relaxed)) {
            if !let_near_first_pass(locked(&self.queue)) {
                return false;
            }
        }
        let mut taken = false;
        persist(|| {
            taken = self.overtake(me);
            let word = self.word.load(Ordering::Relaxed);
            taken || must_wait(word) || !is_free(word) && !is_in_use_elsewhere(word, me)
        });
        taken
    }

    /// Releases the lock, or hands it to the first waiter. The caller holds it, or was given its
    /// guard by another fiber of the thread.
    #[inline]
    pub(super) fn unlock(&self) {
        let word = self.word.load(Ordering::Relaxed);
        debug_assert!(!is_free(word), "it is held");
        let is_free = word & BITS == 0
            && self.word.compare_exchange(word, FREE, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.release_with_waiters(word);
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

    /// Releases the lock, whose word was `word`, while its queue may have waiters.
    #[cold]
    fn release_with_waiters(&self, word: u64) {
        let to = word & BITS;
        let is_free = to == BITS
            && self.word.compare_exchange(word, to, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.release_in_line();
        }
    }

    #[inline(always)]
    fn release_in_line(&self) {
        let mut queue = locked(&self.queue);
        let word = self.word.load(Ordering::Relaxed);
        if word & COMPETES != 0 {
            return self.word.store(word & BITS, Ordering::Release);
        }
        if let Some(next) = self.hand_over(&mut queue) {
            drop(queue);
            return next.wake();
        }
        let woken = self.let_compete(&queue);
        drop(queue);
        woken.wake();
    }

    /// Makes the first waiter the owner if it is due, and returns it, to be woken. The caller holds
    /// the lock and has locked the queue, and `COMPETES` is not set.
    fn hand_over(&self, queue: &mut Queue) -> Option<Arc<Waiter>> {
        while queue.first_is_due() {
            let next = queue.pop()?;
            self.word.store(next.owner().bits() | waiters(queue), Ordering::Relaxed);
            // This orders what the last owner did before what the next one does: the next one
            // reads the outcome of its wait first.
            if next.serve() {
                return Some(next);
            }
        }
        None
    }

    /// Frees the lock and lets the first waiter compete for it, if there is one. Returns the
    /// waiters to be woken. The same holds for the caller as in `hand_over`.
    #[cold]
    fn let_compete(&self, queue: &Queue) -> Served {
        let mut woken = Served::none();
        let first = queue.front();
        if let Some(first) = first {
            self.competitor.set(first.owner());
            queue.note_competitors(&mut woken);
        }
        let to = if first.is_some() { BITS } else { FREE };
        self.word.store(to, Ordering::Release);
        woken
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

    /// Ends the wait of `waiter`, which has taken the lock, and takes it out of the queue. The
    /// caller has locked the queue.
    fn leave_queue(queue: &mut Queue, waiter: &Waiter) {
        // No other code serves it while this fiber or thread holds the lock.
        let claimed = waiter.serve();
        debug_assert!(claimed, "it was taken out of the queue by another");
        queue.remove(waiter);
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
#[inline]
fn is_in_use_elsewhere(word: u64, me: Owner) -> bool {
    word & COMPETES != 0 || is_elsewhere(Owner::of_bits(word), me)
}

/// Returns the bit to set in the word while `queue` has waiters.
fn waiters(queue: &Queue) -> u64 {
    if queue.is_empty() { 0 } else { WAITERS }
}

impl Grants for RawMutex {
    fn grant(&self, (): ()) -> bool {
        self.take(FREE, Owner::TASK)
    }

    fn queue_task(&self, waiter: &Arc<Waiter>) -> Option<WaitOutcome> {
        let queued = self.join_line(Owner::TASK, || waiter.clone());
        queued.is_none().then_some(WaitOutcome::Served)
    }

    fn give_back(&self, (): ()) {
        self.unlock();
    }
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
        let mut next = Served::none();
        if was_first && self.word.load(Ordering::Relaxed) & COMPETES != 0 {
            // The next waiter competes instead; or the lock is passed on.
            if self.take_or_stop_competing() {
                match self.hand_over(&mut queue) {
                    Some(first) => next.push(first),
                    None => next = self.let_compete(&queue),
                }
            }
        }
        if queue.is_empty() {
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
        drop(queue);
        next.wake();
        true
    }

    fn compete(&self, waiter: &Waiter) -> bool {
        let mut queue = locked(&self.queue);
        if self.word.load(Ordering::Relaxed) & COMPETES == 0 || !waiter.waits() {
            return false;
        }
        if !queue.is_first(waiter) {
            if !self.overtake(waiter.owner()) {
                return false;
            }
            RawMutex::leave_queue(&mut queue, waiter);
            let next = queue.near().next().cloned();
            drop(queue);
            next.into_iter().for_each(|next| next.wake());
            return true;
        }
        drop(queue);
        let taken = persist(|| {
            let word = self.word.load(Ordering::Relaxed);
            is_free(word) && self.take(word, waiter.owner())
        });
        let mut queue = locked(&self.queue);
        if !taken && !self.take_or_stop_competing() {
            return false;
        }
        RawMutex::leave_queue(&mut queue, waiter);
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
