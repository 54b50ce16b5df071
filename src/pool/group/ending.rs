//! The end of a group: waiting until no member runs, closing it, killing its members.

use std::time::{Duration, Instant};

use crate::fiber::exit::JoinError;
use crate::pool::error::JoinTimeoutError;
use crate::pool::group::Group;
use crate::pool::permits::{Taking, join_error, kill_all};
use crate::sched::api::handle;
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitReason, current_fiber, spend};

static ALL: WaitReason =
    WaitReason::new("waiting for the members of a group to end", OnDeadlock::Fail);

impl<T> Group<T> {
    /// Closes the group and waits until no member runs.
    ///
    /// From now on only members may spawn, so an empty group stays empty. The outcomes can still be
    /// read.
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
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     group.spawn(fibra::yield_now);
    ///     group.join().unwrap(); // all members have ended
    ///     assert_eq!(group.next(), Some(Ok(())));
    /// });
    /// ```
    #[track_caller]
    pub fn join(&self) -> Result<(), JoinError> {
        let current = current_fiber();
        if self.is_member() {
            return Err(JoinError::Itself);
        }
        self.close();
        spend(current);
        self.shared.completions.wait_until_idle(current, None, &ALL).map_err(join_error)
    }

    /// Joins the members like [`join`](Group::join), but waits no longer than `timeout`. The group
    /// is closed in any case.
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
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     group.spawn(fibra::park);
    ///     assert!(group.join_timeout(Duration::from_millis(1)).is_err());
    ///     group.kill_all();
    ///     group.join().unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn join_timeout(&self, timeout: Duration) -> Result<(), JoinTimeoutError> {
        self.join_within(Limit::After(timeout))
    }

    /// Like [`join_timeout`](Group::join_timeout), but waits no longer than until `deadline`, by
    /// the clock of the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Like [`join_timeout`](Group::join_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn join_deadline(&self, deadline: Instant) -> Result<(), JoinTimeoutError> {
        self.join_within(Limit::At(deadline))
    }

    #[track_caller]
    fn join_within(&self, limit: Limit) -> Result<(), JoinTimeoutError> {
        let current = current_fiber();
        let by = limit.micros(current);
        self.close();
        spend(current);
        self.shared.completions.wait_until_idle(current, by, &ALL).map_err(JoinTimeoutError::new)
    }

    /// Accepts only what members spawn from now on: see [`join`](Group::join).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::pool::Group;
    ///
    /// fibra::run(|| {
    ///     let group = Group::new();
    ///     let again = group.clone();
    ///     group.spawn(move || {
    ///         again.spawn(|| "from a member"); // members may still add
    ///         "from outside"
    ///     });
    ///     group.close();
    ///     assert_eq!(group.iter().count(), 2);
    /// });
    /// ```
    pub fn close(&self) {
        if self.shared.taking.get() == Taking::Open {
            self.shared.taking.set(Taking::Closed);
        }
    }

    /// Kills all members; each member that is added later is killed before it runs. Does not wait
    /// for the members to end.
    ///
    /// A member that calls this unwinds immediately.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let group = fibra::pool::Group::new();
    ///     group.spawn(fibra::park);
    ///     fibra::yield_now();
    ///     group.kill_all();
    ///     assert!(group.next().unwrap().unwrap_err().is_killed());
    /// });
    /// ```
    pub fn kill_all(&self) {
        self.shared.taking.set(Taking::Killed);
        let fibers = self.shared.members.each(|_, member| member.fiber().clone());
        kill_all(fibers, handle::in_fiber().then(handle::current).as_ref());
    }
}
