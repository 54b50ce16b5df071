//! The threads of a runtime with several schedulers: how they start, how they end, and
//! which of them waits for which meanwhile.
//!
//! ```text
//!   build: thread 1.. -- its scheduler, or an error --> build
//!   run:   the shared state -----------------------> thread 1..: run, main fiber waits for Closed
//!          main fiber of scheduler 0: f, then
//!            Draining -> no job is left, or the grace time is over -> Closed
//!            kills the fibers of its own
//!            calls the other main fibers ----------> each kills its fibers, and is gone
//!            waits until all are gone, and then for the fibers of its own
//!          the threads are joined
//! ```
//!
//! Invariants:
//! - A runtime that is dropped before it was run ends its threads: they find no sender any more. It
//!   refuses its jobs when the [`Worker`] of its first scheduler is dropped.
//! - When a runtime closes, the fibers of all schedulers are killed before any scheduler waits for
//!   the end of its own: what unwinds on one thread may wait for a fiber of another.
//! - All other schedulers have ended before the first one does. So a handle that the main closure
//!   has moved into a job is gone when `run` returns.
//! - A thread on which a stack was abandoned does not end, and is not waited for.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use crossbeam_deque::Worker as Deque;

use crate::collections::locked::locked;
use crate::fiber::abandoned;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::jobs::pin;
use crate::jobs::shared::{Seat, Shared};
use crate::jobs::stage::Stage;
use crate::jobs::worker::Worker;
use crate::sched::api::run::run_to_its_end;
use crate::sched::api::shield::shield;
use crate::sched::core::park::{now, sleep};
use crate::sched::core::scheduler::{Scheduler, current_fiber};
use crate::sched::futures::task;

static SERVING: WaitReason =
    WaitReason::new("waiting for the end of its runtime", OnDeadlock::Last)
        .ended_externally()
        .ended_by_wakers();
static STOPPING: WaitReason =
    WaitReason::new("waiting for the other schedulers of its runtime to end", OnDeadlock::Last)
        .ended_externally()
        .ended_by_wakers();

/// The longest sleep between two looks whether a runtime that ends has jobs left.
const LOOK: Duration = Duration::from_millis(1);

/// The settings of a runtime's threads.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) threads: usize,
    /// The names of the threads begin with this; their index follows.
    pub(crate) name: String,
    pub(crate) pin: bool,
    pub(crate) grace: Duration,
    pub(crate) limit: Option<usize>,
    /// The time after which stalls are reported.
    pub(crate) stalls_after: Option<Duration>,
}

impl Plan {
    /// Returns whether one scheduler without any of these settings is enough.
    pub(crate) fn is_plain(&self) -> bool {
        self.threads == 1 && self.limit.is_none() && self.stalls_after.is_none()
    }
}

/// The other threads of a runtime, and what all of them share.
#[derive(Debug)]
pub(crate) struct Crew {
    shared: Arc<Shared>,
    plan: Plan,
    members: Members,
}

/// One of the other threads.
#[derive(Debug)]
struct Member {
    /// The thread begins to run when it gets the shared state, and ends if it never does.
    go: Sender<Arc<Shared>>,
    thread: JoinHandle<()>,
}

impl Crew {
    /// Gives the scheduler `first` its seat, and starts the other threads. Each makes its scheduler
    /// by `make`, and then waits.
    pub(crate) fn start<M>(plan: Plan, first: &Scheduler, make: M) -> io::Result<Crew>
    where
        M: Fn() -> io::Result<Scheduler> + Clone + Send + 'static,
    {
        let deque = Deque::new_lifo();
        let mut seats = vec![Seat::new(first.mailbox.clone(), deque.stealer())];
        let mut members = Members { threads: Vec::new(), shared: None };
        for index in 1..plan.threads {
            let (member, seat) = start_one(index, &plan, make.clone())?;
            members.threads.push(member);
            seats.push(seat);
        }
        let shared = Arc::new(Shared::new(seats, plan.limit, plan.stalls_after));
        let _ = first.work.set(Box::new(Worker::new(shared.clone(), 0, deque)));
        Ok(Crew { shared, plan, members })
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Returns the function that the main fiber of a guest must call around its closure. The crew
    /// must have no other threads.
    #[cfg(feature = "tokio")]
    pub(crate) fn of_a_guest(self) -> Supervisor {
        debug_assert!(self.members.threads.is_empty(), "a guest has one thread");
        self.shared.seats[0].desk.start();
        Supervisor { shared: self.shared, grace: self.plan.grace }
    }

    /// Lets the other threads run, and calls `run` with `sched`, the first scheduler, and the
    /// function that the main fiber must call around its closure. Joins the threads after that.
    pub(crate) fn run<R>(
        self,
        sched: Box<Scheduler>,
        run: impl FnOnce(Box<Scheduler>, Supervisor) -> R,
    ) -> R {
        let Crew { shared, plan, mut members } = self;
        for member in &members.threads {
            // Fails only if the thread is gone, but it has sent its seat, and waits for this.
            let _ = member.go.send(shared.clone());
        }
        members.shared = Some(shared.clone());
        shared.seats[0].desk.start();
        let _pinned = plan.pin.then(|| pin::to(0));
        run(sched, Supervisor { shared, grace: plan.grace })
    }
}

/// The function that the main fiber calls around its closure: it ends the other schedulers.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    grace: Duration,
}

