//! The record of one thread: the fiber that runs on it now, and the scheduler that it belongs to.
//!
//! Invariants:
//! - The run loop sets `fiber` around each resume. It is `None` on the thread's own stack.
//! - `scheduler` is set during a `run`, `frame` during a `frame`, and `pool` during both.
//! - Started fibers never leave their thread, so the compiler may keep the address of this
//!   thread-local across a switch.
//! - The thread-local has a constant initialiser and no destructor: a signal handler may read it.

#![allow(unsafe_code, reason = "follows the pointer to the thread's pool")]

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::fiber::frame::Frame;
use crate::fiber::header::FiberPtr;
use crate::fiber::shelves::Shelves;
#[cfg(feature = "diagnostics")]
use crate::fiber::walk::Walker;
use crate::stack::Pool;

/// The record of one thread.
#[derive(Debug)]
pub(crate) struct ThreadState {
    pub(crate) fiber: Cell<Option<FiberPtr>>,
    /// The thread's scheduler. Type-erased: the layer above owns it.
    pub(crate) scheduler: Cell<*const ()>,
    /// The frame of the thread's own stack, inside `fibra::frame`.
    pub(crate) frame: Cell<*const Frame>,
    /// The pool from which stacks are taken.
    pub(crate) pool: Cell<*const RefCell<Pool>>,
    /// Whether a fiber-local that children inherit was created in this `run`.
    pub(crate) inherits: Cell<bool>,
    /// Whether a stack with frames on it was abandoned on this thread: see
    /// [`abandoned`](crate::fiber::abandoned).
    pub(crate) abandoned_a_stack: Cell<bool>,
    /// The walker that has resumed a fiber for a walk of its stack.
    #[cfg(feature = "diagnostics")]
    pub(crate) walker: Cell<*const Walker>,
    /// Memory for the next fibers' records.
    pub(crate) shelves: Shelves,
    /// The thread's number; 0 until [`thread_number`] is called.
    number: Cell<u32>,
}

thread_local! {
    static THREAD: ThreadState =
        const {
            ThreadState {
                fiber: Cell::new(None),
                scheduler: Cell::new(std::ptr::null()),
                frame: Cell::new(std::ptr::null()),
                pool: Cell::new(std::ptr::null()),
                inherits: Cell::new(false),
                abandoned_a_stack: Cell::new(false),
                #[cfg(feature = "diagnostics")]
                walker: Cell::new(std::ptr::null()),
                shelves: Shelves::closed(),
                number: Cell::new(0),
            }
        };
}

impl ThreadState {
    /// Runs `f` with this thread's record.
    #[inline(always)]
    pub(crate) fn with<R>(f: impl FnOnce(&ThreadState) -> R) -> R {
        // `with` is not inlined if `lto` is off and there are several codegen units. `try_with`
        // is marked for inlining.
        match THREAD.try_with(f) {
            Ok(result) => result,
            Err(_) => unreachable!("the record of a thread has no destructor"),
        }
    }
}

/// Makes this thread take its stacks from `pool`, until the result is dropped.
pub(crate) fn use_pool(pool: &RefCell<Pool>) -> PoolInUse<'_> {
    let before = ThreadState::with(|thread| thread.pool.replace(pool));
    PoolInUse { before, pool: PhantomData }
}

/// The result of [`use_pool`]. It is never forgotten: each caller keeps it in a local variable.
#[derive(Debug)]
pub(crate) struct PoolInUse<'a> {
    before: *const RefCell<Pool>,
    pool: PhantomData<&'a RefCell<Pool>>,
}

impl Drop for PoolInUse<'_> {
    fn drop(&mut self) {
        ThreadState::with(|thread| thread.pool.set(self.before));
    }
}

/// Runs `f` on the pool of this thread's stacks. `f` must not run user code.
///
/// # Panics
///
/// Panics outside of `run` and `frame`.
pub(crate) fn with_pool<R>(f: impl FnOnce(&mut Pool) -> R) -> R {
    let pool = ThreadState::with(|thread| thread.pool.get());
    // SAFETY: `PoolInUse` borrows the pool, and takes the pointer back when it is dropped.
    let pool = unsafe { pool.as_ref() }.expect("stacks are taken inside a frame");
    f(&mut pool.borrow_mut())
}

/// Runs `f` on the pool of this thread's stacks, if the thread is inside `run` or `frame`. `f` must
/// not run user code.
pub(crate) fn try_with_pool<R>(f: impl FnOnce(&mut Pool) -> R) -> Option<R> {
    let is_set = ThreadState::with(|thread| !thread.pool.get().is_null());
    is_set.then(|| with_pool(f))
}

/// Returns the number of this thread, from 1. No other thread of the process ever has the same.
#[inline]
pub(crate) fn thread_number() -> u32 {
    ThreadState::with(|thread| {
        if thread.number.get() == 0 { number_thread(thread) } else { thread.number.get() }
    })
}

#[cold]
fn number_thread(thread: &ThreadState) -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let take = |next: u32| (next <= MOST_THREADS).then(|| next + 1);
    let number = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    thread.number.set(number.expect("no process has so many threads"));
    thread.number.get()
}

/// The number of threads that the word in which a lock keeps its owner can tell apart.
pub(crate) const MOST_THREADS: u32 = (1 << 29) - 1;

/// Returns the fiber that runs now; `None` outside of `run`, and inside the run loop.
#[inline(always)]
pub(crate) fn fiber() -> Option<FiberPtr> {
    ThreadState::with(|thread| thread.fiber.get())
}

/// Returns the fiber that runs now, for calls that need one.
///
/// # Panics
///
/// Panics outside of a fiber, naming `fibra::run`.
#[inline(always)]
#[track_caller]
pub(crate) fn expect_fiber() -> FiberPtr {
    match fiber() {
        Some(fiber) => fiber,
        None => outside_of_a_fiber(Location::caller()),
    }
}

/// Panics because the call at `location` needs a fiber and the thread runs none.
#[cold]
#[inline(never)]
pub(crate) fn outside_of_a_fiber(location: &'static Location<'static>) -> ! {
    panic!(
        "the call at {location} works only inside a fiber, and this thread runs none: wrap the \
         program in `fibra::run(|| ...)` (see `fibra::guide::pitfalls`)"
    )
}
