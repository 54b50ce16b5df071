//! How a scheduler sleeps in a runtime of tokio: it waits for its poller, and for its next
//! deadline.
//!
//! ```text
//!   tokio's poller --> the scheduler's poller is readable --> `drain`: its events wake fibers
//!   tokio's timer  --> the next deadline
//!   alarm          --> a task has woken a fiber
//! ```
//!
//! Invariant: the readiness of the poller is cleared only if all of its events were fetched. An
//! event that comes after that is an edge, which tokio reports in a later turn of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{Handle, Id};
use tokio::time::Sleep;

use crate::collections::run_ring::Alarm;
use crate::reactor::driver::Driver;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::time::idle::{Next, Turns};

/// The most turns in a row, before the tasks of tokio run.
const TURNS: usize = 16;

/// The place where a scheduler sleeps.
#[derive(Debug)]
pub(super) struct Bed {
    /// The runtime with which the other fields are registered.
    runtime: Id,
    events: AsyncFd<OwnedFd>,
    timer: Pin<Box<Sleep>>,
    /// The time for which `timer` is set.
    set_for: Option<Instant>,
}

impl Bed {
    /// Opens the poller of `sched`, and registers it with the current runtime of tokio.
    pub(super) fn new(sched: &Scheduler) -> io::Result<Bed> {
        let events = Driver::of(sched).open_for_host()?;
        #[allow(deprecated, reason = "unsound for types that may close; an `OwnedFd` cannot")]
        let events = AsyncFd::with_interest(events, Interest::READABLE)?;
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Ok(Bed { runtime: Handle::current().id(), events, timer, set_for: None })
    }

    /// Registers with `runtime`, the current one of tokio, if it is another one than before.
    pub(super) fn move_to(&mut self, runtime: &Handle, sched: &Scheduler) -> io::Result<()> {
        if runtime.id() != self.runtime {
            *self = Bed::new(sched)?;
        }
        Ok(())
    }

    /// Runs turns of `sched` until its main fiber has ended. Pending if the tasks of tokio should
    /// run first, or if the scheduler sleeps; `alarm` makes the function that ends this sleep when
    /// a task wakes a fiber.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        sched: &Scheduler,
        turns: &dyn Turns,
        alarm: impl Fn(&Context<'_>) -> Alarm,
    ) -> Poll<()> {
        for _ in 0..TURNS {
            match turns.turn() {
                Next::Over => return Poll::Ready(()),
                Next::Again => {}
                Next::Sleep(until) => {
                    let is_called = self.has_events(cx, sched) || self.is_time(cx, until);
                    if !is_called && turns.rest(alarm(cx)) {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Handles the scheduler's events. Returns whether there were any; if not, `cx` is woken by the
    /// next one.
    fn has_events(&self, cx: &mut Context<'_>, sched: &Scheduler) -> bool {
        match self.events.poll_read_ready(cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(mut ready)) => {
                if Driver::of(sched).drain() {
                    ready.clear_ready();
                }
                true
            }
            // The runtime is shutting down, and wakes nothing any more.
            Poll::Ready(Err(_)) => false,
        }
    }

    /// Returns whether `until` has passed; if not, `cx` is woken then.
    fn is_time(&mut self, cx: &mut Context<'_>, until: Option<Instant>) -> bool {
        let Some(until) = until else { return false };
        if self.set_for.replace(until) != Some(until) {
            self.timer.as_mut().reset(until.into());
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}
