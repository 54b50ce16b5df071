//! The operations `insert`, `remove`, `run` and `switch` of a tasklet.
//!
//! Invariant: the order is checks, trap, callback, the checks once more if there is a callback (it
//! may have changed everything), operation.

use crate::fiber::header::FiberRef;
use crate::sched::core::park;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};
use crate::sched::tasklet::rotate;
use crate::stackless::error::TaskletError;
use crate::stackless::record::Tempval;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::{Tasklet, is_blocked};

impl Tasklet {
    /// Puts the tasklet, which is paused, at the end of the run ring. A tasklet that is in the ring
    /// keeps its place.
    ///
    /// # Errors
    ///
    /// Returns an error for a blocked tasklet, for one whose `run` is over, and for one that is
    /// dead, empty or only bound, in this order.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let paused = stackless::tasklet(|()| println!("at last")).bind(());
    ///     stackless::run(); // nothing to do
    ///     paused.insert().unwrap();
    ///     stackless::run();
    /// });
    /// ```
    pub fn insert(&self) -> Result<(), TaskletError> {
        self.runnable()?;
        self.append();
        Ok(())
    }

    /// Removes the tasklet from the run ring: it is paused. A tasklet that is paused or dead stays
    /// so.
    ///
    /// # Errors
    ///
    /// Returns an error for a blocked tasklet and for the current one.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| ());
    ///     tasklet.remove().unwrap();
    ///     stackless::run();
    ///     assert!(tasklet.is_paused()); // it has not run
    /// });
    /// ```
    pub fn remove(&self) -> Result<(), TaskletError> {
        let Some(fiber) = self.alive() else { return Ok(()) };
        if is_blocked(&fiber) {
            return Err(TaskletError::CannotRemoveBlocked(self.record().describe()));
        }
        if self.is_current() {
            return Err(TaskletError::CannotRemoveCurrent(self.record().describe()));
        }
        if let Some(sched) = self.record().scheduler() {
            sched.pause(fiber.ptr());
        }
        Ok(())
    }

    /// Runs the tasklet now. If it is in the run ring, the ring is rotated to it, so the tasklets
    /// behind it run before the caller does. If it is paused, it is inserted before the caller,
    /// which continues directly after it. Running the current tasklet does nothing.
    ///
    /// Returns the caller's own tempval, which another tasklet may have set meanwhile.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`insert`](Tasklet::insert), and [`TaskletError::SwitchTrap`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with the payload that is thrown into the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let print = |name| stackless::spawn(move || println!("{name}"));
    ///     let [_a, b, _c] = ["A", "B", "C"].map(print);
    ///     b.run().unwrap(); // prints B, then C
    ///     println!("main");
    ///     stackless::schedule(); // prints A
    /// });
    /// ```
    #[track_caller]
    pub fn run(&self) -> Result<Tempval, TaskletError> {
        let current = current_fiber();
        if let Some(target) = self.before_switch(current)? {
            rotate::let_run(current, target.ptr());
            state(&current.sched).time_slice.soft_point(current);
            park::give_way(current);
        }
        Ok(Tasklet::current(current).take_tempval())
    }

    /// Runs the tasklet like [`run`](Tasklet::run), but the caller leaves the run ring first: it is
    /// paused until it is put back.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`run`](Tasklet::run).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, with the payload that is thrown into the caller, and with the
    /// report of a deadlock if nothing can ever run again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let main = stackless::getcurrent();
    ///     let other = stackless::spawn(move || {
    ///         assert!(main.is_paused());
    ///         main.insert().unwrap();
    ///     });
    ///     other.switch().unwrap(); // continues when `other` has inserted main again
    /// });
    /// ```
    #[track_caller]
    pub fn switch(&self) -> Result<Tempval, TaskletError> {
        let current = current_fiber();
        if let Some(target) = self.before_switch(current)? {
            switching::leave_ring(current, || current.sched.bring_to_front(target.ptr()));
        }
        Ok(Tasklet::current(current).take_tempval())
    }

    /// Returns the fiber to switch to, or `None` if it is the current one.
    fn before_switch(&self, current: CurrentFiber) -> Result<Option<FiberRef>, TaskletError> {
        let target = self.runnable()?;
        if target.ptr() == current.fiber {
            return Ok(None);
        }
        self.check_trap(current)?;
        let state = state(&current.sched);
        state.time_slice.safe_point(current);
        switching::announce(current, || self.runnable().ok());
        self.runnable().map(Some)
    }

    pub(crate) fn check_trap(&self, current: CurrentFiber) -> Result<(), TaskletError> {
        if switching::is_trapped(current) {
            return Err(TaskletError::SwitchTrap(self.record().describe()));
        }
        Ok(())
    }

    /// Returns the tasklet's fiber, if it is in the run ring or can be put there.
    fn runnable(&self) -> Result<FiberRef, TaskletError> {
        let who = || self.record().describe();
        match self.alive() {
            Some(fiber) if is_blocked(&fiber) => Err(TaskletError::Blocked(who())),
            Some(fiber) => Ok(fiber),
            None if self.record().scheduler().is_none() => Err(TaskletError::NoThread(who())),
            None => Err(TaskletError::Dead(who())),
        }
    }
}