impl Supervisor {
    /// Calls `f`, and ends the other schedulers of the runtime, even if `f` unwinds.
    pub(crate) fn supervise<T>(self, f: impl FnOnce() -> T) -> T {
        let result = panic::catch_unwind(AssertUnwindSafe(f));
        shield(|| self.shut_down());
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    fn shut_down(&self) {
        current_fiber().sched.main.serves.set(true);
        self.shared.advance(Stage::Draining);
        let begun = now();
        while now() - begun < self.grace && !self.shared.is_drained() {
            sleep(LOOK.min(self.grace));
        }
        self.shared.advance(Stage::Closed);
        // Scopes and destructors on the other schedulers may wait for fibers of this one. Jobs that
        // are taken from now on are only dropped.
        let main = current_fiber();
        main.sched.kill_all_but(main.fiber);
        let (first, others) = self.shared.seats.split_first().expect("there is a first scheduler");
        others.iter().for_each(Seat::call);
        let all_gone = || others.iter().all(|seat| seat.gone.load(Ordering::Acquire) != 0);
        wait_until_called(first, &STOPPING, all_gone);
    }
}

/// Waits on the main fiber of the scheduler of `seat` until `done` returns true. Code that makes it
/// return true calls [`Seat::call`] after that. The caller shields the wait, because jobs can reach
/// the main fiber of their scheduler: they may kill it or throw at it.
fn wait_until_called(seat: &Seat, reason: &'static WaitReason, done: impl Fn() -> bool) {
    let current = current_fiber();
    let waker = task::waker(current);
    loop {
        task::begin_poll(current);
        *locked(&seat.waiting) = Some(waker.clone());
        if done() {
            return;
        }
        // An error is a kill that cannot unwind: it has no effect here.
        let _ = task::wait_for_wake(current, reason);
    }
}

type Made = io::Result<Seat>;

fn start_one<M>(index: usize, plan: &Plan, make: M) -> io::Result<(Member, Seat)>
where
    M: Fn() -> io::Result<Scheduler> + Send + 'static,
{
    let (made, is_made) = bounded(1);
    let (go, gone) = bounded(1);
    let pinned = plan.pin;
    let serve = move || {
        let _pinned = pinned.then(|| pin::to(index));
        serve(index, make, &made, &gone);
    };
    let thread = thread::Builder::new().name(format!("{}-{index}", plan.name)).spawn(serve)?;
    match is_made.recv() {
        Ok(Ok(seat)) => Ok((Member { go, thread }, seat)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("a thread of the runtime panicked while it started")),
    }
}

/// The whole life of one of the other threads.
fn serve<M>(index: usize, make: M, made: &Sender<Made>, go: &Receiver<Arc<Shared>>)
where
    M: Fn() -> io::Result<Scheduler>,
{
    let sched = match make() {
        Ok(sched) => Box::new(sched),
        Err(error) => {
            let _ = made.send(Err(error));
            return;
        }
    };
    let deque = Deque::new_lifo();
    let seat = Seat::new(sched.mailbox.clone(), deque.stealer());
    let _ = made.send(Ok(seat));
    let Ok(shared) = go.recv() else { return };
    let _gone = Gone { shared: shared.clone(), index };
    shared.seats[index].desk.start();
    let worker = Worker::new(shared.clone(), index, deque);
    let _ = sched.work.set(Box::new(worker));
    sched.main.serves.set(true);
    let closed = || shared.stage() == Stage::Closed;
    let waits = || shield(|| wait_until_called(&shared.seats[index], &SERVING, closed));
    let _ = run_to_its_end(sched, waits);
}

/// Notes that a scheduler has ended, and calls the main fiber of the first one.
struct Gone {
    shared: Arc<Shared>,
    index: usize,
}

const ENDS: u8 = 1;
const NEVER_ENDS: u8 = 2;

impl Drop for Gone {
    fn drop(&mut self) {
        let how = if abandoned::on_this_thread() { NEVER_ENDS } else { ENDS };
        self.shared.seats[self.index].gone.store(how, Ordering::Release);
        self.shared.seats[0].call();
    }
}

/// The other threads of a runtime. They end when this is dropped, at the latest, and are joined.
#[derive(Debug)]
struct Members {
    threads: Vec<Member>,
    /// The shared state, once the threads have got it.
    shared: Option<Arc<Shared>>,
}

impl Drop for Members {
    fn drop(&mut self) {
        let shared = self.shared.as_deref();
        let ends = |index: usize| {
            shared.is_none_or(|shared| shared.seats[index].gone.load(Ordering::Acquire) == ENDS)
        };
        for (index, Member { go, thread }) in (1..).zip(self.threads.drain(..)) {
            drop(go);
            if ends(index) {
                // A panic of a thread was printed.
                let _ = thread.join();
            }
        }
    }
}
