//! The queue of a read-write lock: which waiters a release serves, and how a waiter that was woken
//! competes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use super::RawRwLock;
use super::word::{BITS, COMPETES, Mode, READ, WAITERS, all_have, is_open, readers};
use crate::sched::lowlevel::{Holder, Needs, Owner, Readers, WaitOutcome, scheduler};
use crate::sync::contention::persist;
use crate::sync::queue::{Queue, withdraw};
use crate::sync::task::Grants;
use crate::sync::waiter::{Served, Site, Waiter, locked};

/// The number of waiters that are searched for writers ahead of a waiting reader.
const MOST_AHEAD: usize = 32;

impl RawRwLock {
    /// Gives the lock to the first waiters, as far as possible: to one writer, or to the readers
    /// before the next writer. Or lets these compete for a lock that is free. Does nothing if they
    /// compete already.
    pub(super) fn serve(&self, queue: &mut Queue<Mode>) -> Served<Mode> {
        let mut served = Served::none();
        if self.word.load(Ordering::Relaxed) & COMPETES != 0 {
            return served;
        }
        while let Some(first) = queue.front() {
            let (word, mode, owner) =
                (self.word.load(Ordering::Acquire), first.extra, first.owner());
            let Some(entered) = mode.enter(word, owner) else { return served };
            // A reader beside other readers keeps no one out who was not kept out before.
            if word & !BITS == 0 && !queue.first_is_due() {
                self.competitor.set(first.owner());
                self.word.fetch_or(COMPETES, Ordering::Release);
                note_competitors(queue, &mut served);
                return served;
            }
            let Some(first) = queue.pop() else { break };
            // No other code changes the word: `WAITERS` is set, and the queue is locked.
            debug_assert_eq!(word & BITS, WAITERS);
            self.word.store(entered, Ordering::Release);
            if mode == Mode::Read {
                self.note_first(word, owner);
            }
            if first.serve() {
                served.push(first);
            } else {
                self.turn_out(mode, owner);
            }
        }
        self.word.fetch_and(!WAITERS, Ordering::Release);
        served
    }

    /// Takes the lock from a waiter that has given it up before it was served.
    fn turn_out(&self, mode: Mode, owner: Owner) {
        match mode {
            Mode::Write => self.word.store(WAITERS, Ordering::Release),
            Mode::Read => self.remove_reader(owner),
        }
    }

    /// Takes the lock for `waiter`, which is not one of those that compete, but was woken beside
    /// them; and wakes the next one of its scheduler.
    fn compete_beside(
        &self,
        mut queue: MutexGuard<'_, Queue<Mode>>,
        waiter: &Waiter<Mode>,
    ) -> bool {
        if !self.enter(waiter.extra, waiter.owner()) {
            return false;
        }
        let claimed = waiter.serve();
        debug_assert!(claimed, "it waits, and the queue is locked");
        queue.remove(waiter);
        let next = queue.near().next().cloned();
        drop(queue);
        next.into_iter().for_each(|next| next.wake());
        true
    }

    /// Corrects the count of readers for a reader that has entered by itself, and that another
    /// reader has admitted at the same time.
    #[cold]
    fn leave_once(&self, me: Owner) {
        self.unlock_read(me);
        self.first_reader.store(me.bits(), Ordering::Relaxed);
    }

    /// Clears `COMPETES`; but if `waiter` can get the lock, takes it for the waiter instead, and
    /// returns true. The caller has locked the queue.
    fn take_or_stop_competing(&self, waiter: &Waiter<Mode>) -> bool {
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let entered = waiter.extra.enter(word, waiter.owner());
            if self.change(word, entered.unwrap_or(word & !COMPETES)) {
                if entered.is_some() && waiter.extra == Mode::Read {
                    self.note_first(word, waiter.owner());
                }
                return entered.is_some();
            }
        }
    }

    /// Takes the lock for `waiter`, which competes, if that is possible now.
    fn enter_first(&self, waiter: &Waiter<Mode>) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        // Another reader may have ended the competition.
        let to = waiter.extra.enter(word, waiter.owner()).filter(|_| is_open(word));
        let taken = to.is_some_and(|to| self.change(word, to));
        if taken && waiter.extra == Mode::Read {
            self.note_first(word, waiter.owner());
        }
        taken
    }
}

