//! The reactor of one scheduler: waits in the kernel when no fiber can run, and wakes fibers by
//! events.
//!
//! ```text
//!   slots:   0   1   2   3   4   5      index: number of the descriptor
//!          [   |   |   | R | R | D ]    R: registration, found only by the identity of its source
//!                          `---'        D: of a duplicate; its source has number 4 as well
//! ```
//!
//! The kernel reports on one descriptor once. Where several wait for the same one independently
//! (two `Waitable`s share it, or a fiber waits for a socket that other code owns) the first has the
//! descriptor itself, and the others each have a duplicate for as long as they need it.
//!
//! Invariants:
//! - Nothing is opened before the first descriptor is registered: until then the thread waits in a
//!   parker.
//! - A source that is dropped on another thread is deleted from the kernel's set immediately, and
//!   from the slots in the next turn. Until then no lookup finds it: identities are not reused.
//! - Processing events runs no user code: it sets bits and makes fibers ready.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
#[cfg(feature = "tokio")]
use std::os::fd::OwnedFd;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;

#[cfg(feature = "tokio")]
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::collections::locked::locked;
use crate::reactor::names;
use crate::reactor::poller::{Patience, Poller, Ready, SystemPoller, Token};
use crate::reactor::registration::{Direction, Registration};
use crate::sched::core::scheduler::Scheduler;
use crate::sched::lowlevel::{Descriptor, WaitList};
use crate::sched::time::idle::{Bed, Idle, Wake, park};

/// The reactor of one scheduler.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    /// The buffer for events, created at the first registration.
    opened: OnceCell<RefCell<<SystemPoller as Poller>::Events>>,
    slots: RefCell<Vec<Option<Rc<Registration>>>>,
    registered: Cell<usize>,
    /// The slots of the duplicates, by the descriptor that was duplicated and the identity.
    doubles: RefCell<BTreeMap<(RawFd, u64), RawFd>>,
}

/// The most fetches of events in a row, if new ones keep coming.
#[cfg(feature = "tokio")]
const MOST_FETCHES: usize = 16;

/// The part of a driver that other threads use.
#[derive(Debug)]
pub(super) struct Shared {
    bed: Bed<Arc<SystemPoller>>,
    /// Sources that were dropped on other threads.
    dropped: Mutex<Vec<(RawFd, u64)>>,
    any_dropped: AtomicBool,
}

/// The poller of a driver whose scheduler has ended, for the next driver of the thread.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct OldPoller(Arc<SystemPoller>);

/// The registration of a source at one driver.
#[derive(Copy, Clone, Debug)]
pub(super) struct Identity {
    pub(super) id: u64,
    /// Whether it is registered with a duplicate of its descriptor, which the driver's own thread
    /// deletes and closes.
    pub(super) doubled: bool,
}

impl Driver {
    /// Creates a driver for the scheduler of this thread.
    pub(crate) fn new() -> Driver {
        let shared = Shared {
            bed: Bed::new(),
            dropped: Mutex::new(Vec::new()),
            any_dropped: AtomicBool::new(false),
        };
        Driver {
            shared: Arc::new(shared),
            opened: OnceCell::new(),
            slots: RefCell::new(Vec::new()),
            registered: Cell::new(0),
            doubles: RefCell::default(),
        }
    }

    /// Returns the driver of `sched`.
    #[inline]
    pub(crate) fn of(sched: &Scheduler) -> &Driver {
        let driver = sched.idle.as_any().downcast_ref();
        driver.expect("every scheduler that users get has a driver")
    }

    /// Opens the poller in which the scheduler sleeps, so that waking it is exactly one system
    /// call, as signal handlers require.
    pub(crate) fn open_for_signals(sched: &Scheduler) -> io::Result<()> {
        Driver::of(sched).open().map(drop)
    }

    /// Opens the poller in which the scheduler sleeps. Returns another descriptor of it, which is
    /// readable while there are events.
    #[cfg(feature = "tokio")]
    pub(crate) fn open_for_host(&self) -> io::Result<OwnedFd> {
        self.open()?.descriptor().try_clone_to_owned()
    }

    /// Returns the poller, if it is open, when the scheduler has ended. Other threads may continue
    /// to wake it.
    #[cfg(feature = "tokio")]
    pub(crate) fn leave_poller(&self) -> Option<OldPoller> {
        self.shared.bed.opened().cloned().map(OldPoller)
    }

    /// Uses `old` as the poller, unless one is open. It has registrations of an earlier scheduler,
    /// whose events are ignored.
    #[cfg(feature = "tokio")]
    pub(crate) fn inherit(&self, old: &OldPoller) {
        if self.opened.get().is_none() {
            self.open_with(old.0.clone());
        }
    }

