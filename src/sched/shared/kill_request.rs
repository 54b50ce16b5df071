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

use crate::sched::time::idle::Wake;

/// The way from a signal handler to the main fiber.
#[derive(Debug)]
pub(crate) struct KillRequest {
    asked: AtomicBool,
    waker: Arc<dyn Wake>,
}

impl KillRequest {
    pub(crate) fn new(waker: Arc<dyn Wake>) -> KillRequest {
        KillRequest { asked: AtomicBool::new(false), waker }
    }

    /// Asks for the end of the main fiber. Async-signal-safe if the waker is.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether the end of the main fiber was asked for.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Notes that the main fiber has been killed.
    pub(crate) fn was_met(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }
}
