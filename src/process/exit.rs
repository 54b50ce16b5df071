//! Waiting for the end of a child.
//!
//! | | a fiber | a plain thread |
//! |---|---|---|
//! | with a pidfd | waits until it is readable | `poll(2)` on it |
//! | without | checks, after pauses that double: [`retry`] | the same; `waitpid(2)` if no limit |
//!
//! Invariants:
//! - Only this child is waited for, and only std's handle reaps it. The handle keeps the status, so
//!   an interrupted wait can be repeated.

use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use crate::io::Waitable;
use crate::reactor::retry::{Pauses, retry};
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{OnDeadlock, WaitReason, try_current_fiber};

static ENDING: WaitReason =
    WaitReason::new("waiting for a child process to end", OnDeadlock::Fail).ended_externally();

/// The descriptor that becomes readable when a child ends, or `None` if the system has none.
pub(super) type PidFd = Option<Waitable<OwnedFd>>;

/// The longest pause between two checks of a child without a pidfd.
pub(super) const LAST_PAUSE: Duration = Duration::from_millis(50);
const PAUSES: Pauses = Pauses { first: Duration::from_micros(500), longest: LAST_PAUSE };

/// Returns the pidfd of a child that has not been waited for yet, so that its process id cannot
/// belong to another process.
#[cfg(all(target_os = "linux", not(fibra_polling)))]
pub(super) fn pidfd(child: &Child) -> PidFd {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let fd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()?;
    Some(Waitable::from_nonblocking(fd))
}

/// Returns `None`: this system has no pidfds, or the tests disable them to cover the other way.
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
    let wait = Wait { direction: Direction::Read, timeout, reason: &ENDING };
    match pidfd {
        Some(pidfd) => pidfd.io(wait, |_| status_of(child), |_| false),
        None if try_current_fiber().is_none() && timeout.is_none() => child.wait(),
        None => retry(wait, PAUSES, || status_of(child)),
    }
}

fn status_of(child: &mut Child) -> io::Result<ExitStatus> {
    child.try_wait()?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}
