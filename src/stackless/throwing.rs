//! The operations `kill` and `throw`, and the end of a paused tasklet that has lost its last
//! handle.

use std::any::Any;
use std::rc::Rc;

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::current;
use crate::fiber::header::FiberRef;
use crate::fiber::identity::Payload;
use crate::fiber::state::State;
use crate::sched::core::pause;
use crate::sched::core::scheduler::current_fiber;
use crate::sched::core::unwinding;
use crate::sched::tasklet::throw;
use crate::stackless::error::{TaskletError, TaskletExit};
use crate::stackless::record::Record;
use crate::stackless::state::state;
use crate::stackless::switching;
use crate::stackless::tasklet::Tasklet;

/// The number of kills after which a paused tasklet without handles is left on its stack.
const MOST_KILLS: usize = 10;

/// The time at which the target runs.
#[derive(Copy, Clone, Eq, PartialEq)]
enum When {
    Now,
    InItsTurn,
}

impl Tasklet {
    /// Throws a [`TaskletExit`] into the tasklet, and runs it immediately. Does nothing to a dead,
    /// empty or merely bound tasklet.
    ///
    /// The kill of Stackless is raised once, and a tasklet that catches it lives on.
    /// [`Fiber::kill`](crate::Fiber::kill) is the kill that cannot be survived.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`throw`](Tasklet::throw).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber. If the tasklet is the current one, the call does not return: it
    /// raises immediately.
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

    /// Throws like [`kill`](Tasklet::kill), but the tasklet raises it when it is its turn in the
    /// run ring.
    ///
    /// # Errors
    ///
    /// Returns no error at present.
    ///
    /// # Panics
    ///
    /// Panics like [`kill`](Tasklet::kill).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| drop(stackless::schedule_remove()));
    ///     stackless::run();
    ///     tasklet.kill_pending().unwrap();
    ///     assert!(tasklet.is_alive()); // it ends when it is its turn
    ///     stackless::run();
    ///     assert!(!tasklet.is_alive());
    /// });
    /// ```
    #[track_caller]
    pub fn kill_pending(&self) -> Result<(), TaskletError> {
        self.throw_boxed(Box::new(TaskletExit), When::InItsTurn)
    }

    /// Unwinds the tasklet with `payload`, immediately.
    ///
    /// A tasklet that is paused or blocked leaves its channel and runs before the caller, which
    /// continues directly after it. A tasklet that is in the run ring is not moved: the ring is
    /// rotated to it, so the tasklets behind it run before the caller does. A tasklet that has not
    /// started never calls its function.
    ///
    /// The payload is not raised inside a [`shield`](crate::shield), nor while the thread unwinds,
    /// nor by a wait that was given what it waited for: then it is raised at the next wait after
    /// that.
    ///
    /// # Errors
    ///
    /// Returns [`TaskletError::DeadThrow`], with the payload, if the tasklet is not alive; and
    /// [`TaskletError::SwitchTrap`], which leaves the target where it is.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber. If the tasklet is the current one, the call does not return: it
    /// raises immediately.
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

    /// Throws like [`throw`](Tasklet::throw), but the tasklet raises the payload when it is its
    /// turn in the run ring. It leaves its channel now, and is appended to the run ring if it was
    /// not in it.
    ///
    /// # Errors
    ///
    /// Returns [`TaskletError::DeadThrow`], with the payload, if the tasklet is not alive.
    ///
    /// # Panics
    ///
    /// Panics like [`throw`](Tasklet::throw).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::stackless;
    ///
    /// fibra::run(|| {
    ///     let tasklet = stackless::spawn(|| {
    ///         let error = stackless::caught(stackless::schedule_remove).unwrap_err();
    ///         assert!(error.is::<&str>());
    ///     });
    ///     stackless::run();
    ///     tasklet.throw_pending("out of milk").unwrap();
    ///     stackless::run(); // it raises here
    /// });
    /// ```
    #[track_caller]
    pub fn throw_pending(&self, payload: impl Any + Send) -> Result<(), TaskletError> {
        self.throw_boxed(Box::new(payload), When::InItsTurn)
    }

    #[track_caller]
    fn throw_boxed(&self, payload: Payload, when: When) -> Result<(), TaskletError> {
        let current = current_fiber();
        let Some(fiber) = self.alive() else { return self.throw_dead(payload) };
        if fiber.ptr() == current.fiber {
            throw::throw_here(current, payload);
            return Ok(());
        }
        if when == When::InItsTurn {
            drop(current.sched.throw_later(fiber.ptr(), payload));
            return Ok(());
        }
        self.check_trap(current)?;
        state(&current.sched).time_slice.safe_point(current);
        switching::announce(current, || Some(fiber));
        let Some(fiber) = self.alive() else { return self.throw_dead(payload) };
        drop(throw::throw_now(current, fiber.ptr(), payload));
        Ok(())
    }

    fn throw_dead(&self, payload: Payload) -> Result<(), TaskletError> {
        if payload.is::<TaskletExit>() {
            return Ok(());
        }
        Err(TaskletError::dead_throw(payload, self.record().describe()))
    }
}

/// Handles the drop of the last handle of a tasklet. If the tasklet is paused, nothing can put it
/// back into the run ring: it is killed, or discarded if it has not started.
pub(crate) fn abandon(record: &Rc<Record>) {
    let (Some(fiber), Some(_)) = (record.fiber(), record.scheduler()) else { return };
    if current::fiber().is_none() || !is_abandoned(record, &fiber) {
        return;
    }
    if fiber.state.get() == State::New {
        return record.empty();
    }
    let current = current_fiber();
    let waits = unwinding::can_unwind(&current.sched) && !std::thread::panicking();
    if !waits || switching::is_trapped(current) {
        drop(current.sched.throw_when_possible(fiber.ptr(), Box::new(TaskletExit)));
        return;
    }
    // A destructor should not unwind, so what is raised in the caller meanwhile is put off.
    cancel::within(current.fiber, &CancelScope::shield(), || {
        for _ in 0..MOST_KILLS {
            switching::announce(current, || Some(fiber.clone()));
            drop(throw::throw_now(current, fiber.ptr(), Box::new(TaskletExit)));
            if record.fiber().is_none() || !is_abandoned(record, &fiber) {
                return;
            }
        }
    });
}

/// Returns whether `fiber` is in no queue, and only the caller and the fiber itself refer to its
/// record.
fn is_abandoned(record: &Rc<Record>, fiber: &FiberRef) -> bool {
    pause::is_floating(fiber.ptr())
        && !pause::is_watching(fiber.ptr())
        && Rc::strong_count(record) == 2
}
