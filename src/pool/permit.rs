//! Permits of a pool that are acquired before it is known what runs under them.
//!
//! Invariant: a [`Permit`] is released, or a member runs under it.

use std::fmt;
#[cfg(feature = "net")]
use std::io;

#[cfg(feature = "net")]
use crate::pool::bounded::PERMIT_OR_ERROR;
use crate::pool::bounded::{PERMIT, Pool};
use crate::pool::permits::Reservation;
use crate::sched::api::join::JoinHandle;
#[cfg(feature = "net")]
use crate::sched::api::scope::Scope;
#[cfg(feature = "net")]
use crate::sched::lowlevel::interrupted;
use crate::sched::lowlevel::{Interrupt, WaitReason, current_fiber, spend};

impl Pool {
    /// Waits for a permit and reserves it for a member that is started later.
    ///
    /// Use it in code that must not accept work before it can be done: a server that accepts a
    /// connection only when it has room for one. A member waits for this permit like any other
    /// fiber, and does not lend its own.
    ///
    /// # Panics
    ///
    /// Like [`spawn`](Pool::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(1);
    ///     let permit = pool.reserve();
    ///     assert_eq!(pool.available(), 0);
    ///     assert_eq!(permit.spawn(|| "late").join().unwrap(), "late");
    ///     drop(pool.reserve()); // releases the permit
    ///     assert_eq!(pool.available(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Permit<'_> {
        self.reserve_because(&PERMIT).unwrap_or_else(|interrupt| interrupt.into_panic())
    }

    /// Like [`reserve`](Pool::reserve), but returns an error if the caller is killed and cannot
    /// unwind.
    #[cfg(feature = "net")]
    #[track_caller]
    pub(crate) fn reserve_unless_killed(&self) -> io::Result<Permit<'_>> {
        match self.reserve_because(&PERMIT_OR_ERROR) {
            Err(deadlock @ Interrupt::Deadlock(_)) => deadlock.into_panic(),
            result => result.map_err(|interrupt| interrupted(interrupt, &PERMIT_OR_ERROR)),
        }
    }

    #[track_caller]
    fn reserve_because(&self, reason: &'static WaitReason) -> Result<Permit<'_>, Interrupt> {
        let current = current_fiber();
        self.refuse_closed(current);
        spend(current);
        let acquired = self.permits.acquire(current, None, reason)?;
        Ok(Permit { pool: self, reservation: self.permits.reserve(acquired) })
    }
}

/// A reserved permit of a [`Pool`], created by [`Pool::reserve`]. Dropping it releases the permit.
#[must_use = "the permit is released when this is dropped"]
pub struct Permit<'a> {
    pool: &'a Pool,
    reservation: Reservation<'a>,
}

impl Permit<'_> {
    /// Starts a member under this permit. The member runs when its turn comes.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::new(1);
    ///     let permit = pool.reserve(); // waits for room first
    ///     let work = String::from("made only when it can start");
    ///     assert_eq!(permit.spawn(move || work.len()).join(), Ok(27));
    /// });
    /// ```
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        self.pool.start(self.reservation, f)
    }

    /// Starts a member like [`spawn`](Permit::spawn), as a fiber of `scope`.
    #[cfg(feature = "net")]
    #[track_caller]
    pub(crate) fn spawn_in<'scope, F>(self, scope: &'scope Scope<'scope, '_>, f: F)
    where
        F: FnOnce() + 'scope,
    {
        let fiber = scope.spawn_with(self.pool.builder.clone(), f);
        self.reservation.assign(fiber.fiber());
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("pool", self.pool).finish()
    }
}
