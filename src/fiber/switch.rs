//! The context switch: the only file that names corosensei, and the only one that leaves or enters
//! a fiber's stack.
//!
//! Invariants:
//! - [`resume`] is called by the run loop only, on the thread's own stack, for a fiber that is
//!   suspended. So no coroutine is ever resumed while it runs, and resumes never nest.
//! - [`suspend`] is called by `sched/park.rs` only, by the fiber that runs.
//! - A context is dropped neither suspended nor at all: a finished one gives its stack back, a
//!   retired one is left as it is. corosensei's own `Drop`, which aborts when a clean-up panics,
//!   never runs.
//!
//! corosensei enters a coroutine with `call` and leaves it with `ret`. The processor predicts these
//! well only if the suspend is in the caller's own frame, so `suspend` and all that lies between
//! it and the user's code is `#[inline(always)]`: a yield takes 7 ns, and 28 behind one frame that is not inlined.

#![allow(unsafe_code, reason = "context switches")]
#![allow(clippy::disallowed_types, reason = "the one home of corosensei's types")]

use std::cell::{Cell, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::num::NonZeroUsize;

use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::fiber::header::FiberPtr;
use crate::stack::{self, SizeClass, Stack};

type Fiber = Coroutine<(), (), (), StackView>;

/// The suspended call stack of a fiber: nothing until [`create`], nothing again after the end.
pub(crate) struct Context {
    coroutine: UnsafeCell<MaybeUninit<Fiber>>,
    /// The stack that the coroutine has a view of.
    stack: Cell<Option<Stack>>,
    yielder: Cell<*const Yielder<(), ()>>,
}

impl Context {
    pub(crate) fn empty() -> Context {
        Context {
            coroutine: UnsafeCell::new(MaybeUninit::uninit()),
            stack: Cell::new(None),
            yielder: Cell::new(std::ptr::null()),
        }
    }

    /// An address at the very top of the stack, which a switch reads and writes.
    #[inline(always)]
    pub(crate) fn base_mark(&self) -> usize {
        self.yielder.get().addr()
    }

    /// Whether `address` lies in the guard of this context's stack, which is of `class`. Fit for a
    /// signal handler.
    ///
    /// The yielder lies within the top page of the stack, and tells where that is.
    pub(crate) fn guard_contains(&self, address: usize, class: SizeClass) -> bool {
        let yielder = self.yielder.get().addr();
        yielder != 0 && stack::guard_under(yielder, class).contains(&address)
    }

    /// Bytes of the stack in use when the stack pointer is near `sp_mark`; 0 without a stack.
    ///
    /// The yielder lies at the base of the stack, which is why it can serve as the mark.
    pub(crate) fn stack_used(&self, sp_mark: usize) -> usize {
        if self.yielder.get().is_null() {
            0
        } else {
            self.yielder.get().addr().saturating_sub(sp_mark)
        }
    }
}

/// Puts `entry` on `stack`, to run when `fiber` is first resumed.
///
/// # Safety
///
/// - `fiber`'s context must be empty.
/// - `entry` must not unwind.
/// - The fiber must be alive until its context has ended.
pub(crate) unsafe fn create<E>(fiber: FiberPtr, stack: Stack, entry: E)
where
    E: FnOnce(FiberPtr) + 'static,
{
    // SAFETY: the copy is used for its addresses only; the stack itself has one owner.
    let view = StackView(ManuallyDrop::new(unsafe { std::ptr::read(&stack) }));
    fiber.context.stack.set(Some(stack));
    let coroutine = Coroutine::with_stack(view, move |yielder: &Yielder<(), ()>, ()| {
        fiber.context.yielder.set(yielder);
        entry(fiber);
    });
    // SAFETY: the context is empty (the caller's promise), so nobody refers to the slot, and
    // nothing is overwritten that would have to be dropped.
    unsafe { (*fiber.context.coroutine.get()).write(coroutine) };
}

/// Runs `fiber` until it suspends or ends. If it ended, its stack is handed back.
///
/// # Safety
///
/// `fiber` must be suspended (or freshly created), and the caller on the thread's own stack.
#[inline(always)]
pub(crate) unsafe fn resume(fiber: FiberPtr) -> Option<Stack> {
    let slot = fiber.context.coroutine.get();
    // SAFETY: the context was created (the caller's promise). The exclusive reference is unique:
    // while the fiber runs, `suspend` reaches the yielder only, which lies on the fiber's stack.
    let coroutine = unsafe { (*slot).assume_init_mut() };
    match coroutine.resume(()) {
        CoroutineResult::Yield(()) => None,
        CoroutineResult::Return(()) => {
            fiber.context.yielder.set(std::ptr::null());
            // The coroutine is done, and of no use but for the sanitizer's bookkeeping. Taking the
            // stack out of it would copy it with wide loads of what narrow stores have just
            // written, and the processor would wait for them to reach the cache.
            if cfg!(sanitized) {
                // SAFETY: it was initialised, and nobody reads the slot before the next `create`.
                let _view = unsafe { (*slot).assume_init_read() }.into_stack();
            }
            fiber.context.stack.take()
        }
    }
}

/// Leaves the running `fiber`'s stack for the run loop; returns when it is resumed.
///
/// # Safety
///
/// `fiber` must be the fiber that runs now.
#[inline(always)]
pub(crate) unsafe fn suspend(fiber: FiberPtr) {
    let mark = MaybeUninit::<u8>::uninit();
    fiber.sp_mark.set(mark.as_ptr().addr());
    // SAFETY: the yielder lies at the base of the fiber's stack and lives until the fiber's root
    // function returns, and the fiber runs now (the caller's promise), so it has not returned.
    unsafe { (*fiber.context.yielder.get()).suspend(()) }
}

/// A [`Stack`] as corosensei wants to see it: a copy of its one word, for its addresses. The stack
/// itself is kept beside the coroutine for as long as that lives.
struct StackView(ManuallyDrop<Stack>);

// SAFETY: the trait asks for four things. The memory from `limit` to `base` is mapped, and nobody
// else uses it: `Stack` owns one slot of a slab, `create` puts it beside the coroutine, and
// `resume` takes it away again only when the coroutine is done. `base` is the highest address and aligned to
// 16 bytes, `limit` the lowest and page-aligned, guard included: `Stack` promises both. There is a
// guard (17 pages) and at least 4096 usable bytes (16 KiB). Both addresses stay the same for the
// life of the value: they are plain fields.
unsafe impl corosensei::stack::Stack for StackView {
    #[inline(always)]
    fn base(&self) -> NonZeroUsize {
        self.0.base()
    }

    #[inline]
    fn limit(&self) -> NonZeroUsize {
        self.0.limit()
    }
}
