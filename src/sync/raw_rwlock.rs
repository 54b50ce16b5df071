//! A lock for one writer or many readers without data: one word, and a queue of waiters.
//!
//! `word.rs` draws the word.
//!
//! Invariants, beside those of the two bits in `contention.rs`:
//! - `WAITERS` is set exactly while the queue is not empty. While it is set without `COMPETES`,
//!   readers and writers get the lock only through the queue, so readers do not overtake a waiting
//!   writer; and readers release the lock only under the lock of the queue.
//! - If the first waiter competes and is a reader, the readers directly behind it compete, too: one
//!   of each scheduler was woken. The first of them that gets the lock admits the others.
//! - Each reader adds the mark of its scheduler to the sum, and subtracts the same mark when it
//!   releases the lock. So a scheduler that is about to sleep sees whether all readers are its own
//!   fibers: then none of them will ever release it.
//! - `first_reader` is a reader that holds the lock, or none: that reader clears it before it
//!   releases the lock. While there is a single reader and the field is not 0, it is that reader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{Interrupt, Owner, WaitReason};
use crate::sync::contention::{Competitor, let_near_first_pass, persist};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Waiter, locked, wait};

use word::{
    BITS, COMPETES, READ, READERS, WAITERS, all_have, is_open, readers, with_reader, with_writer,
    without_reader,
};

mod line;
mod word;

pub(super) use word::Mode;

/// A lock for one writer or many readers, without data.
#[derive(Debug)]
pub(super) struct RawRwLock {
    word: AtomicU64,
    /// The reader that got the lock when there was no other, while it holds the lock; or 0.
    first_reader: AtomicU64,
    competitor: Competitor,
    queue: Mutex<Queue<Mode>>,
}

impl RawRwLock {
    pub(super) const fn new() -> RawRwLock {
        RawRwLock {
            word: AtomicU64::new(0),
            first_reader: AtomicU64::new(0),
            competitor: Competitor::new(),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// Takes the lock for writing if it is free and has no waiters. Returns whether it did.
    #[inline]
    pub(super) fn enter_to_write(&self) -> bool {
        let me = Owner::me().bits();
        self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock for writing if it is free, before the waiters that compete, if it may.
    #[cold]
    fn overtake_to_write(&self, me: Owner) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        self.lets_in(word, me) && with_writer(word, me).is_some_and(|to| self.change(word, to))
    }

    /// Takes the lock for reading if it has no writer and is open to newcomers. Returns whether it
    /// did.
    #[inline]
    pub(super) fn enter_to_read(&self, me: Owner) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & BITS == 0 || word & COMPETES != 0 && self.lets_in(word, me) {
            let Some(to) = with_reader(word, me.mark()) else { break };
            match self.word.compare_exchange_weak(word, to, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    self.note_first(word, me);
                    return true;
                }
                Err(now) => word = now,
            }
        }
        false
    }

    /// Returns whether no waiters keep `me` from taking a lock with the word `word`.
    fn lets_in(&self, word: u64, me: Owner) -> bool {
        word & BITS == 0 || is_open(word) && self.competitor.may_be_overtaken_by(me)
    }

