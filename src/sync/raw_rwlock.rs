//! A lock for one writer or many readers, without data: one word, and a queue.
//!
//! ```text
//!   word:  63          32 31             2  1   0
//!         [ scheduler    | fiber's number | 0 | W ]    held by a writer
//!         [ scheduler    | readers        | 1 | W ]    held by readers; MIXED if they are of several
//!         [ 0                             | 0 | W ]    free
//! ```
//!
//! Invariants:
//! - `W` says whether the queue is not empty. While it is set nobody comes in but by the queue,
//!   readers neither: so a writer that waits is not passed for ever. Readers still leave without its
//!   lock, but for the last.
//! - Whenever the lock of the queue is released, the first in line cannot come in.
//! - Readers are counted together with the scheduler that all of them are of: those who wait for
//!   fibers of their own thread only are part of a deadlock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sched::lowlevel::{Fate, Holder, Interrupt, Owner, WaitReason, scheduler};
use crate::sync::queue::Queue;
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

const WAITERS: u64 = 1;
const READ: u64 = 2;
const ONE_READER: u64 = 4;
const READERS: u64 = (1 << 32) - ONE_READER;
/// In place of a scheduler's number, which it never is.
const MIXED: u64 = (u32::MAX as u64) << 32;

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
    /// Of those who hold it for reading, the one who came when nobody did. For reports.
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
    pub(super) fn try_write(&self) -> bool {
        let me = Owner::me().bits();
        self.word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[inline]
    pub(super) fn try_read(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0
            && let Some(to) = with_reader(word, Owner::me())
        {
            match self.word.compare_exchange_weak(word, to, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => {
                    self.note_first(word, Owner::me());
                    return true;
                }
                Err(now) => word = now,
            }
        }
        false
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
        let mut queue = locked(&self.queue);
        if !self.announce_waiter(mode) {
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

    /// Turns the caller from the writer into a reader.
    pub(super) fn downgrade(&self) {
        let reader = with_reader(0, Owner::me()).expect("one reader can be counted");
        self.first_reader.store(Owner::me().bits(), Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        let is_done = word & WAITERS == 0
            && self
                .word
                .compare_exchange(word, reader, Ordering::Release, Ordering::Relaxed)
                .is_ok();
        if !is_done {
            self.pass_on(reader | WAITERS);
        }
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

    #[inline]
    pub(super) fn unlock_read(&self) {
        let mut word = self.word.load(Ordering::Relaxed);
        while !(word & WAITERS != 0 && word & READERS == ONE_READER) {
            let to = without_reader(word);
            match self.word.compare_exchange_weak(word, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.last_reader_leaves();
    }

    #[cold]
    fn last_reader_leaves(&self) {
        let mut queue = locked(&self.queue);
        self.remove_reader();
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
    }

    fn remove_reader(&self) {
        let removed = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| Some(without_reader(word)));
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
                self.turn_out(first.extra);
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
            Mode::Read => with_reader(word, owner),
        };
        let admitted = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, enter);
        if let (Mode::Read, Ok(before)) = (mode, admitted) {
            self.note_first(before, owner);
        }
        admitted.is_ok()
    }

    /// Takes back what `admit` has written.
    fn turn_out(&self, mode: Mode) {
        match mode {
            Mode::Write => self.word.store(WAITERS, Ordering::Release),
            Mode::Read => self.remove_reader(),
        }
    }

    /// Enters, if that is possible by now, and returns false; or notes that somebody waits. The
    /// caller has locked the queue.
    fn announce_waiter(&self, mode: Mode) -> bool {
        loop {
            let entered = match mode {
                Mode::Read => self.try_read(),
                Mode::Write => self.try_write(),
            };
            if entered {
                return false;
            }
            let word = self.word.load(Ordering::Relaxed);
            let is_open = word & WAITERS == 0
                && if mode == Mode::Read {
                    with_reader(word, Owner::me()).is_some()
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
fn with_reader(word: u64, owner: Owner) -> Option<u64> {
    let scheduler = u64::from(owner.scheduler()) << 32;
    if word & !WAITERS == 0 {
        return Some(word | scheduler | READ | ONE_READER);
    }
    if word & READ == 0 || word & READERS == READERS {
        return None;
    }
    let mixed = if word & MIXED == scheduler { 0 } else { MIXED };
    Some((word | mixed) + ONE_READER)
}

/// `word` with one reader less.
#[inline]
fn without_reader(word: u64) -> u64 {
    debug_assert!(word & READ != 0, "it is held by readers");
    if word & READERS == ONE_READER { word & WAITERS } else { word - ONE_READER }
}

impl Site for RawRwLock {
    type Extra = Mode;

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

    fn others_exist(&self, waiter: &Waiter<Mode>) -> bool {
        let _queue = locked(&self.queue);
        let word = self.word.load(Ordering::Relaxed);
        match word & READ {
            _ if !waiter.waits() => true,
            0 => word & !WAITERS == 0 || Owner::of_bits(word).is_elsewhere(),
            _ => scheduler().is_none_or(|sched| word & MIXED != u64::from(sched.id) << 32),
        }
    }

    fn holder(&self) -> Option<Holder> {
        let word = self.word.load(Ordering::Relaxed);
        let first = Owner::of_bits(self.first_reader.load(Ordering::Relaxed));
        match (word & !WAITERS, word & READ) {
            (0, _) => None,
            (_, 0) => Some(Holder::One(Owner::of_bits(word))),
            _ => Some(Holder::Readers((word & READERS) as u32 / ONE_READER as u32, first)),
        }
    }
}
