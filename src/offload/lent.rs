//! Jobs that borrow: the wait for one is not left before it is over.
//!
//! ```text
//!   frame of the fiber                      heap, counted                     thread
//!   what is lent <----- closure ---- [ Loan: closure, result, ticket ] <------ task
//!   frame of `run`: waits until the result is in the loan
//! ```
//!
//! Why what is lent outlives the use that the thread makes of it. The thread uses it from when it takes
//! the closure until that has returned or unwound, which drops the closure; then the result is put into
//! the loan, and after that the thread touches nothing but the loan itself, which is counted. When it lets
//! go of that, the loan is empty, or the fiber has it as well: it drops nothing of the user's. So it is
//! enough that the frame of [`run`], and with it all frames below, stays as it is until the result is
//! there:
//! 1. *It does not return.* [`wait_to_the_end`] loops until the ticket is served, which is done under
//!    the lock under which the result is stored.
//! 2. *It does not unwind.* The wait stands in a shield, so that no kill, cancelled region or time limit
//!    is met, and no bomb goes off (`sched/tasklet/throw.rs`); it has no deadline of its own; a deadlock that
//!    asks it to fail is not listened to. [`AbortOnUnwind`] aborts if that is wrong.
//! 3. *Its stack is neither freed nor reused*: that happens to finished fibers only. If this stands on
//!    the stack of a generator, the whole chain waits as one, and a generator that is on the chain is
//!    not left.
//! 4. *Frames outside of this stack* (the caller of `fibra::run`, a scope of another fiber, a
//!    `LocalKey::with` around them) are left only when this fiber has ended, or was retired. Retiring
//!    it withdraws the wait, and [`Wait::claim`] blocks the thread until the job is over. So is a fiber
//!    that was taken out of the ring (`sched/core/pause.rs`) in the middle of this wait, and is given up
//!    when `run` ends.
//! 5. *The process* may end at any time, by an abort or an exit. As with [`std::thread::scope`], the
//!    threads of a process that exits run on until it is gone.
//!
//! Where nothing can unwind (`panic = "abort"`) this is the same: the shield hides the kill for which
//! the fiber would be retired; and a panic of the closure ends the process.
//!
//! A task that is not run is dropped in `submit`, which fails then, before the wait begins: a crew runs
//! whatever it has taken in (`offload/worker.rs`).

#![allow(unsafe_code, reason = "lends borrows to a thread that is done with them in time")]

use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::report::AbortOnUnwind;
use crate::offload::job::{Task, value_of};
use crate::offload::pool::Pool;
use crate::sched::lowlevel::{
    Fate, Here, OnDeadlock, OutsideWait, Ticket, WaitReason, scheduler, wait_for_others,
};

static WAITING: WaitReason =
    WaitReason::new("waiting for the end of a job on another thread", OnDeadlock::Last)
        .ended_by_the_world();

/// Runs `f` on a thread of `pool`, and returns when it is over.
#[track_caller]
pub(super) fn run<F, T>(pool: &Pool, here: Here, f: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let loan = Arc::new(Loan {
        stage: Mutex::new(Stage { closure: Some(f), result: None }),
        over: Condvar::new(),
        ticket: Ticket::new(here),
    });
    let task: Arc<dyn Task + '_> = loan.clone();
    // SAFETY: this changes the lifetime only. Nobody uses what is borrowed after this frame: see the
    // top for a task that is taken in; one that is refused was dropped in `submit`.
    let task = unsafe { mem::transmute::<Arc<dyn Task + '_>, Arc<dyn Task + 'static>>(task) };
    pool.submit(task)?;
    wait_to_the_end(here, &*loan);
    let result = loan.stage().result.take().expect("it was stored before the ticket was served");
    Ok(value_of(result))
}

#[track_caller]
fn wait_to_the_end(here: Here, loan: &dyn Lender) {
    let in_wait = AbortOnUnwind("the wait for a job that borrows");
    let scope = CancelScope::shield();
    // SAFETY: it is dropped at the end of this function, before `scope`, and no other is entered here.
    let shielded = unsafe { cancel::enter(here.fiber, &scope) };
    while loan.ticket().fate() != Fate::Served {
        // Whatever it says, only the ticket counts.
        let _ = wait_for_others(here, &Wait(loan), None, &WAITING);
    }
    drop(shielded);
    mem::forget(in_wait);
}

/// What the fiber and the thread share.
struct Loan<F, T> {
    stage: Mutex<Stage<F, T>>,
    /// For who blocks the fiber's own thread until the result is there.
    over: Condvar,
    ticket: Ticket,
}

struct Stage<F, T> {
    closure: Option<F>,
    result: Option<thread::Result<T>>,
}

impl<F, T> Loan<F, T> {
    fn stage(&self) -> MutexGuard<'_, Stage<F, T>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F, T> Task for Loan<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self, settle: &mut dyn FnMut()) {
        let closure = self.stage().closure.take().expect("a task is run once");
        let result = panic::catch_unwind(AssertUnwindSafe(closure));
        settle();
        let mut stage = self.stage();
        stage.result = Some(result);
        let served = self.ticket.claim(Fate::Served);
        debug_assert!(served, "nobody else ends this wait");
        self.over.notify_all();
        drop(stage);
        self.ticket.wake(scheduler());
    }
}

/// A [`Loan`], whatever its types are, as the waiting side sees it.
trait Lender {
    fn ticket(&self) -> &Ticket;

    /// Blocks the thread until the result is there.
    fn block(&self);
}

impl<F, T> Lender for Loan<F, T> {
    fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    fn block(&self) {
        let waits = |stage: &mut Stage<F, T>| stage.result.is_none();
        drop(self.over.wait_while(self.stage(), waits).unwrap_or_else(PoisonError::into_inner));
    }
}

struct Wait<'a>(&'a dyn Lender);

impl OutsideWait for Wait<'_> {
    fn ticket(&self) -> &Ticket {
        self.0.ticket()
    }

    /// The fiber is not to go on waiting: it is retired. It cannot be before the job is over.
    fn claim(&self, fate: Fate) -> bool {
        debug_assert_eq!(fate, Fate::Withdrawn, "the thread serves the ticket, and not the wait");
        self.0.block();
        false
    }

    fn others_exist(&self) -> bool {
        true
    }
}