    /// Handles the events that have occurred, and consumes the wake-ups. Returns whether it got all
    /// of them.
    #[cfg(feature = "tokio")]
    pub(crate) fn drain(&self) -> bool {
        let Some(poller) = self.shared.bed.opened() else { return true };
        for _ in 0..MOST_FETCHES {
            self.turn(Patience::None);
            let mut ready = [PollFd::from_borrowed_fd(poller.descriptor(), PollFlags::IN)];
            if !matches!(rustix::event::poll(&mut ready, Some(&Timespec::default())), Ok(1)) {
                return true;
            }
        }
        false
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns the registration of the source `id`.
    #[inline]
    pub(super) fn find(&self, fd: BorrowedFd<'_>, id: u64) -> Option<Rc<Registration>> {
        let slots = self.slots.borrow();
        match slots.get(index(fd.as_raw_fd())) {
            Some(Some(registration)) if registration.id == id => Some(registration.clone()),
            _ => self.find_double(&slots, fd, |double| double.id == id),
        }
    }

    /// Returns the temporary registration of `fd`, for waits at a descriptor that other code owns.
    pub(super) fn find_passing(&self, fd: BorrowedFd<'_>) -> Option<Rc<Registration>> {
        let slots = self.slots.borrow();
        match slots.get(index(fd.as_raw_fd())) {
            Some(Some(registration)) if registration.passing => Some(registration.clone()),
            _ => self.find_double(&slots, fd, |double| double.passing),
        }
    }

    fn find_double(
        &self,
        slots: &[Option<Rc<Registration>>],
        fd: BorrowedFd<'_>,
        is_it: impl Fn(&Registration) -> bool,
    ) -> Option<Rc<Registration>> {
        let doubles = self.doubles.borrow();
        if doubles.is_empty() {
            return None;
        }
        let fd = fd.as_raw_fd();
        let mut found = doubles
            .range((fd, 0)..=(fd, u64::MAX))
            .filter_map(|(_, &at)| slots[index(at)].as_ref());
        found.find(|double| is_it(double)).cloned()
    }

    /// Registers the descriptor of the source `id`: until the source is closed or, if it is
    /// `passing` (temporary), while anything waits for it.
    pub(super) fn register(
        &self,
        fd: BorrowedFd<'_>,
        id: u64,
        passing: bool,
    ) -> io::Result<Rc<Registration>> {
        let poller = self.open()?;
        self.forget_dropped();
        let is_taken = self.slots.borrow().get(index(fd.as_raw_fd())).is_some_and(Option::is_some);
        let double = if is_taken { Some(fd.try_clone_to_owned()?) } else { None };
        let reported = double.as_ref().map_or(fd, AsFd::as_fd);
        let number = reported.as_raw_fd();
        let token = token_of(number, id);
        poller.add(reported, token)?;
        if double.is_some() {
            self.doubles.borrow_mut().insert((fd.as_raw_fd(), id), number);
        }
        let registration = Rc::new(Registration::new(id, token, passing, double));
        let mut slots = self.slots.borrow_mut();
        let at = index(number);
        if slots.len() <= at {
            slots.resize(at + 1, None);
        }
        let replaced = slots[at].replace(registration.clone());
        drop(slots);
        if replaced.is_none() {
            self.registered.set(self.registered.get() + 1);
        }
        // If it replaced the registration of a descriptor that was closed without notice, that one
        // is dropped here, and wakers with it.
        Ok(registration)
    }

    /// Requests an event for what `registration` waits for.
    #[inline]
    pub(super) fn arm(&self, fd: BorrowedFd<'_>, at: &Registration) -> io::Result<()> {
        match self.shared.bed.opened() {
            Some(poller) => poller.arm(at.reported(fd), at.token, at.wanted()),
            None => Ok(()),
        }
    }

    /// Requests an event again for those that still wait after another has continued: with the
    /// event for that one the poller may have forgotten both directions.
    #[inline]
    pub(super) fn arm_again(&self, fd: BorrowedFd<'_>, at: &Registration) {
        if at.owed() != Ready::NONE {
            // This fails where the descriptor cannot be polled, and then nothing waits.
            let _ = self.arm(fd, at);
        }
    }

    /// Removes the registration of the source `id` from the slots.
    pub(super) fn forget(&self, fd: RawFd, id: u64) {
        let at = self.doubles.borrow_mut().remove(&(fd, id)).unwrap_or(fd);
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.get_mut(index(at)) else { return };
        let Some(registration) = slot.take_if(|registration| registration.id == id) else { return };
        self.registered.set(self.registered.get() - 1);
        drop(slots);
        registration.close();
        if let (Some(poller), Some(double)) = (self.shared.bed.opened(), &registration.double) {
            poller.delete(double.as_fd());
        }
    }

    fn forget_dropped(&self) {
        if self.shared.any_dropped.swap(false, Ordering::Acquire) {
            let dropped = std::mem::take(&mut *self.shared.lock_dropped());
            dropped.into_iter().for_each(|(fd, id)| self.forget(fd, id));
        }
    }

    fn open(&self) -> io::Result<&SystemPoller> {
        if self.opened.get().is_none() {
            self.open_with(Arc::new(SystemPoller::new()?));
        }
        Ok(self.shared.bed.opened().expect("set before `opened` is"))
    }

    fn open_with(&self, poller: Arc<SystemPoller>) {
        self.shared.bed.open(poller);
        let _ = self.opened.set(RefCell::default());
    }

    /// Waits for events, and wakes what waits for them.
    fn turn(&self, patience: Patience) {
        let (Some(poller), Some(events)) = (self.shared.bed.opened(), self.opened.get()) else {
            return;
        };
        let mut events = events.borrow_mut();
        poller.wait(&mut events, patience);
        self.forget_dropped();
        SystemPoller::drain(&mut events, |token, ready| self.dispatch(token, ready));
    }

    fn dispatch(&self, token: Token, ready: Ready) {
        let slots = self.slots.borrow();
        let slot = slots.get(index_of(token)).and_then(Option::as_ref);
        if let Some(registration) = slot.filter(|registration| registration.token == token) {
            registration.note(ready);
            // The event may have woken a future that is gone and requests nothing.
            if SystemPoller::FORGETS && registration.owed() != Ready::NONE {
                if let Some(poller) = self.shared.bed.opened() {
                    poller.arm_number(index_of(token), token, registration.owed());
                }
            }
        }
    }
}

impl Idle for Driver {
    fn poll(&self) {
        if self.registered.get() != 0 {
            self.turn(Patience::None);
        }
    }

