//! Dumps of all schedulers of a runtime: the public calls. How a scheduler is asked is in
//! [`desk`](crate::jobs::desk), and the result in [`runtime_dump`](crate::jobs::runtime_dump).

#![forbid(unsafe_code)]

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::fiber::report::say;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::jobs::desk::{Answer, Request};
use crate::jobs::handle::Handle;
use crate::jobs::runtime_dump::{RuntimeDump, SchedulerDump, SchedulerState};
use crate::jobs::shared::Shared;
use crate::jobs::stalls::Stalls;
use crate::jobs::worker::Worker;
use crate::sched::core::limit::Limit;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::deadlock::dump;
#[cfg(feature = "diagnostics")]
use crate::sched::deadlock::stacks;
use crate::sched::deadlock::victim::REPORTED;
use crate::sched::shared::mailbox::Mail;
use crate::sched::shared::owner::Owner;
use crate::sched::time::clock::{Clock, RealClock};

static ASKING: WaitReason =
    WaitReason::new("waiting for the dumps of other schedulers", OnDeadlock::Fail)
        .ended_by_outsiders();

/// The time within which a scheduler answers unless it is busy.
const PATIENCE: Duration = Duration::from_secs(1);

impl Handle {
    /// Returns a snapshot of all schedulers of the runtime: their fibers, like
    /// [`fibra::dump`](crate::dump()) returns those of one scheduler, the jobs that have not
    /// started, and which schedulers sleep.
    ///
    /// May be called on any thread. Only its own thread can read the fibers of a scheduler. So
    /// other schedulers are asked, and answer between two fibers; a fiber that calls this parks
    /// meanwhile, and a plain thread blocks. A scheduler whose fiber computes for a second without
    /// a wait or a yield is shown as [`Busy`](SchedulerState::Busy). The snapshots of different
    /// schedulers are not of the same moment.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     handle.spawn_on(1, fibra::park).detach();
    ///     # let settled = |text: String| text.contains(" is parked") && text.contains("sleeps");
    ///     # while !settled(handle.dump().to_string()) {
    ///     #     fibra::sleep(std::time::Duration::from_millis(1));
    ///     # }
    ///     println!("{}", handle.dump());
    ///     // scheduler 0 is awake:
    ///     //   fiber 'main' (#1) runs, spawned at src/main.rs:1:1
    ///     // scheduler 1 sleeps:
    ///     //   fiber 'main' (#1) is waiting for the end of its runtime at ...
    ///     //   fiber #2 is parked at ...
    ///     # let text = handle.dump().to_string();
    ///     # assert!(text.starts_with("scheduler 0 is awake:\n  fiber 'main' (#1) runs"));
    ///     # assert!(text.contains("\n  fiber #2 is parked at"), "{text}");
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn dump(&self) -> RuntimeDump {
        self.dump_within(PATIENCE)
    }

    /// Returns a snapshot like [`dump`](Handle::dump), for which it waits up to `limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use fibra::SchedulerState;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     let (started, has_started) = fibra::sync::oneshot();
    ///     let (go_on, goes_on) = std::sync::mpsc::channel();
    ///     let job = handle.spawn_on(1, move || {
    ///         started.send(()).unwrap();
    ///         goes_on.recv().unwrap(); // blocks the thread
    ///     });
    ///     has_started.recv().unwrap();
    ///     let limit = Duration::from_millis(5);
    ///     let dump = handle.dump_within(limit);
    ///     assert_eq!(dump.schedulers[1].state, SchedulerState::Busy(limit));
    ///     assert_eq!(dump.schedulers[1].fibers, None);
    ///     go_on.send(()).unwrap();
    ///     job.join().unwrap();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn dump_within(&self, limit: Duration) -> RuntimeDump {
        self.collect_dumps(Request::new(self.shared.seats.len(), usize::MAX, false), limit)
    }

    #[track_caller]
    fn collect_dumps(&self, request: Arc<Request>, limit: Duration) -> RuntimeDump {
        let own = self.at_home(|sched, worker| (worker.index(), of(sched, &request)));
        of_all(&self.shared, request, limit, own)
    }
}

