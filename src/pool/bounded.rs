//! The pool itself: spawning with a limit, waiting for the end, killing.
//!
//! Invariants:
//! - No more than `size` members run at a time; `places` holds that, this file only asks.
//! - A closure that is not taken goes back to the caller, or the caller waits.

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::pool::error::{SpawnTimeoutError, TrySpawnError};
use crate::pool::places::{Entry, Places, Seat, Taking, join_error};
use crate::sched::api::handle;
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::{
    Here, Interrupt, OnDeadlock, WaitReason, deadline_after, here, spend,
};

/// For calls that cannot fail.
pub(crate) static PLACE: WaitReason =
    WaitReason::new("waiting for a free place in a pool", OnDeadlock::Panic);
/// For calls that return an error.
pub(crate) static PLACE_OR_ERROR: WaitReason =
    WaitReason::new("waiting for a free place in a pool", OnDeadlock::Fail);

/// Runs any number of closures, at most `size` of them at a time. Clones are handles to one pool.
///
/// Who spawns waits while the pool is full, so the pool holds back whoever feeds it. A place is
/// given to those who wait in the order in which they came. Dropping the last handle detaches the
/// members: they run on.
///
/// # Members that use their own pool
///
/// A pool does not deadlock by that. A member that has to wait for its own pool lends its place
/// meanwhile: [`spawn`](Pool::spawn) into a full pool runs the new member in the caller's place and
/// returns when it has ended; [`apply`](Pool::apply) just calls the closure;
/// [`map`](Pool::map) and the iterators give the place back while the caller waits for results.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # fibra::Runtime::builder().virtual_clock().build()?.run(|| {
/// let pool = fibra::pool::Pool::new(2);
/// let start = fibra::now();
/// let squares = pool.map(1..=6, |n| {
///     fibra::sleep(Duration::from_secs(1)); // two at a time
///     n * n
/// });
/// assert_eq!(squares.unwrap(), [1, 4, 9, 16, 25, 36]);
/// assert_eq!(fibra::now() - start, Duration::from_secs(3));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Pool {
    pub(crate) places: Rc<Places>,
    pub(crate) builder: Builder,
}

impl Pool {
    /// A pool with `size` places.
    ///
    /// # Panics
    ///
    /// Panics if `size` is 0: nothing could ever run.
    #[must_use]
    #[track_caller]
    pub fn new(size: usize) -> Pool {
        Pool::with_builder(size, Builder::new())
    }

    /// A pool whose members are all spawned with the name and stack size of `builder`.
    ///
    /// # Panics
    ///
    /// Panics if `size` is 0: nothing could ever run.
    #[must_use]
    #[track_caller]
    pub fn with_builder(size: usize, builder: Builder) -> Pool {
        assert!(size != 0, "a pool of size 0 could never run anything: give it a place");
        Pool { places: Places::new(size), builder }
    }

