//! The free permits of a semaphore, and the queue of the waiters for some.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::sched::lowlevel::{Interrupt, WaitOutcome, WaitReason};
use crate::sync::error::TimeoutError;
use crate::sync::queue::{Queue, withdraw};
use crate::sync::semaphore::{ONE, Semaphore, WAITERS};
use crate::sync::waiter::{Served, Site, Waiter, locked, wait};

impl Semaphore {
    /// Takes permits if nothing waits and there are enough.
    #[inline]
    pub(super) fn take(&self, permits: usize) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 && permits <= word / ONE {
            let to = word - permits * ONE;
            match self.word.compare_exchange_weak(word, to, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Returns permits to the semaphore, or hands them to waiters.
    #[inline]
    pub(super) fn give(&self, permits: usize) {
        let mut word = self.word.load(Ordering::Relaxed);
        while word & WAITERS == 0 {
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
        self.word.fetch_add(permits * ONE, Ordering::AcqRel);
        let served = self.serve(&mut queue);
        drop(queue);
        served.wake();
    }

    /// Serves waiters from the front of the queue as long as the free permits suffice for the first
    /// one.
    fn serve(&self, queue: &mut Queue<usize>) -> Served<usize> {
        let mut served = Served::none();
        while let Some(first) = queue.front() {
            let wanted = first.extra * ONE;
            if self.word.load(Ordering::Acquire) & !WAITERS < wanted {
                return served;
            }
            let Some(first) = queue.pop() else { break };
            if first.claim(WaitOutcome::Served) {
                self.word.fetch_sub(wanted, Ordering::AcqRel);
                served.push(first);
            }
        }
        if !self.is_closed() {
            self.word.fetch_and(!WAITERS, Ordering::Release);
        }
        served
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
        let mut queue = locked(&self.queue);
        if self.is_closed() {
            return Err(Unserved::Closed);
        }
        if !self.announce_waiter(permits) {
            return Ok(());
        }
        let waiter = Arc::new(Waiter::new(permits));
        queue.push(waiter.clone());
        drop(queue);
        match wait(self, &waiter, by, reason) {
            Ok(WaitOutcome::Closed) => Err(Unserved::Closed),
            Ok(_) => Ok(()),
            Err(interrupt) => Err(Unserved::Interrupted(interrupt)),
        }
    }

    /// Takes the permits if they are free by now, and returns `false`. Otherwise notes that there
    /// is a waiter, and returns `true`. The caller must have locked the queue.
    fn announce_waiter(&self, permits: usize) -> bool {
        loop {
            if self.take(permits) {
                return false;
            }
            let word = self.word.load(Ordering::Relaxed);
            let enough = word & WAITERS == 0 && permits <= word / ONE;
            let to = word | WAITERS;
            let noted =
                || self.word.compare_exchange(word, to, Ordering::Relaxed, Ordering::Relaxed);
            if !enough && noted().is_ok() {
                return true;
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

impl Site for Semaphore {
    type Extra = usize;

    fn withdraw(&self, waiter: &Waiter<usize>) -> bool {
        withdraw(&self.queue, waiter, |queue| self.serve(queue))
    }
}
