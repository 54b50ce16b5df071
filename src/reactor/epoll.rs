//! Linux' epoll, edge-triggered, with an eventfd for wake-ups and a timerfd for short waits.
//!
//! ```text
//!   deadline in    5.3 ms         epoll_wait(4 ms), then for the rest:
//!                  1.3 ms         timerfd for the exact time, epoll_wait
//! ```
//!
//! epoll itself counts in milliseconds, and the kernel lets it be late by its timer slack (50 us).
//! Far deadlines use its timeout, which costs no extra system call; near ones use the timer, which
//! is exact. A far deadline usually changes before it is near.
//!
//! Invariant: neither eventfd nor timerfd is ever read: being edge-triggered, each write and each
//! expiry is an event.

use std::cell::Cell;
use std::fmt;
use std::io;
#[cfg(feature = "tokio")]
use std::os::fd::AsFd;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::reactor::poller::{Opener, Patience, Poller, Ready, Token};
use crate::sched::time::clock::{Clock, RealClock};

/// The most events that one call fetches. The rest is fetched a turn later.
const BATCH: usize = 256;

/// The shortest wait that uses epoll's own timeout.
const FAR: Duration = Duration::from_millis(2);

/// The token of the eventfd and the timerfd. Tokens of descriptors are 32 bits of number and 32 of
/// identity, and a number is never all ones.
const INTERNAL: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Epoll {
    epoll: OwnedFd,
    wakes: OwnedFd,
    timer: OwnedFd,
    opener: Opener,
}

/// The events as the kernel wrote them.
pub(super) struct Events {
    fetched: Vec<epoll::Event>,
    /// The time for which the timer is set, if it is.
    alarm: Cell<Option<Instant>>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("alarm", &self.alarm.get()).finish_non_exhaustive()
    }
}

impl Default for Events {
    fn default() -> Events {
        Events { fetched: Vec::with_capacity(BATCH), alarm: Cell::new(None) }
    }
}

impl Poller for Epoll {
    type Events = Events;

    const FORGETS: bool = false;

    fn new() -> io::Result<Epoll> {
        let poller = Epoll {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            wakes: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            timer: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            opener: Opener::this_process(),
        };
        for internal in [&poller.wakes, &poller.timer] {
            let data = epoll::EventData::new_u64(INTERNAL);
            epoll::add(
                &poller.epoll,
                internal,
                data,
                epoll::EventFlags::IN | epoll::EventFlags::ET,
            )?;
        }
        Ok(poller)
    }

    fn add(&self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        use epoll::EventFlags as Flags;
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::PRI | Flags::ET;
        let data = epoll::EventData::new_u64(token.0);
        match epoll::add(&self.epoll, fd, data, flags) {
            // By an earlier scheduler that had the same poller.
            Err(Errno::EXIST) => Ok(epoll::modify(&self.epoll, fd, data, flags)?),
            added => Ok(added?),
        }
    }

    fn arm(&self, _: BorrowedFd<'_>, _: Token, _: Ready) -> io::Result<()> {
        Ok(())
    }

    fn arm_number(&self, _: usize, _: Token, _: Ready) {}

    fn delete(&self, fd: BorrowedFd<'_>) {
        if self.opener.is_this_process() {
            // This fails if the descriptor is not in the set, which is equally good.
            let _ = epoll::delete(&self.epoll, fd);
        }
    }

    fn wait(&self, events: &mut Events, patience: Patience) {
        let timeout = match patience {
            Patience::None => Some(Duration::ZERO),
            Patience::ForEver => None,
            Patience::Until(at) => self.alarm(events, at),
        };
        let timeout = timeout.map(|left| Timespec::try_from(left).unwrap_or(LONGEST));
        let room = spare_capacity(&mut events.fetched);
        match epoll::wait(&self.epoll, room, timeout.as_ref()) {
            // A signal has come: the run loop checks for work, and waits again.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => panic!("epoll_wait failed on a descriptor of its own: {error}"),
        }
    }

    fn drain(events: &mut Events, mut each: impl FnMut(Token, Ready)) {
        for event in events.fetched.drain(..) {
            if event.data.u64() != INTERNAL {
                each(Token(event.data.u64()), ready(event.flags));
            }
        }
    }

    #[cfg(feature = "tokio")]
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    fn wake(&self) {
        // This fails when the counter is full, after 2^64 wakes.
        let _ = rustix::io::write(&self.wakes, &1u64.to_ne_bytes());
    }
}

const LONGEST: Timespec = Timespec { tv_sec: 3600, tv_nsec: 0 };

impl Epoll {
    /// Ensures that the wait ends at `at`. Returns the timeout to pass to it.
    #[allow(clippy::unused_self, reason = "the timer is armed here")]
    fn alarm(&self, events: &Events, at: Instant) -> Option<Duration> {
        let left = at.saturating_duration_since(RealClock.now());
        if left.is_zero() {
            return Some(left);
        }
        if FAR <= left {
            // Stop short of it: the rest is waited for exactly. (The call rounds up to
            // milliseconds.)
            let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            return Some(Duration::from_millis(millis - 1));
        }
        if events.alarm.replace(Some(at)) != Some(at) {
            let spec = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(left).unwrap_or(LONGEST),
            };
            let set = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
            if set.is_err() {
                events.alarm.set(None);
                return Some(Duration::from_millis(1));
            }
        }
        None
    }
}

fn ready(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as Flags;
    let ended = flags.intersects(Flags::ERR | Flags::HUP);
    let when = |holds: bool, ready: Ready| if holds { ready } else { Ready::NONE };
    when(ended || flags.intersects(Flags::IN | Flags::RDHUP | Flags::PRI), Ready::READABLE)
        | when(ended || flags.intersects(Flags::OUT), Ready::WRITABLE)
        | when(ended || flags.intersects(Flags::RDHUP | Flags::PRI), Ready::SPECIAL)
}
