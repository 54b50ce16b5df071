//! The frame in which fibers live. It runs the main fiber of a scheduler and, at the end, unwinds
//! all fibers that are left.
//!
//! ```text
//!   run: signal stack, frame, main fiber
//!     main: the closure, its fiber-locals, then wind_up: kill all others, oldest first; wait
//!           until none is left
//!   run loop ends -> the stacks return to the pool -> output, panic, Killed or exit
//! ```
//!
//! Invariants:
//! - When `run` returns, each of its fibers has finished, or was abandoned and never runs again.
//!   This happens before any thread-local of the thread is destroyed.
//! - A frame cannot be forgotten, because it is the call of `run` itself. It cannot be left early
//!   either: the main fiber borrows from the caller of `run`, so a panic of the run loop itself
//!   aborts the process.

#![allow(unsafe_code, reason = "the main fiber borrows from the caller of `run`")]

use std::fmt;
use std::panic::{self, Location};

use crate::fiber::abandoned;
use crate::fiber::borrowed_stack;
use crate::fiber::cancel::{self, CancelScope};
use crate::fiber::current::{self, PoolInUse, ThreadState};
use crate::fiber::exit::{self, JoinError};
use crate::fiber::frame;
use crate::fiber::header::FiberPtr;
use crate::fiber::id::Parent;
use crate::fiber::state::{FirstTurn, Signals, State};
use crate::sched::api::join::JoinHandle;
use crate::sched::core::create::create;
use crate::sched::core::end::{self, AbortOnUnwind};
use crate::sched::core::interrupt;
use crate::sched::core::leave::leave;
use crate::sched::core::main_fiber::WIND_UP;
use crate::sched::core::observe;
use crate::sched::core::pause;
use crate::sched::core::scheduler::{CurrentFiber, Scheduler, current_fiber, scheduler};
use crate::stack;

/// The payload with which `run` unwinds if its main fiber was killed.
///
/// # Examples
///
/// ```
/// let ended = std::panic::catch_unwind(|| fibra::run(|| fibra::current().kill()));
/// assert!(ended.unwrap_err().is::<fibra::Killed>());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Killed;

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the main fiber was killed")
    }
}

impl std::error::Error for Killed {}

/// Runs `f` as the main fiber of `sched`, on this thread. Returns how that has ended.
#[track_caller]
pub(crate) fn run_to_its_end<F, T>(sched: Box<Scheduler>, f: F) -> Result<T, JoinError>
where
    F: FnOnce() -> T,
{
    run_at(Location::caller(), sched, f)
}

/// Does the same as [`run_to_its_end`], for the call at `location`.
pub(crate) fn run_at<F, T>(
    location: &'static Location<'static>,
    sched: Box<Scheduler>,
    f: F,
) -> Result<T, JoinError>
where
    F: FnOnce() -> T,
{
    let _alt_stack = match stack::install(overflowed) {
        Ok(alt_stack) => alt_stack,
        Err(error) => panic!("fibra could not set up its stack-overflow handler: {error}"),
    };
    let frame = Frame::enter(&sched);
    sched.unwinds.outside_of_run.set(std::thread::panicking());
    // SAFETY: `f` and its output may borrow from the caller, so the main fiber must end before this
    // call does. It ends before `run_until_done` returns, and `in_loop` aborts the process if that
    // unwinds.
    let handle = unsafe { create_main(&sched, location, f) };
    // SAFETY: this thread drops the scheduler below, which stays in its box until then.
    unsafe { sched.watch_begins() };
    let in_loop = AbortOnUnwind("the run loop");
    drive(&sched);
    std::mem::forget(in_loop);
    drop(frame);
    drop(sched.attached.take());
    let exit_code = sched.main.exit_code.get();
    drop(sched);
    match (handle.join(), exit_code) {
        (_, Some(code)) => abandoned::leave_process(code),
        (outcome, None) => outcome,
    }
}

/// Runs fibers until the main fiber has ended.
#[cfg(feature = "tokio")]
fn drive(sched: &Scheduler) {
    if !sched.idle.drive(sched) {
        sched.run_until_done();
    }
}

/// Runs fibers until the main fiber has ended.
#[cfg(not(feature = "tokio"))]
fn drive(sched: &Scheduler) {
    sched.run_until_done();
}

