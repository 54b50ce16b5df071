//! `kill` and `throw`, and the end of a paused tasklet that nobody holds any more.

use std::any::Any;
use std::rc::Rc;

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::current;
use crate::fiber::header::FiberRef;
use crate::fiber::identity::Payload;
use crate::fiber::state::State;
use crate::sched::core::pause;
use crate::sched::core::scheduler::here;
use crate::sched::core::unwinding;
use crate::sched::tasklet::throw;
use crate::stackless::error::{TaskletError, TaskletExit};
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// How often a paused tasklet without handles is asked to end before it is left on its stack.
const MOST_KILLS: usize = 10;

/// When the target runs.
#[derive(Copy, Clone, Eq, PartialEq)]
enum When {
    Now,
    InItsTurn,
}

impl Tasklet {
    /// Throws a [`TaskletExit`] at it, and lets it run at once (S-050). A dead, empty or merely
    /// bound tasklet stays as it is.
    ///
    /// Stackless' kill is an edge: it is raised once, and a tasklet that catches it lives on
    /// (S-061). [`Fiber::kill`](crate::Fiber::kill) is the one that cannot be survived.
    ///
    /// # Errors
    ///
    /// As [`throw`](Tasklet::throw).
    ///
    /// # Panics
    ///
    /// Outside of a fiber. On the current tasklet it does not return: it raises at once (S-054).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let paused = stackless::spawn(|| {
    ///         stackless::schedule_remove();
    ///         unreachable!();
    ///     });
    ///     stackless::run();
    ///     paused.kill().unwrap();
    ///     assert!(!paused.is_alive());
    /// });
    /// ```
    #[track_caller]
    pub fn kill(&self) -> Result<(), TaskletError> {
        self.throw_boxed(Box::new(TaskletExit), When::Now)
    }

    /// As [`kill`](Tasklet::kill), but it goes off when it is the tasklet's turn (S-053).
    ///
    /// # Errors
    ///
    /// None at present.
    ///
    /// # Panics
    ///
    /// As [`kill`](Tasklet::kill).
    #[track_caller]
    pub fn kill_pending(&self) -> Result<(), TaskletError> {
        self.throw_boxed(Box::new(TaskletExit), When::InItsTurn)
    }

    /// Unwinds it with `payload`, at once.
    ///
    /// One that is paused or blocked leaves its channel, runs before the caller, and the caller
    /// goes on directly after it (S-051). One that is in the ring is not moved: the ring is rotated
    /// to it, so those behind it run before the caller does (S-052). One that has not started never
    /// calls its function (S-056).
    ///
    /// It is not raised inside a [`shield`](crate::shield), nor while the thread unwinds, nor by a
    /// wait that was given what it waited for: then it is raised at the next wait after that.
    ///
    /// # Errors
    ///
    /// [`TaskletError::DeadThrow`], with the payload, if it is not alive (S-057); and
    /// [`TaskletError::SwitchTrap`], which leaves the target where it is (S-060).
    ///
    /// # Panics
    ///
    /// Outside of a fiber. On the current tasklet it does not return: it raises at once (S-054).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let worker = stackless::spawn(|| {
    ///         let raised = std::panic::catch_unwind(stackless::schedule_remove).unwrap_err();
    ///         assert_eq!(raised.downcast_ref(), Some(&"out of milk"));
    ///     });
    ///     stackless::run();
    ///     worker.throw("out of milk").unwrap();
    /// });
    /// ```
    #[track_caller]
    pub fn throw(&self, payload: impl Any + Send) -> Result<(), TaskletError> {
        self.throw_boxed(Box::new(payload), When::Now)
    }

    /// As [`throw`](Tasklet::throw), but it goes off when it is the tasklet's turn. It leaves its
    /// channel now, and is appended to the ring if it was not in it (S-053).
    ///
    /// # Errors
    ///
    /// [`TaskletError::DeadThrow`], with the payload, if it is not alive (S-057).
    ///
    /// # Panics
    ///
    /// As [`throw`](Tasklet::throw).
    #[track_caller]
    pub fn throw_pending(&self, payload: impl Any + Send) -> Result<(), TaskletError> {
        self.throw_boxed(Box::new(payload), When::InItsTurn)
    }

    #[track_caller]
    fn throw_boxed(&self, payload: Payload, when: When) -> Result<(), TaskletError> {
        let here = here();
        let Some(fiber) = self.alive() else { return self.throw_dead(payload) };
        if fiber.ptr() == here.fiber {
            throw::throw_here(here, payload);
            return Ok(());
        }
        if when == When::InItsTurn {
            drop(here.sched.throw_later(fiber.ptr(), payload));
            return Ok(());
        }
        self.check_trap(here)?;
        state(&here.sched).watchdog.safe_point(here);
        switching::announce(here, || Some(fiber));
        let Some(fiber) = self.alive() else { return self.throw_dead(payload) };
        drop(throw::throw_now(here, fiber.ptr(), payload));
        Ok(())
    }

    fn throw_dead(&self, payload: Payload) -> Result<(), TaskletError> {
        if payload.is::<TaskletExit>() {
            return Ok(());
        }
        Err(TaskletError::dead_throw(payload, self.record().describe()))
    }
}

/// The last handle of a tasklet is dropped. If it is paused nobody can put it back into the ring:
/// it is killed, or, if it has not started, thrown away (S-207, S-209).
pub(crate) fn abandon(record: &Rc<Record>) {
    let (Some(fiber), Some(_)) = (record.fiber(), record.scheduler()) else { return };
    if current::fiber().is_none() || !is_abandoned(record, &fiber) {
        return;
    }
    if fiber.state.get() == State::New {
        return record.empty();
    }
    let here = here();
    let waits = unwinding::can_unwind(&here.sched) && !std::thread::panicking();
    if !waits || switching::is_trapped(here) {
        drop(here.sched.throw_when_possible(fiber.ptr(), Box::new(TaskletExit)));
        return;
    }
    // What is raised in the caller meanwhile is put off: a destructor is no place for it.
    cancel::within(here.fiber, &CancelScope::shield(), || {
        for _ in 0..MOST_KILLS {
            switching::announce(here, || Some(fiber.clone()));
            drop(throw::throw_now(here, fiber.ptr(), Box::new(TaskletExit)));
            if record.fiber().is_none() || !is_abandoned(record, &fiber) {
                return;
            }
        }
    });
}

/// Whether `fiber` is in no queue, and the caller and the fiber itself are the only ones that know
/// its record.
fn is_abandoned(record: &Rc<Record>, fiber: &FiberRef) -> bool {
    pause::is_floating(fiber.ptr())
        && !pause::is_watching(fiber.ptr())
        && Rc::strong_count(record) == 2
}
