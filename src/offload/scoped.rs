//! Jobs that borrow: the wait for one does not end before the job is over.
//!
//! ```text
//!   frame of the fiber                      heap, counted                      thread
//!   borrowed data <--- closure --- [ ScopedJob: closure, result, ticket ] <--- task
//!   frame of `run`: waits until the result is in the job
//! ```
//!
//! Why the borrowed data outlives its use by the thread. The thread uses it from when it takes the
//! closure until the closure has returned or unwound, which drops the closure; then the result is
//! stored in the job, and after that the thread touches only the job itself, which is
//! reference-counted. When it drops its reference, either the job is empty, or the fiber has a
//! reference as well: it drops nothing of the user's. It is therefore enough that the frame of
//! [`run`], and with it all frames below, stays unchanged until the result is there:
//! 1. *It does not return.* [`wait_to_the_end`] loops until the ticket is served, which is done
//!    under the lock under which the result is stored.
//! 2. *It does not unwind.* The wait is inside a shield, so that no kill, cancelled region or time
//!    limit takes effect, and no pending throw is raised (`sched/throw.rs`); it has no deadline of
//!    its own; a deadlock that asks it to fail is ignored. [`AbortOnUnwind`] aborts if that is
//!    wrong.
//! 3. *Its stack is neither freed nor reused*: that happens to finished fibers only. If this runs
//!    on the stack of a generator, the whole chain waits as one, and a generator that is on the
//!    chain is not left.
//! 4. *Frames outside of this stack* (the caller of `fibra::run`, a scope of another fiber, a
//!    `LocalKey::with` around them) are left only when this fiber has ended, or was abandoned.
//!    Abandoning it withdraws the wait, and [`Wait`]'s `claim` blocks the thread until the job is
//!    over. The same holds for a fiber that was taken out of the ring (`sched/pause.rs`) in the
//!    middle of this wait, and is abandoned when `run` ends.
//! 5. *The process* may end at any time, by an abort or an exit. As with [`std::thread::scope`],
//!    the threads of a process that exits continue until it is gone.
//!
//! Where nothing can unwind (`panic = "abort"`) the argument is the same: the shield hides the kill
//! for which the fiber would be abandoned; and a panic of the closure ends the process.
//!
//! A plain thread blocks in the frame of [`run`] until the result is there: nothing can unwind that
//! wait.
//!
//! A task that is not run is refused by `submit`, which fails then, before the wait begins: a crew
//! runs every task that it has accepted (`offload/worker.rs`). Each `submit` in this folder hands
//! the task to a crew, and does nothing else with it.

#![allow(unsafe_code, reason = "lets a thread borrow from a frame that outlives the job")]

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::report::AbortOnUnwind;
use crate::offload::job::{Task, Waiter, value_of};
use crate::sched::lowlevel::{
    CurrentFiber, OnDeadlock, OutsideWait, Ticket, WaitOutcome, WaitReason, refuse_at_door,
    scheduler, wait_for_others,
};

static WAITING: WaitReason =
    WaitReason::new("waiting for the end of a job on another thread", OnDeadlock::Last)
        .ended_externally();

/// Runs `f` on a thread of the crew to which `submit` hands it, and returns when it is over. The
/// caller is the fiber `current`, or a plain thread.
///
/// # Errors
///
/// Returns the error with which `submit` refuses the task.
#[track_caller]
pub(super) fn run<K, F, T, E>(
    submit: impl FnOnce(Arc<dyn Task<K>>) -> Result<(), E>,
    current: Option<CurrentFiber>,
    f: F,
) -> Result<T, E>
where
    K: 'static,
    F: FnOnce(&mut K) -> T + Send,
    T: Send,
{
    if let Some(current) = current {
        refuse_at_door(current, "for a blocking call");
    }
    let job = Arc::new(ScopedJob {
        stage: Mutex::new(Stage { closure: Some(f), result: None }),
        over: Condvar::new(),
        ticket: current.map(Ticket::new),
    });
    let task: Arc<dyn Task<K> + '_> = job.clone();
    // SAFETY: this changes the lifetime only. Nothing uses the borrowed data after this frame: the
    // top of the file shows that for a task that is accepted; one that is refused was dropped in
    // `submit`, and only this frame has a reference to it then.
    let task = unsafe { mem::transmute::<Arc<dyn Task<K> + '_>, Arc<dyn Task<K> + 'static>>(task) };
    submit(task)?;
    match (current, &job.ticket) {
        (Some(current), Some(ticket)) => wait_to_the_end(current, &Wait { job: &*job, ticket }),
        _ => job.block(),
    }
    let result = job.stage().result.take().expect("it was stored before the ticket was served");
    Ok(value_of(result))
}