/// Creates the main fiber of `sched`, the scheduler of this thread, and makes it ready.
///
/// # Safety
///
/// The fiber must end, or be abandoned, before anything ends that `f` and its output borrow.
pub(super) unsafe fn create_main<F, T>(
    sched: &Scheduler,
    location: &'static Location<'static>,
    f: F,
) -> JoinHandle<T>
where
    F: FnOnce() -> T,
{
    // SAFETY: the caller's promise.
    let record = unsafe { create(sched, sched.main.class, f, (location, Parent::NONE)) };
    record.with_extra(|extra| extra.name = Some("main".into()));
    let main = sched.admit_and_queue(record);
    sched.main.set(main);
    sched.main.last_duty.set(Some(wind_up));
    // SAFETY: the fiber was just created with this output type, and this is its only handle.
    unsafe { JoinHandle::<T>::new(main) }
}

/// Makes another main fiber for the scheduler of this thread, whose main fiber was abandoned. It
/// only ends all others.
#[cfg(feature = "tokio")]
pub(super) fn replace_main() {
    let sched = scheduler().expect("a fiber is abandoned during a turn");
    // SAFETY: the closure and its output borrow nothing.
    drop(unsafe { create_main(&sched, Location::caller(), || ()) });
}

/// A guard that makes a scheduler that of this thread.
struct Frame<'a> {
    _pool: PoolInUse<'a>,
}

impl Frame<'_> {
    fn enter(sched: &Scheduler) -> Frame<'_> {
        ThreadState::with(|thread| {
            thread.scheduler.set((&raw const *sched).cast());
            thread.inherits.set(false);
            thread.shelves.open();
        });
        sched.listed.show((&raw const *sched).cast());
        Frame { _pool: current::use_pool(&sched.pool) }
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        ThreadState::with(|thread| {
            thread.scheduler.set(std::ptr::null());
            thread.shelves.close();
        });
    }
}

/// Panics if this thread has a scheduler already.
#[track_caller]
pub(crate) fn refuse_nesting() {
    let Some(sched) = scheduler() else { return };
    assert!(
        sched.main.successor.get().is_none(),
        "`fibra::run` was called on the thread of a guest, which is still running: use \
         `fibra::spawn` in a fiber of the guest, or another thread"
    );
    panic!(
        "`fibra::run` was called inside `fibra::run` on the same thread: the outer one is still \
         running; use `fibra::spawn`, or another thread (see `fibra::guide::pitfalls`)"
    );
}

/// Unwinds with the reason why the main fiber returned no value.
pub(crate) fn fail(error: JoinError) -> ! {
    match error {
        JoinError::Panicked(panic) => panic.resume(),
        JoinError::Killed | JoinError::KilledFor(_) | JoinError::CallerKilled => {
            // `resume_unwind` prints nothing, and a process should not end without a message.
            let why = if let JoinError::KilledFor(reason) = error {
                format!(" ({reason})")
            } else {
                String::new()
            };
            end::say(format_args!("main was killed{why}: `run` unwinds with `fibra::Killed`"));
            panic::resume_unwind(Box::new(Killed))
        }
        other => panic!("the main fiber could not run: {other}"),
    }
}

/// Ends all other fibers. Runs on the main fiber, after all its user code.
fn wind_up() {
    let current = current_fiber();
    let CurrentFiber { fiber: main, sched } = current;
    sched.closing.set(true);
    sched.dismiss_caller();
    sched.admits_specially.set(true);
    cancel::within(main, &CancelScope::shield(), || {
        if let Some(facade) = sched.tasklets.facade.get() {
            end::quietly(&main, || facade.close());
        }
        // Each step may run user code on main, which may create work for every other step.
        let is_over = (0..MOST_ROUNDS).any(|_| {
            let refused = drop_jobs(current);
            end::clean_up_again(main);
            end_the_others(current);
            let dropped = refused | sched.close_mail(main) | sched.drop_wakers(main);
            let told = observe::tell_rest(&sched, main);
            !(dropped | told) && sched.live.get() == 1 && end::owns_nothing(main)
        });
        if !is_over {
            end::leak_what_it_owns(main);
            end_the_others(current);
        }
    });
    // No coroutine that was started on main outlives this, and none can be started afterwards.
    frame::close_for_good(main);
}

/// Drops the jobs that have not started. Returns whether there were any.
fn drop_jobs(current: CurrentFiber) -> bool {
    let Some(work) = current.sched.work.get() else { return false };
    let mut dropped = false;
    loop {
        let mut one = true;
        // If a destructor panics, `one` stays true, and the next job is dropped.
        end::quietly(&current.fiber, || one = work.drop_one());
        if !one {
            return dropped;
        }
        dropped = true;
    }
}

/// The most rounds of clean-up on main, if its destructors keep creating values to clean up.
const MOST_ROUNDS: usize = 100;

