//! One job, as its queue, the fiber that runs it and its handle see it. The memory that they share
//! is [`job_cell`](crate::jobs::job_cell).
//!
//! ```text
//!   Unstarted --start--> Started: a fiber runs the closure, and leaves the output
//!       |                   \__ the fiber has ended: the outcome is announced
//!       \__ refuse: the closure is dropped, the outcome is an error
//!   kill, before the start: the outcome is an error; the closure stays, until the job is taken out
//!       of its queue
//!   taken back, before the start: there is no outcome, and nothing runs the closure
//! ```
//!
//! Invariants:
//! - The closure is run or dropped once, on a fiber of the scheduler that took the job, or on the
//!   thread that was refused.
//! - The outcome is announced when the fiber has ended, after the destructors of its fiber-locals.
//! - The last count of a job drops no user value: the handle takes the outcome with it, and
//!   whatever takes a job out of a queue takes the closure.

#![allow(unsafe_code, reason = "declares what only one owner may call; an uncounted pointer")]

use std::borrow::Cow;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::collections::slot_table::Key;
use crate::fiber::exit::JoinError;
use crate::fiber::id::FiberId;
use crate::fiber::locals::SendLocals;
use crate::jobs::children::Children;
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::{Builder, JobOrigin};
use crate::sched::core::scheduler::Scheduler;
use crate::sched::core::work::Borrows;

pub(crate) type Outcome<T> = Result<T, JoinError>;
pub(crate) type Reason = Option<Cow<'static, str>>;

/// The settings with which the fiber of a job is created. They are kept small: another thread takes
/// them out of the caches of the one that spawned the job.
#[derive(Debug)]
pub(crate) struct Settings {
    at: &'static Location<'static>,
    scope: Option<Arc<Children>>,
    rare: Option<Box<Rare>>,
    /// The size in bytes of the closures and outputs that the fiber moves on its stack.
    moved: u32,
    lender: Lender,
}

/// The settings that few jobs have.
#[derive(Debug, Default)]
struct Rare {
    builder: Builder,
    locals: SendLocals,
}

/// What a job may borrow from.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Lender {
    /// It borrows nothing.
    Nothing,
    /// The scope to which it belongs.
    Scope,
    /// The fiber that has spawned it, which waits for its end or [takes it
    /// back](crate::jobs::lent).
    Spawner,
}

impl Settings {
    /// Creates the settings of a job that borrows nothing and is spawned at `at`.
    pub(crate) fn new(
        builder: Builder,
        at: &'static Location<'static>,
        locals: SendLocals,
    ) -> Settings {
        let has_any = !builder.is_plain() || !locals.is_empty();
        let rare = has_any.then(|| Box::new(Rare { builder, locals }));
        Settings { at, moved: 0, scope: None, rare, lender: Lender::Nothing }
    }

    /// Notes that the fiber moves a closure and an output of that size in bytes, beside others.
    pub(crate) fn moves(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes.try_into().unwrap_or(u32::MAX));
    }

    /// Makes it a job of `scope`, from which it may borrow.
    pub(crate) fn belong_to(&mut self, scope: Arc<Children>) {
        self.scope = Some(scope);
        self.lender = Lender::Scope;
    }

    /// Makes it a job that may borrow from the fiber that spawns it.
    pub(super) fn borrow_from_spawner(&mut self) {
        self.lender = Lender::Spawner;
    }
}

/// A job in a queue: the right to its closure. There is one per job.
pub(crate) struct Unstarted(pub(super) Arc<dyn Job>);

/// A job that runs: the right to its outcome, unless the job was killed before it started. There is
/// one per job. It is kept until its fiber has ended or was abandoned.
pub(crate) struct Started {
    job: Arc<dyn Job>,
    scope: Option<Arc<Children>>,
}

/// The right to run the closure of a job. There is one per job. It belongs to the closure of the
/// job's fiber, and is not counted: that closure is gone before the fiber has ended, and
/// [`Started`] after that. The closure of an abandoned fiber is kept, but never used again.
struct Body(NonNull<dyn Job>);

impl Body {
    fn job(&self) -> &dyn Job {
        // SAFETY: `Started` counts the job until `Worker::ended`, which is called when the fiber
        // has ended, and so after the last use of this; or when it was abandoned.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Body {
    /// Drops the closure, if the fiber was killed before its first turn. This is on the fiber.
    fn drop(&mut self) {
        self.job().drop_closure();
    }
}

impl Unstarted {
    /// Creates the fiber that runs the job, without queueing it. If the runtime `is_closed`, or if
    /// the scope of the job was killed, the fiber only drops the closure. If the job was taken
    /// back, there need not be a fiber, and this may return `None`.
    pub(crate) fn start(
        self,
        sched: &Scheduler,
        is_closed: bool,
    ) -> Option<(Started, JoinHandle<()>)> {
        let Settings { at, scope, rare, moved, lender } = self.0.settings();
        let borrows = match lender {
            Lender::Nothing => Borrows::Nothing,
            // Values that the job would inherit are dropped on a fiber.
            Lender::Spawner if rare.is_none() && self.0.was_taken_back() => return None,
            Lender::Scope | Lender::Spawner => Borrows::FromAScope,
        };
        let Rare { builder, locals } = rare.map_or_else(Rare::default, |rare| *rare);
        if is_closed {
            self.0.kill_unstarted(sched, JoinError::Shutdown);
        } else if scope.as_ref().is_some_and(|scope| scope.are_cancelled()) {
            self.0.kill_unstarted(sched, JoinError::Killed);
        }
        let body = Body(NonNull::from(&*self.0));
        let run = move || body.job().run();
        let origin = JobOrigin { borrows, at, parent: self.0.parent(), moved: moved as usize };
        let handle = builder.create_for_job(sched, origin, locals.arrive(), run);
        self.0.start(sched.id, handle.fiber().record().key.get());
        Some((Started { job: self.0, scope }, handle))
    }

