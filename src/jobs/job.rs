//! One job: its closure, the fiber that runs it, and its outcome, in one allocation that the queue,
//! the fiber and the handle share.
//!
//! ```text
//!   Queued --started--> Running{fiber} --returns--> Returned(T) --fiber ended--> Ended(Ok(T))
//!     |                    |  \__ unwinds, fiber ended --------------------------> Ended(Err(..))
//!     |                    \_____ the handle is gone: the output is dropped -----> Left
//!     \__ killed, refused: Ended(Err(..)); the closure stays, for the fiber or main fiber that
//!         takes the job out of its queue
//!   Ended --join--> Left
//! ```
//!
//! Invariants:
//! - The lock is held for moves only: closures, outputs, payloads and wakers are dropped, called
//!   and cloned outside of it.
//! - The closure is run or dropped once, on a fiber of the scheduler that took the job, or on the
//!   thread that was refused.
//! - The outcome is announced when the fiber has ended, after the destructors of its fiber-locals.
//! - The last count of a job drops no user value: the handle takes the outcome with it, and
//!   whatever takes a job out of a queue takes the closure.

use std::borrow::Cow;
use std::mem;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use crate::collections::locked::locked;
use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::fiber::locals::SendLocals;
use crate::fiber::report::report_lost;
use crate::sched::api::spawn::Builder;
use crate::sched::core::scheduler::{Scheduler, scheduler};
use crate::sched::core::work::Borrows;
use crate::sched::shared::mailbox::Mail;
use crate::sched::shared::registry;

pub(crate) type Outcome<T> = Result<T, JoinError>;
type Reason = Option<Cow<'static, str>>;

/// The settings with which the fiber of a job is created.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) builder: Builder,
    pub(crate) borrows: Borrows,
    pub(crate) at: &'static Location<'static>,
    pub(crate) locals: SendLocals,
}

/// A job, as the queues and the scheduler that runs it see it.
pub(crate) trait Job: Send + Sync {
    /// Takes the settings of its fiber. Called once, before `started`.
    fn settings(&self) -> Option<Settings>;

    /// Records the fiber that will run it.
    fn started(&self, scheduler: u32, key: Key);

    /// Runs the closure, on the fiber. If the job was killed, only drops it.
    fn run(&self);

    /// Records how the fiber has ended. Runs no user code.
    fn ended(&self, sched: &Scheduler, how: Result<(), JoinError>);

    /// Drops the closure of a job that never starts: user code.
    fn refuse(&self, error: JoinError);
}

