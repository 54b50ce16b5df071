//! Waiting for the end of a child.
//!
//! | | a fiber | a plain thread |
//! |---|---|---|
//! | with a pidfd | waits until that is readable | `poll(2)` on it |
//! | without | looks, after pauses that double | the same; without a limit `waitpid(2)` |
//!
//! Invariants:
//! - Only this child is waited for, and only std's handle reaps it: it keeps the status, so a wait
//!   that is cut short can be repeated.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::io::Waitable;
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{
    Deadline, Here, Interrupt, OnDeadlock, WaitReason, clock_now, deadline_after, interrupted,
    try_here, wait_for_events,
};

static ENDING: WaitReason =
    WaitReason::new("waiting for a child process to end", OnDeadlock::Fail).ended_by_the_world();

/// What the end of a child is seen through; nothing where there is no such descriptor.
pub(super) type PidFd = Option<Waitable<OwnedFd>>;

/// The pauses between looks, where there is no pidfd.
const FIRST_PAUSE: Duration = Duration::from_micros(500);
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(50);

/// The pidfd of a child that nobody has waited for yet: so its number is not another's.
#[cfg(all(target_os = "linux", not(fibra_polling)))]
pub(super) fn pidfd(child: &Child) -> PidFd {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let fd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()?;
    Some(Waitable::from_nonblocking(fd))
}

/// There are none on this system; or the tests want to see the other way.
#[cfg(not(all(target_os = "linux", not(fibra_polling))))]
pub(super) fn pidfd(_: &Child) -> PidFd {
    None
}

/// Waits until `child` has ended.
#[track_caller]
pub(super) fn wait(
    child: &mut Child,
    pidfd: &PidFd,
    timeout: Option<Duration>,
) -> io::Result<ExitStatus> {
    match pidfd {
        Some(pidfd) => {
            let wait = Wait { direction: Direction::Read, timeout, reason: &ENDING };
            pidfd.io(wait, |_| status_of(child), |_| false)
        }
        None => look_again_and_again(child, timeout),
    }
}

fn status_of(child: &mut Child) -> io::Result<ExitStatus> {
    child.try_wait()?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

#[track_caller]
fn look_again_and_again(child: &mut Child, timeout: Option<Duration>) -> io::Result<ExitStatus> {
    let here = try_here();
    if here.is_none() && timeout.is_none() {
        return child.wait();
    }
    let by = timeout.and_then(|timeout| clock_now().checked_add(timeout));
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let left = left_until(by)?;
        pause_for(here, pause.min(left.unwrap_or(pause)))?;
        pause = LAST_PAUSE.min(pause * 2);
    }
}

fn left_until(by: Option<Instant>) -> io::Result<Option<Duration>> {
    let left = by.map(|by| by.saturating_duration_since(clock_now()));
    if left.is_some_and(|left| left.is_zero()) {
        let text = format!("timed out while {}", ENDING.text);
        return Err(io::Error::new(io::ErrorKind::TimedOut, text));
    }
    Ok(left)
}

/// In real time, also under a virtual clock: the child knows no other.
#[track_caller]
fn pause_for(here: Option<Here>, pause: Duration) -> io::Result<()> {
    let Some(here) = here else {
        let pause = rustix::event::Timespec::try_from(pause).expect("pauses are short");
        // It may be cut short by a signal, and then the child is looked at earlier.
        let _ = rustix::event::poll(&mut [], Some(&pause));
        return Ok(());
    };
    let _deadline = Deadline::arm(here, deadline_after(here, pause));
    match wait_for_events(here, &ENDING, || false) {
        Ok(()) | Err(Interrupt::TimedOut) => Ok(()),
        Err(interrupt) => Err(interrupted(interrupt, &ENDING)),
    }
}
