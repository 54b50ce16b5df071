//! Killing the main fiber from a signal handler: the handler sets a flag and wakes the run loop,
//! which checks the flag.
//!
//! Invariants:
//! - Asking takes no lock and allocates nothing: it is an atomic store and the waker's system call.
//! - The flag is set before the loop is woken, and the loop checks it in each turn. So a request
//!   that comes while the loop goes to sleep wakes the loop immediately, and is seen then. If the
//!   request comes while the loop opens its poller, either the poller is woken or the loop sees the
//!   flag before it sleeps in the poller: there is a fence on both sides, see
//!   `collections/publish.rs`.
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

    /// Requests that the main fiber be killed. Async-signal-safe if the waker is.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Returns whether a kill of the main fiber is requested and not yet done.
    #[inline]
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Notes that the main fiber has been killed.
    pub(crate) fn was_met(&self) {
        self.asked.store(false, Ordering::Relaxed);
    }
}
