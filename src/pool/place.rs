//! Places of a pool that are taken before it is known what for.
//!
//! Invariant: a [`Place`] is given back, or a member runs in it.

use std::fmt;
#[cfg(feature = "net")]
use std::io;

#[cfg(feature = "net")]
use crate::pool::bounded::PLACE_OR_ERROR;
use crate::pool::bounded::{PLACE, Pool};
use crate::pool::places::Seat;
use crate::sched::api::join::JoinHandle;
#[cfg(feature = "net")]
use crate::sched::lowlevel::interrupted;
use crate::sched::lowlevel::{Interrupt, WaitReason, here, spend};

impl Pool {
    /// Waits for a place, and keeps it free for a member that is started later.
    ///
    /// For code that must not take on work before it can be done: a server that accepts a connection only
    /// when there is room for it. A member waits for a place as any other fiber, and lends nothing.
    ///
    /// # Panics
    ///
    /// As [`spawn`](Pool::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(1);
    ///     let place = pool.reserve();
    ///     assert_eq!(pool.available(), 0);
    ///     assert_eq!(place.spawn(|| "late").join().unwrap(), "late");
    ///     drop(pool.reserve()); // gives it back
    ///     assert_eq!(pool.available(), 1);
    /// });
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Place<'_> {
        self.reserve_because(&PLACE).unwrap_or_else(|interrupt| interrupt.into_panic())
    }

    /// As [`reserve`](Pool::reserve), with an error if the caller is killed and nothing can unwind.
    #[cfg(feature = "net")]
    #[track_caller]
    pub(crate) fn reserve_unless_killed(&self) -> io::Result<Place<'_>> {
        match self.reserve_because(&PLACE_OR_ERROR) {
            Err(deadlock @ Interrupt::Deadlock(_)) => deadlock.into_panic(),
            result => result.map_err(|interrupt| interrupted(interrupt, &PLACE_OR_ERROR)),
        }
    }

    #[track_caller]
    fn reserve_because(&self, reason: &'static WaitReason) -> Result<Place<'_>, Interrupt> {
        let here = here();
        self.refuse_closed(here);
        spend(here);
        let entry = self.places.enter(here, None, reason)?;
        Ok(Place { pool: self, seat: self.places.seat(entry) })
    }
}

/// A place in a [`Pool`] that is kept free, made by [`Pool::reserve`]. Dropping it gives it back.
#[must_use = "the place is given back when this is dropped"]
pub struct Place<'a> {
    pool: &'a Pool,
    seat: Seat<'a>,
}

impl Place<'_> {
    /// Starts a member in this place. It runs when its turn comes.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        self.pool.start(self.seat, f)
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("pool", self.pool).finish()
    }
}
