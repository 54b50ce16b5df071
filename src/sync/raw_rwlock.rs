//! A lock for one writer or many readers without data: one word, and a queue of waiters.
//!
//! ```text
//!   word:  63          32 31             2  1   0
//!         [ scheduler    | fiber's number | 0 | W ]    held by a writer
//!         [ sum of marks | readers        | 1 | W ]    held by readers
//!         [ 0                             | 0 | W ]    free
//! ```
//!
//! Invariants:
//! - `W` is set exactly while the queue is not empty. While it is set, readers and writers get the
//!   lock only through the queue, so readers do not overtake a waiting writer; and readers release
//!   the lock only under the lock of the queue.
//! - Whenever the lock of the queue is released, the first waiter cannot get the lock.
//! - Each reader adds the mark of its scheduler to the sum, and subtracts the same mark when it
//!   releases the lock. So a scheduler that is about to sleep sees whether all readers are its own
//!   fibers: then none of them will ever release it.
//! - `first_reader` is a reader that holds the lock, or none: that reader clears it before it
//!   releases the lock. While there is a single reader and the field is not 0, it is that reader.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{
    Holder, Interrupt, Needs, Owner, Readers, WaitOutcome, WaitReason, scheduler,
};
use crate::sync::queue::{Queue, withdraw};
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

const WAITERS: u64 = 1;
const READ: u64 = 2;
const ONE_READER: u64 = 4;
const READERS: u64 = (1 << 32) - ONE_READER;

/// The number of waiters that are searched for writers ahead of a waiting reader.
const MOST_AHEAD: usize = 32;

/// The kind of access.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// A lock for one writer or many readers, without data.
#[derive(Debug)]
pub(super) struct RawRwLock {
    word: AtomicU64,
    /// The reader that got the lock when there was no other, while it holds the lock; or 0.
    first_reader: AtomicU64,
    queue: Mutex<Queue<Mode>>,
}

impl RawRwLock {
    pub(super) const fn new() -> RawRwLock {
        RawRwLock {
            word: AtomicU64::new(0),
            first_reader: AtomicU64::new(0),
            queue: Mutex::new(Queue::new()),
        }
    }

    /// Takes the lock for writing if it is free and has no waiters. Returns whether it did.
    #[inline]
    pub(super) fn enter_to_write(&self) -> bool {
        let me = Owner::me().bits();
        self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the lock for reading if it has no writer and no waiters. Returns whether it did.
    #[inline]
    pub(super) fn enter_to_read(&self, me: Owner) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
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

    /// Takes the lock for writing if it is free. While the lock is being passed on, it may look as
    /// if there were waiters: this then waits for the end of that change and tries once more.
    #[inline]
    pub(super) fn try_write(&self) -> bool {
        self.enter_to_write() || self.is_passed_on() && self.enter_to_write()
    }

    /// Like `try_write`, for reading.
    #[inline]
    pub(super) fn try_read(&self, me: Owner) -> bool {
        self.enter_to_read(me) || self.is_passed_on() && self.enter_to_read(me)
    }

    /// Returns whether there were waiters; in that case a change of the queue that was under way is
    /// over.
    fn is_passed_on(&self) -> bool {
        let waited = self.word.load(Ordering::Relaxed) & WAITERS != 0;
        if waited {
            drop(locked(&self.queue));
        }
        waited
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
        let mut queue = locked(&self.queue);
        if !self.announce_waiter(mode, Owner::me()) {
            return Ok(());
        }
        let waiter = Arc::new(Waiter::new(mode));
        queue.push(waiter.clone());
        drop(queue);
        wait(self, &waiter, by, reason).map(drop)
    }

    /// Releases the lock of the writer, or passes it on to the first waiters.
    #[inline]
    pub(super) fn unlock_write(&self) {
        let word = self.word.load(Ordering::Relaxed);
        let is_free = word & WAITERS == 0
            && self.word.compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.pass_on(WAITERS);
        }
    }

    /// Notes that another fiber of the thread, or the thread itself, may release the writer's lock.
    #[cold]
    pub(super) fn hand_on_write(&self) {
        let me = Owner::this_thread().bits();
        let _queue = locked(&self.queue);
        let update = |word| Some(me | word & WAITERS);
        let handed = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        debug_assert!(handed.is_ok(), "the closure always has a value");
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
        let is_done = word & WAITERS == 0
            && self
                .word
                .compare_exchange(word, reader, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        if !is_done {
            self.pass_on(reader | WAITERS);
        }
        me
    }

    /// Releases the writer's lock while there are waiters: stores `word`, then serves the queue.
    #[cold]
    fn pass_on(&self, word: u64) {
        let mut queue = locked(&self.queue);
        self.word.store(word, Ordering::Release);
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
        while word & WAITERS == 0 {
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
        let removed = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
            Some(without_reader(word, reader.mark()))
        });
        debug_assert!(removed.is_ok(), "the closure always has a value");
    }

