//! The reactor for futures that no fiber polls: one thread of the process, which waits for events
//! and calls wakers.
//!
//! ```text
//!   poll: try --> EAGAIN --> store the waker --> Pending        any thread without a fiber
//!                              |                                (an executor of another crate)
//!   table: number of the descriptor --> Watched
//!                              | event: count it, take the wakers out
//!                              v
//!                            wake                               the thread "fibra-events"
//! ```
//!
//! It also calls wakers at times, for futures of times that no fiber polls and for operations that
//! no event announces.
//!
//! The thread starts when the first of these futures has to wait, and never ends. A program that
//! polls only in fibers has none.
//!
//! Invariants:
//! - An event that comes between an attempt and the storing of the waker is not lost: the count of
//!   events has changed, and the operation is tried again.
//! - Locks are taken in the order table, waiting; that of the timers is taken alone. None is held
//!   while a waker is cloned, called or dropped.
//! - A descriptor is removed from the table and from the poller before it is closed.

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::collections::locked::locked;
use crate::reactor::driver::{index_of, token_of};
use crate::reactor::poller::{Patience, Poller, Ready, SystemPoller, Token};
use crate::reactor::source::{Direction, Source, attempt};
use crate::reactor::tasks::Polled;
use crate::sched::lowlevel::{Clock, RealClock};

/// The poller, and the descriptors that it watches.
#[derive(Debug)]
struct Background {
    poller: SystemPoller,
    /// The watched descriptors, by the number that the poller knows.
    table: Mutex<BTreeMap<RawFd, Arc<Watched>>>,
    /// Wakers that are called at a time.
    timers: Mutex<BTreeMap<(Instant, u64), Waker>>,
}

/// One descriptor that futures outside of fibers have waited for.
#[derive(Debug)]
pub(super) struct Watched {
    token: Token,
    /// The duplicate on which the kernel reports, if another source with the same descriptor was
    /// first.
    double: Option<OwnedFd>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Number of events so far.
    events: u64,
    readers: Vec<(Polled, Waker)>,
    writers: Vec<(Polled, Waker)>,
}

/// Runs `op` on the non-blocking `fd` of `source`, if that is possible now; otherwise stores the
/// waker of `cx`. It replaces the one that was stored for the same `polled`.
pub(super) fn poll_io<T>(
    source: &Source,
    cx: &mut Context<'_>,
    fd: BorrowedFd<'_>,
    direction: Direction,
    polled: Polled,
    op: &mut impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    let watched = match source.watched.get() {
        Some(watched) => watched,
        None => match attempt(op) {
            Some(result) => return Poll::Ready(result),
            None => Background::get()?.watch(source, fd)?,
        },
    };
    loop {
        let events = watched.waiting().events;
        if let Some(result) = attempt(op) {
            return Poll::Ready(result);
        }
        if watched.enlist(events, fd, direction, polled, cx.waker())? {
            return Poll::Pending;
        }
    }
}

/// Calls `waker` after `pause`.
pub(super) fn wake_after(pause: Duration, waker: &Waker) -> io::Result<()> {
    let timer = Timer::arm(RealClock.now() + pause, waker)?;
    mem::forget(timer);
    Ok(())
}

/// A timer that calls a waker at a time, by the clock of the system. Dropping it disarms it.
#[derive(Debug)]
pub(crate) struct Timer {
    at: (Instant, u64),
}

impl Timer {
    pub(crate) fn arm(at: Instant, waker: &Waker) -> io::Result<Timer> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let background = Background::get()?;
        let waker = waker.clone();
        let at = (at, NEXT.fetch_add(1, Ordering::Relaxed));
        let mut timers = locked(&background.timers);
        timers.insert(at, waker);
        let is_first = timers.first_key_value().is_some_and(|(first, _)| *first == at);
        drop(timers);
        if is_first {
            background.poller.wake();
        }
        Ok(Timer { at })
    }

    /// Returns whether the timer will call `waker`: it was armed with an equivalent one, and has
    /// not fired yet.
    pub(crate) fn serves(&self, waker: &Waker) -> bool {
        // Comparing two wakers compares their bits, and runs no user code.
        let is_same = |armed: &Waker| armed.will_wake(waker);
        Background::get().is_ok_and(|it| locked(&it.timers).get(&self.at).is_some_and(is_same))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Ok(background) = Background::get() {
            let removed = locked(&background.timers).remove(&self.at);
            drop(removed);
        }
    }
}

/// Removes the waker of a future that does not wait any more.
pub(super) fn forget_future(source: &Source, direction: Direction, polled: Polled) {
    let Some(watched) = source.watched.get() else { return };
    let mut waiting = watched.waiting();
    let wakers = waiting.wakers(direction);
    let place = wakers.iter().position(|(of, _)| *of == polled);
    let removed = place.map(|place| wakers.swap_remove(place));
    drop(waiting);
    drop(removed);
}

/// Stops watching the descriptor `fd`, which is about to be closed, and wakes its futures.
pub(super) fn close(watched: &Watched, fd: BorrowedFd<'_>) {
    if let Ok(background) = Background::get() {
        background.forget(watched, fd);
    }
    let wakers = watched.waiting().take(Ready::READABLE | Ready::WRITABLE);
    wakers.into_iter().for_each(Waker::wake);
}

