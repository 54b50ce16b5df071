//! Walks of the stacks of suspended fibers, and of the current one.
//!
//! Only the fiber itself knows where its frames begin: the registers that a switch saves are
//! corosensei's own. So the code that walks a fiber resumes it, on top of its own stack:
//!
//! ```text
//!   the walking code                          the fiber, suspended in `leave::suspend`
//!   signals + WALK, resume ------------------> signals? --(cold)--> when_asked
//!                                                call on the scratch stack: collect the addresses
//!   signals - WALK <-------------------------- suspend
//!                      ... later ...
//!   the run loop: resume --------------------> returns from `when_asked`, and from its wait
//! ```
//!
//! Invariants:
//! - A fiber that was resumed for a walk does nothing but the walk, and suspends again. No user
//!   code runs, and no condition of a wait is evaluated.
//! - A walk changes nothing of a fiber but `signals` and `sp_mark`, which it puts back, and no
//!   state of the scheduler. The fiber that runs stays the current one.
//! - The walk itself runs on the scratch stack. On its own stack the fiber takes less than [`ROOM`]
//!   bytes, and a fiber that has less is not walked.
//! - Frames are told apart by their stack pointers: those on the fiber's own stack, on the
//!   coroutines that it runs, and on the stacks that it has borrowed, belong to it. The first frame
//!   outside of these, after the last one inside, is the code that resumed the fiber.

#![allow(unsafe_code, reason = "resumes fibers, and walks their frames")]

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem::ManuallyDrop;
use std::ops::Range;

use crate::fiber::borrowed_stack;
use crate::fiber::context;
use crate::fiber::coroutine::Coroutine;
use crate::fiber::current::{self, ThreadState};
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{Signals, State};
use crate::fiber::switch;
use crate::stack::{SizeClass, Stack};
use crate::stack_trace::{BORDER, CUT, StackTrace};

/// The bytes of its own stack that a fiber must have left to be walked. In builds without
/// optimisation it takes about 1 KiB of them.
const ROOM: usize = 3 << 10;

/// The greatest number of addresses that a walk collects. The innermost ones are kept.
const MOST_ADDRESSES: usize = 256;

/// Walks the fibers of one thread, one after another.
pub(crate) struct Walker {
    scratch: ManuallyDrop<Stack>,
    /// The addresses of the stacks of the fiber that is walked.
    stacks: RefCell<Vec<Range<usize>>>,
    /// The addresses that the last walk has found.
    found: RefCell<Vec<usize>>,
    /// The traces so far: fibers with equal stacks share one.
    known: RefCell<HashSet<Known>>,
}

impl Walker {
    /// Returns a walker for the fibers of this thread; `None` if it can get no scratch stack.
    pub(crate) fn new() -> Option<Walker> {
        let scratch = current::try_with_pool(|pool| pool.take(SizeClass::DEFAULT))?.ok()?;
        Some(Walker {
            scratch: ManuallyDrop::new(scratch),
            stacks: RefCell::default(),
            found: RefCell::default(),
            known: RefCell::default(),
        })
    }

    /// Returns the stack of `fiber`, a fiber of this thread's scheduler. Returns `None` if it has
    /// no stack, if it was abandoned, or if too little of its stack is left for a walk.
    pub(crate) fn walk(&self, fiber: FiberPtr) -> Option<StackTrace> {
        self.list_stacks(fiber);
        if current::fiber() == Some(fiber) {
            self.walk_from_here();
        } else if self.may_resume(fiber) {
            self.resume(fiber);
        } else {
            return None;
        }
        Some(self.trace())
    }

    /// Lists the stacks of `fiber`: its own, those of the coroutines that it runs, and those that
    /// it has borrowed.
    fn list_stacks(&self, fiber: FiberPtr) {
        let mut stacks = self.stacks.borrow_mut();
        stacks.clear();
        stacks.extend(fiber.context.stack_range());
        if fiber.extra_exists() {
            let frame = fiber.peek_extra(|extra| extra.frame.clone()).flatten();
            if let Some(frame) = frame {
                Coroutine::running_stacks(&frame, |stack| stacks.push(stack));
            }
            stacks.extend(borrowed_stack::ranges(&fiber));
        }
    }

