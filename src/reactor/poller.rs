//! The interface between a driver and the kernel: the only part that differs between systems.
//!
//! Invariants:
//! - A token names the registration that an event is for; the kernel returns it unread.
//! - An event may be spurious, or late, but is never lost while a direction is armed.
//! - A forked child removes nothing from its parent's poller.

use std::fmt;
use std::io;
use std::ops::BitOr;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::process::Pid;

#[cfg(all(any(target_os = "linux", target_os = "android"), not(fibra_polling)))]
pub(super) use crate::reactor::epoll::Epoll as SystemPoller;
#[cfg(any(not(any(target_os = "linux", target_os = "android")), fibra_polling))]
pub(super) use crate::reactor::portable::Portable as SystemPoller;

/// The process that has opened a poller.
///
/// A forked child has a copy of everything in memory, but shares the kernel's state: the child must
/// not remove descriptors for which its parent waits.
#[derive(Copy, Clone, Debug)]
pub(super) struct Opener(Pid);

impl Opener {
    pub(super) fn this_process() -> Opener {
        Opener(rustix::process::getpid())
    }

    pub(super) fn is_this_process(self) -> bool {
        rustix::process::getpid() == self.0
    }
}

/// A set of conditions for which a descriptor may be ready.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(super) struct Ready(u8);

impl Ready {
    pub(super) const NONE: Ready = Ready(0);
    pub(super) const READABLE: Ready = Ready(1);
    pub(super) const WRITABLE: Ready = Ready(2);
    /// The other side will send nothing further, or there is an error: the amount of data that an
    /// operation moved does not show all of the state.
    pub(super) const SPECIAL: Ready = Ready(4);

    pub(super) fn has(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn without(self, other: Ready) -> Ready {
        Ready(self.0 & !other.0)
    }
}

impl BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            [(Ready::READABLE, "read"), (Ready::WRITABLE, "write"), (Ready::SPECIAL, "special")];
        f.debug_set().entries(names.iter().filter(|n| self.has(n.0)).map(|n| n.1)).finish()
    }
}

/// The name of a registration.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct Token(pub(super) u64);

/// The longest wait for an event.
#[derive(Copy, Clone, Debug)]
pub(super) enum Patience {
    /// Do not wait.
    None,
    Until(Instant),
    ForEver,
}

/// The kernel's side of a driver. Any thread may add, delete and wake; only the driver's own thread
/// waits.
pub(super) trait Poller: fmt::Debug + Send + Sync + Sized {
    /// The events that were reported, and room for more.
    type Events: fmt::Debug + Default;

    /// Whether an event for one direction may be the last for the other, until it is armed again.
    const FORGETS: bool;

    fn new() -> io::Result<Self>;

    /// Starts reporting what `fd` becomes ready for, including what it is ready for now. Replaces
    /// the token if the poller has reported on `fd` already.
    fn add(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()>;

    /// Requests an event for when `fd` is ready for `interest`. Has nothing to do where edges are
    /// reported.
    fn arm(&self, fd: BorrowedFd<'_>, token: Token, interest: Ready) -> io::Result<()>;

    /// Like [`arm`](Poller::arm), for a poller that forgets, by the number of a descriptor that was
    /// added. It may fail if another thread is closing the descriptor, which does no harm.
    fn arm_number(&self, number: usize, token: Token, interest: Ready);

    /// Stops reporting.
    fn delete(&self, fd: BorrowedFd<'_>);

    /// Waits until there is an event or [`wake`](Poller::wake) is called; may also return
    /// spuriously.
    fn wait(&self, events: &mut Self::Events, patience: Patience);

    /// Passes the events that `wait` has found to `each`.
    fn drain(events: &mut Self::Events, each: impl FnMut(Token, Ready));

    /// Returns its own descriptor, which is readable while there are events.
    #[cfg(feature = "tokio")]
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Ends the current wait of the driver's thread, or if there is none, its next wait.
    fn wake(&self);
}
