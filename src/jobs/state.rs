//! The state of one job: which of the threads that share it owns its closure, and which its
//! outcome.
//!
//! ```text
//!   bits        set by                          its owner from then on
//!   STARTED     the scheduler that takes it     closure and outcome: that scheduler
//!   KILLED      a kill                          if not STARTED: outcome: the killer
//!   ENDED       the owner of the outcome        outcome: the handle; if UNWANTED, the same one
//!   UNWANTED    the drop of the handle          if ENDED: outcome: the thread that drops
//!   WAITS       a poll that finds no outcome
//!   TAKEN_BACK  the spawner, with KILLED, if not STARTED: there will be no outcome
//!   LOST        the scheduler that finds KILLED when it sets STARTED; read by that one only
//! ```
//!
//! Invariants:
//! - Each bit is set once and never cleared, by a read-modify-write whose result decides which side
//!   comes first. So the outcome has one owner at each time, and each owner sees what the one
//!   before has written.
//! - Of a poll that sets `WAITS` and the owner that sets `ENDED`, the one that comes second sees
//!   the other: the poll finds the outcome, or the waker is called.

#![forbid(unsafe_code)]

use crate::jobs::atomics::{AtomicU32, Ordering};

const STARTED: u32 = 1;
const KILLED: u32 = 2;
const ENDED: u32 = 4;
const UNWANTED: u32 = 8;
const WAITS: u32 = 16;
const TAKEN_BACK: u32 = 32;
const LOST: u32 = 64;

/// The state of one job.
#[derive(Debug)]
pub(crate) struct JobState(AtomicU32);

/// The duties of the thread that has stored the outcome.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) struct AtEnd {
    /// Whether a waker must be called.
    pub(crate) wake: bool,
    /// Whether the handle is gone, so that the caller still owns the outcome and drops it.
    pub(crate) unwanted: bool,
}

/// The effect of a kill.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kill {
    /// The job has not started, and will not. The caller owns the outcome.
    BeforeStart,
    /// The job runs: its fiber must be killed.
    Running,
    /// The job was killed before, or has ended.
    Nothing,
}

/// The duties of a handle that is dropped.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(crate) enum GivenUp {
    /// The job has ended: the caller owns the outcome, and drops it.
    Ended,
    /// A waker was stored, which the caller drops, unless it is called meanwhile.
    Watched,
    /// No waker was ever stored.
    Unwatched,
}

impl JobState {
    pub(crate) fn new() -> JobState {
        JobState(AtomicU32::new(0))
    }

    fn set(&self, bits: u32) -> u32 {
        self.0.fetch_or(bits, Ordering::AcqRel)
    }

    /// Notes that the caller has taken the job out of its queue, and owns the closure. Returns
    /// whether it also owns the outcome: not if the job was killed.
    #[must_use]
    pub(crate) fn start(&self) -> bool {
        let owns = self.set(STARTED) & KILLED == 0;
        if !owns {
            self.set(LOST);
        }
        owns
    }

    /// Returns whether the caller, which has started the job, owns the outcome.
    pub(crate) fn owns_outcome(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LOST == 0
    }

    pub(crate) fn kill(&self) -> Kill {
        let before = self.set(KILLED);
        match (before & STARTED != 0, before & (KILLED | ENDED) != 0) {
            (_, true) => Kill::Nothing,
            (true, false) => Kill::Running,
            (false, false) => Kill::BeforeStart,
        }
    }

    /// Kills the job, and notes that it will have no outcome, if it has neither been started nor
    /// killed, and its handle has neither waited nor been dropped. Returns whether it did: then
    /// nothing runs the closure.
    #[must_use]
    pub(crate) fn take_back(&self) -> bool {
        let taken = KILLED | TAKEN_BACK;
        self.0.compare_exchange(0, taken, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Returns whether the job was taken back, as far as the calling thread knows.
    pub(crate) fn was_taken_back(&self) -> bool {
        self.0.load(Ordering::Relaxed) & TAKEN_BACK != 0
    }

    /// Notes that the caller, which owns the outcome, has stored it.
    pub(crate) fn end(&self) -> AtEnd {
        let before = self.set(ENDED);
        AtEnd { wake: before & WAITS != 0, unwanted: before & UNWANTED != 0 }
    }

    /// Returns whether the outcome is stored. If so, the handle owns it.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(Ordering::Acquire) & ENDED != 0
    }

    /// Returns whether the handle is gone.
    pub(crate) fn is_unwanted(&self) -> bool {
        self.0.load(Ordering::Relaxed) & UNWANTED != 0
    }

    /// Notes that the handle has stored a waker. Returns whether the job has ended meanwhile: then
    /// the waker may not be called, and the handle owns the outcome.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        self.set(WAITS) & ENDED != 0
    }