    /// Changes the word, to take the lock. Returns whether it still was `from`.
    fn change(&self, from: u64, to: u64) -> bool {
        self.word.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    fn enter(&self, mode: Mode, me: Owner) -> bool {
        match mode {
            Mode::Read => self.enter_to_read(me),
            Mode::Write => self.overtake_to_write(me),
        }
    }

    /// Takes the lock for writing if it is free. While the lock is being passed on, it may look as
    /// if there were waiters: this then waits for the end of that change and tries once more.
    #[inline]
    pub(super) fn try_write(&self) -> bool {
        let overtake = || self.overtake_to_write(Owner::me());
        self.enter_to_write() || overtake() || self.is_passed_on() && overtake()
    }

    /// Like `try_write`, for reading.
    #[inline]
    pub(super) fn try_read(&self, me: Owner) -> bool {
        self.enter_to_read(me) || self.is_passed_on() && self.enter_to_read(me)
    }

    /// Returns whether newcomers were kept out by waiters; in that case a change of the queue that
    /// was under way is over.
    fn is_passed_on(&self) -> bool {
        let kept_out = !is_open(self.word.load(Ordering::Relaxed));
        if kept_out {
            drop(locked(&self.queue));
        }
        kept_out
    }

    /// Waits in the queue for the lock, until the deadline `by` if there is one.
    #[cold]
    #[track_caller]
    pub(super) fn lock_slowly(
        &self,
        mode: Mode,
        by: Option<Instant>,
        reason: &'static WaitReason,
    ) -> Result<(), Interrupt> {
        self.refuse_to_wait_for_itself(by);
        if mode == Mode::Read {
            self.refuse_too_many_readers();
        }
        let me = Owner::me();
        let word = self.word.load(Ordering::Relaxed);
        let must_wait = |word| word & COMPETES != 0 && !self.competitor.may_be_overtaken_by(me);
        while must_wait(self.word.load(Ordering::Relaxed)) {
            if !let_near_first_pass(locked(&self.queue)) {
                break;
            }
        }
        if word::is_in_use_elsewhere(word, me) && self.lock_while_in_use_elsewhere(mode, me) {
            return Ok(());
        }
        match self.join_line(mode, me, || Arc::new(Waiter::new(mode))) {
            Some(waiter) => wait(self, &waiter, by, reason).map(drop),
            None => Ok(()),
        }
    }

    /// Queues the waiter that `new` makes for `me`, unless the lock can be taken by now and is.
    fn join_line(
        &self,
        mode: Mode,
        me: Owner,
        new: impl FnOnce() -> Arc<Waiter<Mode>>,
    ) -> Option<Arc<Waiter<Mode>>> {
        let mut queue = locked(&self.queue);
        let word = self.announce_waiter(mode, me)?;
        let waiter = new();
        if word::is_in_use_elsewhere(word, me) {
            queue.push_timed(waiter.clone());
        } else {
            queue.push(waiter.clone());
        }
        Some(waiter)
    }

    /// Tries to take the lock for a short while, as long as code of another thread seems to use it.
    /// Returns whether it was taken.
    #[cold]
    fn lock_while_in_use_elsewhere(&self, mode: Mode, me: Owner) -> bool {
        let mut taken = false;
        persist(|| {
            taken = self.enter(mode, me);
            let word = self.word.load(Ordering::Relaxed);
            taken || !self.lets_in(word, me) || !word::is_in_use_elsewhere(word, me)
        });
        taken
    }

    /// Releases the lock of the writer, or passes it on to the first waiters.
    #[inline]
    pub(super) fn unlock_write(&self) {
        let word = self.word.load(Ordering::Relaxed);
        let is_free = word & BITS == 0
            && self.word.compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.unlock_with_waiters(word);
        }
    }

    /// Releases the lock of the writer, whose word was `word`, while there may be waiters.
    #[cold]
    fn unlock_with_waiters(&self, word: u64) {
        let to = word & BITS;
        let is_free = to == BITS
            && self.word.compare_exchange(word, to, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.pass_on(0);
        }
    }

    /// Notes that another fiber of the thread, or the thread itself, may release the writer's lock.
    #[cold]
    pub(super) fn hand_on_write(&self) {
        let me = Owner::this_thread().bits();
        let _queue = locked(&self.queue);
        // All others change the word of a writer only under the lock of the queue.
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(me | word & BITS, Ordering::Relaxed);
    }

    /// Like `hand_on_write`, for a reader: from now on only its scheduler is known.
    #[cold]
    pub(super) fn hand_on_read(&self, me: Owner) {
        if self.first_reader.load(Ordering::Relaxed) == me.bits() {
            self.first_reader.store(0, Ordering::Relaxed);
        }
    }