    fn wait(&self, until: Option<Instant>) {
        if self.opened.get().is_none() {
            return park(&self.shared.bed.parker, until);
        }
        self.turn(until.map_or(Patience::ForEver, Patience::Until));
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.shared.clone()
    }

    fn take_wakers(&self) -> Vec<Waker> {
        let (slots, mut wakers) = (self.slots.borrow(), Vec::new());
        slots.iter().flatten().for_each(|registration| registration.take_wakers(&mut wakers));
        wakers
    }

    fn descriptors(&self) -> Vec<(*const WaitList, Descriptor)> {
        let (slots, doubles) = (self.slots.borrow(), self.doubles.borrow());
        let originals: BTreeMap<RawFd, RawFd> =
            doubles.iter().map(|(&(fd, _), &at)| (at, fd)).collect();
        let numbered = slots.iter().flatten().filter(|slot| slot.has_fibers());
        let described = numbered.flat_map(|registration| {
            let number = index_of(registration.token) as RawFd;
            let fd = originals.get(&number).copied().unwrap_or(number);
            let descriptor = names::describe(fd, registration);
            [Direction::Read, Direction::Write]
                .map(|direction| (&raw const *registration.line(direction), descriptor.clone()))
        });
        described.collect()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Shared {
    /// Removes a source that is about to be closed. `here` is the driver of this thread.
    pub(super) fn drop_source(&self, fd: BorrowedFd<'_>, id: Identity, here: Option<&Driver>) {
        let Identity { id, doubled } = id;
        if let Some(poller) = self.bed.opened().filter(|_| !doubled) {
            poller.delete(fd);
        }
        match here.filter(|driver| std::ptr::eq(&raw const *driver.shared, self)) {
            Some(driver) => driver.forget(fd.as_raw_fd(), id),
            None => {
                self.lock_dropped().push((fd.as_raw_fd(), id));
                self.any_dropped.store(true, Ordering::Release);
                if doubled {
                    // As long as a duplicate exists the descriptor is not really closed.
                    self.wake();
                }
            }
        }
    }

    fn lock_dropped(&self) -> std::sync::MutexGuard<'_, Vec<(RawFd, u64)>> {
        locked(&self.dropped)
    }
}

impl Wake for Shared {
    fn wake(&self) {
        if let Some(poller) = self.bed.call() {
            poller.wake();
        }
    }
}

/// Returns the slot of a descriptor; a number beyond all slots for a negative one (`AT_FDCWD`),
/// which is never registered.
fn index(fd: RawFd) -> usize {
    usize::try_from(fd).unwrap_or(usize::MAX)
}

/// Combines the number of the descriptor, which is not negative, with 32 bits of the identity above
/// it: enough to recognise an event that was fetched before the descriptor was closed.
#[allow(clippy::cast_sign_loss, reason = "a descriptor that is registered is not negative")]
pub(super) fn token_of(fd: RawFd, id: u64) -> Token {
    Token(id << 32 | u64::from(fd as u32))
}

#[allow(clippy::cast_possible_truncation, reason = "the lower half")]
pub(super) fn index_of(token: Token) -> usize {
    token.0 as u32 as usize
}
