//! The pool itself: spawning with a limit.
//!
//! Invariants:
//! - At most `size` members run at a time; `permits` ensures that, this file only asks.
//! - A closure that the pool does not accept is returned to the caller, or the caller waits.

mod ending;

use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::pool::error::{SpawnTimeoutError, TrySpawnError};
use crate::pool::permits::{Acquired, Permits, Reservation, Taking};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;
use crate::sched::lowlevel::{
    CurrentFiber, Interrupt, Limit, OnDeadlock, WaitReason, current_fiber, spend,
};

/// The reason of waits that cannot return an error.
pub(crate) static PERMIT: WaitReason =
    WaitReason::new("waiting for a permit of a pool", OnDeadlock::Panic);
/// The reason of waits that return an error.
pub(crate) static PERMIT_OR_ERROR: WaitReason =
    WaitReason::new("waiting for a permit of a pool", OnDeadlock::Fail);

/// A pool that runs any number of closures, up to `size` of them at a time. Clones are handles to
/// the same pool.
///
/// A spawn waits while the pool is full: the pool slows down the code that feeds it. Permits go to
/// waiting fibers in the order in which they came. Dropping the last handle detaches the members,
/// which run on.
///
/// # Members that use their own pool
///
/// This does not deadlock. A member that has to wait for its own pool lends its permit for that
/// time: [`spawn`](Pool::spawn) into a full pool runs the new member under the caller's permit and
/// returns when the new member has ended; [`apply`](Pool::apply) only calls the closure;
/// [`map`](Pool::map) and the iterators release the permit while the caller waits for results.
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
    pub(crate) permits: Rc<Permits>,
    pub(crate) builder: Builder,
}

impl Pool {
    /// Creates a pool with `size` permits.
    ///
    /// # Panics
    ///
    /// Panics if `size` is 0, because nothing could ever run.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::new(2); // two at a time
    ///     let squares = pool.map(1..=4, |n| n * n);
    ///     assert_eq!(squares.unwrap(), [1, 4, 9, 16]);
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new(size: usize) -> Pool {
        Pool::with_builder(size, Builder::new())
    }

    /// Creates a pool that spawns its members with the name and stack size of `builder`.
    ///
    /// # Panics
    ///
    /// Panics if `size` is 0, because nothing could ever run.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::Builder;
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::with_builder(4, Builder::new().name("resizer").stack_size(1 << 20));
    ///     let member = pool.spawn(|| fibra::current().name());
    ///     assert_eq!(member.join().unwrap().as_deref(), Some("resizer"));
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with_builder(size: usize, builder: Builder) -> Pool {
        assert!(size != 0, "a pool of size 0 could never run anything: make it at least 1");
        Pool { permits: Permits::new(size), builder }
    }