    /// Starts a member, waiting while the pool is full. It runs when its turn comes.
    ///
    /// Called by a member of a full pool this returns when the new member has ended, for that runs
    /// in the caller's place.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber; if the pool was closed, unless the caller is a member; and with a
    /// report if no place can ever become free.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(10);
    ///     let hello = pool.spawn(|| "hello");
    ///     assert_eq!(hello.join().unwrap(), "hello");
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let here = here();
        self.refuse_closed(here);
        spend(here);
        if let Some(entry) = self.places.try_enter() {
            return self.start(self.places.seat(entry), f);
        }
        match self.places.key_of(here.fiber.id()).filter(|&key| self.places.has_place(key)) {
            Some(lender) => {
                let mut handle = self.start(self.places.seat_lent_by(lender), f);
                // A deadlock is met by whoever joins the handle, if it still is one then.
                let ended = handle.wait();
                if ended.is_ok() && !self.places.has_place(lender) {
                    self.places.step_in(here, lender, &PLACE).unwrap_or_else(|i| i.into_panic());
                }
                handle
            }
            None => match self.places.enter(here, None, &PLACE) {
                Ok(entry) => self.start(self.places.seat(entry), f),
                Err(interrupt) => interrupt.into_panic(),
            },
        }
    }

    /// Starts a member if a place is free, and never waits.
    ///
    /// # Errors
    ///
    /// Gives the closure back if the pool is full, closed or killed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, TrySpawnError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        if !self.is_open_to(here()) {
            return Err(TrySpawnError::Closed(f));
        }
        match self.places.try_enter() {
            Some(entry) => Ok(self.start(self.places.seat(entry), f)),
            None => Err(TrySpawnError::Full(f)),
        }
    }

    /// As [`spawn`](Pool::spawn), but waits no longer than `timeout`. A member lends nothing here:
    /// it waits for a place as any other fiber.
    ///
    /// # Errors
    ///
    /// Gives the closure back if the pool was full all the time, or is closed or killed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn spawn_timeout<F, T>(
        &self,
        timeout: Duration,
        f: F,
    ) -> Result<JoinHandle<T>, SpawnTimeoutError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let here = here();
        self.spawn_by(here, deadline_after(here, timeout), f)
    }

    /// As [`spawn_timeout`](Pool::spawn_timeout), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`spawn_timeout`](Pool::spawn_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn spawn_deadline<F, T>(
        &self,
        deadline: Instant,
        f: F,
    ) -> Result<JoinHandle<T>, SpawnTimeoutError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let here = here();
        self.spawn_by(here, here.sched.micros_at(deadline), f)
    }

    /// Closes the pool and waits until it is empty: nobody runs in it and nobody waits for a place.
    ///
    /// From now on only members may spawn, and those who waited for a place already; so an empty
    /// pool stays empty. The results are with the handles that `spawn` has returned.
    ///
    /// # Errors
    ///
    /// [`JoinError::Itself`] if the caller is a member, [`JoinError::Deadlock`] if the members
    /// will never end.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn join(&self) -> Result<(), JoinError> {
        let here = here();
        if self.places.key_of(here.fiber.id()).is_some() {
            return Err(JoinError::Itself);
        }
        self.places.close();
        self.places.wait_until_idle(here, None).map_err(join_error)
    }

    /// As [`join`](Pool::join), but waits no longer than `timeout`. Returns whether the pool is
    /// empty; it is closed in any case.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        let here = here();
        self.places.close();
        self.places.wait_until_idle(here, Some(deadline_after(here, timeout))).is_ok()
    }

    /// Lets only members spawn from now on: see [`join`](Pool::join).
    pub fn close(&self) {
        self.places.close();
    }

    /// Kills all members and ends the pool: what is spawned into it later, or waits for a place
    /// now, is killed before it runs. Does not wait for the ends.
    ///
    /// A member that calls this unwinds at once.
    pub fn kill(&self) {
        self.places.kill(handle::in_fiber().then(handle::current).as_ref());
    }

    /// How many members may run at a time.
    #[must_use]
    pub fn size(&self) -> usize {
        self.places.size
    }

    /// How many places are free.
    #[must_use]
    pub fn available(&self) -> usize {
        self.places.size - self.places.used()
    }

    /// Panics if the pool was closed to `here`.
    #[track_caller]
    pub(crate) fn refuse_closed(&self, here: Here) {
        assert!(
            self.places.admits(here),
            "the pool was closed by `join` or `close`, after which only members may use it; \
             `try_spawn` returns an error instead"
        );
    }

    fn is_open_to(&self, here: Here) -> bool {
        self.places.taking.get() != Taking::Killed && self.places.admits(here)
    }

    #[track_caller]
    fn spawn_by<F, T>(
        &self,
        here: Here,
        at: u64,
        f: F,
    ) -> Result<JoinHandle<T>, SpawnTimeoutError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        spend(here);
        if !self.is_open_to(here) {
            return Err(SpawnTimeoutError::Closed(f));
        }
        match self.places.enter(here, Some(at), &PLACE_OR_ERROR) {
            Ok(Entry::Place) => Ok(self.start(self.places.seat(Entry::Place), f)),
            Ok(Entry::TooLate) => Err(SpawnTimeoutError::Closed(f)),
            Err(Interrupt::Killed) => Err(SpawnTimeoutError::Killed(f)),
            Err(Interrupt::Deadlock(report)) => Err(SpawnTimeoutError::Deadlock(f, report)),
            Err(Interrupt::TimedOut) => Err(SpawnTimeoutError::Timeout(f)),
        }
    }

    #[track_caller]
    pub(super) fn start<F, T>(&self, seat: Seat<'_>, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let handle = self.builder.clone().spawn(f);
        seat.occupy(handle.fiber());
        handle
    }

    /// How many members run, or are about to.
    #[cfg(feature = "net")]
    pub(crate) fn members(&self) -> usize {
        self.places.members()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size())
            .field("available", &self.available())
            .field("taking", &self.places.taking.get())
            .finish_non_exhaustive()
    }
}
