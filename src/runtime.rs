//! The entry points [`run`] and [`frame`], and [`Runtime`], which combines a scheduler with a clock
//! and an idle wait.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};

use crate::fiber::current::{self, ThreadState};
use crate::fiber::frame::Frame;
use crate::sched::api::run::{self, refuse_nesting};
use crate::sched::core::scheduler::Scheduler;
use crate::sched::time::clock::{Clock, RealClock, VirtualClock};
use crate::sched::time::idle::Idle;
use crate::stack::{self, Pool, SizeClass};

/// Runs a scheduler on this thread with `f` as its main fiber, and returns the result of `f`.
///
/// All fibers live inside this call. Once the main fiber has returned, all other fibers are killed
/// and unwound, the oldest first. Only then does `run` return.
///
/// Fibers can only be spawned inside `f`, at any call depth. A fiber that cannot be unwound is
/// abandoned, and then this thread does not end: see
/// [`cancellation`](crate::cancellation#fibers-that-are-abandoned).
///
/// # Stack sizes
///
/// The main fiber has a stack of 8 MiB. All other fibers have 256 KiB, or 1 MiB in a build with
/// debug assertions, where frames are larger. Only pages that are touched take memory. The sizes
/// can be set
///
/// - for the main fiber: [`main_stack_size`](RuntimeBuilder::main_stack_size) of
///   [`Runtime::builder`];
/// - for all other fibers: [`stack_size`](RuntimeBuilder::stack_size) of [`Runtime::builder`];
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
/// Panics if this thread is inside `run` already; with the panic of the main fiber; with
/// [`Killed`](crate::Killed) if the main fiber was killed; and if the first stacks cannot be
/// allocated. ([`RuntimeBuilder::build`] returns the last as an error.)
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

/// Runs `f` so that it can use generators and greenlets without a scheduler.
///
/// When `frame` returns, every generator and greenlet that was started inside has ended or was
/// unwound. So none of their stacks outlives the thread-locals that it may refer to. Handles that
/// are kept longer read as ended.
///
/// Each fiber has a frame of its own. Inside [`run`] and inside another `frame`, this function only
/// calls `f`. Calls that wait need a scheduler: in a frame without one they panic.
///
/// # Panics
///
/// Panics with the panic of `f`; if the signal handler that reports stack overflows cannot be set
/// up; and on a thread with CET shadow stacks, where a switch of stacks would be a fault.
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
    if current::fiber().is_some() || ThreadState::with(|thread| !thread.frame.get().is_null()) {
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
    // Caught, so that this thread does not unwind while the stacks of this frame are unwound.
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    drop(frame);
    result.unwrap_or_else(|payload| panic::resume_unwind(payload))
}

/// A scheduler with its clock and first stacks, ready to run a main closure.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = fibra::Runtime::builder().build()?;
/// assert_eq!(runtime.run(|| fibra::spawn(|| 42).join().unwrap()), 42);
/// # Ok(())
/// # }
/// ```
pub struct Runtime {
    pub(crate) scheduler: Box<Scheduler>,
}

impl Runtime {
    /// Returns the default settings for a runtime.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// Runs `f` on this thread, like [`run`].
    ///
    /// # Panics
    ///
    /// Like [`run`].
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
pub struct RuntimeBuilder {
    main_class: SizeClass,
    class: SizeClass,
    virtual_clock: bool,
}

impl Default for RuntimeBuilder {
    fn default() -> RuntimeBuilder {
        RuntimeBuilder {
            main_class: SizeClass::MAIN,
            class: SizeClass::DEFAULT,
            virtual_clock: false,
        }
    }
}

impl RuntimeBuilder {
    /// Sets the size of the main fiber's stack: at least `bytes`, rounded up to a power of two
    /// between 16 KiB and 1 GiB. The default is 8 MiB.
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
    pub fn main_stack_size(self, bytes: usize) -> RuntimeBuilder {
        RuntimeBuilder { main_class: SizeClass::for_bytes(bytes), ..self }
    }

    /// Sets the stack size of all other fibers, unless their [`Builder`](crate::Builder) sets
    /// another one: at least `bytes`, rounded up to a power of two between 16 KiB and 1 GiB. The
    /// default is 256 KiB, and 1 MiB in a build with debug assertions.
    ///
    /// It does not apply to generators and greenlets, which have builders of their own.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().stack_size(32 << 10).build()?;
    /// runtime.run(|| {
    ///     fibra::spawn(fibra::park);
    ///     fibra::yield_now();
    ///     assert_eq!(fibra::dump().fibers[1].stack_size, 32 << 10);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    pub fn stack_size(self, bytes: usize) -> RuntimeBuilder {
        RuntimeBuilder { class: SizeClass::for_bytes(bytes), ..self }
    }

    /// Uses a clock that stands still while a fiber can run, and jumps to the next deadline when
    /// all fibers wait: twelve hours pass in milliseconds, the same way in every run.
    ///
    /// External waits take real time. While a fiber waits for a socket, a process or a job on
    /// another thread, the clock advances at the speed of real time and does not jump. So a read
    /// with a time limit of a second fails after a second of real time. The same holds while a
    /// fiber waits for a lock of [`sync`](crate::sync) that another thread holds. At an event, a
    /// semaphore or a channel the scheduler cannot know whether another thread will ever complete
    /// the wait: time limits of such waits end in virtual time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().virtual_clock().build()?;
    /// runtime.run(|| fibra::sleep(Duration::from_secs(12 * 3600))); // returns immediately
    /// # Ok(())
    /// # }
    /// ```
    pub fn virtual_clock(self) -> RuntimeBuilder {
        RuntimeBuilder { virtual_clock: true, ..self }
    }

    /// Creates the runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the stack of the main fiber, or the first stack for other fibers, cannot
    /// be allocated; its text names the limit that was reached. Also returns an error on a thread
    /// with CET shadow stacks, where a switch of stacks would be a fault.
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

/// Returns the implementation of waiting that a scheduler uses while no fiber can run.
fn idle() -> Box<dyn Idle> {
    #[cfg(feature = "net")]
    return Box::new(crate::reactor::driver::Driver::new());
    #[cfg(not(feature = "net"))]
    return Box::new(crate::sched::time::idle::ThreadIdle::new());
}
