//! The free permits of a semaphore, and the queue of the waiters for some.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::Instant;

use crate::sched::lowlevel::{Interrupt, Owner, WaitOutcome, WaitReason};
use crate::sync::contention::{let_near_first_pass, persist};
use crate::sync::error::TimeoutError;
use crate::sync::queue::{Queue, withdraw};
use crate::sync::semaphore::{BITS, COMPETES, ONE, Semaphore, WAITERS};
use crate::sync::task::Grants;
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

impl Semaphore {
    /// Takes permits if there are enough and waiters do not keep newcomers out.
    #[inline]
    pub(super) fn take(&self, permits: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while (word & BITS == 0 || word & COMPETES != 0 && self.lets_overtake())
            && permits <= word / ONE
        {
            let to = word - permits * ONE;
            match self.word.compare_exchange_weak(word, to, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Returns whether the caller may take permits before the first waiter, which competes.
    #[cold]
    fn lets_overtake(&self) -> bool {
        self.competitor.may_be_overtaken_by(Owner::me())
    }

    /// Returns permits to the semaphore, or hands them to waiters.
    #[inline]
    pub(super) fn give(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        // If there are more permits than those for which the first waiter competes, others may be
        // served, too.
        while word & WAITERS == 0 || word & COMPETES != 0 && word < ONE {
            let to = word + permits * ONE;
            match self.word.compare_exchange_weak(word, to, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
        self.give_in_line(permits);
    }

    /// Removes permits that are never given back from the total, so that new ones may be added.
    pub(super) fn forget(&self, permits: usize) {
        self.total.fetch_sub(permits, Ordering::Relaxed);
    }

    #[cold]
    fn give_in_line(&self, permits: usize) {
        let mut queue = locked(&self.queue);
        let word = self.word.load(Ordering::Acquire);
        if word & BITS == WAITERS {
            // No other code changes the word.
            self.word.store(word + permits * ONE, Ordering::Release);
        } else {
            self.word.fetch_add(permits * ONE, Ordering::AcqRel);
        }
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
    }

    /// Serves waiters from the front of the queue as long as the free permits suffice for the first
    /// one; or lets that one compete for them.
    fn serve(&self, queue: &mut Queue<usize>) -> Served<usize> {
        let mut served = Served::none();
        if self.word.load(Ordering::Relaxed) & COMPETES != 0 {
            self.word.fetch_and(!COMPETES, Ordering::Relaxed);
        }
        while let Some(first) = queue.front() {
            let (wanted, word) = (first.extra, self.word.load(Ordering::Acquire));
            let free = word / ONE;
            if free < wanted {
                return served;
            }
            if free == wanted && !queue.first_is_due() {
                self.competitor.set(first.owner());
                queue.note_competitors(&mut served);
                self.word.fetch_or(COMPETES, Ordering::Release);
                return served;
            }
            let Some(first) = queue.pop() else { break };
            if first.serve() {
                // No other code changes the word: only `WAITERS` is set, and the queue is locked.
                self.word.store(word - wanted * ONE, Ordering::Release);
                served.push(first);
            }
        }
        if !self.is_closed() {
            self.word.fetch_and(!WAITERS, Ordering::Release);
        }
        served
    }

    /// Keeps all newcomers out. The caller has locked the queue.
    pub(super) fn shut(&self) {
        let shut = |word| Some(word & !COMPETES | WAITERS);
        let shut = self.word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, shut);
        debug_assert!(shut.is_ok(), "the closure always has a value");
    }

    #[cold]
    #[track_caller]
    pub(super) fn wait_in_line(
        &self,
        permits: usize,
        by: Option<Instant>,
        reason: &'static WaitReason,
    ) -> Result<(), Unserved> {
        assert!(permits <= Semaphore::MAX_PERMITS, "more permits than a semaphore can have");
        let competes = || self.word.load(Ordering::Relaxed) & COMPETES != 0;
        while competes() && !self.lets_overtake() {
            if !let_near_first_pass(locked(&self.queue)) {
                break;
            }
        }
        if competes() && self.take_while_waiters_compete(permits) {
            return Ok(());
        }
        match self.join_line(permits, || Arc::new(Waiter::new(permits))) {
            Ok(waiter) => match wait(self, &waiter, by, reason) {
                Ok(WaitOutcome::Closed) => Err(Unserved::Closed),
                Ok(_) => Ok(()),
                Err(interrupt) => Err(Unserved::Interrupted(interrupt)),
            },
            Err(WaitOutcome::Closed) => Err(Unserved::Closed),
            Err(_) => Ok(()),
        }
    }

    /// Queues the waiter that `new` makes; or returns how the wait has ended, if it need not begin:
    /// the permits are free by now and are taken, or the semaphore is closed.
    fn join_line(
        &self,
        permits: usize,
        new: impl FnOnce() -> Arc<Waiter<usize>>,
    ) -> Result<Arc<Waiter<usize>>, WaitOutcome> {
        let mut queue = locked(&self.queue);
        if self.is_closed() {
            return Err(WaitOutcome::Closed);
        }
        let Some(word) = self.announce_waiter(permits) else { return Err(WaitOutcome::Served) };
        let waiter = new();
        if word & COMPETES != 0 {
            queue.push_timed(waiter.clone());
        } else {
            queue.push(waiter.clone());
        }
        Ok(waiter)
    }

    /// Tries to take permits for a short while, as long as only waiters of other schedulers compete
    /// for them. Returns whether they were taken.
    #[cold]
    fn take_while_waiters_compete(&self, permits: usize) -> bool {
        let mut taken = false;
        persist(|| {
            taken = self.take(permits);
            let competes = self.word.load(Ordering::Relaxed) & COMPETES != 0;
            taken || !competes || !self.lets_overtake()
        });
        taken
    }

    /// Takes the permits if they are free by now, and returns `None`. Otherwise notes that there is
    /// a waiter, and returns the word before that. The caller must have locked the queue.
    fn announce_waiter(&self, permits: usize) -> Option<usize> {
        loop {
            if self.take(permits) {
                return None;
            }
            let word = self.word.load(Ordering::Relaxed);
            let may_take = word & BITS == 0 || word & COMPETES != 0 && self.lets_overtake();
            let enough = may_take && permits <= word / ONE;
            let to = word | WAITERS;
            let noted =
                || self.word.compare_exchange(word, to, Ordering::Relaxed, Ordering::Relaxed);
            if !enough && (word == to || noted().is_ok()) {
                return Some(word);
            }
        }
    }

    /// Takes permits for `waiter`, which does not compete, but was woken beside the first one; and
    /// wakes the next one of its scheduler.
    fn compete_beside(
        &self,
        mut queue: MutexGuard<'_, Queue<usize>>,
        waiter: &Waiter<usize>,
    ) -> bool {
        if !self.take(waiter.extra) {
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

    /// Takes the permits for `waiter`, which competes, if they are free now.
    fn take_first(&self, waiter: &Waiter<usize>) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        word & COMPETES != 0
            && waiter.extra <= word / ONE
            && self
                .word
                .compare_exchange(
                    word,
                    word - waiter.extra * ONE,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// Clears `COMPETES`; but if enough permits for `waiter` are free, takes them instead, and
    /// returns true. The caller has locked the queue.
    fn take_or_stop_competing(&self, waiter: &Waiter<usize>) -> bool {
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let enough = word & COMPETES != 0 && waiter.extra <= word / ONE;
            let to = if enough { word - waiter.extra * ONE } else { word & !COMPETES };
            if self.word.compare_exchange(word, to, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return enough;
            }
        }
    }
}

/// The reason why a wait ended without permits.
pub(super) enum Unserved {
    Closed,
    Interrupted(Interrupt),
}

impl Unserved {
    #[track_caller]
    pub(super) fn into_error(self) -> TimeoutError {
        match self {
            Unserved::Closed => TimeoutError::Closed,
            Unserved::Interrupted(interrupt) => TimeoutError::of(interrupt),
        }
    }
}

impl Grants for Semaphore {
    fn grant(&self, permits: usize) -> bool {
        self.take(permits)
    }

    fn queue_task(&self, waiter: &Arc<Waiter<usize>>) -> Option<WaitOutcome> {
        self.join_line(waiter.extra, || waiter.clone()).err()
    }

    fn give_back(&self, permits: usize) {
        self.give(permits);
    }
}

impl Site for Semaphore {
    type Extra = usize;

    fn withdraw(&self, waiter: &Waiter<usize>) -> bool {
        withdraw(&self.queue, waiter, |queue, _| self.serve(queue))
    }

    fn compete(&self, waiter: &Waiter<usize>) -> bool {
        let queue = locked(&self.queue);
        if self.word.load(Ordering::Relaxed) & COMPETES == 0 || !waiter.waits() {
            return false;
        }
        if !queue.is_first(waiter) {
            return self.compete_beside(queue, waiter);
        }
        drop(queue);
        let taken = persist(|| self.take_first(waiter));
        let mut queue = locked(&self.queue);
        if !waiter.waits() {
            // It was served, or the semaphore was closed, in the meantime.
            drop(queue);
            if taken {
                self.give(waiter.extra);
            }
            return true;
        }
        if !taken && !self.take_or_stop_competing(waiter) {
            return false;
        }
        let claimed = waiter.serve();
        debug_assert!(claimed, "it waits, and the queue is locked");
        queue.remove(waiter);
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
        true
    }
}
