//! `insert`, `remove`, `run` and `switch`.
//!
//! Invariant: the checks come first, then the trap, then the callback, then the checks once more if
//! there is a callback (it may have changed everything), then the deed.

use crate::fiber::header::FiberRef;
use crate::sched::core::park;
use crate::sched::core::scheduler::{Here, here};
use crate::sched::tasklet::rotate;
use crate::stackless::error::TaskletError;
use crate::stackless::record::Tempval;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::{Tasklet, is_blocked};

impl Tasklet {
    /// Puts it, which is paused, at the end of the ring (S-032). One that is in it stays where it
    /// is.
    ///
    /// # Errors
    ///
    /// Refused for a blocked tasklet, for one whose `run` is over, and for one that is dead, empty
    /// or only bound, in this order (S-033).
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

    /// Takes it out of the ring: it is paused (S-035). One that is paused or dead stays so.
    ///
    /// # Errors
    ///
    /// Refused for a blocked tasklet and for the current one (S-036).
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

    /// Runs it now. The ring is rotated to it if it is there, so those behind it run before the
    /// caller does; a paused one is put before the caller, which goes on directly after it (S-037,
    /// S-038). Running the current one does nothing.
    ///
    /// Returns the caller's own tempval, which somebody may have left meanwhile (S-039).
    ///
    /// # Errors
    ///
    /// As [`insert`](Tasklet::insert), and [`TaskletError::SwitchTrap`].
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with what is thrown at the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let [_a, b, _c] = ["A", "B", "C"].map(|name| stackless::spawn(move || println!("{name}")));
    ///     b.run().unwrap(); // prints B, then C
    ///     println!("main");
    ///     stackless::schedule(); // prints A
    /// });
    /// ```
    #[track_caller]
    pub fn run(&self) -> Result<Tempval, TaskletError> {
        let here = here();
        if let Some(target) = self.before_switch(here)? {
            rotate::let_run(here, target.ptr());
            state(&here.sched).watchdog.soft_point(here);
            park::give_way(here);
        }
        Ok(Tasklet::current(here).take_tempval())
    }

    /// As [`run`](Tasklet::run), but the caller leaves the ring first: it is paused until somebody
    /// puts it back (S-042).
    ///
    /// # Errors
    ///
    /// As [`run`](Tasklet::run).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, with what is thrown at the caller, and with the text of a
    /// deadlock if nothing can ever run again.
    #[track_caller]
    pub fn switch(&self) -> Result<Tempval, TaskletError> {
        let here = here();
        if let Some(target) = self.before_switch(here)? {
            switching::leave_ring(here, || here.sched.bring_to_front(target.ptr()));
        }
        Ok(Tasklet::current(here).take_tempval())
    }

    /// The fiber to switch to, or none if it is the running one.
    fn before_switch(&self, here: Here) -> Result<Option<FiberRef>, TaskletError> {
        let target = self.runnable()?;
        if target.ptr() == here.fiber {
            return Ok(None);
        }
        self.check_trap(here)?;
        let state = state(&here.sched);
        state.watchdog.safe_point(here);
        switching::announce(here, || self.runnable().ok());
        self.runnable().map(Some)
    }

    pub(crate) fn check_trap(&self, here: Here) -> Result<(), TaskletError> {
        if switching::is_trapped(here) {
            return Err(TaskletError::SwitchTrap(self.record().describe()));
        }
        Ok(())
    }

    /// Its fiber, if it can be put into the ring, or is in it.
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
