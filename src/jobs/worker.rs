//! One scheduler's side of its runtime: its deque, the order in which it takes jobs, and the jobs
//! that run on it.
//!
//! ```text
//!   direct queue -> own deque, newest first -> injector -> the oldest of the other deques
//!                   (each 31st time: injector, oldest of its own)
//! ```
//!
//! Invariants:
//! - A job that runs is in `running`, at the index of its fiber, until its fiber has ended.
//! - Only the scheduler's own thread uses a `Worker`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_deque::Worker as Deque;

use crate::fiber::header::FiberPtr;
use crate::fiber::state::State;
use crate::jobs::children::Children;
use crate::jobs::dump;
use crate::jobs::job::{Pending, Started};
use crate::jobs::shared::{Queued, Seat, Shared, count, refuse_quietly, take};
use crate::jobs::stage::Stage;
use crate::jobs::stalls::Stalls;
use crate::sched::api::join::JoinHandle;
use crate::sched::core::scheduler::{Scheduler, scheduler};
use crate::sched::core::work::Work;
use crate::sched::time::clock::{Clock, RealClock};

/// The number of jobs after which a scheduler looks at the oldest ones first, once. Without that, a
/// job at the far end of a deque might never start while newer ones come. A prime, so that it does
/// not fall in step with the jobs of a program.
const OLDEST_EACH: u32 = 31;

/// The jobs of one scheduler.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    index: usize,
    deque: Deque<Queued>,
    taken: Cell<u32>,
    /// Whether it looks for further jobs when it has taken the next one, because a search has ended
    /// on which code that has queued jobs relied.
    looks_again: Cell<bool>,
    running: RefCell<Vec<Option<Running>>>,
}

struct Running {
    job: Started,
    handle: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, index: usize, deque: Deque<Queued>) -> Worker {
        let (taken, looks_again) = (Cell::new(0), Cell::new(false));
        Worker { shared, index, deque, taken, looks_again, running: RefCell::new(Vec::new()) }
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn seat(&self) -> &Seat {
        &self.shared.seats[self.index]
    }

    /// Queues `job`, which a fiber of this scheduler spawns.
    pub(crate) fn push(&self, job: Queued) {
        count(&self.seat().counts.spawned);
        self.deque.push(job);
        if 1 < self.shared.seats.len() {
            self.shared.notify();
        }
    }

    fn next(&self, idle: bool) -> Option<Queued> {
        let taken = self.taken.get().wrapping_add(1);
        self.taken.set(taken);
        if taken % OLDEST_EACH == 0 {
            let oldest = || take(|| self.seat().stealer.steal());
            if let Some(job) = self.injected().or_else(oldest) {
                return Some(job);
            }
        }
        let direct = &self.seat().direct;
        let first = if direct.is_empty() { None } else { take(|| direct.steal()) };
        first
            .or_else(|| self.deque.pop())
            .or_else(|| self.injected())
            .or_else(|| if idle { self.stolen() } else { None })
    }

    fn injected(&self) -> Option<Queued> {
        if self.shared.injector.is_empty() {
            return None;
        }
        let job = take(|| self.shared.injector.steal())?;
        if !self.shared.injector.is_empty() {
            // There is more than this scheduler needs now.
            self.looks_again.set(false);
            self.shared.notify();
        }
        Some(job)
    }

    /// Steals the oldest job of another scheduler, of the next one in turn that has any.
    fn stolen(&self) -> Option<Queued> {
        let seats = &self.shared.seats;
        let others = (1..seats.len()).map(|step| &seats[(self.index + step) % seats.len()]);
        let mut others = others.filter(|seat| !seat.stealer.is_empty());
        let job = others.find_map(|seat| take(|| seat.stealer.steal()))?;
        if seats.iter().any(|seat| !seat.stealer.is_empty()) {
            self.looks_again.set(false);
            self.shared.notify();
        }
        Some(job)
    }

    /// Kills the jobs of a scope that run on this scheduler. Must be called on a fiber.
    pub(crate) fn kill_children(&self, sched: &Scheduler, children: &Arc<Children>) {
        let running = self.running.borrow();
        let all = running.iter().flatten().filter(|running| running.job.belongs_to(children));
        let fibers: Vec<_> = all.map(|running| running.handle.fiber().clone()).collect();
        drop(running);
        fibers.iter().for_each(|fiber| sched.kill(fiber.record()));
    }

    /// Takes the newest job out of the deque, if it is the one of `pending`. Returns whether it is.
    pub(crate) fn take_newest<T>(&self, pending: &Arc<dyn Pending<T>>) -> bool {
        match self.deque.pop() {
            Some(job) if job.is_job_of(pending) => {
                self.left_without_a_fiber();
                true
            }
            Some(other) => {
                self.deque.push(other);
                // A scheduler may have looked meanwhile, and sleep.
                self.shared.notify();
                false
            }
            None => false,
        }
    }

    /// Counts a job that was taken out of its queue, and needs no fiber.
    fn left_without_a_fiber(&self) {
        self.shared.left_queue();
        count(&self.seat().counts.ended);
    }

    /// Creates the fiber that runs `job`, and queues it in the ring. Returns whether the job needs
    /// one.
    fn run(&self, sched: &Scheduler, job: Queued) -> bool {
        let Some((job, handle)) = job.start(sched, self.shared.stage() == Stage::Closed) else {
            self.left_without_a_fiber();
            return false;
        };
        // Another one may follow: it is worth to look for it before the thread sleeps.
        sched.spin.note_arrival();
        self.shared.left_queue();
        let fiber = handle.fiber().record();
        let index = fiber.key.get().index as usize;
        let mut running = self.running.borrow_mut();
        if running.len() <= index {
            running.resize_with(index + 1, || None);
        }
        running[index] = Some(Running { job, handle });
        drop(running);
        sched.ring(|ring| ring.push_back(fiber, fiber.ticket.get()));
        true
    }
}

