//! The `polling` crate: kqueue, event ports and others, and on Linux what tests compare epoll with.
//!
//! Its portable contract is one event for each time that somebody asks, so whoever waits arms first.
//!
//! Invariants:
//! - A source is deleted before it is closed: by the drop of what owns it.

#![allow(unsafe_code, reason = "`polling` wants a promise that sources are deleted in time")]

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use polling::{Event, PollMode};

use crate::reactor::poller::{Opener, Patience, Poller, Ready, Token};

#[derive(Debug)]
pub(super) struct Portable(polling::Poller, Opener);

#[derive(Debug)]
pub(super) struct Events(polling::Events);

impl Default for Events {
    fn default() -> Events {
        Events(polling::Events::new())
    }
}

impl Poller for Portable {
    type Events = Events;

    const FORGETS: bool = true;

    fn new() -> io::Result<Portable> {
        Ok(Portable(polling::Poller::new()?, Opener::this_process()))
    }

    fn add(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let source = std::os::fd::AsRawFd::as_raw_fd(&fd);
        // SAFETY: the source must be deleted before it is closed. `Source` lends the descriptor of a
        // `Waitable`, whose drop deletes it first; `wait_readable` deletes it before it returns or
        // unwinds, while it borrows the descriptor. (An owner that swaps its descriptor under a
        // `Waitable` breaks this. On the systems that this crate runs on the kernel then takes the
        // closed one out by itself: no memory depends on it.)
        unsafe { self.0.add_with_mode(source, Event::none(key(token)), PollMode::Oneshot) }
    }

    fn arm(&self, fd: BorrowedFd<'_>, token: Token, interest: Ready) -> io::Result<()> {
        let (read, write) = (interest.has(Ready::READABLE), interest.has(Ready::WRITABLE));
        self.0.modify(fd, Event::new(key(token), read, write))
    }

    fn arm_number(&self, number: usize, token: Token, interest: Ready) {
        let Ok(number) = RawFd::try_from(number) else { return };
        // SAFETY: it is in the driver's slots, and so open: a source is taken out of these before it is
        // closed, but for one that another thread closes at this moment. For such a number this fails, or
        // asks for an event of a token that nobody has; no memory depends on it.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        // It fails where the descriptor cannot be polled, and then nobody waits.
        let _ = self.arm(fd, token, interest);
    }

    fn delete(&self, fd: BorrowedFd<'_>) {
        if self.1.is_this_process() {
            // It fails if the descriptor is not in there, which is as good.
            let _ = self.0.delete(fd);
        }
    }

    fn wait(&self, events: &mut Events, patience: Patience) {
        let waited = match patience {
            Patience::None => self.0.wait(&mut events.0, Some(Duration::ZERO)),
            Patience::Until(at) => self.0.wait_deadline(&mut events.0, at),
            Patience::ForEver => self.0.wait(&mut events.0, None),
        };
        match waited {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => panic!("the poller failed on a descriptor of its own: {error}"),
        }
    }

    fn drain(events: &mut Events, mut each: impl FnMut(Token, Ready)) {
        for event in events.0.iter() {
            let ended = event.is_interrupt() || event.is_err() == Some(true);
            let when = |holds: bool, ready: Ready| if holds { ready } else { Ready::NONE };
            let ready = when(event.readable || ended, Ready::READABLE)
                | when(event.writable || ended, Ready::WRITABLE)
                | when(ended, Ready::SPECIAL);
            each(Token(event.key as u64), ready);
        }
        events.0.clear();
    }

    fn wake(&self) {
        // Where this fails there is no other way; the run loop wakes at the next deadline.
        let _ = self.0.notify();
    }
}

/// All of the token on 64-bit systems; on others its descriptor, and an event may reach the wrong
/// registration of that, which looks around for nothing.
#[allow(clippy::cast_possible_truncation, reason = "as said")]
fn key(token: Token) -> usize {
    token.0 as usize
}
