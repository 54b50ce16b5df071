//! The allocation of a fiber: its header, and behind that first its closure, later its output.
//!
//! ```text
//!   Closure(f) --run--> Empty --returns or unwinds--> Output(..) --join or drop--> Empty
//!       \--killed before its first turn: dropped on its own stack--> Output(Err(Killed))
//! ```
//!
//! Invariants:
//! - There is one allocation per fiber, freed with the last reference.
//! - Only the functions of this file touch `Stage`, and none of them holds a reference to it while
//!   user code (the closure, a destructor) runs.
//! - The closure may borrow, in scopes. So it is consumed, and the output dropped or left to the
//!   handle, before the fiber counts as ended.

#![allow(unsafe_code, reason = "type erasure of the closure and its output")]

use std::any::Any;
use std::cell::UnsafeCell;
use std::mem;
use std::panic::{self, AssertUnwindSafe, Location};
use std::ptr::NonNull;

use crate::fiber::block;
use crate::fiber::exit::JoinError;
use crate::fiber::header::{FiberPtr, FiberRef, Header, VTable};
use crate::fiber::id::{FiberId, Parent};
use crate::stack::SizeClass;

/// The result of a fiber. The error is boxed, because it is rare, and outputs are often of size
/// zero.
pub(crate) type Outcome<T> = Result<T, Box<JoinError>>;

enum Stage<F, T> {
    Closure(F),
    Output(Outcome<T>),
    Empty,
}

#[repr(C)]
struct TaskCell<F, T> {
    header: Header,
    output: Output<F, T>,
}

#[repr(transparent)]
struct Output<F, T>(UnsafeCell<Stage<F, T>>);

/// Takes the output of an ended fiber, if it is still there.
///
/// # Safety
///
/// `fiber` must have been allocated with the output type `T`.
pub(crate) unsafe fn take_output<T>(fiber: FiberPtr) -> Option<Outcome<T>> {
    let mut output: Option<Outcome<T>> = None;
    let take = fiber.vtable.take;
    // SAFETY: `take` belongs to this fiber, whose output has the type of `output`.
    unsafe { take(fiber, (&raw mut output).cast()) };
    output
}

/// Allocates a fiber that will run `closure`. `origin` is the place where it is spawned, and the
/// fiber that spawns it.
///
/// # Safety
///
/// The fiber must end, or never run again, before anything that `F` or `T` borrows is dropped or
/// moved.
#[inline]
pub(crate) unsafe fn allocate<F, T>(
    closure: F,
    id: FiberId,
    class: SizeClass,
    origin: (&'static Location<'static>, Parent),
) -> FiberRef
where
    F: FnOnce() -> T,
{
    let vtable = const { &vtable::<F, T>() };
    let cell: NonNull<TaskCell<F, T>> = block::allocate();
    // SAFETY: the block is fresh, and fits the type in size and alignment. The two fields are
    // written in place: if they were built in another place first, the copy would cost 3 ns.
    unsafe {
        (&raw mut (*cell.as_ptr()).header).write(Header::new(vtable, id, class, origin));
        (&raw mut (*cell.as_ptr()).output)
            .write(Output(UnsafeCell::new(Stage::<F, T>::Closure(closure))));
    }
    // SAFETY: the cell was just initialised, begins with `header` (`repr(C)`), and is freed by
    // `dealloc` only, which runs when the last counted reference is dropped; this is the first of
    // them.
    unsafe { FiberPtr::new(cell.cast()).into_ref() }
}

/// Returns the class of stack for a fiber with this closure and output: the one that was asked for,
/// or a larger one if moving the closure or the output could fill that.
#[inline(always)]
pub(crate) const fn class_for<F, T>(asked: SizeClass) -> SizeClass {
    class_for_moves(asked, mem::size_of::<F>() + mem::size_of::<T>())
}

/// Returns the class of stack for code that moves values of `moved` bytes in total.
#[inline(always)]
pub(crate) const fn class_for_moves(asked: SizeClass, moved: usize) -> SizeClass {
    if moved <= SMALL_VALUE || moved.saturating_mul(32) <= asked.bytes() {
        return asked;
    }
    // A debug build moves a value several times, each time into its own slot of the frame.
    SizeClass::for_bytes(asked.bytes().saturating_add(moved.saturating_mul(16)))
}

/// The size in bytes up to which closures and outputs fit on any stack beside everything else. (The
/// smallest stack has room for it. With the constant most spawns need not look at their class.)
const SMALL_VALUE: usize = 512;

/// The size in bytes above which a closure is boxed.
pub(crate) const LARGE_VALUE: usize = 2048;

