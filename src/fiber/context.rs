//! The context switch: the only file that names corosensei, and the only one that leaves or enters
//! a stack.
//!
//! Two kinds of stack are switched here: those of fibers, which the run loop resumes one after
//! another ([`switch`](crate::fiber::switch)), and those that run on top of another
//! ([`coroutine`](crate::fiber::coroutine)): a generator's on that of the code that resumes it.
//!
//! Invariants:
//! - A context is entered and left only by `fiber/switch.rs` and `fiber/coroutine.rs`, each of
//!   which keeps its own state: no coroutine is ever resumed while it runs.
//! - corosensei's own `Drop`, which aborts the process when a clean-up panics, never runs, for a
//!   suspended context or any other: a finished context gives its stack back, and an abandoned one
//!   stays where it is.
//!
//! corosensei enters a coroutine with `call` and leaves it with `ret`. The processor predicts these
//! well only if the suspend is in the caller's own frame, so `leave` and every function between it
//! and the user's code is `#[inline(always)]`: a yield takes 7 ns, and 28 ns if one frame between
//! them is not inlined.

#![allow(unsafe_code, reason = "context switches")]
#![allow(clippy::disallowed_types, reason = "the one home of corosensei's types")]

use std::cell::{Cell, UnsafeCell};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::num::NonZeroUsize;
#[cfg(feature = "diagnostics")]
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};

use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::collections::layout::Words;
use crate::stack::{self, SizeClass, Stack};

type Fiber = Coroutine<(), (), (), StackView>;

/// The suspended call stack of a fiber or of a coroutine: empty before [`create`](Context::create)
/// and after the end.
pub(crate) struct Context {
    coroutine: UnsafeCell<MaybeUninit<Fiber>>,
    /// The stack that the coroutine has a view of.
    stack: Cell<Option<Stack>>,
    yielder: Cell<*const Yielder<(), ()>>,
}

/// The base of the stack of a context that has just been entered for the first time.
pub(crate) struct Base(*const Yielder<(), ()>);

impl Context {
    pub(crate) fn empty() -> Context {
        Context {
            coroutine: UnsafeCell::new(MaybeUninit::uninit()),
            stack: Cell::new(None),
            yielder: Cell::new(std::ptr::null()),
        }
    }

    /// Returns where a context keeps the stack pointer of a suspended stack, and the address of the
    /// top of that stack, for debuggers. `stack` must be free: nothing runs on it.
    pub(crate) fn places(stack: &Stack) -> [usize; 2] {
        let slot = std::mem::offset_of!(Context, coroutine);
        let pointer = offset_of_stack_pointer(stack).saturating_add(slot);
        [pointer, std::mem::offset_of!(Context, yielder)]
    }

    /// Returns an address at the very top of the stack, which a switch reads and writes.
    #[inline(always)]
    pub(crate) fn base_mark(&self) -> usize {
        self.yielder.get().addr()
    }

    /// Returns whether `address` lies in the guard of this context's stack, which is of `class`. A
    /// signal handler may call this.
    ///
    /// The yielder lies within the top page of the stack, so its address gives the stack's.
    pub(crate) fn guard_contains(&self, address: usize, class: SizeClass) -> bool {
        let yielder = self.yielder.get().addr();
        yielder != 0 && stack::guard_under(yielder, class).contains(&address)
    }

    /// Returns whether the code on the stack has begun, and has not ended.
    #[cfg(feature = "diagnostics")]
    pub(crate) fn is_entered(&self) -> bool {
        !self.yielder.get().is_null()
    }

    /// Returns the addresses of the stack that can be used, if there is a stack.
    #[cfg(feature = "diagnostics")]
    pub(crate) fn stack_range(&self) -> Option<Range<usize>> {
        let stack = self.stack.take()?;
        let range = stack.range();
        self.stack.set(Some(stack));
        Some(range)
    }

