//! Jobs that their spawner takes back if no scheduler has started them.
//!
//! ```text
//!   lend --> own deque --\
//!                         +-- a scheduler takes it ---> a fiber: the spawner waits for its end
//!                         \__ the spawner takes it back: nothing runs the closure
//! ```
//!
//! Invariants:
//! - A job is taken back, or started: by the one thread that takes it out of a queue, or by its
//!   [state](crate::jobs::state). A job that was taken back may stay in a queue for a while; what
//!   takes it out runs nothing.
//! - The closure owns no user value, so it does not matter which thread drops it.

#![forbid(unsafe_code)]

use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::jobs::handle::Handle;
use crate::jobs::job::{Pending, Settings};
use crate::jobs::job_cell;
use crate::jobs::remote_handle::RemoteHandle;
use crate::jobs::stage::Stage;
use crate::jobs::worker::Worker;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler};

/// A job that was lent, as its spawner sees it.
pub(crate) struct Lent(Arc<dyn Pending<()>>);

/// Spawns `f`, whose destructor does nothing, as a job for the deque of the current fiber's
/// scheduler. Returns `None` if the runtime accepts no jobs any more. May wait for room, if the
/// number of queued jobs is limited.
#[track_caller]
pub(crate) fn lend<F>(current: CurrentFiber, mut settings: Settings, f: F) -> Option<Lent>
where
    F: FnOnce() + Send + 'static,
{
    const { assert!(!mem::needs_drop::<F>(), "any thread drops it") };
    let sched = &*current.sched;
    if of(sched).is_none_or(|worker| worker.shared.limit.is_some()) {
        Handle::of_scheduler(sched).wait_for_room();
    }
    let worker = of(sched)?;
    if worker.shared.stage() == Stage::Closed {
        worker.shared.left_queue();
        return None;
    }
    settings.borrow_from_spawner();
    let (job, pending) = job_cell::new(settings, f);
    worker.push(job);
    Some(Lent(pending))
}

/// Returns the worker of `sched`, if it takes part in a runtime.
fn of(sched: &Scheduler) -> Option<&Worker> {
    sched.work.get().and_then(|work| work.as_any().downcast_ref::<Worker>())
}

impl Lent {
    /// Takes the job back, if no scheduler has started it. Returns whether it did: then nothing
    /// runs the closure. `current` must be the spawner.
    pub(crate) fn take_back(&self, current: CurrentFiber) -> bool {
        of(&current.sched).is_some_and(|worker| worker.take_newest(&self.0)) || self.0.take_back()
    }

    /// Returns the handle of the job, which was not taken back.
    pub(crate) fn into_handle(self) -> RemoteHandle<()> {
        RemoteHandle::new(self.0, None)
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lent").field(&self.0.is_finished()).finish()
    }
}
