//! What a scheduler does when no fiber can run: the border to whatever can end the wait.
//!
//! The scheduler knows no file descriptor. Whoever knows events from outside implements [`Idle`].

#[cfg(feature = "net")]
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::thread::{self, Thread};
use std::time::Instant;

use crate::sched::clock::{Clock, RealClock};

/// Waits for events from outside the scheduler.
pub(crate) trait Idle: fmt::Debug {
    /// Takes note of events that are already there; never waits.
    fn poll(&self);

    /// Waits until `until`, or for ever, or until [`Wake::wake`] is called. It may return early.
    fn wait(&self, until: Option<Instant>);

    /// A handle with which any thread ends the wait.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Itself, for whoever plugged it in.
    #[cfg(feature = "net")]
    fn as_any(&self) -> &dyn Any;
}

/// Ends an [`Idle::wait`], the present one or, if there is none, the next.
pub(crate) trait Wake: Send + Sync + fmt::Debug {
    fn wake(&self);
}

/// Idles by parking the thread: for schedulers that wait for nothing but timers and threads.
#[derive(Debug)]
pub(crate) struct ThreadIdle;

impl Idle for ThreadIdle {
    fn poll(&self) {}

    fn wait(&self, until: Option<Instant>) {
        match until {
            Some(until) => {
                thread::park_timeout(until.saturating_duration_since(RealClock.now()));
            }
            None => thread::park(),
        }
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(ThreadWaker(thread::current()))
    }

    #[cfg(feature = "net")]
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[derive(Debug)]
struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(&self) {
        self.0.unpark();
    }
}
