//! The cell that receives a fiber's output at its end, for code that waits for it from anywhere: as
//! a future, or on another thread.
//!
//! ```text
//!   its own thread                              any thread
//!   fiber, ended --hook--> [ Outstanding(waker) ] <--poll-- Completion
//!                          [ Ended(outcome)     ] --poll--> the outcome
//!                          [ Left               ] <--drop-- and a kill, by mail from other threads
//! ```
//!
//! Invariants:
//! - A fiber's header, and its `JoinHandle`, stay on their thread: the hook owns the handle. Only
//!   the cell is shared, which is counted by atomics; requests of a `Completion` to the fiber go
//!   through the mailbox.
//! - The lock of the cell is held for a move, never while user code runs: wakers are cloned before
//!   it is taken, and dropped and called after it is released.
//! - As long as a completion exists, its fiber is part of no deadlock: a drop on another thread may
//!   end the fiber's wait.
//! - The outcome is taken out once: by a poll; by the drop of the `Completion`, on that thread; or,
//!   if the fiber ends while the completion is dropped, by a fiber of the scheduler that drops it.
//!   The last count of a cell drops no user value.

use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::collections::locked::locked;
use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::fiber::id::FiberId;
use crate::sched::api::handle::tell_of_end;
use crate::sched::api::join::JoinHandle;
use crate::sched::core::hooks::EndHook;
use crate::sched::core::scheduler::{SchedulerPtr, scheduler};
use crate::sched::shared::mailbox::{Mail, Mailbox};
use crate::sched::threads::remote::{Address, Reach};

type Outcome<T> = Result<T, JoinError>;

/// The right to a fiber's outcome, from any thread. Dropping it before the fiber has ended kills
/// the fiber.
pub(crate) struct Completion<T> {
    cell: Arc<Cell<T>>,
    /// Keeps the fiber out of deadlocks, because dropping the completion may end any wait of the
    /// fiber. It is released after that. `None` if the drop detaches the fiber.
    address: Option<Address>,
}

struct Cell<T> {
    id: FiberId,
    /// The key of the fiber, which reaches the fiber until it ends.
    key: Key,
    mailbox: Arc<Mailbox>,
    stage: Mutex<Stage<T>>,
}

enum Stage<T> {
    /// The fiber has not ended. The waker is called when it does.
    Outstanding(Option<Waker>),
    Ended(Outcome<T>),
    /// The outcome was taken, or is no longer needed.
    Left,
}

/// The hook that fills the cell when the fiber ends.
struct Fill<T> {
    cell: Arc<Cell<T>>,
    handle: RefCell<JoinHandle<T>>,
}

/// The outcome of a fiber as a future has it: from the start, if the fiber had ended before the
/// future was made, which then needs no cell and no hook; or in a [`Completion`].
pub(crate) enum Awaited<T> {
    Waits(Completion<T>),
    /// The lock is never taken: with it, the future is `Sync` if `T` is `Send`, as in a cell.
    Ended(FiberId, Mutex<Unread<T>>),
}

impl<T> Awaited<T> {
    /// Takes the outcome of the fiber of `handle` if the fiber has ended.
    #[inline]
    pub(crate) fn ended(handle: &mut JoinHandle<T>) -> Option<Awaited<T>> {
        let outcome = handle.try_join()?;
        let fiber = handle.fiber().id();
        Some(Awaited::Ended(fiber, Mutex::new(Unread { fiber, outcome: Some(outcome) })))
    }

    /// Returns the outcome if the fiber has ended: see [`Completion::poll`].
    ///
    /// # Panics
    ///
    /// Panics if the outcome was taken before.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &Context<'_>) -> Poll<Outcome<T>> {
        match self {
            Awaited::Waits(completion) => completion.poll(cx),
            Awaited::Ended(_, unread) => {
                let unread = unread.get_mut().unwrap_or_else(PoisonError::into_inner);
                Poll::Ready(unread.outcome.take().unwrap_or_else(|| taken_before()))
            }
        }
    }

    pub(crate) fn id(&self) -> FiberId {
        match self {
            Awaited::Waits(completion) => completion.cell.id,
            Awaited::Ended(fiber, _) => *fiber,
        }
    }
}

#[cold]
fn taken_before() -> ! {
    panic!("the future of a fiber was polled again after it was ready")
}

impl<T> Completion<T> {
    /// Creates the completion of the fiber of `handle`, which belongs to `sched`.
    pub(crate) fn of(sched: SchedulerPtr, handle: JoinHandle<T>) -> Completion<T>
    where
        T: 'static,
    {
        let fiber = handle.fiber().clone();
        let mut completion = Completion::detaching(sched, handle);
        completion.address = Some(Address::new(sched, fiber.record(), Reach::Command));
        completion
    }

    /// Like [`of`](Completion::of), but dropping it detaches the fiber.
    pub(crate) fn detaching(sched: SchedulerPtr, handle: JoinHandle<T>) -> Completion<T>
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
        tell_of_end(&fiber, Rc::new(fill), Key::from_bits(0));
        Completion { cell, address: None }
    }

    /// Returns the outcome if the fiber has ended. Otherwise the task of `cx`, and no other task,
    /// is woken when it ends.
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
            _ => taken_before(),
        }
    }
}

impl<T> Drop for Completion<T> {
    fn drop(&mut self) {
        let was = mem::replace(&mut *self.cell.lock(), Stage::Left);
        match was {
            Stage::Outstanding(waker) => {
                drop(waker);
                if self.address.is_some() {
                    self.cell.kill();
                }
            }
            Stage::Ended(outcome) => drop(Unread { fiber: self.cell.id, outcome: Some(outcome) }),
            Stage::Left => {}
        }
    }
}

impl<T> Cell<T> {
    fn lock(&self) -> MutexGuard<'_, Stage<T>> {
        locked(&self.stage)
    }

    /// Kills the fiber, whose output is no longer needed: it drops the output itself.
    fn kill(&self) {
        match scheduler().filter(|sched| sched.id == self.id.scheduler) {
            Some(sched) => sched.kill_unasked(self.key),
            None => self.mailbox.post(Mail::KillUnasked(self.key)),
        }
    }

    /// Stores the outcome, and returns the waker to call. If the outcome is no longer needed,
    /// returns it in `Err`.
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
            // The fiber has dropped its output itself, because it was killed in time.
            Err(Err(JoinError::Taken)) => {}
            Err(outcome) => {
                let unread = Unread { fiber: self.cell.id, outcome: Some(outcome) };
                let fiber = sched.create_paused(move || drop(unread), Location::caller());
                sched.unpause(fiber.ptr());
            }
        }
    }
}

/// An outcome that is no longer needed. It is dropped by a fiber, or by the thread that drops the
/// completion. If it is a panic, the panic is reported.
pub(crate) struct Unread<T> {
    fiber: FiberId,
    outcome: Option<Outcome<T>>,
}

impl<T> Drop for Unread<T> {
    fn drop(&mut self) {
        // Any other outcome is dropped with this value.
        if let Some(Err(JoinError::Panicked(panic))) =
            self.outcome.take_if(|outcome| matches!(outcome, Err(JoinError::Panicked(_))))
        {
            panic.report_unjoined(format_args!("fiber {}", self.fiber));
        }
    }
}

impl<T> fmt::Debug for Fill<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill").field("fiber", &self.cell.id).finish_non_exhaustive()
    }
}
