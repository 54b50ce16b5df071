//! The parts of a runtime that all its schedulers and handles share: the queues of jobs, the seats
//! of the schedulers, and the stage in which the runtime is.
//!
//! Invariants:
//! - A job that was queued is started, or refused: code that queues a job outside of its own
//!   scheduler looks at the stage afterwards, and code that closes the runtime looks at the queues
//!   afterwards. One of them finds the job: see [`stage`](crate::jobs::stage).
//! - A deque is closed by its own scheduler, after the stage was set to `Closed`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use crossbeam_deque::{Injector, Steal, Stealer};

use crate::collections::apart::Apart;
use crate::collections::locked::locked;
use crate::collections::publish;
use crate::fiber::exit::{self, JoinError};
use crate::fiber::report::report_lost;
use crate::jobs::desk::Desk;
use crate::jobs::job::Unstarted;
use crate::jobs::sleepers::Sleepers;
use crate::jobs::stage::{CurrentStage, Stage};
use crate::jobs::stalls::Stalls;
use crate::sched::shared::mailbox::{Mail, Mailbox};
use crate::sched::time::clock::{Clock, RealClock};
use crate::sync::Semaphore;

pub(crate) type Queued = Unstarted;

/// The shared state of a runtime.
pub(crate) struct Shared {
    pub(crate) seats: Box<[Seat]>,
    pub(crate) injector: Injector<Queued>,
    pub(crate) sleepers: Apart<Sleepers>,
    /// The permits to queue a job, if their number is limited.
    pub(crate) limit: Option<Semaphore>,
    /// The times in which all schedulers sleep, if they are reported.
    pub(crate) stalls: Option<Stalls>,
    stage: CurrentStage,
    /// The number of handles, if there is one scheduler. As long as there is one, jobs may come.
    handles: AtomicUsize,
    /// The number of jobs that were spawned outside of the runtime's fibers, or for one scheduler.
    injected: Apart<AtomicUsize>,
}

/// The place of one scheduler in its runtime.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) stealer: Stealer<Queued>,
    /// The jobs that only this scheduler may start.
    pub(crate) direct: Injector<Queued>,
    pub(crate) counts: Apart<Counts>,
    /// The place where other threads ask for a dump of its fibers.
    pub(crate) desk: Desk,
    /// Whether its scheduler has ended.
    pub(crate) gone: AtomicU8,
    /// The waker of its main fiber, which waits for the end of the runtime.
    pub(crate) waiting: Mutex<Option<Waker>>,
}

/// The jobs of one scheduler. Only its own thread writes.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The number of jobs that its fibers have spawned.
    pub(crate) spawned: AtomicUsize,
    /// The number of jobs that have ended on it.
    pub(crate) ended: AtomicUsize,
}

impl Seat {
    pub(crate) fn new(mailbox: Arc<Mailbox>, stealer: Stealer<Queued>) -> Seat {
        Seat {
            mailbox,
            stealer,
            direct: Injector::new(),
            counts: Apart(Counts::default()),
            desk: Desk::new(),
            gone: AtomicU8::new(0),
            waiting: Mutex::new(None),
        }
    }