    /// Returns the bytes of the stack in use when the stack pointer is near `sp_mark`, which must
    /// be on it; 0 without a stack.
    ///
    /// The yielder lies at the base of the stack, so its address serves as that of the base.
    pub(crate) fn stack_used(&self, sp_mark: usize) -> usize {
        if self.yielder.get().is_null() {
            0
        } else {
            self.yielder.get().addr().saturating_sub(sp_mark)
        }
    }

    /// Puts `entry` on `stack`, to run when the context is first entered. It gets the base of the
    /// stack, with which it must call [`begin`](Context::begin) before anything else.
    ///
    /// The words that `entry` has captured are copied with one load when it begins. If they are
    /// more than one, that load waits until the stores of all of them have reached the cache, which
    /// takes longer than a switch.
    ///
    /// # Safety
    ///
    /// - The context must be empty, and must neither move nor die before it has ended.
    /// - `entry` must not unwind.
    #[inline(always)]
    pub(crate) unsafe fn create(&self, stack: Stack, entry: impl FnOnce(Base) + 'static) {
        // SAFETY: the copy is used for its addresses only, and is never dropped: the stack itself
        // has one owner, `self.stack`.
        let view = StackView(ManuallyDrop::new(unsafe { std::ptr::read(&stack) }));
        self.stack.set(Some(stack));
        let coroutine =
            Coroutine::with_stack(view, move |yielder: &Yielder<(), ()>, ()| entry(Base(yielder)));
        // SAFETY: the context is empty (the caller's promise), so no reference to the slot exists,
        // and nothing is overwritten that would have to be dropped.
        unsafe { (*self.coroutine.get()).write(coroutine) };
    }

    /// Records the base of the stack on which the code of this context has begun to run.
    #[inline(always)]
    pub(crate) fn begin(&self, base: Base) {
        self.yielder.set(base.0);
    }

    /// Runs the code on the stack until it suspends or ends. Returns the stack if it has ended.
    ///
    /// # Safety
    ///
    /// The context must have been created, and be suspended or not entered yet.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self) -> Option<Stack> {
        let slot = self.coroutine.get();
        // SAFETY: the context was created (the caller's promise). The exclusive reference is
        // unique: while the stack runs, `leave` reaches the yielder only, which lies on it.
        let coroutine = unsafe { (*slot).assume_init_mut() };
        match coroutine.resume(()) {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(()) => {
                self.yielder.set(std::ptr::null());
                // The coroutine is done, and only the sanitizer's bookkeeping still needs it.
                // Taking the stack out of it would copy it with wide loads of what narrow stores
                // have just written, and the processor would wait for them to reach the cache.
                if cfg!(sanitized) {
                    // SAFETY: it was initialised, and no code reads the slot before the next
                    // `create`.
                    let _view = unsafe { (*slot).assume_init_read() }.into_stack();
                }
                self.stack.take()
            }
        }
    }

    /// Leaves this stack, and all stacks that run on top of it, for the place from which it was
    /// entered. Returns when it is entered again.
    ///
    /// # Safety
    ///
    /// The caller must run on this stack, or on one that was entered from it and has neither
    /// suspended nor ended.
    #[inline(always)]
    pub(crate) unsafe fn leave(&self) {
        // SAFETY: the yielder lies at the base of the stack and lives until the root function of
        // the stack returns, which it has not: the caller runs on this stack, or on top of it (the
        // caller's promise). The switch saves the caller's position, on whichever stack that is,
        // and goes to the place where this stack was entered; the next `enter` comes back to the
        // caller.
        unsafe { (*self.yielder.get()).suspend(()) }
    }
}