const fn vtable<F: FnOnce() -> T, T>() -> VTable {
    VTable {
        run: run::<F, T>,
        clear: clear::<F, T>,
        take: take::<F, T>,
        fail: fail::<F, T>,
        dealloc: dealloc::<F, T>,
    }
}

/// Returns the stage of `fiber`.
///
/// # Safety
///
/// `fiber` must have been allocated with these types.
unsafe fn stage_of<F, T>(fiber: FiberPtr) -> *mut Stage<F, T> {
    let cell = fiber.as_ptr().cast::<TaskCell<F, T>>();
    // SAFETY: the allocation has this type (the caller's promise) and is alive (`FiberPtr`).
    unsafe { (*cell).output.0.get() }
}

unsafe fn run<F: FnOnce() -> T, T>(fiber: FiberPtr) -> Result<(), Box<dyn Any + Send>> {
    // SAFETY: the function stands in the vtable of a fiber with these types.
    let stage = unsafe { stage_of::<F, T>(fiber) };
    // SAFETY: no other reference to the stage exists while it is replaced.
    let Stage::Closure(closure) = mem::replace(unsafe { &mut *stage }, Stage::Empty) else {
        unreachable!("a fiber is run once");
    };
    // A fiber is isolated like a thread: only code that shares data with it on purpose can see data
    // that its closure has left broken, like with `std::thread::spawn`.
    let output = panic::catch_unwind(AssertUnwindSafe(closure))?;
    // SAFETY: no other reference to the stage exists while it is written. It is empty, so the
    // assignment drops no user value.
    unsafe { *stage = Stage::Output(Ok(output)) };
    Ok(())
}

unsafe fn clear<F: FnOnce() -> T, T>(fiber: FiberPtr) {
    // SAFETY: the function stands in the vtable of a fiber with these types.
    let stage = unsafe { stage_of::<F, T>(fiber) };
    // SAFETY: no other reference to the stage exists while it is replaced. The value is dropped
    // after that, when the stage is not borrowed.
    drop(mem::replace(unsafe { &mut *stage }, Stage::Empty));
}

unsafe fn take<F: FnOnce() -> T, T>(fiber: FiberPtr, to: *mut ()) {
    // SAFETY: the function stands in the vtable of a fiber with these types.
    let stage = unsafe { stage_of::<F, T>(fiber) };
    // SAFETY: no other reference to the stage exists while it is looked at and replaced.
    let stage = unsafe { &mut *stage };
    if matches!(stage, Stage::Output(_)) {
        if let Stage::Output(output) = mem::replace(stage, Stage::Empty) {
            // SAFETY: the caller passes a place for an `Option<Outcome<T>>`. It holds `None`, which
            // needs no drop.
            unsafe { to.cast::<Option<Outcome<T>>>().write(Some(output)) };
        }
    }
}

unsafe fn fail<F: FnOnce() -> T, T>(fiber: FiberPtr, error: Box<JoinError>) {
    // SAFETY: the function stands in the vtable of a fiber with these types.
    let stage = unsafe { stage_of::<F, T>(fiber) };
    // SAFETY: no other reference to the stage exists while it is looked at and replaced.
    let stage = unsafe { &mut *stage };
    // A closure or an output is kept: its destructor must not run in this call, which may come from
    // the run loop, nor while the stage is borrowed.
    if matches!(stage, Stage::Empty) {
        *stage = Stage::Output(Err(error));
    }
}

unsafe fn dealloc<F, T>(header: *mut Header) {
    let cell = header.cast::<TaskCell<F, T>>();
    // SAFETY: initialised by `allocate` with these types, and alive until the end of this function.
    let is_empty = unsafe { (*cell).is_empty() };
    if !is_empty {
        // SAFETY: like above; this is the only drop, with the last reference.
        unsafe { drop_cell(cell) };
    }
    // SAFETY: allocated by `block::allocate` for this type, and not null.
    unsafe { block::free(NonNull::new_unchecked(cell)) };
}

impl<F, T> TaskCell<F, T> {
    /// Returns whether it holds nothing that has to be dropped.
    #[inline(always)]
    fn is_empty(&self) -> bool {
        // SAFETY: nothing else touches the stage during this call, which runs no user code.
        let stage = unsafe { &*self.output.0.get() };
        !self.header.extra_exists() && matches!(stage, Stage::Empty)
    }
}

/// Drops a cell out of line. Most fibers leave nothing that has to be dropped.
///
/// # Safety
///
/// `cell` must be initialised, and not be used afterwards.
#[cold]
#[inline(never)]
unsafe fn drop_cell<F, T>(cell: *mut TaskCell<F, T>) {
    // SAFETY: the caller's promise.
    unsafe { std::ptr::drop_in_place(cell) };
}
