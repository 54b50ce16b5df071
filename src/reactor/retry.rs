//! Waits for conditions that no event announces, by attempts with growing pauses in between.
//! Examples are space in a queue that belongs to another socket, and the end of a child process
//! where there are no pidfds.
//!
//! Invariants:
//! - There is no queue: if several callers wait for the same condition, the first one that tries
//!   again after it holds succeeds.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::reactor::background;
use crate::reactor::source::{Wait, attempt};
use crate::sched::lowlevel::{
    Deadline, Interrupt, clock_now, deadline_after, interrupted, spend, timed_out,
    try_current_fiber, wait_for_events,
};

/// The pause between two attempts of a future.
const PAUSE_OF_TASKS: Duration = Duration::from_millis(1);

/// The pauses between attempts: each is twice as long as the one before, up to the longest.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Pauses {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Pauses {
    /// The pauses while a caller waits for space in another socket's queue.
    pub(crate) const FOR_SOCKETS: Pauses =
        Pauses { first: Duration::from_micros(50), longest: Duration::from_millis(10) };
}

/// Calls `op` until it does not fail with `WouldBlock`, with growing pauses between attempts. The
/// pauses are external waits: they take real time, and do not make a virtual clock jump.
#[track_caller]
pub(crate) fn retry<T>(
    wait: Wait,
    pauses: Pauses,
    mut op: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    if let Some(current) = try_current_fiber() {
        spend(current);
    }
    let by = wait.timeout.and_then(|timeout| clock_now().checked_add(timeout));
    let mut pause = pauses.first;
    loop {
        if let Some(result) = attempt(&mut op) {
            return result;
        }
        let left = by.map(|by| by.saturating_duration_since(clock_now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(timed_out(wait.reason));
        }
        pause_for(left.map_or(pause, |left| left.min(pause)), wait)?;
        pause = (pause * 2).min(pauses.longest);
    }
}

/// Calls `op`; if it fails with `WouldBlock`, the task of `cx` is woken after a pause. (The pauses
/// do not grow: nothing is stored between two polls.)
pub(crate) fn poll_retry<T>(
    cx: &mut Context<'_>,
    mut op: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    if let Some(current) = try_current_fiber() {
        spend(current);
    }
    if let Some(result) = attempt(&mut op) {
        return Poll::Ready(result);
    }
    background::wake_after(PAUSE_OF_TASKS, cx.waker())?;
    Poll::Pending
}

#[track_caller]
fn pause_for(pause: Duration, wait: Wait) -> io::Result<()> {
    let Some(current) = try_current_fiber() else {
        let pause = pause.try_into().expect("a pause is short");
        return match rustix::event::poll(&mut [], Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        };
    };
    let _deadline = Deadline::arm(current, deadline_after(current, pause));
    match wait_for_events(current, wait.reason, || false) {
        Ok(()) | Err(Interrupt::TimedOut) => Ok(()),
        Err(interrupt) => Err(interrupted(interrupt, wait.reason)),
    }
}