/// Returns the offset of the stack pointer in corosensei's coroutine: of the only word that changes
/// when a coroutine is reset.
fn offset_of_stack_pointer(stack: &Stack) -> usize {
    // SAFETY: the copy is used for its addresses only, and is never dropped. Nothing runs on the
    // stack: the coroutine is never resumed.
    let view = StackView(ManuallyDrop::new(unsafe { std::ptr::read(stack) }));
    let fresh: Fiber = Coroutine::with_stack(view, |_: &Yielder<(), ()>, ()| ());
    let mut fresh = MaybeUninit::new(fresh);
    // SAFETY: it was initialised just above, and consists of four words: the stack, two stack
    // pointers and a function.
    let before = unsafe { Words::of(&fresh) };
    // SAFETY: it was initialised, and there is nothing on its stack that would have to be dropped:
    // its closure owns nothing. It is never dropped, and owns no memory.
    unsafe { fresh.assume_init_mut().force_reset() };
    // SAFETY: as before the reset.
    unsafe { Words::of(&fresh) }.offset_of_change(&before)
}

/// Calls `f` on `stack`. `f` may do what the caller may: suspend its fiber, resume a coroutine,
/// unwind.
///
/// # Safety
///
/// Nothing may run on `stack`, and nothing else may use it until `f` has ended.
#[inline]
pub(crate) unsafe fn call_on<R>(stack: &Stack, f: impl FnOnce() -> R) -> R {
    // SAFETY: the copy is used for its addresses only, and is never dropped. The caller keeps the
    // stack itself, and has promised that it is free.
    let view = StackView(ManuallyDrop::new(unsafe { std::ptr::read(stack) }));
    // corosensei carries an unwind from one stack to the other only with its feature `unwind`, and
    // aborts the process without it.
    let caught = || panic::catch_unwind(AssertUnwindSafe(f));
    match corosensei::on_stack(view, caught) {
        Ok(result) => result,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// A [`Stack`] in the form that corosensei asks for: a copy of its one word, for its addresses. The
/// stack itself is kept beside the coroutine for as long as that lives.
struct StackView(ManuallyDrop<Stack>);

// SAFETY: the trait asks for four things. The memory from `limit` to `base` is mapped, and nothing
// else uses it: `Stack` owns one slot of a slab, `create` puts it beside the coroutine, and `enter`
// takes it away only when the coroutine is done; the caller of `call_on` has promised the same of
// its stack for the call. `base` is the highest address and aligned to 16 bytes, `limit` the lowest
// and page-aligned, guard included: `Stack` promises both. There is a guard (17 pages), and there
// are at least 4096 usable bytes (16 KiB). Both addresses stay the same for the life of the value:
// they are plain fields.
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

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::stack::{Keep, Pool};

    #[test]
    fn the_stack_pointer_of_a_suspended_stack_is_where_debuggers_look_for_it() {
        let mut pool = Pool::new(Keep::FIXED);
        let stack = pool.take(SizeClass::for_bytes(0)).unwrap();
        let offsets = Context::places(&stack);
        let (context, mark) = (Rc::new(Context::empty()), Rc::new(Cell::new(0)));
        let (own, own_mark) = (context.clone(), mark.clone());
        let entry = move |base| {
            own.begin(base);
            let local = MaybeUninit::<u8>::uninit();
            own_mark.set(local.as_ptr().addr());
            // SAFETY: this runs on the stack of the context.
            unsafe { own.leave() };
        };
        // SAFETY: the context is empty, stays where it is until the end of the test, and has ended
        // by then. `entry` does not unwind.
        unsafe { context.create(stack, entry) };
        // SAFETY: it was created, and is suspended.
        assert!(unsafe { context.enter() }.is_none());
        let read = |offset: usize| {
            // SAFETY: these are the offsets of two words of the context, both of which are set.
            unsafe { Rc::as_ptr(&context).byte_add(offset).cast::<usize>().read() }
        };
        let [pointer, top] = offsets.map(read);
        assert!(pointer < mark.get() && mark.get() - pointer < 4096, "{pointer:x}, {mark:x?}");
        assert!(mark.get() < top && top - mark.get() < 4096, "{mark:x?}, {top:x}");
        // SAFETY: it is suspended.
        pool.give(unsafe { context.enter() }.unwrap());
    }
}
