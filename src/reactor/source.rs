//! The owner's side of a descriptor: the drivers that registered it, and the loop around each
//! operation.
//!
//! ```text
//!   free to try? -- yes --> try --> done
//!     | no                   | would block: clear the bit
//!     v                      v
//!   register, once; join the queue --> first and ready? -- no --> park
//!                                       | yes
//!                                       v
//!                                      try --> done: wake the next in the queue
//! ```
//!
//! Invariants:
//! - The identity of a source is never reused.
//! - The owner of the descriptor calls [`Source::close`] before it closes it, or gives it away.
//! - No data that was read is lost: an operation that succeeded is followed by no kill point.

#![allow(unsafe_code, reason = "places nodes in lists for the duration of a wait")]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::collections::locked::locked;
use crate::reactor::background::{self, Watched};
use crate::reactor::driver::{Driver, Identity, Shared};
use crate::reactor::poller::Ready;
use crate::reactor::registration::Registration;
use crate::sched::lowlevel::{
    CurrentFiber, Deadline, Enlisted, WaitNode, WaitReason, clock_now, deadline_after, interrupted,
    scheduler, spend, timed_out, try_current_fiber, wait_for_events,
};

pub(crate) use crate::reactor::registration::Direction;

/// The state that the reactor keeps with a descriptor.
pub(crate) struct Source {
    pub(super) id: u64,
    /// The drivers that have registered it, and whether with a duplicate. Drivers whose scheduler
    /// has ended are dead weak references.
    drivers: Mutex<Vec<(Weak<Shared>, bool)>>,
    /// The state for futures that were polled outside of fibers.
    pub(super) watched: OnceLock<Arc<Watched>>,
}

/// The parameters of an operation's wait.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) direction: Direction,
    pub(crate) timeout: Option<Duration>,
    pub(crate) reason: &'static WaitReason,
}

impl Source {
    pub(crate) fn new() -> Source {
        static NEXT_ID: AtomicU64 = AtomicU64::new(1);
        Source {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            drivers: Mutex::new(Vec::new()),
            watched: OnceLock::new(),
        }
    }