#[cfg(feature = "diagnostics")]
impl Handle {
    /// Returns a snapshot like [`dump`](Handle::dump), with the native stack of each fiber: see
    /// [`fibra::dump_with_stacks`](crate::dump_with_stacks).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// fibra::Runtime::builder().threads(2).build()?.run(|| {
    ///     let dump = fibra::Handle::current().dump_with_stacks();
    ///     let fibers = dump.schedulers.iter().filter_map(|scheduler| scheduler.fibers.as_ref());
    ///     assert!(fibers.flat_map(|dump| &dump.fibers).all(|fiber| fiber.stack.is_some()));
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn dump_with_stacks(&self) -> RuntimeDump {
        self.dump_with_stacks_within(PATIENCE)
    }

    /// Returns a snapshot like [`dump_with_stacks`](Handle::dump_with_stacks), for which it waits
    /// up to `limit`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let limit = Duration::from_millis(200);
    ///     println!("{}", fibra::Handle::current().dump_with_stacks_within(limit));
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn dump_with_stacks_within(&self, limit: Duration) -> RuntimeDump {
        self.collect_dumps(Request::with_stacks(self.shared.seats.len()), limit)
    }
}

/// Returns a snapshot of all schedulers of a runtime, for which it waits up to `limit`. `own` is
/// the index and the answer of the caller's scheduler, if that belongs to the runtime.
#[track_caller]
pub(crate) fn of_all(
    shared: &Shared,
    request: Arc<Request>,
    limit: Duration,
    own: Option<(usize, Answer)>,
) -> RuntimeDump {
    let _withdraws = Withdraws { shared, request: &request };
    ask(shared, &request, own.as_ref().map(|(index, _)| *index));
    if let Some((index, answer)) = own {
        request.answer(index, answer);
    }
    if !request.complete.is_set() {
        // An error means that the time is over, or that the fiber was killed and cannot unwind.
        let _ = request.complete.wait_in_line(Limit::After(limit).instant(), &ASKING);
    }
    collect(shared, &request, limit)
}

/// Leaves `request` at all schedulers, except for `own`, which gives its dump itself.
fn ask(shared: &Shared, request: &Arc<Request>, own: Option<usize>) {
    let started = shared.seats[0].desk.has_started();
    for (index, seat) in shared.seats.iter().enumerate() {
        if own == Some(index) {
            continue;
        }
        if !started {
            request.answer(index, Answer::NotStarted);
            continue;
        }
        // Before the mail, which wakes it.
        request.asleep[index].store(seat.mailbox.inbox.is_asleep(), Ordering::Relaxed);
        match seat.desk.leave(request) {
            Ok(true) => seat.mailbox.post(Mail::Asked),
            Ok(false) => {}
            Err(answer) => _ = request.answer(index, answer),
        }
    }
}

/// Returns what has been answered so far. The others are busy: they did not answer within `limit`.
fn collect(shared: &Shared, request: &Request, limit: Duration) -> RuntimeDump {
    let mut answers = request.take_answers();
    name_holders(&mut answers);
    let schedulers = answers.into_iter().zip(&shared.seats).enumerate();
    let schedulers = schedulers.map(|(index, (answer, seat))| {
        let asleep = request.asleep[index].load(Ordering::Relaxed);
        let (state, found) = match answer {
            None => (SchedulerState::Busy(limit), None),
            Some(Answer::NotStarted) => (SchedulerState::NotStarted, None),
            Some(Answer::Fibers(dump, stats, _)) if asleep => {
                (SchedulerState::Asleep, Some((dump, stats)))
            }
            Some(Answer::Fibers(dump, stats, _)) => (SchedulerState::Awake, Some((dump, stats))),
            Some(Answer::Ended) => (SchedulerState::Ended, None),
        };
        let queued_jobs = seat.stealer.len() + seat.direct.len();
        let (fibers, stats) = found.unzip();
        let stats = stats.map(|stats| *stats);
        SchedulerDump { index, state, queued_jobs, fibers, stats }
    });
    RuntimeDump { schedulers: schedulers.collect(), queued_jobs: shared.injector.len() }
}