    /// Makes the main fiber of the scheduler look at the stage of the runtime again.
    pub(crate) fn call(&self) {
        let waker = locked(&self.waiting).take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Adds one to a count that only the calling thread writes.
pub(crate) fn count(counter: &AtomicUsize) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

impl Shared {
    /// Creates the shared state of the schedulers of `seats`, with a limit of queued jobs and a
    /// time after which stalls are reported, if these are set.
    pub(crate) fn new(
        seats: Vec<Seat>,
        limit: Option<usize>,
        stalls_after: Option<Duration>,
    ) -> Shared {
        let schedulers = seats.len();
        Shared {
            stalls: stalls_after.map(|after| Stalls::new(schedulers, after, RealClock.now())),
            sleepers: Apart(Sleepers::new(seats.len())),
            seats: seats.into(),
            injector: Injector::new(),
            limit: limit.map(Semaphore::new),
            stage: CurrentStage::open(),
            handles: AtomicUsize::new(0),
            injected: Apart(AtomicUsize::new(0)),
        }
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Advances to `stage`. If that is `Closed`, the caller must empty the queues after this call,
    /// or make their schedulers do so.
    pub(crate) fn advance(&self, stage: Stage) {
        self.stage.advance(stage);
    }

    /// Must be called by a scheduler that ends, before it empties its queues.
    pub(crate) fn before_emptying(&self) {
        self.stage.before_emptying();
    }

    /// Queues `job` for all schedulers, from outside of their fibers.
    pub(crate) fn inject(&self, job: Queued) {
        self.injected.fetch_add(1, Ordering::Relaxed);
        self.injector.push(job);
        self.notify();
        self.refuse_if_closed(&self.injector);
    }

    /// Queues `job` for the scheduler `index`.
    pub(crate) fn direct(&self, index: usize, job: Queued) {
        self.injected.fetch_add(1, Ordering::Relaxed);
        let seat = &self.seats[index];
        seat.direct.push(job);
        // It begins with the fence that the look at the stage needs.
        seat.mailbox.nudge();
        self.refuse_if_closed(&seat.direct);
    }

    /// Wakes a scheduler that sleeps, if the jobs that the caller has queued need one.
    #[inline]
    pub(crate) fn notify(&self) {
        publish::fence();
        if let Some(index) = self.sleepers.one_to_wake() {
            self.seats[index].mailbox.nudge();
        }
    }

    /// Refuses the jobs in `queue`, one of which the caller has just queued, if the runtime was
    /// closed meanwhile. There was a fence in between. Drops closures: user code.
    fn refuse_if_closed(&self, queue: &Injector<Queued>) {
        if self.stage.is_closed_after_push() {
            self.refuse_rest(queue);
        }
    }

    /// Refuses all jobs that are in no deque. Drops closures: user code.
    pub(crate) fn refuse_all(&self) {
        let queues = self.seats.iter().map(|seat| &seat.direct).chain([&self.injector]);
        queues.for_each(|queue| self.refuse_rest(queue));
    }

    /// Refuses the jobs in `queue`. Drops closures: user code.
    fn refuse_rest(&self, queue: &Injector<Queued>) {
        let mut one = true;
        while one {
            // If a destructor panics, `one` stays true, and the next job is refused.
            refuse_quietly(|| one = self.refuse_one(queue));
        }
    }

    /// Refuses one job of `queue`. Returns whether there was one.
    pub(crate) fn refuse_one(&self, queue: &Injector<Queued>) -> bool {
        let Some(job) = take(|| queue.steal()) else { return false };
        self.refuse(job);
        true
    }

    /// Refuses `job`, which was taken out of a queue.
    pub(crate) fn refuse(&self, job: Queued) {
        self.left_queue();
        job.refuse(JoinError::Shutdown);
        // It counts as ended. This is not always the thread that owns a seat's count.
        self.injected.fetch_sub(1, Ordering::Release);
    }

    /// Notes that a job was taken out of its queue.
    #[inline]
    pub(crate) fn left_queue(&self) {
        if let Some(limit) = &self.limit {
            limit.add_permits(1);
        }
    }

    /// Returns whether no job is queued or running.
    pub(crate) fn is_drained(&self) -> bool {
        let sum = |of: fn(&Seat) -> &AtomicUsize| {
            self.seats
                .iter()
                .map(|seat| of(seat).load(Ordering::Acquire))
                .fold(0, usize::wrapping_add)
        };
        // The ends first: a job is counted as spawned before it ends.
        let ended = sum(|seat| &seat.counts.ended);
        let injected = self.injected.load(Ordering::Acquire);
        sum(|seat| &seat.counts.spawned).wrapping_add(injected) == ended
    }

    /// Counts one more handle, if that count matters: with one scheduler, which can detect
    /// deadlocks.
    #[inline]
    pub(crate) fn hold(&self) {
        if self.seats.len() == 1 {
            self.handles.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts one handle less. After the last one the scheduler looks again whether it is in a
    /// deadlock.
    #[inline]
    pub(crate) fn release(&self) {
        if self.seats.len() == 1 && self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.seats[0].mailbox.nudge();
        }
    }

    /// Returns whether jobs may come, or running ones may be killed, from other threads.
    pub(crate) fn is_held(&self) -> bool {
        1 < self.seats.len() || self.handles.load(Ordering::Acquire) != 0
    }

    /// Kills the main fiber of the first scheduler, after which the process ends with `code`.
    pub(crate) fn exit(&self, code: i32) {
        self.seats[0].mailbox.post(Mail::Exit(code));
    }
}

/// Takes a job by `steal`, which is tried again after each collision with another thread.
pub(crate) fn take(steal: impl Fn() -> Steal<Queued>) -> Option<Queued> {
    loop {
        match steal() {
            Steal::Success(job) => return Some(job),
            Steal::Empty => return None,
            Steal::Retry => std::hint::spin_loop(),
        }
    }
}

/// Calls `refuse`, which drops a closure. A panic of its destructor is reported: the caller may not
/// be the one that has spawned the job, and must still refuse others.
pub(crate) fn refuse_quietly(refuse: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(refuse)) {
        if !exit::is_unwind(&*payload) {
            report_lost("the destructor of a job that was refused panicked", payload);
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("schedulers", &self.seats.len())
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}
