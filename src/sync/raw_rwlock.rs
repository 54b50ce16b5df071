//! A lock for one writer or many readers, without data: one word, and a queue.
//!
//! ```text
//!   word:  63          32 31             2  1   0
//!         [ scheduler    | fiber's number | 0 | W ]    held by a writer
//!         [ sum of marks | readers        | 1 | W ]    held by readers
//!         [ 0                             | 0 | W ]    free
//! ```
//!
//! Invariants:
//! - `W` says whether the queue is not empty. While it is set nobody comes in but by the queue,
//!   readers neither: so a writer that waits is not passed forever. Readers leave under its lock, too.
//! - Whenever the lock of the queue is released, the first in line cannot come in.
//! - Each reader adds the mark of its scheduler to the sum, and takes the same away when it leaves. So a
//!   scheduler that is about to sleep sees whether all readers are its own: then they never leave.
//! - `first_reader` is a reader that is in, or none: it takes itself out before it leaves. Of one reader
//!   alone it says who that is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{
    Fate, Holder, Interrupt, Needs, Owner, Readers, WaitReason, scheduler,
};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

const WAITERS: u64 = 1;
const READ: u64 = 2;
const ONE_READER: u64 = 4;
const READERS: u64 = (1 << 32) - ONE_READER;

/// So many in line are asked what keeps a reader behind them.
const MOST_AHEAD: usize = 32;

/// What is asked for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) enum Mode {
    Read,
    Write,
}

/// One writer, or many readers.
#[derive(Debug)]
pub(super) struct RawRwLock {
    word: AtomicU64,
    /// Of those that hold it for reading, the one that came first, as long as it does; or 0.
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