impl Background {
    /// Returns the background reactor, and starts it if it does not run.
    fn get() -> io::Result<&'static Arc<Background>> {
        static STARTED: OnceLock<Arc<Background>> = OnceLock::new();
        static STARTING: Mutex<()> = Mutex::new(());
        if let Some(background) = STARTED.get() {
            return Ok(background);
        }
        let _starting = locked(&STARTING);
        if STARTED.get().is_none() {
            let table = Mutex::new(BTreeMap::new());
            let (poller, timers) = (SystemPoller::new()?, Mutex::new(BTreeMap::new()));
            let background = Arc::new(Background { poller, table, timers });
            let runs = background.clone();
            thread::Builder::new().name("fibra-events".into()).spawn(move || runs.run())?;
            return Ok(STARTED.get_or_init(|| background));
        }
        Ok(STARTED.get().expect("it was just seen"))
    }

    /// Waits for events and calls wakers, forever: the body of the thread.
    fn run(&self) -> ! {
        let mut events = <SystemPoller as Poller>::Events::default();
        let mut wakers = Vec::new();
        loop {
            let next = locked(&self.timers).first_key_value().map(|(at, _)| at.0);
            self.poller.wait(&mut events, next.map_or(Patience::ForEver, Patience::Until));
            if next.is_some() {
                self.take_due(&mut wakers);
            }
            SystemPoller::drain(&mut events, |token, ready| self.note(token, ready, &mut wakers));
            for waker in wakers.drain(..) {
                if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                    // The panic was reported. A destructor that panics too must not end the thread.
                    mem::forget(payload);
                }
            }
        }
    }

    /// Adds the wakers whose time has come to `wakers`.
    fn take_due(&self, wakers: &mut Vec<Waker>) {
        let later = (RealClock.now(), u64::MAX);
        let mut timers = locked(&self.timers);
        let left = timers.split_off(&later);
        wakers.extend(mem::replace(&mut *timers, left).into_values());
    }

    /// Records an event, and adds the wakers that it wakes to `wakers`.
    fn note(&self, token: Token, ready: Ready, wakers: &mut Vec<Waker>) {
        let number = index_of(token);
        let table = self.table();
        let entry = RawFd::try_from(number).ok().and_then(|number| table.get(&number));
        let Some(watched) = entry.filter(|watched| watched.token == token) else { return };
        let mut waiting = watched.waiting();
        waiting.events = waiting.events.wrapping_add(1);
        wakers.extend(waiting.take(ready));
        if SystemPoller::FORGETS && waiting.wanted() != Ready::NONE {
            self.poller.arm_number(number, token, waiting.wanted());
        }
    }

    /// Starts watching `fd`, the descriptor of `source`.
    fn watch<'a>(&self, source: &'a Source, fd: BorrowedFd<'_>) -> io::Result<&'a Arc<Watched>> {
        let mut table = self.table();
        // Another thread may have been faster.
        if let Some(watched) = source.watched.get() {
            return Ok(watched);
        }
        let is_taken = table.contains_key(&fd.as_raw_fd());
        let double = if is_taken { Some(fd.try_clone_to_owned()?) } else { None };
        let reported = double.as_ref().map_or(fd, AsFd::as_fd);
        let number = reported.as_raw_fd();
        let token = token_of(number, source.id);
        // The table is locked, so the first event waits until the entry is in it.
        self.poller.add(reported, token)?;
        let watched = Arc::new(Watched { token, double, waiting: Mutex::default() });
        let replaced = table.insert(number, watched.clone());
        let watched = source.watched.get_or_init(|| watched);
        drop(table);
        // The entry of a descriptor that was closed without notice; its wakers may run user code.
        drop(replaced);
        Ok(watched)
    }

    fn forget(&self, watched: &Watched, fd: BorrowedFd<'_>) {
        let reported = watched.double.as_ref().map_or(fd, AsFd::as_fd);
        let mut table = self.table();
        let number = reported.as_raw_fd();
        if table.get(&number).is_some_and(|entry| entry.token == watched.token) {
            self.poller.delete(reported);
            let removed = table.remove(&number);
            drop(table);
            drop(removed);
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<RawFd, Arc<Watched>>> {
        locked(&self.table)
    }
}

impl Watched {
    /// Stores `waker`, unless there was an event since there were `events` of them: returns
    /// whether it was stored.
    fn enlist(
        &self,
        events: u64,
        fd: BorrowedFd<'_>,
        direction: Direction,
        polled: Polled,
        waker: &Waker,
    ) -> io::Result<bool> {
        let background = Background::get()?;
        let mut entry = (polled, waker.clone());
        let mut waiting = self.waiting();
        if waiting.events != events {
            drop(waiting);
            return Ok(false);
        }
        let wakers = waiting.wakers(direction);
        let replaced = match wakers.iter_mut().find(|(of, _)| *of == polled) {
            Some(place) => {
                mem::swap(place, &mut entry);
                Some(entry)
            }
            None => {
                wakers.push(entry);
                None
            }
        };
        let reported = self.double.as_ref().map_or(fd, AsFd::as_fd);
        // Under the lock: a request that was computed earlier must not replace a later one.
        let armed = background.poller.arm(reported, self.token, waiting.wanted());
        drop(waiting);
        drop(replaced);
        armed.map(|()| true)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        locked(&self.waiting)
    }
}

impl Waiting {
    fn wakers(&mut self, direction: Direction) -> &mut Vec<(Polled, Waker)> {
        match direction {
            Direction::Read => &mut self.readers,
            Direction::Write => &mut self.writers,
        }
    }

    /// Returns the directions for which anything waits.
    fn wanted(&self) -> Ready {
        let when = |waits: bool, ready: Ready| if waits { ready } else { Ready::NONE };
        when(!self.readers.is_empty(), Ready::READABLE)
            | when(!self.writers.is_empty(), Ready::WRITABLE)
    }

    /// Removes and returns the wakers that wait for any of `ready`.
    fn take(&mut self, ready: Ready) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for direction in [Direction::Read, Direction::Write] {
            if ready.has(direction.bit()) {
                wakers.extend(self.wakers(direction).drain(..).map(|(_, waker)| waker));
            }
        }
        wakers
    }
}
