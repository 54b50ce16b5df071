//! Which fiber runs on this thread now, and which scheduler the thread belongs to.
//!
//! Invariants:
//! - `fiber` is set by the run loop around each resume and null on the thread's own stack.
//! - `scheduler` is set for the time of one `run`.
//! - Started fibers never leave their thread, so the compiler may keep the address of this
//!   thread-local across a switch.
//! - Constant initialiser, no destructor: it may be read by a signal handler.

use std::cell::Cell;

use crate::fiber::block::Shelves;
use crate::fiber::header::FiberPtr;

/// What a thread knows of itself.
#[derive(Debug)]
pub(crate) struct Here {
    pub(crate) fiber: Cell<Option<FiberPtr>>,
    /// Type-erased: the layer above owns it.
    pub(crate) scheduler: Cell<*const ()>,
    /// Memory for the next fibers' records.
    pub(crate) shelves: Shelves,
}

thread_local! {
    static HERE: Here =
        const {
            Here {
                fiber: Cell::new(None),
                scheduler: Cell::new(std::ptr::null()),
                shelves: Shelves::closed(),
            }
        };
}

/// Runs `f` with this thread's record.
#[inline(always)]
pub(crate) fn here<R>(f: impl FnOnce(&Here) -> R) -> R {
    HERE.with(f)
}

/// The fiber that runs now; none outside of `run`, and none inside the run loop.
#[inline(always)]
pub(crate) fn fiber() -> Option<FiberPtr> {
    HERE.with(|here| here.fiber.get())
}

/// The fiber that runs now, for calls that need one.
///
/// # Panics
///
/// Panics outside of a fiber, naming `fibra::run`.
#[inline(always)]
#[track_caller]
pub(crate) fn expect_fiber() -> FiberPtr {
    match fiber() {
        Some(fiber) => fiber,
        None => outside(),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn outside() -> ! {
    panic!(
        "this call works only inside a fiber, and no fibra scheduler runs on this thread: \
         wrap the program in `fibra::run(|| ...)`"
    )
}