fn end_the_others(current: CurrentFiber) {
    let CurrentFiber { fiber: main, sched } = current;
    for fiber in sched.fibers_where(|fiber| fiber != main) {
        sched.kill(fiber.ptr());
        // A fiber that is out of the ring while it cleans up does not see the kill, and nothing
        // else will put it back. A fiber that the kill has woken is in the ring already.
        if pause::is_floating(fiber.ptr()) {
            sched.unpause(fiber.ptr());
        }
    }
    wait_for_the_others(current);
}

fn wait_for_the_others(current: CurrentFiber) {
    let CurrentFiber { fiber: main, sched } = current;
    while 1 < sched.live.get() {
        leave(current, &WIND_UP);
        if main.signals.get().has(Signals::DEADLOCK) {
            abandon_the_rest(&sched, main);
        }
    }
}

/// Abandons all other fibers: none can run, and no wait can be made to fail, so they never end.
fn abandon_the_rest(sched: &Scheduler, main: FiberPtr) {
    interrupt::wait_completed(main);
    drop(sched.deadlocks.take_report());
    sched.spare.forget_starved();
    let alive = |fiber: FiberPtr| fiber.state.get() != State::Abandoned;
    for fiber in sched.fibers_where(|fiber| fiber != main && alive(fiber)) {
        // All of them are abandoned together, so that none continues to run with borrows from
        // another one's stack.
        sched.abandon(fiber.ptr(), "could not be unwound at the end of `run`");
    }
}

/// Ends the process with `code` after every fiber of this thread was unwound.
///
/// [`std::process::exit`] inside a fiber would run no destructor of any fiber. This function
/// unwinds the caller and kills the main fiber, which ends all other fibers, and then exits. A
/// shield does not delay it.
///
/// It exits immediately, without unwinding the fibers, where it can neither return nor unwind: in a
/// destructor that runs because of a panic or a kill, while another fiber waits in such a
/// destructor, and under `panic = "abort"`. It also exits immediately outside of `run`. If any
/// stacks were not unwound, the process ends by `_exit`, after std's streams are flushed: neither
/// destructors of thread-locals nor functions registered with `atexit` run, because those stacks
/// may refer to the thread-locals of their thread.
///
/// # Examples
///
/// ```no_run
/// fibra::run(|| {
///     fibra::spawn(|| fibra::exit(2));
///     fibra::park(); // unwound
/// });
/// ```
pub fn exit(code: i32) -> ! {
    let Some(sched) = scheduler().filter(|_| current::fiber().is_some()) else {
        abandoned::leave_process(code)
    };
    let fiber = current_fiber().fiber;
    if cfg!(panic = "abort") || std::thread::panicking() {
        abandoned::leave_process(code);
    }
    if !sched.work.get().is_some_and(|work| work.passes_exit_on(code)) {
        sched.main.exit_code.set(Some(code));
        if let Some(main) = sched.main.get().filter(|&main| main != fiber) {
            sched.kill(main);
        }
    }
    fiber.killed.set(true);
    fiber.signal(Signals::CANCEL);
    exit::raise_exit()
}

/// Returns the stack that has overflowed, if `fault` is an address in the guard of the current
/// stack.
///
/// The overflow handler calls this, in a signal handler: it only reads plain fields of the current
/// fiber and coroutine.
pub(crate) fn overflowed(fault: usize) -> Option<stack::Overflow> {
    let fiber = current::fiber();
    let coroutine = frame::overflowed(fiber, fault);
    let of_fiber = || fiber.and_then(|fiber| overflowed_size(fiber, fault));
    let size = coroutine.or_else(of_fiber)?;
    let name = fiber.and_then(|fiber| {
        fiber.peek_extra(|extra| extra.name.as_deref().map(|n| (n.as_ptr(), n.len()))).flatten()
    });
    let (name, name_len) = name.unwrap_or((std::ptr::null(), 0));
    let id = fiber.map_or(0, |fiber| fiber.id().number());
    Some(stack::Overflow { name, name_len, id, size, nested: coroutine.is_some() })
}

/// Returns the size of the fiber's stack, its own or a borrowed one, whose guard contains `fault`.
fn overflowed_size(fiber: FiberPtr, fault: usize) -> Option<usize> {
    if let Some(size) = borrowed_stack::overflowed(&fiber, fault) {
        return Some(size);
    }
    let class = if fiber.first_turn.get().has(FirstTurn::ON_SPARE) {
        scheduler()?.default_class
    } else {
        fiber.class
    };
    fiber.context.guard_contains(fault, class).then(|| class.bytes())
}