impl Work for Worker {
    fn start(&self, idle: bool) -> bool {
        let Some(sched) = scheduler() else { return false };
        while let Some(job) = self.next(idle) {
            if self.looks_again.replace(false) && self.exists() {
                self.shared.notify();
            }
            if self.run(&sched, job) {
                return true;
            }
        }
        false
    }

    fn begin_search(&self) -> bool {
        let threads = self.shared.seats.len();
        1 < threads && self.shared.sleepers.begin_search(threads / 2)
    }

    fn end_search(&self, starts: bool) {
        self.shared.sleepers.end_search();
        // Code that has queued jobs meanwhile relied on this search, which may have found something
        // else, or have found the first of several jobs. If a job is started next, the look comes
        // after it was taken: a single job wakes no other scheduler.
        self.looks_again.set(starts);
        if !starts && self.exists() {
            self.shared.notify();
        }
    }

    fn may_sleep(&self) -> bool {
        self.shared.sleepers.announce(self.index);
        if self.exists() {
            self.shared.sleepers.withdraw(self.index);
            return false;
        }
        true
    }

    fn is_awake(&self) {
        self.shared.sleepers.withdraw(self.index);
    }

    fn falls_asleep(&self, switches: u64) -> Option<Instant> {
        let stalls = self.shared.stalls.as_ref()?;
        stalls.falls_asleep(self.index, switches, RealClock.now())
    }

    fn wakes_up(&self) {
        let Some(stalls) = &self.shared.stalls else { return };
        if stalls.wakes_up(RealClock.now()) {
            if let Some(sched) = scheduler() {
                dump::report_stall(&sched, self);
            }
        }
    }

    fn exists(&self) -> bool {
        !self.seat().direct.is_empty()
            || !self.shared.injector.is_empty()
            || self.shared.seats.iter().any(|seat| !seat.stealer.is_empty())
    }

    fn may_come(&self) -> bool {
        self.shared.is_held()
    }

    fn is_ending(&self) -> bool {
        self.shared.stage() == Stage::Closed
    }

    fn ended(&self, fiber: FiberPtr) {
        let index = fiber.key.get().index as usize;
        let running = self.running.borrow_mut().get_mut(index).and_then(Option::take);
        let Some(Running { job, handle }) = running else { return };
        let how = handle.take_boxed();
        count(&self.seat().counts.ended);
        if let Some(sched) = scheduler() {
            job.ended(&sched, how, fiber.state.get() == State::Abandoned);
        }
    }

    fn drop_one(&self) -> bool {
        let first = self.index == 0;
        if first {
            self.shared.advance(Stage::Closed);
        } else {
            self.shared.before_emptying();
        }
        if let Some(job) = self.deque.pop() {
            self.shared.refuse(job);
            return true;
        }
        self.shared.refuse_one(&self.seat().direct)
            || first && self.shared.refuse_one(&self.shared.injector)
    }

    fn passes_exit_on(&self, code: i32) -> bool {
        if self.index == 0 {
            return false;
        }
        self.shared.exit(code);
        true
    }

    fn answer(&self) {
        if let Some(sched) = scheduler() {
            dump::answer(&sched, self);
        }
    }

    fn other_schedulers(&self) -> usize {
        self.shared.seats.len() - 1
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Worker {
    /// Refuses the jobs of a runtime that was never run. After a `run` there are none.
    fn drop(&mut self) {
        self.shared.stalls.iter().for_each(Stalls::ends);
        self.seat().desk.close(self.index);
        if self.index == 0 {
            self.shared.advance(Stage::Closed);
            self.shared.refuse_all();
        }
        while let Some(job) = self.deque.pop() {
            refuse_quietly(|| self.shared.refuse(job));
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Runs `f` with the worker of this thread's scheduler, if that takes part in a runtime.
pub(crate) fn with<R>(f: impl FnOnce(&Scheduler, Option<&Worker>) -> R) -> Option<R> {
    let sched = scheduler()?;
    let worker = sched.work.get().and_then(|work| work.as_any().downcast_ref::<Worker>());
    Some(f(&sched, worker))
}