    /// Returns whether it is the job of `pending`.
    pub(crate) fn is_job_of<T>(&self, pending: &Arc<dyn Pending<T>>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(pending))
    }

    /// Drops the closure of a job that never starts: user code, which may unwind.
    pub(crate) fn refuse(self, error: JoinError) {
        /// The end of the job for its scope, after its closure.
        struct Ends(Option<Arc<Children>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                if let Some(waker) = self.0.take().and_then(|scope| scope.one_ended()) {
                    waker.wake();
                }
            }
        }
        let Settings { scope, rare, .. } = self.0.settings();
        let _ends = Ends(scope);
        self.0.refuse(error);
        drop(rare);
    }
}

impl Started {
    /// Announces the outcome. The fiber has ended, or was abandoned, with this result. Runs no user
    /// code.
    pub(crate) fn ended(self, sched: &Scheduler, how: Result<(), Box<JoinError>>, abandoned: bool) {
        let Started { job, scope } = self;
        job.ended(sched, scope.as_deref(), how);
        let waker = scope.and_then(|scope| {
            // What an abandoned fiber borrows is kept forever: for the scope it does not end.
            if abandoned { scope.one_abandoned() } else { scope.one_ended() }
        });
        waker.into_iter().for_each(|waker| sched.wake_by(waker));
    }

    /// Returns whether it is a job of the scope with this record.
    pub(crate) fn belongs_to(&self, children: &Arc<Children>) -> bool {
        self.scope.as_ref().is_some_and(|scope| Arc::ptr_eq(scope, children))
    }
}

/// A job, whatever its types. Only [`Unstarted`], [`Body`] and [`Started`] call this, each with the
/// right that it stands for.
pub(super) trait Job: Send + Sync {
    /// Takes the settings. Called by `Unstarted::start`, once.
    fn settings(&self) -> Settings;

    /// Returns the fiber that has spawned the job. Called by `Unstarted::start`, before `start`.
    fn parent(&self) -> Option<FiberId>;

    /// Records the fiber that will run the closure. Called by `Unstarted::start`, once.
    fn start(&self, scheduler: u32, key: Key);

    /// Returns whether the job was taken back by the fiber that has spawned it.
    fn was_taken_back(&self) -> bool;

    /// Drops the closure. Called by `Unstarted::refuse`, once.
    fn refuse(&self, error: JoinError);

    /// Runs the closure; only drops it if the job was killed before it started. Called by `Body`,
    /// once.
    fn run(&self);

    /// Drops the closure, unless it was run. Called by `Body`, once, after `run`.
    fn drop_closure(&self);

    /// Announces the outcome. Called by `Started`, once, after `run` has ended.
    fn ended(&self, sched: &Scheduler, scope: Option<&Children>, how: Result<(), Box<JoinError>>);

    /// Kills the job, which has not started: `error` is its outcome. Runs no user code.
    fn kill_unstarted(&self, sched: &Scheduler, error: JoinError);
}

/// A job, as its handle sees it.
pub(crate) trait Pending<T>: Send + Sync {
    /// Returns the outcome if the job has ended. Otherwise the task of `cx`, and no other one, is
    /// woken when it ends.
    ///
    /// # Safety
    ///
    /// Only the one handle of the job may call this, not on two threads at the same time.
    unsafe fn poll(&self, cx: &Context<'_>) -> Poll<Outcome<T>>;

    /// Makes `waker`, and no other one, be called when the job ends. Returns whether it has ended.
    ///
    /// # Safety
    ///
    /// Only the one handle of the job may call this, not on two threads at the same time.
    unsafe fn watch(&self, waker: &Waker) -> bool;

    /// Declares that nothing will ask for the outcome. Returns the outcome if it is there.
    ///
    /// # Safety
    ///
    /// Only the one handle of the job may call this, once, and not `poll` after it.
    unsafe fn detach(&self) -> Option<Outcome<T>>;

    /// Makes sure that the closure never runs, if no scheduler has started the job. Returns whether
    /// it has: then nothing announces an outcome.
    fn take_back(&self) -> bool;

    fn is_finished(&self) -> bool;

    /// Asks the job to end, for this reason if there is one.
    fn kill(&self, reason: Reason);
}
