//! Two closures at the same time.
//!
//! ```text
//!   stack of the fiber                          deque, or another thread
//!   [ Loan: b, later its output ] <--- pointer --- job
//!   a runs
//!   the job is taken back? -- yes --> b runs here
//!     no: its fiber runs b --> wait until it has ended
//! ```
//!
//! Why what `b` borrows, and the [`Loan`] itself, outlive their use by the job. The job reads its
//! pointer when its fiber runs the closure, and never after that fiber has ended. A job that was
//! taken back has no fiber that does so. It is therefore enough that the frame of [`join`] stays
//! unchanged until the job was taken back or its fiber has ended:
//! 1. *It does not return, and does not unwind.* A panic of `a` is caught. [`wait`] is left only
//!    with the outcome of the job, which is announced when its fiber has ended. A wait that is
//!    interrupted kills the job, and waits again in a shield. [`AbortOnUnwind`] aborts if that
//!    unwinds.
//! 2. *An abandoned job never ends.* What its stack has lent on may still be used, so the caller
//!    waits until it is abandoned as well, which happens only at the end of its own `run`. A job
//!    that is abandoned before its runtime ends aborts the process, like any job that borrows.
//! 3. *The stack is neither freed nor reused*, whatever happens to the fiber of the caller: if that
//!    is abandoned, its stack is kept, with everything that it has lent. If it suspends a generator
//!    or greenlet in `a`, the frame stays on the stack of that, which is unwound before its fiber
//!    ends, or kept.

#![allow(unsafe_code, reason = "lends a frame to a job that ends before the frame is left")]

use std::any::Any;
use std::cell::Cell;
use std::mem;
use std::panic::{self, AssertUnwindSafe, Location};
use std::pin::Pin;

use crate::fiber::exit::{self, JoinError};
use crate::fiber::report::{AbortOnUnwind, report_lost};
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::future::block_on::wait_within;
use crate::jobs::lent::lend;
use crate::jobs::queueing;
use crate::jobs::remote_handle::RemoteHandle;
use crate::par::guard::wait_forever;
use crate::sched::api::shield::shield;
use crate::sched::api::spawn::Builder;
use crate::sched::core::carry;
use crate::sched::core::end;
use crate::sched::core::interrupt::{self, Interrupt};
use crate::sched::core::limit::Limit;
use crate::sched::core::park::spend;
use crate::sched::core::scheduler::{CurrentFiber, current_fiber};

type Payload = Box<dyn Any + Send>;

static SECOND: WaitReason =
    WaitReason::new("waiting for the second of two closures", OnDeadlock::Fail)
        .ended_externally()
        .ended_by_wakers();

/// Runs `a` and `b`, at the same time if another scheduler is free, and returns both results.
///
/// The current fiber runs `a`. `b` is a job, which another scheduler may take while `a` runs, and
/// this one while `a` waits. If none has taken it when `a` is done, the current fiber runs `b`,
/// too: that costs much less than a job. Then `b` sees the fiber-locals of the current fiber;
/// otherwise it sees those that jobs inherit.
///
/// If the caller is killed, so is `b`, and the caller unwinds once `b` has ended.
///
/// # Panics
///
/// Panics outside of a fiber, and with the panic of `a` or `b`, after both have ended: with that of
/// `a` if both panic. Also panics if `b` was killed by the end of the runtime.
///
/// # Examples
///
/// ```
/// use fibra::par;
///
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() < 1000 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (left, right) = par::join(|| sum(left), || sum(right));
///     left + right
/// }
///
/// # fn main() -> std::io::Result<()> {
/// fibra::Runtime::builder().all_cores().build()?.run(|| {
///     let numbers: Vec<u64> = (1..=10_000).collect();
///     assert_eq!(sum(&numbers), 50_005_000);
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let current = current_fiber();
    carry::refuse_at_door(current, SECOND.text);
    // A recursion of joins that never waits lets others run here.
    spend(current);
    let mut settings = queueing::settings(Builder::new(), Location::caller());
    settings.moves(mem::size_of::<B>() + mem::size_of::<RB>());
    let loan = Loan { closure: Cell::new(Some(b)), output: Cell::new(None) };
    let on_loan = loan.pointer();
    let job = lend(current, settings, move || on_loan.run());
    let a = panic::catch_unwind(AssertUnwindSafe(a));
    let ended = match job {
        Some(job) if !may_run_here(current) || !job.take_back(current) => {
            let kill = a.is_err() && interrupt::is_due(current);
            Some(wait(job.into_handle(), kill))
        }
        _ => None,
    };
    match (a, ended) {
        (Ok(a), None) => (a, loan.run()),
        (Ok(a), Some(ended)) => {
            ended.check();
            (a, loan.into_output())
        }
        (Err(payload), ended) => unwind(current, payload, ended, loan),
    }
}

/// The second closure, and later its output.
struct Loan<B, RB> {
    closure: Cell<Option<B>>,
    output: Cell<Option<RB>>,
}

impl<B: FnOnce() -> RB, RB> Loan<B, RB> {
    fn pointer(&self) -> OnLoan {
        OnLoan { loan: (&raw const *self).cast(), run: run_on_loan::<B, RB> }
    }

    fn run(&self) -> RB {
        let closure = self.closure.take().expect("it runs once");
        closure()
    }

