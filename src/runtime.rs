//! The composition root: plugs a clock and an idle into a scheduler, and runs it.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::current;
use crate::fiber::frame::Frame;
use crate::sched::api::run::{self, refuse_nesting};
use crate::sched::core::scheduler::Scheduler;
use crate::sched::time::clock::{Clock, RealClock, VirtualClock};
use crate::sched::time::idle::Idle;
use crate::stack::{self, Pool, SizeClass};

/// Turns this thread into a scheduler, runs `f` as its main fiber, and returns what it returned.
///
/// All fibers live inside this call: when the main fiber has returned, the others are killed and
/// unwound, the oldest first, and only then does `run` return.
///
/// Fibers may be spawned inside `f` only, at any depth. A fiber that cannot be unwound is given up, and
/// this thread does not end then: see [`cancellation`](crate::cancellation#fibers-that-are-given-up).
///
/// # Stack sizes
///
/// The main fiber has a stack of 8 MiB, and all others have 256 KiB, or 1 MiB in a build with debug
/// assertions, whose frames are larger. Only what is touched takes memory. The sizes can be set
///
/// - for the main fiber: [`main_stack_size`](Builder::main_stack_size) of [`Runtime::builder`];
/// - for all other fibers: [`stack_size`](Builder::stack_size) of [`Runtime::builder`];
/// - for one fiber: [`Builder::stack_size`](crate::Builder::stack_size);
/// - for one deep call: [`with_stack_size`](crate::with_stack_size).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = fibra::Runtime::builder()
///     .main_stack_size(64 << 20)
///     .stack_size(512 << 10)
///     .build()?;
/// runtime.run(|| println!("a stack of 64 MiB"));
/// # Ok(())
/// # }
/// ```
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
    main_class: SizeClass,
    class: SizeClass,
    virtual_clock: bool,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder { main_class: SizeClass::MAIN, class: SizeClass::DEFAULT, virtual_clock: false }
    }
}

impl Builder {
    /// Sets the size of the main fiber's stack: at least `bytes`, rounded up to a power of two
    /// between 16 KiB and 1 GiB. 8 MiB if not set.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().main_stack_size(32 << 20).build()?;
    /// let sum = runtime.run(|| [1u8; 9 << 20].iter().map(|&one| u64::from(one)).sum::<u64>());
    /// assert_eq!(sum, 9 << 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn main_stack_size(self, bytes: usize) -> Builder {
        Builder { main_class: SizeClass::for_bytes(bytes), ..self }
    }

    /// Sets the stack size of all other fibers, unless they ask for another one: at least `bytes`,
    /// rounded up to a power of two between 16 KiB and 1 GiB. If not set it is 256 KiB, and 1 MiB
    /// in a build with debug assertions.
    ///
    /// Generators and greenlets have builders of their own.
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
    /// it is not known whether another thread will ever come: time limits of waits there end in virtual time.
    pub fn virtual_clock(self) -> Builder {
        Builder { virtual_clock: true, ..self }
    }

    /// Makes the runtime.
    ///
    /// # Errors
    ///
    /// Says which limit was met if the stack of the main fiber or the first of the others cannot be
    /// had, and refuses a thread on which CET shadow stacks are on: a switch of stacks would be a
    /// fault there.
    pub fn build(self) -> io::Result<Runtime> {
        stack::refuse_shadow_stack()?;
        let clock: Box<dyn Clock> =
            if self.virtual_clock { Box::new(VirtualClock::new()) } else { Box::new(RealClock) };
        let mut scheduler = Scheduler::new(self.class, clock, idle())?;
        scheduler.main.class = self.main_class;
        scheduler.pool.get_mut().prepare(self.main_class)?;
        Ok(Runtime { scheduler: Box::new(scheduler) })
    }
}

/// What a scheduler waits with when no fiber can run.
fn idle() -> Box<dyn Idle> {
    #[cfg(feature = "net")]
    return Box::new(crate::reactor::driver::Driver::new());
    #[cfg(not(feature = "net"))]
    return Box::new(crate::sched::time::idle::ThreadIdle::new());
}
