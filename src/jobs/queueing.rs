//! The way of a job into a queue.
//!
//! Invariants:
//! - A job that a fiber of the runtime spawns goes to the deque of that fiber's scheduler; every
//!   other one to the injector, or to the scheduler that was asked for.
//! - User code (the clones of fiber-locals, the destructors of refused closures) runs before a job
//!   is queued, or after it was refused.

use std::panic::Location;
use std::sync::Arc;

use crossbeam_deque::Worker as Deque;

use crate::fiber::exit::JoinError;
use crate::fiber::locals::{self, SendLocals};
use crate::jobs::handle::Handle;
use crate::jobs::job::{Pending, Settings};
use crate::jobs::job_cell;
use crate::jobs::remote_handle::RemoteHandle;
use crate::jobs::shared::{Queued, Seat, Shared};
use crate::jobs::stage::Stage;
use crate::jobs::worker::{self, Worker};
use crate::sched::api::spawn::Builder;
use crate::sched::core::scheduler::{Scheduler, current_fiber};

impl Handle {
    /// Runs `f` once on each scheduler, as a job that inherits no fiber-locals: without user code.
    pub(crate) fn broadcast<F>(&self, f: F)
    where
        F: Fn() + Clone + Send + 'static,
    {
        for index in 0..self.threads() {
            let (builder, at) = (Builder::new(), Location::caller());
            let locals = SendLocals::default();
            let settings = Settings::new(builder, at, locals);
            let (job, pending) = job_cell::new(settings, f.clone());
            drop(self.remote(pending));
            self.queue_on(index, job);
        }
    }

    /// Queues `job` for the scheduler `index` when there is room for it, or refuses it.
    #[track_caller]
    pub(super) fn queue_on(&self, index: usize, job: Queued) {
        self.wait_for_room();
        self.direct(index, job);
    }

    /// Queues `job` for the scheduler `index`, or refuses it.
    fn direct(&self, index: usize, job: Queued) {
        if self.accepts() {
            self.shared.direct(index, job);
        } else {
            self.refuse(job);
        }
    }

    /// Waits until the limit of queued jobs, if there is one, admits another one.
    #[track_caller]
    pub(super) fn wait_for_room(&self) {
        if let Some(limit) = &self.shared.limit {
            limit.acquire().forget();
        }
    }

    /// Returns whether the runtime accepts a job from the caller now.
    pub(super) fn accepts(&self) -> bool {
        match self.shared.stage() {
            Stage::Open => true,
            Stage::Draining => self.at_home(|_, _| ()).is_some(),
            Stage::Closed => false,
        }
    }

    /// Queues `job`, or refuses it.
    pub(crate) fn queue(&self, job: Queued) {
        if !self.accepts() {
            return self.refuse(job);
        }
        let mut job = Some(job);
        self.at_home(|_, worker| job.take().into_iter().for_each(|job| worker.push(job)));
        if let Some(job) = job {
            self.shared.inject(job);
        }
    }

    pub(super) fn refuse(&self, job: Queued) {
        self.shared.left_queue();
        job.refuse(JoinError::Shutdown);
    }

    /// Queues `job` when there is room for it, for the scheduler `index` if that is given, or
    /// refuses it. If the wait for room unwinds, the job is refused first.
    #[track_caller]
    pub(crate) fn wait_and_queue(&self, index: Option<usize>, job: Queued) {
        struct Waits(Option<Queued>);
        impl Drop for Waits {
            fn drop(&mut self) {
                if let Some(job) = self.0.take() {
                    job.refuse(JoinError::Killed);
                }
            }
        }
        let mut waits = Waits(Some(job));
        self.wait_for_room();
        match (waits.0.take(), index) {
            (Some(job), Some(index)) => self.direct(index, job),
            (Some(job), None) => self.queue(job),
            (None, _) => {}
        }
    }

    pub(crate) fn remote<T>(&self, pending: Arc<dyn Pending<T>>) -> RemoteHandle<T> {
        // With several schedulers nothing depends on the count of handles.
        RemoteHandle::new(pending, (self.threads() == 1).then(|| self.clone()))
    }

    /// Runs `f` if this thread's scheduler belongs to this runtime.
    pub(super) fn at_home<R>(&self, f: impl FnOnce(&Scheduler, &Worker) -> R) -> Option<R> {
        let is_own = |worker: &&Worker| Arc::ptr_eq(&worker.shared, &self.shared);
        worker::with(|sched, worker| Some(f(sched, worker.filter(is_own)?))).flatten()
    }
}

/// Spawns `f` as a job of the runtime to which the running fiber belongs.
#[track_caller]
pub(crate) fn spawn_here<F, T>(settings: Settings, f: F) -> RemoteHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let current = current_fiber();
    let is_quick = |worker: &&Worker| {
        1 < worker.shared.seats.len()
            && worker.shared.limit.is_none()
            && worker.shared.stage() != Stage::Closed
    };
    let worker = current.sched.work.get();
    let worker = worker.and_then(|work| work.as_any().downcast_ref::<Worker>()).filter(is_quick);
    let (job, pending) = job_cell::new(settings, f);
    match worker {
        Some(worker) => {
            worker.push(job);
            RemoteHandle::new(pending, None)
        }
        None => {
            let handle = Handle::current();
            handle.wait_and_queue(None, job);
            handle.remote(pending)
        }
    }
}

/// Returns the settings of a job that is spawned at `at` by the running fiber, or outside of one.
/// Clones the fiber-locals that it inherits: user code.
pub(crate) fn settings(builder: Builder, at: &'static Location<'static>) -> Settings {
    Settings::new(builder, at, locals::for_job())
}

/// Creates the shared state of a `run` that has one scheduler and whose handle is asked for for the
/// first time.
pub(super) fn found(sched: &Scheduler) -> Arc<Shared> {
    let deque = Deque::new_lifo();
    let seat = Seat::new(sched.mailbox.clone(), deque.stealer());
    let shared = Arc::new(Shared::new(vec![seat], None, None));
    if sched.closing.get() {
        // It may have looked for jobs for the last time.
        shared.advance(Stage::Closed);
    }
    shared.seats[0].desk.start();
    let _ = sched.work.set(Box::new(Worker::new(shared.clone(), 0, deque)));
    shared
}
