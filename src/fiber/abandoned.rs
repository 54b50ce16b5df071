//! The consequences for a thread on which a stack was abandoned: a stack that has frames on it, can
//! never be unwound, and is kept forever.
//!
//! Code on such a stack may have lent data to code that goes on: to the fibers of a scope that was
//! opened on it, to the threads of a `std::thread::scope`. "It never runs again" holds for the
//! stack and not for these borrowers, so everything that a frame can borrow must be kept as well:
//!
//! | lender | kept by |
//! |---|---|
//! | the stack itself, the record of its fiber | code that abandons the stack never frees them |
//! | the fiber-locals of its fiber | [`keep_what_it_lent`] marks the fiber, whose end leaks them |
//! | the thread-locals of its thread | [`keep_what_it_lent`] makes the thread block at its end |
//! | other stacks, the caller of `run` | a scope that is never left; or the process aborts |
//!
//! Invariants:
//! - [`keep_what_it_lent`] is called for every stack with frames that is abandoned, before any
//!   other code of its thread runs.
//! - A thread on which that has happened never reaches the destructors of its thread-locals. It
//!   reports a line and blocks before them, because its memory holds the thread-locals.
//! - The end of the process is the exception, by the return of `main` or by `exit` on such a
//!   thread: blocking there would be a hang, and the C library does not pass on the status with
//!   which the process could be ended instead. The thread-locals that the thread has lent are then
//!   destroyed while other threads may still run, like by `std::process::exit` inside
//!   `LocalKey::with`.

#![allow(unsafe_code, reason = "registers a function with the C library, and ends the process")]

use std::io::{self, Write};

use crate::fiber::current::ThreadState;
use crate::fiber::header::FiberPtr;

/// Keeps forever everything that a stack of `fiber`, or of this thread's own frame, may have lent.
/// The stack has frames on it and is being abandoned.
#[cold]
#[inline(never)]
pub(crate) fn keep_what_it_lent(fiber: Option<FiberPtr>) {
    if let Some(fiber) = fiber {
        fiber.with_extra(|extra| extra.has_lent = true);
        // Children of a scope on that stack hold the address of the fiber's record.
        std::mem::forget(fiber.to_ref());
    }
    ThreadState::with(|thread| thread.abandoned_a_stack.set(true));
    thread_end::block_there();
}

/// Returns whether a stack was abandoned on this thread, which does not end then.
pub(crate) fn on_this_thread() -> bool {
    ThreadState::with(|thread| thread.abandoned_a_stack.get())
}

/// Returns whether values that `fiber` owns may be borrowed by code that goes on after its end.
pub(crate) fn has_lent(fiber: FiberPtr) -> bool {
    fiber.peek_extra(|extra| extra.has_lent).unwrap_or(false)
}

/// Ends the process without unwinding anything, and without running the destructors of this
/// thread's thread-locals if stacks of it that will never be unwound may refer to them.
#[allow(clippy::disallowed_methods, reason = "nothing is suspended, or no destructor runs")]
pub(crate) fn leave_process(code: i32) -> ! {
    let is_clear = ThreadState::with(|thread| {
        thread.scheduler.get().is_null()
            && thread.frame.get().is_null()
            && !thread.abandoned_a_stack.get()
    });
    if is_clear {
        std::process::exit(code);
    }
    // A line that cannot be written is no reason to stay.
    let _ = io::stdout().flush();
    let _ = io::stderr().flush();
    // SAFETY: it takes any status and does not return. It runs no code of this process, so no code
    // sees the data that the suspended stacks refer to.
    unsafe { libc::_exit(code) }
}

/// The end of a thread, before its first destructor of a thread-local.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod thread_end {
    use std::ffi::{c_int, c_void};

    use crate::fiber::report;

    type Visit = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

    unsafe extern "C" {
        /// Calls `function` with `object` when the calling thread ends, or when it ends the
        /// process, before the functions that were registered earlier. std registers the
        /// destructors of thread-locals with it. `owner` is any address in the program or library
        /// that must not be unloaded before that.
        fn __cxa_thread_atexit_impl(
            function: unsafe extern "C" fn(*mut c_void),
            object: *mut c_void,
            owner: *mut c_void,
        ) -> c_int;

        /// Calls `visit` with `argument` for each frame of this stack, from the caller's outwards.
        fn _Unwind_Backtrace(visit: Visit, argument: *mut c_void) -> c_int;
    }

    /// Makes this thread block before it destroys a thread-local that exists now.
    ///
    /// Thread-locals that are created later are destroyed: the stack that is being abandoned cannot
    /// have lent them. So this is called again for each abandoned stack.
    pub(super) fn block_there() {
        let owner = block as *const () as *mut c_void;
        // SAFETY: `block` accepts any object, does not unwind, and lies in the program or library
        // that `owner` keeps loaded.
        unsafe { __cxa_thread_atexit_impl(block, std::ptr::null_mut(), owner) };
    }

    /// Blocks this thread forever, unless the whole process ends.
    unsafe extern "C" fn block(_: *mut c_void) {
        if is_main_thread() || !is_end_of_thread() {
            return;
        }
        report::say(format_args!(
            "a thread does not end: a fiber or generator on it could not be unwound, and may have \
             lent its thread-locals to other threads; let all fibers end before `run` does \
             (see `fibra::guide::pitfalls`)"
        ));
        loop {
            // SAFETY: it only waits for a signal.
            unsafe { libc::pause() };
        }
    }

    fn is_main_thread() -> bool {
        // SAFETY: neither call has any precondition.
        unsafe { libc::gettid() == libc::getpid() }
    }

    /// Returns whether the thread ends, and not the process by a call of `exit` on this thread.
    /// Under a call of `exit` lie the frames of its callers, among them those with which std starts
    /// a thread.
    fn is_end_of_thread() -> bool {
        let mut frames = 0usize;
        // SAFETY: `count` does not unwind, and gets the address of a `usize` that nothing else
        // uses.
        unsafe { _Unwind_Backtrace(count, (&raw mut frames).cast()) };
        // This function, `block`, and two to four of the C library, with a margin of one. If there
        // are fewer, the others were not found, because there are no unwind tables for them. It
        // returns false then, because a process that does not end would be worse.
        (3..=7).contains(&frames)
    }

    unsafe extern "C" fn count(_: *mut c_void, frames: *mut c_void) -> c_int {
        // SAFETY: `is_end_of_thread` passes the address of its counter.
        unsafe { *frames.cast::<usize>() += 1 };
        0
    }
}

/// On other systems the C library has no such list, and the destructors run: see SAFETY.md.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod thread_end {
    pub(super) fn block_there() {}
}