    /// Returns whether there is a reader or a writer.
    pub(super) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !WAITERS != 0
    }

    /// Gives the lock to the first waiters, as far as possible: to one writer, or to the readers
    /// before the next writer.
    fn serve(&self, queue: &mut Queue<Mode>) -> Served<Mode> {
        let mut served = Served::none();
        while let Some(first) = queue.front() {
            if !self.admit(first.extra, first.owner()) {
                return served;
            }
            let Some(first) = queue.pop() else { break };
            if first.claim(WaitOutcome::Served) {
                served.push(first);
            } else {
                self.turn_out(first.extra, first.owner());
            }
        }
        self.word.fetch_and(!WAITERS, Ordering::Release);
        served
    }

    /// Makes `owner` a holder of the lock, if that is possible. The caller has locked the queue,
    /// and `WAITERS` is set.
    fn admit(&self, mode: Mode, owner: Owner) -> bool {
        let enter = |word: u64| match mode {
            Mode::Write => (word & !WAITERS == 0).then_some(owner.bits() | WAITERS),
            Mode::Read => with_reader(word, owner.mark()),
        };
        let admitted = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter);
        if let (Mode::Read, Ok(before)) = (mode, admitted) {
            self.note_first(before, owner);
        }
        admitted.is_ok()
    }

    /// Undoes `admit`.
    fn turn_out(&self, mode: Mode, owner: Owner) {
        match mode {
            Mode::Write => self.word.store(WAITERS, Ordering::Release),
            Mode::Read => self.remove_reader(owner),
        }
    }

    /// Takes the lock if that has become possible, and returns false. Otherwise notes that a waiter
    /// is about to be queued, and returns true. The caller has locked the queue.
    fn announce_waiter(&self, mode: Mode, me: Owner) -> bool {
        loop {
            let entered = match mode {
                Mode::Read => self.enter_to_read(me),
                Mode::Write => self.enter_to_write(),
            };
            if entered {
                return false;
            }
            let word = self.word.load(Ordering::Relaxed);
            let is_open = word & WAITERS == 0
                && if mode == Mode::Read {
                    with_reader(word, me.mark()).is_some()
                } else {
                    word == 0
                };
            let to = word | WAITERS;
            let note =
                || self.word.compare_exchange(word, to, Ordering::Relaxed, Ordering::Relaxed);
            if !is_open && note().is_ok() {
                return true;
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

/// Returns `word` with one more reader; none if there is a writer or the number of readers has
/// reached its maximum.
#[inline]
fn with_reader(word: u64, mark: u32) -> Option<u64> {
    let mark = u64::from(mark) << 32;
    if word & !WAITERS == 0 {
        return Some(word | mark | READ | ONE_READER);
    }
    if word & READ == 0 || word & READERS == READERS {
        return None;
    }
    Some((word + ONE_READER).wrapping_add(mark))
}

/// Returns `word` with one reader less.
#[inline]
fn without_reader(word: u64, mark: u32) -> u64 {
    debug_assert!(word & READ != 0, "it is held by readers");
    if word & READERS == ONE_READER {
        return word & WAITERS;
    }
    (word - ONE_READER).wrapping_sub(u64::from(mark) << 32)
}

/// Returns the number of readers.
fn readers(word: u64) -> u32 {
    ((word & READERS) / ONE_READER) as u32
}

/// Returns whether the sum of the marks is that of readers that all have the mark `mark`.
fn all_have(word: u64, mark: u32) -> bool {
    (word >> 32) as u32 == readers(word).wrapping_mul(mark)
}

impl Site for RawRwLock {
    type Extra = Mode;

    const IS_LOCK: bool = true;

    fn withdraw(&self, waiter: &Waiter<Mode>) -> bool {
        withdraw(&self.queue, waiter, |queue| self.serve(queue))
    }

    fn needs(&self, waiter: &Waiter<Mode>) -> Option<Needs> {
        let queue = locked(&self.queue);
        // Acquire: readers that are no longer counted have cleared `first_reader` before.
        let word = self.word.load(Ordering::Acquire);
        if !waiter.waits() || word & !WAITERS == 0 {
            return None;
        }
        if word & READ == 0 {
            return Some(Needs::one(Owner::of_bits(word)));
        }
        let first = self.first_reader.load(Ordering::Acquire);
        // `first` belongs to this word only if no reader has come or gone in the meantime.
        let is_still = self.word.load(Ordering::Relaxed) == word;
        let first = (first != 0 && is_still).then(|| Owner::of_bits(first));
        let are_here =
            scheduler().is_some_and(|sched| all_have(word, Owner::first_of(sched.id).mark()));
        let holder = Holder::Readers(Readers { count: readers(word), first, are_here });
        let ahead = match waiter.extra {
            // In a long queue only the first waiters are searched: it may be enough to end the
            // waits of some of the writers.
            Mode::Read => {
                queue.before(waiter).take(MOST_AHEAD).filter(|it| it.extra == Mode::Write)
            }
            Mode::Write => return Some(Needs { holder, ahead: Vec::new() }),
        };
        Some(Needs { holder, ahead: ahead.map(|it| it.owner()).collect() })
    }
}

#[cfg(test)]
mod tests;