/// Returns whether `waiter` is one of those that compete: the first, or a reader behind readers.
fn is_competing(queue: &Queue<Mode>, waiter: &Waiter<Mode>) -> bool {
    let reads = |it: &Waiter<Mode>| it.extra == Mode::Read;
    queue.is_first(waiter) || reads(waiter) && queue.before(waiter).all(reads)
}

/// Notes the waiters to be woken: the first writer; or of the readers before the first writer, one
/// of each scheduler, and all plain threads. And the first fiber of this thread's scheduler.
fn note_competitors(queue: &Queue<Mode>, competitors: &mut Served<Mode>) {
    queue.near().for_each(|near| competitors.push(near.clone()));
    let mut last = None;
    for waiter in queue.iter() {
        if last.is_some() && waiter.extra == Mode::Write {
            return;
        }
        let scheduler = waiter.owner().scheduler();
        if last != Some(scheduler) || waiter.owner().is_thread() {
            competitors.push(waiter.clone());
        }
        last = Some(scheduler);
        if waiter.extra == Mode::Write {
            return;
        }
    }
}

impl Grants for RawRwLock {
    fn grant(&self, mode: Mode) -> bool {
        match mode {
            Mode::Read => self.enter_to_read(Owner::TASK),
            Mode::Write => self.change(0, Owner::TASK.bits()),
        }
    }

    fn queue_task(&self, waiter: &Arc<Waiter<Mode>>) -> Option<WaitOutcome> {
        let mode = waiter.extra;
        if mode == Mode::Read {
            self.refuse_too_many_readers();
        }
        let queued = self.join_line(mode, Owner::TASK, || waiter.clone());
        queued.is_none().then_some(WaitOutcome::Served)
    }

    fn give_back(&self, mode: Mode) {
        match mode {
            Mode::Read => self.unlock_read(Owner::TASK),
            Mode::Write => self.unlock_write(),
        }
    }
}

impl Site for RawRwLock {
    type Extra = Mode;

    const IS_LOCK: bool = true;

    fn withdraw(&self, waiter: &Waiter<Mode>) -> bool {
        withdraw(&self.queue, waiter, |queue, was_first| {
            // A reader behind the first one may have been woken for the readers around it.
            if was_first || waiter.extra == Mode::Read {
                self.word.fetch_and(!COMPETES, Ordering::Relaxed);
            }
            self.serve(queue)
        })
    }

    fn compete(&self, waiter: &Waiter<Mode>) -> bool {
        let queue = locked(&self.queue);
        if self.word.load(Ordering::Relaxed) & COMPETES == 0 || !waiter.waits() {
            return false;
        }
        if !is_competing(&queue, waiter) {
            return self.compete_beside(queue, waiter);
        }
        drop(queue);
        let taken = persist(|| self.enter_first(waiter));
        let mut queue = locked(&self.queue);
        if !waiter.waits() {
            drop(queue);
            if taken {
                self.leave_once(waiter.owner());
            }
            return true;
        }
        if !taken && !self.take_or_stop_competing(waiter) {
            return false;
        }
        let claimed = waiter.serve();
        debug_assert!(claimed, "it waits, and the queue is locked");
        queue.remove(waiter);
        self.word.fetch_and(!COMPETES, Ordering::Relaxed);
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
        true
    }

    fn needs(&self, waiter: &Waiter<Mode>) -> Option<Needs> {
        let queue = locked(&self.queue);
        // Acquire: readers that are no longer counted have cleared `first_reader` before.
        let word = self.word.load(Ordering::Acquire);
        if !waiter.waits() {
            return None;
        }
        // A first waiter that can get the lock is about to. The others wait for it, until then.
        let about_to = |it: &&Arc<Waiter<Mode>>| it.extra.enter(word, it.owner()).is_some();
        if let Some(first) = queue.front().filter(about_to) {
            let is_next = queue.is_first(waiter);
            return (!is_next).then(|| Needs::one(first.owner()));
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
