//! The composition root: plugs a clock and an idle into a scheduler, and runs it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::current;
use crate::fiber::frame::Frame;
use crate::sched::clock::{Clock, RealClock, VirtualClock};
use crate::sched::idle::Idle;
use crate::sched::run::{self, refuse_nesting};
use crate::sched::scheduler::Scheduler;
use crate::stack::{self, Pool, SizeClass};

/// Turns this thread into a scheduler, runs `f` as its main fiber, and returns what it returned.
///
/// All fibers live inside this call: when the main fiber has returned, the others are killed and
/// unwound, the oldest first, and only then does `run` return.
///
/// The main fiber has a stack of 8 MiB. Fibers may be spawned inside `f` only, at any depth.
///
/// # Panics
///
/// Panics inside of `run` on the same thread, with the panic of the main fiber, with
/// [`Cancelled`](crate::Cancelled) if it was killed, and if the first stacks cannot be had (use
/// [`Runtime::builder`] to get that as an error).
///
/// # Examples
///
/// ```
/// let answer = fibra::run(|| {
///     let half = fibra::spawn(|| 21);
///     half.join().unwrap() * 2
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn run<F, T>(f: F) -> T
where
    F: FnOnce() -> T,
{
    refuse_nesting();
    match Runtime::builder().build() {
        Ok(runtime) => runtime.run(f),
        Err(error) => panic!("fibra could not start: {error}"),
    }
}

/// Runs `f` so that it can use generators and greenlets, without a scheduler.
///
/// Every stack that was started inside has ended, or was unwound, when `frame` returns: so none
/// outlives the thread-locals that it may refer to. Handles that are kept longer read as ended.
///
/// Fibers have a frame of their own: inside [`run`], and inside another `frame`, this only calls
/// `f`. Calls that wait need a scheduler, and panic in a mere frame.
///
/// # Panics
///
/// With the panic of `f`; if the signal handler that reports stack overflows cannot be set up; and
/// on a thread with CET shadow stacks, where a switch of stacks would be a fault.
///
/// # Examples
///
/// ```
/// use fibra::generator;
///
/// let squares: Vec<u32> = fibra::frame(|| {
///     generator::iter(|y| (1..=3).for_each(|i| y.yield_(i * i))).collect()
/// });
/// assert_eq!(squares, [1, 4, 9]);
/// ```
#[track_caller]
pub fn frame<T>(f: impl FnOnce() -> T) -> T {
    if current::fiber().is_some() || current::here(|here| !here.frame.get().is_null()) {
        return f();
    }
    if let Err(error) = stack::refuse_shadow_stack() {
        panic!("fibra could not start: {error}");
    }
    let _alt_stack = match stack::install(run::overflowed) {
        Ok(alt_stack) => alt_stack,
        Err(error) => panic!("fibra could not set up its stack-overflow handler: {error}"),
    };
    let pool = RefCell::new(Pool::new());
    let _pool = current::use_pool(&pool);
    let frame = Frame::enter_on_thread();
    // Caught, so that nothing unwinds while the stacks of this frame are.
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    drop(frame);
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// A scheduler that has what it needs and waits for its main closure.
pub struct Runtime {
    pub(crate) scheduler: Box<Scheduler>,
}

impl Runtime {
    /// Settings for a runtime.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs `f` on this thread, as [`run`].
    ///
    /// # Panics
    ///
    /// As [`run`].
    #[track_caller]
    pub fn run<F, T>(self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        refuse_nesting();
        run::run_on(self.scheduler, f)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

/// Settings for a [`Runtime`].
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # fn main() -> std::io::Result<()> {
/// let runtime = fibra::Runtime::builder().virtual_clock().stack_size(64 << 10).build()?;
/// runtime.run(|| {
///     let start = fibra::now();
///     fibra::sleep(Duration::from_secs(12 * 3600)); // takes no time
///     assert_eq!(fibra::now() - start, Duration::from_secs(12 * 3600));
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    class: SizeClass,
    virtual_clock: bool,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder { class: SizeClass::DEFAULT, virtual_clock: false }
    }
}

impl Builder {
    /// The stack size of fibers that ask for none: at least `bytes`, rounded up to a power of two
    /// between 16 KiB and 1 GiB. 256 KiB if not set.
    pub fn stack_size(self, bytes: usize) -> Builder {
        Builder { class: SizeClass::for_bytes(bytes), ..self }
    }

    /// Uses a clock that stands still while a fiber can run, and jumps to the next deadline when
    /// all wait: twelve hours pass in milliseconds, the same way every time.
    ///
    /// What happens outside of fibers takes real time: while a fiber waits for a socket, a process or a
    /// thread at work, the clock goes on as fast as real time does, and does not jump. So a read with
    /// a time limit of a second fails after a second, and not at once. The same holds while a fiber waits
    /// for a lock of [`sync`](crate::sync) that another thread has. At an event, a semaphore or a channel
    /// nobody knows whether another thread will ever come: time limits of waits there end in virtual time.
    pub fn virtual_clock(self) -> Builder {
        Builder { virtual_clock: true, ..self }
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// Says which limit was met if the first stack cannot be had, and refuses a thread on which
    /// CET shadow stacks are on: a switch of stacks would be a fault there.
    pub fn build(self) -> io::Result<Runtime> {
        stack::refuse_shadow_stack()?;
        let clock: Box<dyn Clock> =
            if self.virtual_clock { Box::new(VirtualClock::new()) } else { Box::new(RealClock) };
        let scheduler = Scheduler::new(self.class, clock, idle())?;
        Ok(Runtime { scheduler: Box::new(scheduler) })
    }
}

/// What a scheduler waits with when no fiber can run.
fn idle() -> Box<dyn Idle> {
    #[cfg(feature = "net")]
    return Box::new(crate::reactor::driver::Driver::new());
    #[cfg(not(feature = "net"))]
    return Box::new(crate::sched::idle::ThreadIdle);
}