    /// Runs `op` on the non-blocking `fd`, as soon as that is possible. `drained` returns, from a
    /// result, whether the next call would block.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn io<T>(
        &self,
        fd: BorrowedFd<'_>,
        wait: Wait,
        mut op: impl FnMut() -> io::Result<T>,
        drained: impl Fn(&T) -> bool,
    ) -> io::Result<T> {
        let Some(current) = try_current_fiber() else { return io_on_thread(fd, wait, op) };
        spend(current);
        let driver = Driver::of(&current.sched);
        let direction = wait.direction;
        let known = driver.find(fd, self.id);
        if known.as_ref().is_none_or(|registration| registration.is_free(direction)) {
            match attempt(&mut op) {
                Some(Ok(value)) => {
                    if let Some(registration) = known.filter(|_| drained(&value)) {
                        registration.drained(direction);
                    }
                    return Ok(value);
                }
                Some(error) => return error,
                None => known.iter().for_each(|registration| registration.clear(direction)),
            }
        }
        let registration = match known {
            Some(registration) => registration,
            None => self.register(driver, fd)?,
        };
        let _turn = PassOn { driver, fd, registration: &registration, direction };
        let node = WaitNode::new(current.fiber);
        // SAFETY: the node is dropped at the end of this function, even by an unwind, and the
        // registration after it.
        let _in_line = unsafe { Enlisted::new(&node, registration.line(direction)) };
        let by = wait.timeout.map(|timeout| deadline_after(current, timeout));
        loop {
            wait_for_turn(current, driver, fd, &registration, wait, by)?;
            match attempt(&mut op) {
                Some(Ok(value)) => {
                    if drained(&value) {
                        registration.drained(direction);
                    }
                    return Ok(value);
                }
                Some(error) => return error,
                None => registration.clear(direction),
            }
        }
    }

    /// Like [`Source::io`], but for a caller-supplied `op`, which may itself wait. The fiber
    /// therefore leaves the queue before it runs `op`, and other fibers may run theirs meanwhile.
    /// If `op` returns `WouldBlock`, the fiber rejoins at the back of the queue.
    #[track_caller]
    pub(crate) fn foreign_io<T>(
        &self,
        fd: BorrowedFd<'_>,
        wait: Wait,
        mut op: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(current) = try_current_fiber() else { return io_on_thread(fd, wait, op) };
        spend(current);
        let driver = Driver::of(&current.sched);
        let mut its_turn = false;
        loop {
            let known = driver.find(fd, self.id);
            let free = |known: &Rc<Registration>| known.is_free(wait.direction);
            if its_turn || known.as_ref().is_none_or(free) {
                // The bit stays set while `op` runs, and others may try, too: `op` may wait, panic,
                // be killed, or use the descriptor itself.
                let events = known.as_ref().map_or(0, |known| known.events());
                if let Some(result) = attempt(&mut op) {
                    return result;
                }
                known.iter().for_each(|known| known.clear_as_of(events, wait.direction));
            }
            let registration = self.registration(driver, fd)?;
            wait_in_line(current, driver, fd, &registration, wait)?;
            its_turn = true;
        }
    }

    /// Waits until `fd` is ready.
    #[track_caller]
    pub(crate) fn ready(&self, fd: BorrowedFd<'_>, wait: Wait) -> io::Result<()> {
        wait_ready_at(fd, wait, |driver| self.registration(driver, fd))
    }

    fn registration(&self, driver: &Driver, fd: BorrowedFd<'_>) -> io::Result<Rc<Registration>> {
        match driver.find(fd, self.id) {
            Some(registration) => Ok(registration),
            None => self.register(driver, fd),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn register(
        &self,
        driver: &Driver,
        fd: BorrowedFd<'_>,
    ) -> io::Result<Rc<Registration>> {
        let registration = driver.register(fd, self.id, false)?;
        let mut drivers = locked(&self.drivers);
        drivers.retain(|(other, _)| other.strong_count() != 0);
        drivers.push((Arc::downgrade(driver.shared()), registration.double.is_some()));
        Ok(registration)
    }

    /// Notifies every scheduler that registered `fd` that it is about to be closed.
    pub(crate) fn close(&self, fd: BorrowedFd<'_>) {
        if let Some(watched) = self.watched.get() {
            background::close(watched, fd);
        }
        let drivers = {
            let mut drivers = locked(&self.drivers);
            std::mem::take(&mut *drivers)
        };
        if drivers.is_empty() {
            return;
        }
        let sched = scheduler();
        let current = sched.as_ref().map(|sched| Driver::of(sched));
        for (driver, doubled) in drivers {
            if let Some(driver) = driver.upgrade() {
                driver.drop_source(fd, Identity { id: self.id, doubled }, current);
            }
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Waits until a descriptor that any code may own is ready.
#[track_caller]
pub(crate) fn wait_ready(fd: BorrowedFd<'_>, wait: Wait) -> io::Result<()> {
    wait_ready_at(fd, wait, |driver| match driver.find_passing(fd) {
        Some(registration) => Ok(registration),
        None => driver.register(fd, Source::new().id, true),
    })
}

#[track_caller]
fn wait_ready_at(
    fd: BorrowedFd<'_>,
    wait: Wait,
    registration: impl FnOnce(&Driver) -> io::Result<Rc<Registration>>,
) -> io::Result<()> {
    if fd.as_raw_fd() < 0 {
        // Safe code can obtain `AT_FDCWD`. `poll(2)` would never report it as ready.
        return Err(Errno::BADF.into());
    }
    let Some(current) = try_current_fiber() else {
        return poll_on_thread(fd, wait, deadline_on_thread(wait));
    };
    spend(current);
    let driver = Driver::of(&current.sched);
    let direction = wait.direction;
    // An edge that has passed is not reported again: first query the state itself.
    if is_ready(fd, direction)? {
        return Ok(());
    }
    let registration = registration(driver)?;
    let _temporary = TemporaryGuard { driver, fd, registration: &registration };
    // A bit may be left from before, and a descriptor may have become ready during its
    // registration.
    registration.clear(direction);
    if is_ready(fd, direction)? {
        registration.note(direction.bit());
        return Ok(());
    }
    wait_in_line(current, driver, fd, &registration, wait)
}

/// Joins the queue, and waits until the running fiber may try.
#[track_caller]
fn wait_in_line(
    current: CurrentFiber,
    driver: &Driver,
    fd: BorrowedFd<'_>,
    registration: &Registration,
    wait: Wait,
) -> io::Result<()> {
    let _turn = PassOn { driver, fd, registration, direction: wait.direction };
    let node = WaitNode::new(current.fiber);
    // SAFETY: the same as in `Source::io`.
    let _in_line = unsafe { Enlisted::new(&node, registration.line(wait.direction)) };
    let by = wait.timeout.map(|timeout| deadline_after(current, timeout));
    wait_for_turn(current, driver, fd, registration, wait, by)
}

/// Waits until the running fiber, which is in the queue, may try.
#[inline(always)]
#[track_caller]
fn wait_for_turn(
    current: CurrentFiber,
    driver: &Driver,
    fd: BorrowedFd<'_>,
    registration: &Registration,
    wait: Wait,
    by: Option<u64>,
) -> io::Result<()> {
    let Wait { direction, reason, .. } = wait;
    if registration.is_turn_of(current.fiber, direction) {
        return Ok(());
    }
    driver.arm(fd, registration)?;
    let _deadline = by.map(|by| Deadline::arm(current, by));
    let waited =
        wait_for_events(current, reason, || registration.is_turn_of(current.fiber, direction));
    waited.map_err(|interrupt| interrupted(interrupt, reason))
}

/// A guard that wakes the next in the queue when it is dropped.
struct PassOn<'a> {
    driver: &'a Driver,
    fd: BorrowedFd<'a>,
    registration: &'a Registration,
    direction: Direction,
}

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        self.registration.wake_first(self.direction);
        self.driver.arm_again(self.fd, self.registration);
    }
}

/// A guard that removes a temporary registration when nothing waits for it any more.
struct TemporaryGuard<'a> {
    driver: &'a Driver,
    fd: BorrowedFd<'a>,
    registration: &'a Registration,
}