    fn into_output(self) -> RB {
        self.output.into_inner().expect("the job has ended without an error")
    }
}

/// A pointer to the [`Loan`], for the job.
#[derive(Copy, Clone)]
struct OnLoan {
    loan: *const (),
    run: unsafe fn(*const ()),
}

// SAFETY: `B` and `RB` are `Send`, by the bounds of `join`, which alone makes this. The closure and
// its output are moved into and out of the cells by one thread at a time: by the job until its
// outcome is announced, and by the caller of `join` after that, or after it has taken the job back.
// Both happen after what the other thread did, by the state of the job, or by the deque.
unsafe impl Send for OnLoan {}

impl OnLoan {
    fn run(self) {
        let OnLoan { loan, run } = self;
        // SAFETY: this is the closure of the job, so the fiber of the job runs, and `join` is not
        // left before it has ended (see the top of this file). `run` has the types of the loan.
        unsafe { run(loan) }
    }
}

/// Runs the closure of a loan, and leaves its output there.
///
/// # Safety
///
/// `loan` must point to a `Loan<B, RB>` that no other thread touches during the call.
unsafe fn run_on_loan<B: FnOnce() -> RB, RB>(loan: *const ()) {
    // SAFETY: the caller's promise.
    let loan = unsafe { &*loan.cast::<Loan<B, RB>>() };
    loan.output.set(Some(loan.run()));
}

/// Returns whether a call of the second closure leaves enough of the stack. In a long chain of such
/// calls some must run on a stack of their own.
fn may_run_here(current: CurrentFiber) -> bool {
    let (here, class) = (0_u8, current.fiber.class.bytes());
    let used = current.fiber.context.stack_used((&raw const here).addr());
    // On the stack of a generator the difference is of no use, and nearly always too large.
    used <= class / 2 || class < used
}

/// The end of the job.
struct Ended {
    outcome: Result<(), JoinError>,
    /// The payload with which the wait for it was interrupted.
    interrupt: Option<Payload>,
}

impl Ended {
    /// Unwinds if the wait was interrupted, or if the job has left no output.
    #[track_caller]
    fn check(self) {
        match self {
            Ended { interrupt: Some(payload), .. } => panic::resume_unwind(payload),
            Ended { outcome: Ok(()), .. } => {}
            Ended { outcome: Err(JoinError::Panicked(panic)), .. } => panic.resume(),
            Ended { outcome: Err(error), .. } => {
                panic!("the second closure has no result: {error}")
            }
        }
    }
}

/// Waits until the job has ended, and kills it if `kill` says so or the wait is interrupted. It
/// neither returns earlier nor unwinds.
#[cold]
#[inline(never)]
fn wait(mut job: RemoteHandle<()>, kill: bool) -> Ended {
    let unwinds = AbortOnUnwind("the wait for a closure that borrows");
    let once = || wait_within(Pin::new(&mut job), Limit::None, &SECOND);
    let waited = (!kill).then(|| panic::catch_unwind(AssertUnwindSafe(once)));
    let (outcome, interrupt) = match waited {
        Some(Ok(Ok(outcome))) => (outcome, None),
        interrupt => (kill_and_wait(&mut job), interrupt),
    };
    if let Err(JoinError::Abandoned) = outcome {
        wait_forever();
    }
    mem::forget(unwinds);
    match interrupt {
        Some(Err(payload)) => Ended { outcome, interrupt: Some(payload) },
        // Where nothing can unwind.
        Some(Ok(Err(interrupt))) if outcome.is_err() => {
            Ended { outcome: Err(error_of(interrupt)), interrupt: None }
        }
        _ => Ended { outcome, interrupt: None },
    }
}

fn kill_and_wait(job: &mut RemoteHandle<()>) -> Result<(), JoinError> {
    shield(|| {
        job.kill();
        loop {
            if let Ok(outcome) = wait_within(Pin::new(&mut *job), Limit::None, &SECOND) {
                return outcome;
            }
        }
    })
}

fn error_of(interrupt: Interrupt) -> JoinError {
    match interrupt {
        Interrupt::Deadlock(report) => JoinError::Deadlock(report),
        Interrupt::Killed | Interrupt::TimedOut => JoinError::CallerKilled,
    }
}

/// Raises the panic or the kill of the first closure again. The second one runs before that if it
/// has not run so far, unless the caller was killed.
#[cold]
#[inline(never)]
fn unwind<B: FnOnce() -> RB, RB>(
    current: CurrentFiber,
    payload: Payload,
    ended: Option<Ended>,
    loan: Loan<B, RB>,
) -> ! {
    let second = match ended {
        None if exit::is_unwind(&*payload) || interrupt::is_due(current) => Ok(()),
        None => panic::catch_unwind(AssertUnwindSafe(|| drop(loan.run()))),
        Some(Ended { outcome: Err(JoinError::Panicked(panic)), .. }) => Err(panic.into_payload()),
        Some(_) => Ok(()),
    };
    if let Err(second) = second {
        if !exit::is_unwind(&*second) {
            report_lost("the second of two closures panicked after the first one", second);
        }
    }
    // Here, because a panic of a destructor in an unwind would abort the process.
    end::quietly(&current.fiber, || drop(loan));
    panic::resume_unwind(payload)
}