    /// Notes that the handle is gone.
    #[must_use]
    pub(crate) fn give_up(&self) -> GivenUp {
        match self.set(UNWANTED) {
            before if before & ENDED != 0 => GivenUp::Ended,
            before if before & WAITS != 0 => GivenUp::Watched,
            _ => GivenUp::Unwatched,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_kill_before_the_start_owns_the_outcome() {
        let state = JobState::new();
        assert_eq!(state.kill(), Kill::BeforeStart);
        assert_eq!(state.kill(), Kill::Nothing);
        assert!(!state.start() && !state.owns_outcome());
        assert_eq!(state.end(), AtEnd { wake: false, unwanted: false });
        assert!(state.has_ended());
        assert_eq!(state.give_up(), GivenUp::Ended);
    }

    #[test]
    fn a_kill_after_the_start_only_asks() {
        let state = JobState::new();
        assert!(state.start());
        assert_eq!([0; 2].map(|_| state.kill()), [Kill::Running, Kill::Nothing]);
        assert!(state.owns_outcome());
        assert!(!state.wait());
        assert_eq!(state.end(), AtEnd { wake: true, unwanted: false });
        assert_eq!(state.kill(), Kill::Nothing);
    }

    #[test]
    fn a_job_that_was_started_or_killed_is_not_taken_back() {
        let state = JobState::new();
        assert!(state.take_back() && state.was_taken_back() && !state.take_back());
        assert!(!state.start() && !state.has_ended());
        let started = JobState::new();
        assert!(started.start() && !started.take_back() && !started.was_taken_back());
        let killed = JobState::new();
        assert_eq!(killed.kill(), Kill::BeforeStart);
        assert!(!killed.take_back());
    }

    #[test]
    fn an_outcome_that_nothing_wants_stays_with_its_owner() {
        let state = JobState::new();
        assert!(state.start());
        assert_eq!(state.give_up(), GivenUp::Unwatched);
        assert_eq!(state.end(), AtEnd { wake: false, unwanted: true });
    }
}

#[cfg(all(test, loom))]
mod models {
    use std::sync::Arc;

    use super::*;
    use crate::jobs::atomics::{AtomicUsize, thread};

    /// The outcome: how often it was written, and how often taken.
    #[derive(Default)]
    struct Outcome {
        written: AtomicUsize,
        taken: AtomicUsize,
        woken: AtomicUsize,
    }

    fn end(state: &JobState, outcome: &Outcome) {
        assert_eq!(outcome.written.fetch_add(1, Ordering::Relaxed), 0, "two owners");
        let AtEnd { wake, unwanted } = state.end();
        if unwanted {
            assert_eq!(outcome.taken.fetch_add(1, Ordering::Relaxed), 0, "taken twice");
        }
        outcome.woken.fetch_add(usize::from(wake), Ordering::Relaxed);
    }

    fn run(with_handle: fn(&JobState, &Outcome), kills: bool) {
        loom::model(move || {
            let shared = Arc::new((JobState::new(), Outcome::default()));
            let (other, third) = (shared.clone(), shared.clone());
            let taker = thread::spawn(move || {
                if other.0.start() {
                    end(&other.0, &other.1);
                }
            });
            let killer = kills.then(|| {
                thread::spawn(move || {
                    if third.0.kill() == Kill::BeforeStart {
                        end(&third.0, &third.1);
                    }
                })
            });
            with_handle(&shared.0, &shared.1);
            taker.join().unwrap();
            killer.into_iter().for_each(|killer| killer.join().unwrap());
            assert_eq!(shared.1.written.load(Ordering::Relaxed), 1);
            assert_eq!(shared.1.taken.load(Ordering::Relaxed), 1, "lost");
        });
    }

    #[test]
    fn loom_a_job_that_is_given_up_drops_its_outcome_once() {
        run(
            |state, outcome| {
                if state.give_up() == GivenUp::Ended {
                    assert_eq!(outcome.written.load(Ordering::Relaxed), 1);
                    outcome.taken.fetch_add(1, Ordering::Relaxed);
                }
            },
            true,
        );
    }

    #[test]
    fn loom_a_poll_finds_the_outcome_or_is_woken() {
        run(
            |state, outcome| {
                if !state.has_ended() && !state.wait() {
                    while outcome.woken.load(Ordering::Relaxed) == 0 {
                        thread::yield_now();
                    }
                }
                outcome.taken.fetch_add(1, Ordering::Relaxed);
            },
            false,
        );
    }

    /// The spawner takes the job back, or waits for its outcome, while a scheduler starts it, which
    /// kills it first if the runtime `is_closed`.
    fn take_back(is_closed: bool) {
        loom::model(move || {
            // The last is how often the closure was run.
            let shared = Arc::new((JobState::new(), Outcome::default(), AtomicUsize::new(0)));
            let other = shared.clone();
            let taker = thread::spawn(move || {
                let (state, outcome, runs) = &*other;
                if is_closed && state.kill() == Kill::BeforeStart {
                    end(state, outcome);
                }
                if state.start() {
                    runs.fetch_add(1, Ordering::Relaxed);
                    end(state, outcome);
                }
            });
            let (state, outcome, runs) = &*shared;
            if state.take_back() {
                assert_eq!(runs.fetch_add(1, Ordering::Relaxed), 0, "it runs on two threads");
            } else {
                while !state.has_ended() {
                    thread::yield_now();
                }
                assert_eq!(outcome.written.load(Ordering::Relaxed), 1);
            }
            taker.join().unwrap();
            let written = outcome.written.load(Ordering::Relaxed);
            let was_killed = is_closed && written == 1;
            assert_eq!(runs.load(Ordering::Relaxed) + usize::from(was_killed), 1);
            assert!(written == 0 || !state.was_taken_back(), "taken back, with an outcome");
        });
    }

    #[test]
    fn loom_a_job_is_taken_back_or_started() {
        take_back(false);
    }

    #[test]
    fn loom_a_job_is_taken_back_or_killed() {
        take_back(true);
    }
}