impl Drop for TemporaryGuard<'_> {
    fn drop(&mut self) {
        let registration = self.registration;
        if registration.passing && registration.wanted() == Ready::NONE {
            let id = Identity { id: registration.id, doubled: registration.double.is_some() };
            self.driver.shared().drop_source(self.fd, id, Some(self.driver));
        }
    }
}

/// Runs `op`; returns `None` if it would block.
#[inline(always)]
pub(super) fn attempt<T>(op: &mut impl FnMut() -> io::Result<T>) -> Option<io::Result<T>> {
    loop {
        match op() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return Some(result),
        }
    }
}

/// Runs the operation on a thread without fibers, which it blocks.
#[cold]
#[inline(never)]
fn io_on_thread<T>(
    fd: BorrowedFd<'_>,
    wait: Wait,
    mut op: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let by = deadline_on_thread(wait);
    loop {
        match attempt(&mut op) {
            Some(result) => return result,
            None => poll_on_thread(fd, wait, by)?,
        }
    }
}

fn deadline_on_thread(wait: Wait) -> Option<Instant> {
    wait.timeout.and_then(|timeout| clock_now().checked_add(timeout))
}

fn poll_on_thread(fd: BorrowedFd<'_>, wait: Wait, by: Option<Instant>) -> io::Result<()> {
    loop {
        let left = by.map(|by| by.saturating_duration_since(clock_now()));
        match poll_once(fd, wait.direction, left)? {
            Some(true) => return Ok(()),
            Some(false) if left.is_some_and(|left| left.is_zero()) => {
                return Err(timed_out(wait.reason));
            }
            Some(false) | None => {}
        }
    }
}

pub(super) fn is_ready(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<bool> {
    Ok(poll_once(fd, direction, Some(Duration::ZERO))?.unwrap_or(false))
}

/// Returns whether `fd` is ready, or in error, after at most `left`; `None` if a signal came in
/// between.
fn poll_once(
    fd: BorrowedFd<'_>,
    direction: Direction,
    left: Option<Duration>,
) -> io::Result<Option<bool>> {
    let flags = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match rustix::event::poll(&mut [PollFd::from_borrowed_fd(fd, flags)], left.as_ref()) {
        Ok(ready) => Ok(Some(ready != 0)),
        Err(Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
