//! The end of a pool: waiting until it is empty, closing it, killing its members.

use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::pool::bounded::Pool;
use crate::pool::error::JoinTimeoutError;
use crate::pool::permits::join_error;
use crate::sched::api::handle;
use crate::sched::lowlevel::{Limit, current_fiber, spend};

impl Pool {
    /// Closes the pool and waits until it is empty: no member runs and no fiber waits for a permit.
    ///
    /// From now on only members may spawn, and fibers that already wait for a permit. So an empty
    /// pool stays empty. The results remain with the handles that `spawn` has returned.
    ///
    /// # Errors
    ///
    /// [`JoinError::Itself`] if the caller is a member, [`JoinError::Deadlock`] if the members
    /// will never end.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(2);
    ///     let first = pool.spawn(|| "done");
    ///     pool.join().unwrap(); // no member runs any more
    ///     assert!(first.is_finished());
    ///     assert!(pool.try_spawn(|| ()).unwrap_err().is_closed());
    /// });
    /// ```
    #[track_caller]
    pub fn join(&self) -> Result<(), JoinError> {
        let current = current_fiber();
        if self.permits.key_of(current.fiber.id()).is_some() {
            return Err(JoinError::Itself);
        }
        self.permits.close();
        spend(current);
        self.permits.wait_until_idle(current, None).map_err(join_error)
    }

    /// Joins the members like [`join`](Pool::join), but waits no longer than `timeout`. The pool is
    /// closed in any case.
    ///
    /// # Errors
    ///
    /// Returns [`JoinTimeoutError::Timeout`] if members still run when the time is over: always if
    /// the caller is one of them. Returns [`JoinTimeoutError::Deadlock`] if the members will never
    /// end, and the time limit is too far away for the clock to show.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let pool = fibra::pool::Pool::new(2);
    ///     let stuck = pool.spawn(fibra::park);
    ///     assert!(pool.join_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
    ///     stuck.kill();
    ///     assert!(pool.join_timeout(Duration::from_secs(60)).is_ok());
    /// });
    /// ```
    #[track_caller]
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinTimeoutError> {
        self.join_within(Limit::After(timeout))
    }

    /// Like [`join_timeout`](Pool::join_timeout), but waits no longer than until `deadline`, by the
    /// clock of the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Like [`join_timeout`](Pool::join_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn join_deadline(&self, deadline: Instant) -> Result<(), JoinTimeoutError> {
        self.join_within(Limit::At(deadline))
    }

    /// Accepts only what members spawn from now on: see [`join`](Pool::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::new(2);
    ///     let member = pool.spawn(|| "runs to its end");
    ///     pool.close();
    ///     assert!(pool.try_spawn(|| "refused").unwrap_err().is_closed());
    ///     assert_eq!(member.join().unwrap(), "runs to its end");
    /// });
    /// ```
    pub fn close(&self) {
        self.permits.close();
    }

    /// Kills all members and ends the pool: a member that is spawned later, or waits for a permit
    /// now, is killed before it runs. Does not wait for the members to end.
    ///
    /// A member that calls this unwinds immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Pool;
    ///
    /// fibra::run(|| {
    ///     let pool = Pool::new(1);
    ///     let member = pool.spawn(fibra::park);
    ///     fibra::yield_now();
    ///     pool.kill();
    ///     assert!(member.join().unwrap_err().is_killed());
    /// });
    /// ```
    pub fn kill(&self) {
        self.permits.kill(handle::in_fiber().then(handle::current).as_ref());
    }

    #[track_caller]
    fn join_within(&self, limit: Limit) -> Result<(), JoinTimeoutError> {
        let current = current_fiber();
        let by = limit.micros(current);
        self.permits.close();
        spend(current);
        self.permits.wait_until_idle(current, by).map_err(JoinTimeoutError::new)
    }
}
