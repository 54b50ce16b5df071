//! The set of schedulers that sleep and would start a job, as plain data.
//!
//! ```text
//!   a scheduler without work             code that queues a job
//!   announce: its bit                    push
//!   fence                                fence
//!   any job? -- yes --> withdraw         a search is on? -- yes --> that finds the job
//!     no --> sleep                         no --> take one bit --> wake its scheduler
//! ```
//!
//! Invariants:
//! - Of the two sides, the one that comes second sees what the other has written: see
//!   [`publish`](crate::collections::publish). So no job is left while a scheduler sleeps that
//!   could start it, and no other one is awake to do so.
//! - Each announcement is answered by at most one wake: the thread that takes a bit wakes.
//! - A search counts from before its first look at the queues until after its last one.

#![forbid(unsafe_code)]

use crate::collections::publish;
use crate::jobs::atomics::{AtomicU64, AtomicUsize, Ordering};

/// The sleeping schedulers of a runtime, by their index.
#[derive(Debug)]
pub(crate) struct Sleepers {
    words: Box<[AtomicU64]>,
    searching: AtomicUsize,
}

impl Sleepers {
    /// Creates a set for `n` schedulers, all of them awake.
    pub(crate) fn new(n: usize) -> Sleepers {
        let words = (0..n.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Sleepers { words, searching: AtomicUsize::new(0) }
    }

    /// Announces that the scheduler `index` is about to sleep. It must look for jobs once more
    /// after this call.
    pub(crate) fn announce(&self, index: usize) {
        self.words[index / 64].fetch_or(1 << (index % 64), Ordering::AcqRel);
        publish::fence();
    }

    /// Withdraws the announcement of the scheduler `index`.
    pub(crate) fn withdraw(&self, index: usize) {
        let (word, bit) = (&self.words[index / 64], 1 << (index % 64));
        if word.load(Ordering::Relaxed) & bit != 0 {
            word.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// Takes a sleeping scheduler out of the set, which the caller must wake. The caller has queued
    /// jobs, and then called [`publish::fence`]. Returns `None` if none sleeps, or if one is
    /// searching already, which will see all these jobs.
    #[must_use]
    pub(crate) fn one_to_wake(&self) -> Option<usize> {
        if self.searching.load(Ordering::Acquire) != 0 {
            return None;
        }
        self.words.iter().enumerate().find_map(|(at, word)| Some(at * 64 + take_bit(word)?))
    }

    /// Begins a search for jobs by a scheduler that has none, unless `most` others search. Returns
    /// whether it began.
    #[must_use]
    pub(crate) fn begin_search(&self, most: usize) -> bool {
        let begins = self.searching.load(Ordering::Relaxed) < most;
        if begins {
            self.searching.fetch_add(1, Ordering::AcqRel);
        }
        begins
    }

    /// Ends a search. The scheduler looks at the queues once more before it sleeps.
    pub(crate) fn end_search(&self) {
        self.searching.fetch_sub(1, Ordering::AcqRel);
        publish::fence();
    }
}

/// Takes the lowest bit of `word`, and returns its index.
fn take_bit(word: &AtomicU64) -> Option<usize> {
    loop {
        let bits = word.load(Ordering::Acquire);
        if bits == 0 {
            return None;
        }
        let bit = bits & bits.wrapping_neg();
        if word.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
            return Some(bit.trailing_zeros() as usize);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_sleeper_is_woken_once() {
        let sleepers = Sleepers::new(70);
        assert_eq!(sleepers.one_to_wake(), None);
        [69, 3, 64].into_iter().for_each(|index| sleepers.announce(index));
        assert_eq!([0; 4].map(|_| sleepers.one_to_wake()), [Some(3), Some(64), Some(69), None]);
    }

    #[test]
    fn a_scheduler_that_is_awake_again_is_not_woken() {
        let sleepers = Sleepers::new(2);
        sleepers.announce(0);
        sleepers.announce(1);
        sleepers.withdraw(0);
        assert_eq!([0; 2].map(|_| sleepers.one_to_wake()), [Some(1), None]);
    }

    #[test]
    fn while_one_searches_none_is_woken() {
        let sleepers = Sleepers::new(2);
        sleepers.announce(1);
        assert!(sleepers.begin_search(1) && !sleepers.begin_search(1));
        assert_eq!(sleepers.one_to_wake(), None);
        sleepers.end_search();
        assert_eq!(sleepers.one_to_wake(), Some(1));
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::jobs::atomics::thread;

    /// Returns how the sleeper of a model ended: whether it saw the job, or was woken.
    fn model(search_first: bool) {
        loom::model(move || {
            let state = Arc::new((Sleepers::new(1), AtomicUsize::new(0)));
            let other = state.clone();
            let poster = thread::spawn(move || {
                let (sleepers, jobs) = &*other;
                jobs.store(1, Ordering::Release);
                publish::fence();
                sleepers.one_to_wake().is_some()
            });
            let (sleepers, jobs) = &*state;
            let found = search_first && sleepers.begin_search(1) && {
                let found = jobs.load(Ordering::Acquire) == 1;
                sleepers.end_search();
                found
            };
            let sees = found || {
                sleepers.announce(0);
                jobs.load(Ordering::Acquire) == 1
            };
            let woken = poster.join().unwrap();
            assert!(sees || woken, "the job is left while the scheduler sleeps");
        });
    }

    #[test]
    fn loom_a_job_is_seen_or_its_scheduler_is_woken() {
        model(false);
    }

    #[test]
    fn loom_a_job_that_comes_during_a_search_is_seen_or_its_scheduler_is_woken() {
        model(true);
    }
}