    /// Returns whether `fiber`, which is not the current one, is suspended in the middle of its
    /// code, with enough room for the walk. An abandoned fiber is never resumed.
    fn may_resume(&self, fiber: FiberPtr) -> bool {
        let is_suspended = match fiber.state.get() {
            State::Runnable | State::Parked | State::Paused => fiber.context.is_entered(),
            State::New | State::Finished | State::Abandoned => false,
        };
        let mark = fiber.sp_mark.get();
        let has_room = |stack: &Range<usize>| stack.contains(&mark) && ROOM <= mark - stack.start;
        is_suspended && self.stacks.borrow().iter().any(has_room)
    }

    fn resume(&self, fiber: FiberPtr) {
        let mark = fiber.sp_mark.get();
        fiber.signal(Signals::WALK);
        let before = ThreadState::with(|thread| thread.walker.replace(self));
        // SAFETY: the fiber is suspended: it is not the current one, has been entered, and has
        // neither ended nor been abandoned (`may_resume`). It suspends again before it does
        // anything else: every suspend is followed by `when_asked` if there are signals, and there
        // is one.
        let ended = unsafe { switch::resume(fiber) };
        debug_assert!(ended.is_none());
        ThreadState::with(|thread| thread.walker.set(before));
        fiber.signals.set(fiber.signals.get().without(Signals::WALK));
        fiber.sp_mark.set(mark);
    }

    /// Collects the addresses of the caller's frames, on the scratch stack.
    #[inline(never)]
    fn walk_from_here(&self) {
        // SAFETY: the walker has taken the stack from the pool and keeps it; nothing else runs on
        // it: `collect` does not come back here.
        unsafe { context::call_on(&self.scratch, || self.collect()) }
    }

    fn collect(&self) {
        let (stacks, mut found) = (self.stacks.borrow(), self.found.borrow_mut());
        found.clear();
        let mut before = None;
        let visit = |frame: &backtrace::Frame| {
            let (address, sp) = (frame.ip().addr(), frame.sp().addr());
            let stack = stacks.iter().position(|stack| stack.contains(&sp));
            match (before, stack) {
                // The scratch stack.
                (None, None) => return true,
                (Some(_), None) => return false,
                (Some(before), Some(now)) if before != now => found.push(BORDER),
                _ => {}
            }
            before = stack;
            let is_full = MOST_ADDRESSES <= found.len();
            found.push(if is_full { CUT } else { address });
            !is_full && address != 0
        };
        // SAFETY: the function asks its callers to exclude each other, for the sake of Windows. On
        // Unix systems it calls `_Unwind_Backtrace` of the system, which any thread may do at any
        // time, and which reads only the memory of the frames and of their descriptions.
        unsafe { backtrace::trace_unsynchronized(visit) };
    }

    /// Returns the trace with the addresses that were found.
    fn trace(&self) -> StackTrace {
        let (found, mut known) = (self.found.borrow(), self.known.borrow_mut());
        if let Some(Known(trace)) = known.get(&found[..]) {
            return trace.clone();
        }
        let trace = StackTrace::from_addresses(found.clone());
        known.insert(Known(trace.clone()));
        trace
    }
}

impl Drop for Walker {
    fn drop(&mut self) {
        // SAFETY: a value is dropped once, and this is the only place that takes the stack.
        let scratch = unsafe { ManuallyDrop::take(&mut self.scratch) };
        current::with_pool(|pool| pool.give(scratch));
    }
}

impl fmt::Debug for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walker").finish_non_exhaustive()
    }
}

/// Walks `fiber`, which has just been resumed, and suspends it again, if it was resumed for that.
#[cold]
#[inline(never)]
pub(crate) fn when_asked(fiber: FiberPtr) {
    while fiber.signals.get().has(Signals::WALK) {
        let walker = ThreadState::with(|thread| thread.walker.get());
        // SAFETY: only `Walker::resume` sets the signal, and the pointer with it; it waits in its
        // call of `switch::resume` until this code has suspended.
        let walker = unsafe { &*walker };
        walker.walk_from_here();
        // SAFETY: the fiber runs on this thread: this is its code, and the walker has resumed it.
        unsafe { switch::suspend(fiber) };
    }
}

/// A trace that is found by its addresses.
struct Known(StackTrace);

impl Borrow<[usize]> for Known {
    fn borrow(&self) -> &[usize] {
        self.0.addresses()
    }
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.addresses().hash(state);
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Known) -> bool {
        self.0.addresses() == other.0.addresses()
    }
}

impl Eq for Known {}