    #[inline]
    pub(super) fn enter_to_write(&self) -> bool {
        let me = Owner::me().bits();
        self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

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

    /// Enters if the lock is free. While it is being passed on it may look as if others waited: then
    /// this looks again behind that.
    #[inline]
    pub(super) fn try_write(&self) -> bool {
        self.enter_to_write() || self.is_passed_on() && self.enter_to_write()
    }

    /// As `try_write`, for reading.
    #[inline]
    pub(super) fn try_read(&self, me: Owner) -> bool {
        self.enter_to_read(me) || self.is_passed_on() && self.enter_to_read(me)
    }

    /// Whether there was something to wait for: the end of a change of those that wait.
    fn is_passed_on(&self) -> bool {
        let waited = self.word.load(Ordering::Relaxed) & WAITERS != 0;
        if waited {
            drop(locked(&self.queue));
        }
        waited
    }

    /// Waits in line, at the latest `by` a deadline.
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

    #[inline]
    pub(super) fn unlock_write(&self) {
        let word = self.word.load(Ordering::Relaxed);
        let is_free = word & WAITERS == 0
            && self.word.compare_exchange(word, 0, Ordering::Release, Ordering::Relaxed).is_ok();
        if !is_free {
            self.pass_on(WAITERS);
        }
    }

    /// Another fiber of the thread, or the thread itself, may end the writing.
    #[cold]
    pub(super) fn hand_on_write(&self) {
        let me = Owner::this_thread().bits();
        let _queue = locked(&self.queue);
        let update = |word| Some(me | word & WAITERS);
        let handed = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        debug_assert!(handed.is_ok(), "the closure always has a value");
    }

    /// As `hand_on_write`, of a reader: it is of its scheduler, and no more is known of it.
    #[cold]
    pub(super) fn hand_on_read(&self, me: Owner) {
        if self.first_reader.load(Ordering::Relaxed) == me.bits() {
            self.first_reader.store(0, Ordering::Relaxed);
        }
    }

    /// Turns the caller from the writer into a reader.
    ///
    /// Returns as what it is counted.
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

    /// The writer, for whom others wait, leaves `word` behind.
    #[cold]
    fn pass_on(&self, word: u64) {
        let mut queue = locked(&self.queue);
        self.word.store(word, Ordering::Release);
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
    }

    /// Leaves. `me` is the owner that has entered: the guard may have gone to another fiber since, or out
    /// of its `run`.
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

    /// Lets the first in line in, if this reader was the last. If not it waits for others than before,
    /// that perhaps wait for it.
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

    /// Whether somebody holds it.
    pub(super) fn is_locked(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !WAITERS != 0
    }

    /// Lets the first in line in, as long as it goes: one writer, or readers up to the next writer.
    fn serve(&self, queue: &mut Queue<Mode>) -> Served<Mode> {
        let mut served = Served::none();
        while let Some(first) = queue.front() {
            if !self.admit(first.extra, first.owner()) {
                return served;
            }
            let Some(first) = queue.pop() else { break };
            if first.claim(Fate::Served) {
                served.push(first);
            } else {
                self.turn_out(first.extra, first.owner());
            }
        }
        self.word.fetch_and(!WAITERS, Ordering::Release);
        served
    }

    /// Writes down that `owner` is in, if it may be. The caller has locked the queue, and `WAITERS`
    /// is set.
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

    /// Takes back what `admit` has written.
    fn turn_out(&self, mode: Mode, owner: Owner) {
        match mode {
            Mode::Write => self.word.store(WAITERS, Ordering::Release),
            Mode::Read => self.remove_reader(owner),
        }
    }

    /// Enters, if that is possible by now, and returns false; or notes that somebody waits. The
    /// caller has locked the queue.
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

    #[inline]
    fn note_first(&self, before: u64, owner: Owner) {
        if before & READERS == 0 {
            self.first_reader.store(owner.bits(), Ordering::Relaxed);
        }
    }

    /// Guards that were forgotten are counted forever.
    #[track_caller]
    fn refuse_too_many_readers(&self) {
        let word = self.word.load(Ordering::Relaxed);
        let is_full = word & READ != 0 && word & READERS == READERS;
        assert!(!is_full, "too many readers of one lock: were guards leaked?");
    }

    /// A plain thread is not in any deadlock report. One that holds the lock itself waits for ever.
    #[track_caller]
    fn refuse_to_wait_for_itself(&self, by: Option<Instant>) {
        let me = Owner::me();
        let word = self.word.load(Ordering::Relaxed);
        let is_mine =
            by.is_none() && me.is_thread() && Owner::of_bits(word) == me && word & READ == 0;
        assert!(!is_mine, "this thread would wait for ever: it holds the lock itself");
    }
}

/// `word` with one reader more, if none but readers are in.
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

/// `word` with one reader less.
#[inline]
fn without_reader(word: u64, mark: u32) -> u64 {
    debug_assert!(word & READ != 0, "it is held by readers");
    if word & READERS == ONE_READER {
        return word & WAITERS;
    }
    (word - ONE_READER).wrapping_sub(u64::from(mark) << 32)
}

/// How many readers are in.
fn readers(word: u64) -> u32 {
    ((word & READERS) / ONE_READER) as u32
}

/// Whether the sum of the marks is that of readers that all have this one.
fn all_have(word: u64, mark: u32) -> bool {
    (word >> 32) as u32 == readers(word).wrapping_mul(mark)
}

impl Site for RawRwLock {
    type Extra = Mode;

    const IS_LOCK: bool = true;

    fn withdraw(&self, waiter: &Waiter<Mode>) -> bool {
        let mut queue = locked(&self.queue);
        if !waiter.claim(Fate::Withdrawn) {
            return false;
        }
        queue.remove(waiter);
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
        true
    }

    fn needs(&self, waiter: &Waiter<Mode>) -> Option<Needs> {
        let queue = locked(&self.queue);
        // The acquire: readers that have left took themselves out of `first_reader` before.
        let word = self.word.load(Ordering::Acquire);
        if !waiter.waits() || word & !WAITERS == 0 {
            return None;
        }
        if word & READ == 0 {
            return Some(Needs::one(Owner::of_bits(word)));
        }
        let first = self.first_reader.load(Ordering::Acquire);
        // Of one reader alone it is the first only if none has come or gone meanwhile.
        let is_still = self.word.load(Ordering::Relaxed) == word;
        let first = (first != 0 && is_still).then(|| Owner::of_bits(first));
        let are_here =
            scheduler().is_some_and(|sched| all_have(word, Owner::first_of(sched.id).mark()));
        let holder = Holder::Readers(Readers { count: readers(word), first, are_here });
        let ahead = match waiter.extra {
            // A long line is not gone through for each: that some writers leave it may be enough, then.
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
