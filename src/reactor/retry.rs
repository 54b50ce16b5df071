//! Waiting for what no event announces: room in a queue that belongs to another socket.
//!
//! Invariants:
//! - Nobody stands in line: of several who wait for the same, the first to look gets it.

use std::io;
use std::time::Duration;

use crate::reactor::source::{Wait, attempt};
use crate::sched::lowlevel::{
    Deadline, Interrupt, clock_now, deadline_after, interrupted, spend, timed_out, try_here,
    wait_for_events,
};

const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Does `op` as soon as it does not fail with `WouldBlock`, with growing pauses between attempts. They
/// are waits for the world: where time is virtual they do not make it jump.
#[track_caller]
pub(crate) fn retry<T>(wait: Wait, mut op: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    if let Some(here) = try_here() {
        spend(here);
    }
    let by = wait.timeout.and_then(|timeout| clock_now().checked_add(timeout));
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(result) = attempt(&mut op) {
            return result;
        }
        let left = by.map(|by| by.saturating_duration_since(clock_now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(timed_out(wait.reason));
        }
        pause_for(left.map_or(pause, |left| left.min(pause)), wait)?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[track_caller]
fn pause_for(pause: Duration, wait: Wait) -> io::Result<()> {
    let Some(here) = try_here() else {
        let pause = pause.try_into().expect("a pause is short");
        return match rustix::event::poll(&mut [], Some(&pause)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        };
    };
    let _deadline = Deadline::arm(here, deadline_after(here, pause));
    match wait_for_events(here, wait.reason, || false) {
        Ok(()) | Err(Interrupt::TimedOut) => Ok(()),
        Err(interrupt) => Err(interrupted(interrupt, wait.reason)),
    }
}
