//! What a driver asks of the kernel: the one border that differs between systems.
//!
//! Invariants:
//! - A token says which registration an event is for; the kernel gives it back unread.
//! - An event may come for nothing, or late, but is never lost while a direction is armed.
//! - A forked child takes nothing out of its parent's poller.

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
/// A forked child has a copy of all that stands in memory, but what the kernel keeps is shared: the child must
/// not take out what its parent waits for.
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

/// A set of things that a descriptor may be ready for.
#[derive(Copy, Clone, Eq, PartialEq)]
pub(super) struct Ready(u8);

impl Ready {
    pub(super) const NONE: Ready = Ready(0);
    pub(super) const READABLE: Ready = Ready(1);
    pub(super) const WRITABLE: Ready = Ready(2);
    /// The other side will send no more, or there is an error: not all is told by the amount of data
    /// that an operation moved.
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

/// What a registration is for.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub(super) struct Token(pub(super) u64);

/// How long to wait for an event.
#[derive(Copy, Clone, Debug)]
pub(super) enum Patience {
    /// Not at all.
    None,
    Until(Instant),
    ForEver,
}

/// The kernel's side of a driver. Any thread may add, delete and wake; the driver's own waits.
pub(super) trait Poller: fmt::Debug + Send + Sync + Sized {
    /// What has been reported, and room for more.
    type Events: fmt::Debug + Default;

    /// Whether an event for one direction may be the last for the other, until somebody arms again.
    const FORGETS: bool;

    fn new() -> io::Result<Self>;

    /// Begins to report what `fd` gets ready for, what it is ready for now included.
    fn add(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()>;

    /// Says that somebody waits until `fd` is ready for `interest`. Where edges are reported this has
    /// nothing to do.
    fn arm(&self, fd: BorrowedFd<'_>, token: Token, interest: Ready) -> io::Result<()>;

    /// As [`arm`](Poller::arm), for a poller that forgets, by the number of a descriptor that was added.
    /// If that is being closed by another thread it is as good that this fails.
    fn arm_number(&self, number: usize, token: Token, interest: Ready);

    /// Stops to report.
    fn delete(&self, fd: BorrowedFd<'_>);

    /// Waits until there is an event, [`wake`](Poller::wake) is called, or for no reason.
    fn wait(&self, events: &mut Self::Events, patience: Patience);

    /// Hands out what `wait` has found.
    fn drain(events: &mut Self::Events, each: impl FnMut(Token, Ready));

    /// Ends the present wait, or else the next, of the driver's thread.
    fn wake(&self);
}