/// Names the fibers that hold locks for which fibers of other schedulers wait.
fn name_holders(answers: &mut [Option<Answer>]) {
    let held = |answer: &Option<Answer>| match answer {
        Some(Answer::Fibers(_, _, held)) => held.clone(),
        _ => Vec::new(),
    };
    let holders: HashSet<Owner> = answers.iter().flat_map(held).map(|(_, owner)| owner).collect();
    let mut names = HashMap::new();
    for (index, answer) in answers.iter().enumerate() {
        let Some(Answer::Fibers(dump, ..)) = answer else { continue };
        for fiber in &dump.fibers {
            let owner = Owner::of_fiber(fiber.id);
            if holders.contains(&owner) {
                names.insert(owner, format!("{} of scheduler {index}", fiber.title()));
            }
        }
    }
    for answer in answers.iter_mut().flatten() {
        let Answer::Fibers(dump, _, held) = answer else { continue };
        for (at, owner) in held {
            if let Some(name) = names.get(owner) {
                dump.fibers[*at].held_by = Some(name.clone());
            }
        }
    }
}

/// Returns the answer of `sched` to `request`.
fn of(sched: &Scheduler, request: &Request) -> Answer {
    #[cfg_attr(not(feature = "diagnostics"), expect(unused_mut, reason = "no stacks are added"))]
    let (mut dump, held) = dump::with_holders(sched, request.most);
    #[cfg(feature = "diagnostics")]
    if request.stacks {
        stacks::add(sched, &mut dump);
    }
    Answer::Fibers(dump, Box::new(dump::stats_of(sched)), held)
}

/// Takes a request out of all desks when this is dropped: at the end of the wait for the answers,
/// also by an unwind.
struct Withdraws<'a> {
    shared: &'a Shared,
    request: &'a Arc<Request>,
}

impl Drop for Withdraws<'_> {
    fn drop(&mut self) {
        self.shared.seats.iter().for_each(|seat| seat.desk.withdraw(self.request));
    }
}

/// Answers the requests that other threads have left for the scheduler of `worker`. Called by its
/// run loop.
pub(super) fn answer(sched: &Scheduler, worker: &Worker) {
    let requests = worker.seat().desk.take();
    if requests.is_empty() {
        return;
    }
    sched.refresh_now();
    for request in requests {
        give(sched, worker, &request, of(sched, &request));
    }
}

/// Gives the dump of the scheduler of `worker` to `request`.
fn give(sched: &Scheduler, worker: &Worker, request: &Request, dump: Answer) {
    let stalls = worker.shared.stalls.as_ref().filter(|_| request.of_stall);
    // Before the answer: the scheduler that answers last knows of what all others have run.
    let note =
        |stalls: &Stalls| stalls.lasts(worker.index(), sched.switches.get(), RealClock.now());
    let lasts = stalls.is_some_and(note);
    let is_last = request.answer(worker.index(), dump);
    if let Some(stalls) = stalls.filter(|_| is_last && lasts) {
        let (after, dump) = (stalls.after(), collect(&worker.shared, request, Duration::ZERO));
        say(format_args!("stall: all schedulers have slept for {after:?}:\n{dump}"));
    }
}

/// Reports that all schedulers sleep: asks the others, and the last one that answers prints the
/// report, unless a fiber has run meanwhile. Called by the run loop of the scheduler of `worker`.
#[cold]
pub(super) fn report_stall(sched: &Scheduler, worker: &Worker) {
    sched.refresh_now();
    let request = Request::new(worker.shared.seats.len(), REPORTED, true);
    let dump = of(sched, &request);
    request.asleep[worker.index()].store(true, Ordering::Relaxed);
    ask(&worker.shared, &request, Some(worker.index()));
    give(sched, worker, &request, dump);
}