    /// Turns the writer into a reader. Returns the owner as which that reader is counted.
    pub(super) fn downgrade(&self) -> Owner {
        let me = Owner::me();
        let reader = with_reader(0, me.mark()).expect("one reader can be counted");
        self.first_reader.store(me.bits(), Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        let to = reader | word & BITS;
        let is_done = is_open(word)
            && self.word.compare_exchange(word, to, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_done {
            self.pass_on(reader);
        }
        me
    }

    /// Releases the writer's lock while there are waiters: stores `word`, which is free or held by
    /// the former writer as a reader, then serves the queue.
    #[cold]
    fn pass_on(&self, word: u64) {
        let mut queue = locked(&self.queue);
        let bits = self.word.load(Ordering::Relaxed) & BITS;
        self.word.store(word | bits, Ordering::Release);
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
    }

    /// Releases the lock of a reader. `me` is the owner as which it was counted: its guard may have
    /// been given to another fiber since, or have left its `run`.
    #[inline]
    pub(super) fn unlock_read(&self, me: Owner) {
        if self.first_reader.load(Ordering::Relaxed) == me.bits() {
            self.first_reader.store(0, Ordering::Relaxed);
        }
        let mut word = self.word.load(Ordering::Relaxed);
        while is_open(word) {
            let to = without_reader(word, me.mark());
            match self.word.compare_exchange_weak(word, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.leave_others(me);
    }

    /// Releases the lock of a reader while there are waiters. If it was the last reader, the first
    /// waiters get the lock. Otherwise the first waiter now depends on fewer readers, and these may
    /// depend on it: its scheduler looks for a deadlock again.
    #[cold]
    fn leave_others(&self, me: Owner) {
        let mut queue = locked(&self.queue);
        self.remove_reader(me);
        let served = self.serve(&mut queue);
        let word = self.word.load(Ordering::Relaxed);
        let may_never_leave = |first: &&Arc<Waiter<Mode>>| {
            served.is_none() && (readers(word) == 1 || all_have(word, first.owner().mark()))
        };
        let first = queue.front().filter(may_never_leave).cloned();
        drop(queue);
        served.wake();
        if let Some(first) = first {
            first.look_again();
        }
    }

    fn remove_reader(&self, reader: Owner) {
        let without = |word| Some(without_reader(word, reader.mark()));
        let removed = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, without);
        debug_assert!(removed.is_ok(), "the closure always has a value");
    }

    /// Returns whether there is a reader or a writer.
    pub(super) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !BITS != 0
    }

    /// Takes the lock if that has become possible, and returns `None`. Otherwise notes that a
    /// waiter is about to be queued, and returns the word before that. The caller has locked the
    /// queue.
    fn announce_waiter(&self, mode: Mode, me: Owner) -> Option<u64> {
        loop {
            if self.enter(mode, me) {
                return None;
            }
            let word = self.word.load(Ordering::Relaxed);
            let to = word | WAITERS;
            let note =
                || self.word.compare_exchange(word, to, Ordering::Relaxed, Ordering::Relaxed);
            let may_enter = self.lets_in(word, me) && mode.enter(word, me).is_some();
            if !may_enter && (word == to || note().is_ok()) {
                return Some(word);
            }
        }
    }

    /// Stores `owner` in `first_reader` if `before` had no readers.
    #[inline]
    fn note_first(&self, before: u64, owner: Owner) {
        if before & READERS == 0 {
            self.first_reader.store(owner.bits(), Ordering::Relaxed);
        }
    }

    /// Panics if the number of readers has reached its maximum. The guards that are leaked with
    /// `mem::forget` stay counted forever.
    #[track_caller]
    fn refuse_too_many_readers(&self) {
        let word = self.word.load(Ordering::Relaxed);
        let is_full = word & READ != 0 && word & READERS == READERS;
        assert!(!is_full, "too many readers of one lock: were guards leaked?");
    }

    /// Panics if a plain thread that is the writer would wait for the lock without a limit. The
    /// search for deadlocks does not cover plain threads.
    #[track_caller]
    fn refuse_to_wait_for_itself(&self, by: Option<Instant>) {
        let me = Owner::me();
        let word = self.word.load(Ordering::Relaxed);
        let is_mine =
            by.is_none() && me.is_thread() && Owner::of_bits(word) == me && word & READ == 0;
        assert!(!is_mine, "this thread would wait forever: it holds the lock itself");
    }
}

#[cfg(test)]
mod tests;