/// A job, as its handle sees it.
pub(crate) trait Pending<T>: Send + Sync {
    /// Returns the outcome if the job has ended. Otherwise the task of `cx`, and no other one, is
    /// woken when it ends.
    fn poll(&self, cx: &Context<'_>) -> Poll<Outcome<T>>;

    fn is_finished(&self) -> bool;

    /// Asks the job to end, for this reason if there is one.
    fn kill(&self, reason: Reason);

    /// Declares that nothing will ask for the outcome. Drops the outcome if it is there.
    fn detach(&self);
}

/// The allocation of one job.
pub(crate) struct JobCell<F, T>(Mutex<Inner<F, T>>);

struct Inner<F, T> {
    settings: Option<Settings>,
    closure: Option<F>,
    stage: Stage<T>,
    waker: Option<Waker>,
    /// Whether a handle may still ask for the outcome.
    wanted: bool,
    /// Whether a kill was sent to the fiber.
    killed: bool,
}

enum Stage<T> {
    Queued,
    Running {
        scheduler: u32,
        key: Key,
    },
    Returned(T),
    Ended(Outcome<T>),
    /// The outcome was taken or dropped.
    Left,
}

impl<F, T> JobCell<F, T> {
    pub(crate) fn new(settings: Settings, closure: F) -> JobCell<F, T> {
        JobCell(Mutex::new(Inner {
            settings: Some(settings),
            closure: Some(closure),
            stage: Stage::Queued,
            waker: None,
            wanted: true,
            killed: false,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner<F, T>> {
        locked(&self.0)
    }
}

impl<F, T> Job for JobCell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn settings(&self) -> Option<Settings> {
        self.lock().settings.take()
    }

    fn started(&self, scheduler: u32, key: Key) {
        let mut inner = self.lock();
        if matches!(inner.stage, Stage::Queued) {
            inner.stage = Stage::Running { scheduler, key };
        }
    }

    fn run(&self) {
        let mut inner = self.lock();
        let closure = inner.closure.take();
        let runs = matches!(inner.stage, Stage::Running { .. });
        drop(inner);
        let Some(closure) = closure else { return };
        if !runs {
            return drop(closure);
        }
        let output = closure();
        let mut inner = self.lock();
        if inner.wanted {
            inner.stage = Stage::Returned(output);
        } else {
            inner.stage = Stage::Left;
            drop(inner);
            drop(output);
        }
    }

    fn ended(&self, sched: &Scheduler, how: Result<(), JoinError>) {
        let mut inner = self.lock();
        let stage = mem::replace(&mut inner.stage, Stage::Left);
        let (stage, unread) = match (stage, how) {
            (Stage::Returned(output), Ok(())) => (Stage::Ended(Ok(output)), None),
            (Stage::Running { .. }, Err(error)) if inner.wanted => (Stage::Ended(Err(error)), None),
            (stage, how) => (stage, how.err()),
        };
        inner.stage = stage;
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            sched.wake_by(waker);
        }
        if let Some(JoinError::Panicked(_)) = unread {
            let unread = Unread(unread);
            let fiber = sched.create_paused(move || drop(unread), Location::caller());
            sched.unpause(fiber.ptr());
        }
    }

    fn refuse(&self, error: JoinError) {
        let mut inner = self.lock();
        let closure = inner.closure.take();
        let settings = inner.settings.take();
        if matches!(inner.stage, Stage::Queued) {
            inner.stage = if inner.wanted { Stage::Ended(Err(error)) } else { Stage::Left };
        }
        let waker = inner.waker.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
        drop((closure, settings));
    }
}

impl<F, T> Pending<T> for JobCell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn poll(&self, cx: &Context<'_>) -> Poll<Outcome<T>> {
        let waker = cx.waker().clone();
        let mut inner = self.lock();
        let was = mem::replace(&mut inner.stage, Stage::Left);
        let (stage, outcome) = match was {
            Stage::Ended(outcome) => (Stage::Left, Some(outcome)),
            Stage::Left => (Stage::Left, Some(Err(JoinError::Taken))),
            running => (running, None),
        };
        inner.stage = stage;
        let Some(outcome) = outcome else {
            let replaced = inner.waker.replace(waker);
            drop(inner);
            drop(replaced);
            return Poll::Pending;
        };
        drop(inner);
        drop(waker);
        Poll::Ready(outcome)
    }

    fn is_finished(&self) -> bool {
        matches!(self.lock().stage, Stage::Ended(_) | Stage::Left)
    }

    fn kill(&self, reason: Reason) {
        let mut inner = self.lock();
        match inner.stage {
            Stage::Queued => {
                let error = reason.map_or(JoinError::Killed, JoinError::KilledFor);
                inner.stage = if inner.wanted { Stage::Ended(Err(error)) } else { Stage::Left };
                let waker = inner.waker.take();
                drop(inner);
                waker.into_iter().for_each(Waker::wake);
            }
            Stage::Running { scheduler, key } => {
                let again = mem::replace(&mut inner.killed, true);
                drop(inner);
                if !again {
                    kill_fiber(scheduler, key, reason);
                }
            }
            _ => {}
        }
    }

    fn detach(&self) {
        let mut inner = self.lock();
        inner.wanted = false;
        let left = match &inner.stage {
            Stage::Returned(_) | Stage::Ended(_) => mem::replace(&mut inner.stage, Stage::Left),
            _ => Stage::Left,
        };
        let waker = inner.waker.take();
        drop(inner);
        drop(waker);
        match left {
            Stage::Ended(Err(error)) => drop(Unread(Some(error))),
            other => drop(other),
        }
    }
}

/// Kills a fiber of any scheduler.
fn kill_fiber(id: u32, key: Key, reason: Reason) {
    match scheduler().filter(|sched| sched.id == id) {
        Some(sched) => sched.kill_for(key, reason),
        None => {
            if let Some(mailbox) = registry::mailbox(id) {
                mailbox.post(Mail::Kill(key, reason));
            }
        }
    }
}

/// An error that nothing asks for. If it is a panic, it is reported when this is dropped: on a
/// fiber, or on the thread that drops the handle.
struct Unread(Option<JoinError>);

impl Drop for Unread {
    fn drop(&mut self) {
        if let Some(JoinError::Panicked(panic)) = self.0.take() {
            report_lost("a job panicked and was not joined", panic.into_payload());
        }
    }
}

/// Returns a job as its two sides see it.
pub(crate) fn new<F, T>(settings: Settings, f: F) -> (Arc<dyn Job>, Arc<dyn Pending<T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let cell = Arc::new(JobCell::new(settings, f));
    (cell.clone(), cell)
}
