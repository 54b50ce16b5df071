//! The entry points [`run`] and [`frame`], and [`Runtime`], which combines schedulers with a clock
//! and an idle wait.

mod builder;
#[cfg(feature = "tokio")]
mod companion;
mod hogs;
mod idle_stacks;
mod inspect;
#[cfg(fibra_observed)]
mod observed;

pub use builder::RuntimeBuilder;

use std::cell::RefCell;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, Location};

use crate::fiber::current::{self, ThreadState};
use crate::fiber::exit::JoinError;
use crate::fiber::frame::Frame;
use crate::jobs::handle::Handle;
use crate::jobs::threads::Crew;
use crate::sched::api::run::{self, refuse_nesting};
use crate::sched::core::scheduler::Scheduler;
use crate::stack::{self, Keep, Pool};

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
    let pool = RefCell::new(Pool::new(Keep::FIXED));
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
///
/// A runtime of several schedulers uses several processors. The closure of
/// [`run`](Runtime::run) is the main fiber of the first scheduler, on the calling thread; each
/// other scheduler has a thread of its own. Fibers spawn jobs with a [`Handle`], which any of the
/// schedulers starts; see [`Handle`] for what runs where.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = fibra::Runtime::builder().all_cores().build()?;
/// let total: u64 = runtime.run(|| {
///     let handle = fibra::Handle::current();
///     let sums: Vec<_> = (0..8).map(|n| handle.spawn(move || (0..=n).sum::<u64>())).collect();
///     sums.into_iter().map(|sum| sum.join().unwrap()).sum()
/// });
/// assert_eq!(total, 84);
/// # Ok(())
/// # }
/// ```
pub struct Runtime {
    pub(crate) scheduler: Box<Scheduler>,
    pub(crate) crew: Option<Crew>,
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
        self.run_to_its_end(f).unwrap_or_else(|error| run::fail(error))
    }

    /// Returns a handle, with which jobs can be spawned before [`run`](Runtime::run) is called.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).build()?;
    /// let job = runtime.handle().spawn(|| 6 * 7);
    /// assert_eq!(runtime.run(|| job.join()), Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn handle(&self) -> Handle {
        match &self.crew {
            Some(crew) => Handle::of(crew.shared()),
            None => Handle::of_scheduler(&self.scheduler),
        }
    }

    /// Returns the number of its schedulers.
    pub(crate) fn threads(&self) -> usize {
        self.crew.as_ref().map_or(1, |crew| crew.shared().seats.len())
    }

    /// Runs `f` like [`run`](Runtime::run), and returns how the main fiber ended.
    #[track_caller]
    pub(crate) fn run_to_its_end<F, T>(self, f: F) -> Result<T, JoinError>
    where
        F: FnOnce() -> T,
    {
        let Runtime { scheduler, crew } = self;
        let location = Location::caller();
        match crew {
            None => run::run_at(location, scheduler, f),
            Some(crew) => crew.run(scheduler, |scheduler, supervisor| {
                run::run_at(location, scheduler, || supervisor.supervise(f))
            }),
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("threads", &self.threads()).finish_non_exhaustive()
    }
}