    /// Starts a member, waiting while the pool is full. The member runs when its turn comes.
    ///
    /// If a member of a full pool calls this, it returns when the new member has ended, because the
    /// new member runs under the caller's permit.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber; if the pool was closed, unless the caller is a member; and with a
    /// report if no permit can ever become free.
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
        let current = current_fiber();
        self.refuse_closed(current);
        spend(current);
        if let Some(acquired) = self.permits.try_acquire() {
            return self.start(self.permits.reserve(acquired), f);
        }
        match self.permits.key_of(current.fiber.id()).filter(|&key| self.permits.has_permit(key)) {
            Some(lender) => {
                let mut handle = self.start(self.permits.reserve_lent_by(lender), f);
                // If this is a deadlock, joining the handle reports it, if it still is one then.
                let ended = handle.wait();
                if ended.is_ok() && !self.permits.has_permit(lender) {
                    self.permits
                        .reacquire(current, lender, &PERMIT)
                        .unwrap_or_else(|i| i.into_panic());
                }
                handle
            }
            None => match self.permits.acquire(current, None, &PERMIT) {
                Ok(acquired) => self.start(self.permits.reserve(acquired), f),
                Err(interrupt) => interrupt.into_panic(),
            },
        }
    }

    /// Starts a member if a permit is free, and never waits.
    ///
    /// # Errors
    ///
    /// Returns the closure if the pool is full, closed or killed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(1);
    ///     let first = pool.try_spawn(|| 1).unwrap();
    ///     assert!(pool.try_spawn(|| 2).unwrap_err().is_full());
    ///     assert_eq!(first.join().unwrap(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn try_spawn<F, T>(&self, f: F) -> Result<JoinHandle<T>, TrySpawnError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        if !self.is_open_to(current_fiber()) {
            return Err(TrySpawnError::Closed(f));
        }
        match self.permits.try_acquire() {
            Some(acquired) => Ok(self.start(self.permits.reserve(acquired), f)),
            None => Err(TrySpawnError::Full(f)),
        }
    }

    /// Like [`spawn`](Pool::spawn), but waits no longer than `timeout`. A member does not lend its
    /// permit here: it waits for one like any other fiber.
    ///
    /// # Errors
    ///
    /// Returns the closure if no permit became free in time, or the pool is closed or killed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::new(1);
    ///     let busy = pool.spawn(fibra::park);
    ///     let late = pool.spawn_timeout(Duration::from_millis(1), || "never runs");
    ///     assert!(late.unwrap_err().is_timeout());
    ///     busy.kill();
    /// });
    /// ```
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
        self.spawn_within(Limit::After(timeout), f)
    }

    /// Spawns like [`spawn_timeout`](Pool::spawn_timeout), but waits no longer than until
    /// `deadline`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`spawn_timeout`](Pool::spawn_timeout).
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
        self.spawn_within(Limit::At(deadline), f)
    }

    /// Returns the number of members that may run at a time.
    #[must_use]
    pub fn size(&self) -> usize {
        self.permits.size
    }

    /// Returns the number of free permits.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::new(3);
    ///     let member = pool.spawn(fibra::yield_now);
    ///     assert_eq!(pool.available(), 2);
    ///     member.join().unwrap();
    ///     assert_eq!(pool.available(), 3);
    /// });
    /// ```
    #[must_use]
    pub fn available(&self) -> usize {
        self.permits.size - self.permits.used()
    }

    /// Panics if the pool does not accept what the current fiber spawns.
    #[track_caller]
    pub(crate) fn refuse_closed(&self, current: CurrentFiber) {
        assert!(
            self.permits.admits(current),
            "the pool was closed by `join` or `close`, after which only members may use it; \
             `try_spawn` returns an error instead"
        );
    }

    fn is_open_to(&self, current: CurrentFiber) -> bool {
        self.permits.taking.get() != Taking::Killed && self.permits.admits(current)
    }

    #[track_caller]
    fn spawn_within<F, T>(&self, limit: Limit, f: F) -> Result<JoinHandle<T>, SpawnTimeoutError<F>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let current = current_fiber();
        let by = limit.micros(current);
        spend(current);
        if !self.is_open_to(current) {
            return Err(SpawnTimeoutError::Closed(f));
        }
        match self.permits.acquire(current, by, &PERMIT_OR_ERROR) {
            Ok(Acquired::Permit) => Ok(self.start(self.permits.reserve(Acquired::Permit), f)),
            Ok(Acquired::Killed) => Err(SpawnTimeoutError::Closed(f)),
            Err(Interrupt::Killed) => Err(SpawnTimeoutError::Killed(f)),
            Err(Interrupt::Deadlock(report)) => Err(SpawnTimeoutError::Deadlock(f, report)),
            Err(Interrupt::TimedOut) => Err(SpawnTimeoutError::Timeout(f)),
        }
    }

    #[track_caller]
    pub(super) fn start<F, T>(&self, reservation: Reservation<'_>, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let handle = self.builder.clone().spawn(f);
        reservation.assign(handle.fiber());
        handle
    }

    /// Returns the number of members that run, or are about to.
    #[cfg(feature = "net")]
    pub(crate) fn members(&self) -> usize {
        self.permits.members()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("size", &self.size())
            .field("available", &self.available())
            .field("taking", &self.permits.taking.get())
            .finish_non_exhaustive()
    }
}
