//! How a signal handler kills the main fiber: it sets a flag, and wakes the run loop, which looks.
//!
//! Invariants:
//! - Asking takes no lock and allocates nothing: it is an atomic store and the waker's system call.
//! - The flag is set before the loop is woken, and looked at in each of its turns: a request that
//!   comes while the loop goes to sleep is seen when it is woken, and that is at once. If it comes while
//!   the loop's poller is opened either the poller is woken, or the flag is seen before the loop sleeps
//!   in it: there is a fence on both sides, see `collections/publish.rs`.
//! - No fiber waits for the request, so it hides no deadlock.

#![cfg_attr(not(feature = "net"), allow(dead_code, reason = "signals come with `net`"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::fiber::header::FiberPtr;
use crate::fiber::state::State;
use crate::sched::idle::Wake;
use crate::sched::scheduler::Scheduler;

/// What a killed main is told, and whoever asks [`Fiber::kill_reason`](crate::Fiber::kill_reason).
const REASON: &str = "interrupted by a signal";

/// The way from a signal handler to the main fiber.
#[derive(Debug)]
pub(crate) struct KillRequest {
    asked: AtomicBool,
    waker: Arc<dyn Wake>,
}

impl KillRequest {
    /// Asks for the end of the main fiber. Async-signal-safe if the waker is.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Scheduler {
    /// Lets a signal handler ask for the end of the main fiber.
    pub(crate) fn accept_kill_request(&self) -> Arc<KillRequest> {
        let request = KillRequest { asked: AtomicBool::new(false), waker: self.idle.waker() };
        self.kill_request.get_or_init(|| Arc::new(request)).clone()
    }

    /// Kills the main fiber if a signal handler has asked for that.
    #[inline]
    pub(crate) fn heed_kill_request(&self) {
        if let Some(request) = self.kill_request.get() {
            if request.asked.load(Ordering::Relaxed) {
                self.meet_kill_request(request);
            }
        }
    }

    #[cold]
    fn meet_kill_request(&self, request: &KillRequest) {
        request.asked.store(false, Ordering::Relaxed);
        let alive = |main: &FiberPtr| !matches!(main.state.get(), State::Finished | State::Retired);
        if let Some(main) = self.main.get().filter(alive) {
            main.with_extra(|extra| extra.kill_reason.get_or_insert(REASON.into()).len());
            self.kill(main);
        }
    }
}
