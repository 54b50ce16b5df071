//! The cell into which a fiber's output goes at its end, for what waits for it from anywhere: as a
//! future, or on another thread.
//!
//! ```text
//!   its own thread                              any thread
//!   fiber, ended --hook--> [ Outstanding(waker) ] <--poll-- Completion
//!                          [ Ended(outcome)     ] --poll--> the outcome
//!                          [ Left               ] <--drop-- and a kill, by mail if it is not there
//! ```
//!
//! Invariants:
//! - A fiber's record, and its `JoinHandle`, stay on their thread: the hook owns the handle. What is
//!   shared is the cell, which is counted by atomics, and what a `Completion` asks of the fiber goes
//!   through the mailbox.
//! - The lock of the cell is held for a move, never while user code runs: wakers are made before, and
//!   dropped and called after it.
//! - As long as a completion exists its fiber is part of no deadlock: a drop on another thread may end its
//!   wait.
//! - The outcome is taken out once: by a poll; by the drop of the `Completion`, there; or, if both ends
//!   come at the same time, by a fiber of the scheduler that drops it. The last count of a cell drops no
//!   user value.

use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::fiber::id::FiberId;
use crate::fiber::report::report_lost;
use crate::sched::hooks::{EndHook, tell_of_end};
use crate::sched::join::JoinHandle;
use crate::sched::mailbox::{Mail, Mailbox};
use crate::sched::remote::{Address, Reach};
use crate::sched::scheduler::{Scheduler, SchedulerPtr, scheduler};

type Outcome<T> = Result<T, JoinError>;

/// The right to what a fiber leaves behind, from any thread. Dropping it before that kills the fiber.
pub(crate) struct Completion<T> {
    cell: Arc<Cell<T>>,
    /// Whoever has the completion may end any wait of the fiber, by a drop. It is given up after that.
    _address: Address,
}

struct Cell<T> {
    id: FiberId,
    /// Where the fiber is reached as long as it lives.
    key: Key,
    mailbox: Arc<Mailbox>,
    stage: Mutex<Stage<T>>,
}

enum Stage<T> {
    /// The fiber has not ended: whom to wake then.
    Outstanding(Option<Waker>),
    Ended(Outcome<T>),
    /// The outcome was taken, or is not asked for any more.
    Left,
}

/// Fills the cell when the fiber ends.
struct Fill<T> {
    cell: Arc<Cell<T>>,
    handle: RefCell<JoinHandle<T>>,
}

impl<T> Completion<T> {
    /// The completion of the fiber of `handle`, which is one of `sched`.
    pub(crate) fn of(sched: SchedulerPtr, handle: JoinHandle<T>) -> Completion<T>
    where
        T: 'static,
    {
        let fiber = handle.fiber().clone();
        let cell = Arc::new(Cell {
            id: fiber.id(),
            key: fiber.record().key.get(),
            mailbox: sched.mailbox.clone(),
            stage: Mutex::new(Stage::Outstanding(None)),
        });
        let fill = Fill { cell: cell.clone(), handle: RefCell::new(handle) };
        let address = Address::new(sched, fiber.record(), Reach::Command);
        tell_of_end(&fiber, Rc::new(fill), Key::from_bits(0));
        Completion { cell, _address: address }
    }

    /// The outcome, if the fiber has ended; else the task of `cx`, and no other, is woken when it has.
    ///
    /// # Panics
    ///
    /// Panics if the outcome was taken before.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Outcome<T>> {
        let waker = cx.waker().clone();
        let mut stage = self.cell.lock();
        if let Stage::Outstanding(place) = &mut *stage {
            let replaced = place.replace(waker);
            drop(stage);
            drop(replaced);
            return Poll::Pending;
        }
        let was = mem::replace(&mut *stage, Stage::Left);
        drop(stage);
        match was {
            Stage::Ended(outcome) => Poll::Ready(outcome),
            _ => panic!("a future is not polled after it was ready"),
        }
    }

    pub(crate) fn id(&self) -> FiberId {
        self.cell.id
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        let was = mem::replace(&mut *self.cell.lock(), Stage::Left);
        match was {
            Stage::Outstanding(waker) => {
                drop(waker);
                self.cell.kill();
            }
            Stage::Ended(outcome) => drop(Unread { fiber: self.cell.id, outcome: Some(outcome) }),
            Stage::Left => {}
        }
    }
}

impl<T> Cell<T> {
    fn lock(&self) -> MutexGuard<'_, Stage<T>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody asks for the output any more: the fiber is killed, and drops it itself.
    fn kill(&self) {
        match scheduler().filter(|sched| sched.id == self.id.scheduler) {
            Some(sched) => sched.kill_unasked(self.key),
            None => self.mailbox.post(Mail::KillUnasked(self.key)),
        }
    }

    /// Puts the outcome in. Returns the waker to call, or the outcome if it is not asked for any more.
    fn complete(&self, outcome: Outcome<T>) -> Result<Option<Waker>, Outcome<T>> {
        let mut stage = self.lock();
        match &mut *stage {
            Stage::Outstanding(waker) => {
                let waker = waker.take();
                *stage = Stage::Ended(outcome);
                Ok(waker)
            }
            _ => Err(outcome),
        }
    }
}

impl<T: 'static> EndHook for Fill<T> {
    fn ended(&self, _key: Key) {
        let Some(outcome) = self.handle.borrow_mut().try_join() else { return };
        let Some(sched) = scheduler() else { return };
        match self.cell.complete(outcome) {
            Ok(waker) => waker.into_iter().for_each(|waker| sched.wake_by(waker)),
            // It was dropped by the fiber, which was told in time.
            Err(Err(JoinError::Taken)) => {}
            Err(outcome) => {
                let unread = Unread { fiber: self.cell.id, outcome: Some(outcome) };
                let fiber = sched.create_paused(move || drop(unread), Location::caller());
                sched.unpause(fiber.ptr());
            }
        }
    }
}

/// An outcome that was not asked for: dropped on a fiber, or on the thread that has not asked. A panic
/// in it is reported.
struct Unread<T> {
    fiber: FiberId,
    outcome: Option<Outcome<T>>,
}

impl<T> Drop for Unread<T> {
    fn drop(&mut self) {
        // Anything else is dropped behind this.
        if let Some(Err(JoinError::Panicked(panic))) =
            self.outcome.take_if(|outcome| matches!(outcome, Err(JoinError::Panicked(_))))
        {
            report_lost(
                format_args!("fiber {} panicked and nobody joined it", self.fiber),
                panic.into_payload(),
            );
        }
    }
}

impl Scheduler {
    /// Kills the fiber of `key`, whose output is not asked for any more.
    pub(crate) fn kill_unasked(&self, key: Key) {
        if let Some(fiber) = self.fiber_of(key) {
            fiber.has_handle.set(false);
            self.kill(fiber);
        }
    }
}

impl<T> fmt::Debug for Fill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill").field("fiber", &self.cell.id).finish_non_exhaustive()
    }
}
