//! The `polling` crate: kqueue, event ports and others; on Linux only tests use it, to compare it
//! with epoll.
//!
//! Its portable contract is one event for each request, so every waiter arms first.
//!
//! Invariant: a source is deleted before it is closed, by the drop of its owner.

#![allow(unsafe_code, reason = "`polling` requires a promise that sources are deleted in time")]

use std::io;
#[cfg(feature = "tokio")]
use std::os::fd::AsFd;
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
        // SAFETY: the source must be deleted before it is closed. `Source` borrows the descriptor
        // of a `Waitable`, whose drop deletes it first; `wait_readable` deletes it before it
        // returns or unwinds, while it borrows the descriptor. (An owner that replaces its
        // descriptor inside a `Waitable` breaks this. On the systems that this crate runs on the
        // kernel then removes the closed one by itself: no memory depends on it.)
        let added =
            unsafe { self.0.add_with_mode(source, Event::none(key(token)), PollMode::Oneshot) };
        match added {
            // By an earlier scheduler that had the same poller.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.0.modify(fd, Event::none(key(token)))
            }
            added => added,
        }
    }

    fn arm(&self, fd: BorrowedFd<'_>, token: Token, interest: Ready) -> io::Result<()> {
        let (read, write) = (interest.has(Ready::READABLE), interest.has(Ready::WRITABLE));
        self.0.modify(fd, Event::new(key(token), read, write))
    }

    fn arm_number(&self, number: usize, token: Token, interest: Ready) {
        let Ok(number) = RawFd::try_from(number) else { return };
        // SAFETY: the descriptor is in the driver's slots, or in the table of the background
        // reactor, and so it is open: a source is removed from these before it is closed, except
        // for one in the slots that another thread closes at this moment.
        // For such a number this fails, or requests an event for a token that no registration has;
        // no memory depends on it.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        // This fails where the descriptor cannot be polled, and then nothing waits.
        let _ = self.arm(fd, token, interest);
    }

    fn delete(&self, fd: BorrowedFd<'_>) {
        if self.1.is_this_process() {
            // This fails if the descriptor is not in the set, which is equally good.
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

    #[cfg(feature = "tokio")]
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn wake(&self) {
        // If this fails there is no other way; the run loop wakes at the next deadline.
        let _ = self.0.notify();
    }
}

/// Returns the whole token on 64-bit systems; on others only its descriptor, so that an event may
/// reach a later registration of that descriptor, which is then woken spuriously.
#[allow(clippy::cast_possible_truncation, reason = "see the comment above")]
fn key(token: Token) -> usize {
    token.0 as usize
}