#[track_caller]
fn wait_to_the_end(current: CurrentFiber, wait: &Wait<'_>) {
    let in_wait = AbortOnUnwind("the wait for a job that borrows");
    let scope = CancelScope::shield();
    // SAFETY: it is dropped at the end of this function, before `scope`, and no other scope is
    // entered here.
    let shielded = unsafe { cancel::enter(current.fiber, &scope) };
    while wait.ticket.outcome() != WaitOutcome::Served {
        // Whatever the outcome of the wait, only the ticket counts.
        let _ = wait_for_others(current, wait, None, &WAITING);
    }
    drop(shielded);
    mem::forget(in_wait);
}

/// The state that the fiber and the thread share.
struct ScopedJob<F, T> {
    stage: Mutex<Stage<F, T>>,
    /// Wakes the fiber's own thread, if that blocks until the result is there.
    over: Condvar,
    /// The wait of the fiber; `None` if a plain thread waits.
    ticket: Option<Ticket>,
}

struct Stage<F, T> {
    closure: Option<F>,
    result: Option<thread::Result<T>>,
}

impl<F, T> ScopedJob<F, T> {
    fn stage(&self) -> MutexGuard<'_, Stage<F, T>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, F, T> Task<K> for ScopedJob<F, T>
where
    F: FnOnce(&mut K) -> T + Send,
    T: Send,
{
    fn run(&self, kept: &mut K, settle: &mut dyn FnMut()) -> Waiter {
        let closure = self.stage().closure.take().expect("a task is run once");
        let result = panic::catch_unwind(AssertUnwindSafe(|| closure(kept)));
        settle();
        let mut stage = self.stage();
        stage.result = Some(result);
        if let Some(ticket) = &self.ticket {
            let served = ticket.claim(WaitOutcome::Served);
            debug_assert!(served, "only the thread ends this wait");
        }
        self.over.notify_all();
        drop(stage);
        if let Some(ticket) = &self.ticket {
            ticket.wake(scheduler());
        }
        Waiter::Waits
    }
}

/// The waiting side's view of a [`ScopedJob`], independent of its types.
trait Waited {
    /// Blocks the thread until the result is there.
    fn block(&self);
}

impl<F, T> Waited for ScopedJob<F, T> {
    fn block(&self) {
        let waits = |stage: &mut Stage<F, T>| stage.result.is_none();
        drop(self.over.wait_while(self.stage(), waits).unwrap_or_else(PoisonError::into_inner));
    }
}

/// The wait of a fiber for a job.
struct Wait<'a> {
    job: &'a dyn Waited,
    ticket: &'a Ticket,
}

impl OutsideWait for Wait<'_> {
    fn ticket(&self) -> &Ticket {
        self.ticket
    }

    /// Blocks until the job is over, because the fiber is about to be abandoned and its frames must
    /// not be left before that.
    fn claim(&self, outcome: WaitOutcome) -> bool {
        debug_assert_eq!(
            outcome,
            WaitOutcome::Withdrawn,
            "the thread serves the ticket, and not the wait"
        );
        self.job.block();
        false
    }

    fn others_exist(&self) -> bool {
        true
    }
}
