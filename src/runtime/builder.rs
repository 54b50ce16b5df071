//! The settings of a [`Runtime`], and how one is built.

use std::fmt;
use std::io;
use std::num::NonZero;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tokio")]
use crate::host::{Companion, TokioIdle};
use crate::jobs::threads::{Crew, Plan};
use crate::runtime::inspect::SocketPath;
use crate::runtime::{Runtime, hogs};
use crate::sched::core::observer::Hooks;
use crate::sched::core::scheduler::Scheduler;
use crate::sched::time::clock::{Clock, RealClock, VirtualClock};
use crate::sched::time::idle::Idle;
use crate::stack::{self, Keep, SizeClass};
use crate::watchdog::Limit;

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
    pub(super) keep: Keep,
    virtual_clock: bool,
    hooks: Option<SharedHooks>,
    pub(super) hog_limit: Limit,
    plan: Plan,
    pub(super) inspect: Option<SocketPath>,
    #[cfg(feature = "tokio")]
    pub(super) companion: Companion,
}

/// The hooks of a runtime, which its schedulers share. A panic in them is not passed on, so a
/// builder that has some can be used after an unwind.
struct SharedHooks(AssertUnwindSafe<Arc<dyn Hooks>>);

impl Clone for SharedHooks {
    fn clone(&self) -> SharedHooks {
        SharedHooks(AssertUnwindSafe(Arc::clone(&self.0)))
    }
}

impl fmt::Debug for SharedHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

impl SharedHooks {
    fn observe(this: Option<&SharedHooks>, scheduler: &Scheduler) {
        if let Some(SharedHooks(hooks)) = this {
            scheduler.observe(Arc::clone(hooks));
        }
    }
}

/// Returns the hooks of a runtime whose builder sets none.
#[cfg(not(fibra_observed))]
fn default_hooks() -> Option<SharedHooks> {
    None
}

/// Returns the hooks of a runtime whose builder sets none: `.ci/observed` runs tests with these.
#[cfg(fibra_observed)]
#[allow(clippy::unnecessary_wraps, reason = "other builds have none")]
fn default_hooks() -> Option<SharedHooks> {
    Some(SharedHooks(AssertUnwindSafe(Arc::new(crate::runtime::observed::Checks))))
}

impl Default for RuntimeBuilder {
    fn default() -> RuntimeBuilder {
        RuntimeBuilder {
            main_class: SizeClass::MAIN,
            class: SizeClass::DEFAULT,
            keep: Keep::recent(SizeClass::DEFAULT),
            virtual_clock: false,
            hooks: default_hooks(),
            hog_limit: Limit::default(),
            plan: Plan {
                threads: 1,
                name: String::from("fibra"),
                pin: false,
                grace: Duration::ZERO,
                limit: None,
                stalls_after: None,
            },
            inspect: None,
            #[cfg(feature = "tokio")]
            companion: Companion::None,
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

    /// Tells `hooks` what happens to the fibers of the runtime, on all of its schedulers: spawns,
    /// ends, waits, wakes, and each time that a fiber enters or leaves its thread.
    ///
    /// A runtime without hooks makes no further test for this. One that has some takes slower
    /// paths, at each spawn, switch and wake.
    ///
    /// # Examples
    ///
    /// The time that each fiber has held its thread:
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::sync::{Arc, Mutex};
    /// use std::time::{Duration, Instant};
    ///
    /// use fibra::{FiberId, Hooks};
    ///
    /// #[derive(Default)]
    /// struct Held(Mutex<HashMap<FiberId, (Duration, Option<Instant>)>>);
    ///
    /// struct Shared(Arc<Held>);
    ///
    /// impl Hooks for Shared {
    ///     fn entered(&self, at: Instant, fiber: FiberId) {
    ///         self.0.0.lock().unwrap().entry(fiber).or_default().1 = Some(at);
    ///     }
    ///     fn left(&self, at: Instant, fiber: FiberId) {
    ///         let mut fibers = self.0.0.lock().unwrap();
    ///         let (held, since) = fibers.entry(fiber).or_default();
    ///         *held += at - since.take().unwrap();
    ///     }
    /// }
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let held = Arc::new(Held::default());
    /// let runtime = fibra::Runtime::builder().hooks(Shared(held.clone())).build()?;
    /// runtime.run(|| fibra::spawn(fibra::yield_now).join().unwrap());
    /// assert_eq!(held.0.lock().unwrap().len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn hooks(self, hooks: impl Hooks) -> RuntimeBuilder {
        RuntimeBuilder { hooks: Some(SharedHooks(AssertUnwindSafe(Arc::new(hooks)))), ..self }
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

    /// Sets the number of schedulers, each of which has its own thread. The default is 1.
    ///
    /// The first scheduler runs on the thread that calls [`Runtime::run`]. The others have threads
    /// of their own, which start in [`build`](RuntimeBuilder::build). Fibers do not move between
    /// threads: only jobs that have not started do, see [`Handle`](crate::Handle).
    ///
    /// # Panics
    ///
    /// Panics if `n` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).build()?;
    /// runtime.run(|| assert_eq!(fibra::Handle::current().threads(), 2));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    #[doc(alias("worker_threads", "num_threads", "GOMAXPROCS"))]
    pub fn threads(mut self, n: usize) -> RuntimeBuilder {
        assert_ne!(n, 0, "a runtime needs a thread");
        self.plan.threads = n;
        self
    }

    /// Sets the number of schedulers to the number of processors that this process may use.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().all_cores().build()?;
    /// runtime.run(|| assert_ne!(fibra::Handle::current().threads(), 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn all_cores(self) -> RuntimeBuilder {
        self.threads(std::thread::available_parallelism().map_or(1, NonZero::get))
    }

    /// Sets the beginning of the names of the threads; their index follows: `fibra-1`, `fibra-2`.
    /// The thread that calls [`Runtime::run`] keeps its own name. The default is `fibra`.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).thread_name("render").build()?;
    /// let name = || std::thread::current().name().map(String::from);
    /// let job = runtime.handle().spawn_on(1, name);
    /// assert_eq!(runtime.run(|| job.join()).unwrap().as_deref(), Some("render-1"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn thread_name(mut self, name: impl Into<String>) -> RuntimeBuilder {
        self.plan.name = name.into();
        self
    }

    /// Pins each thread to one of the processors that this process may use, the calling thread only
    /// during [`Runtime::run`]. Only on Linux and Android; elsewhere it has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().all_cores().pin_threads(true).build()?;
    /// runtime.run(|| fibra::Handle::current().spawn(|| ()).join().unwrap());
    /// # Ok(())
    /// # }
    /// ```
    pub fn pin_threads(mut self, pin: bool) -> RuntimeBuilder {
        self.plan.pin = pin;
        self
    }

    /// Sets how long [`Runtime::run`] waits at its end for jobs that are queued or running. The
    /// default is zero: they are killed when the main closure has returned, like fibers.
    ///
    /// During this time only fibers of the runtime can spawn jobs. Then jobs that have not started
    /// are dropped, and those that run are killed. It concerns runtimes of several threads only.
    ///
    /// It does not limit the time that killed jobs take to end: a job in a
    /// [`shield`](crate::shield) that never ends keeps `run` from returning.
    /// [`shield_for`](crate::shield_for) ends, and
    /// [`report_stalls`](RuntimeBuilder::report_stalls) shows where such a job waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let grace = Duration::from_secs(5);
    /// let runtime = fibra::Runtime::builder().threads(2).shutdown_timeout(grace).build()?;
    /// let job = runtime.run(|| fibra::Handle::current().spawn(|| 42)); // not joined here
    /// assert_eq!(job.join(), Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown_timeout(mut self, grace: Duration) -> RuntimeBuilder {
        self.plan.grace = grace;
        self
    }

    /// Limits the number of jobs that are queued and have not started. At the limit
    /// [`Handle::spawn`](crate::Handle::spawn) waits, and
    /// [`Handle::try_spawn`](crate::Handle::try_spawn) fails. The default is no limit.
    ///
    /// # Panics
    ///
    /// Panics if `n` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = fibra::Runtime::builder().threads(2).max_queued_jobs(100).build()?;
    /// runtime.run(|| {
    ///     let handle = fibra::Handle::current();
    ///     let jobs: Vec<_> = (0..1_000).map(|n| handle.spawn(move || n)).collect(); // waits
    ///     assert_eq!(jobs.into_iter().map(|job| job.join().unwrap()).sum::<u32>(), 499_500);
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn max_queued_jobs(mut self, n: usize) -> RuntimeBuilder {
        assert_ne!(n, 0, "a runtime that may queue no job could start none");
        self.plan.limit = Some(n);
        self
    }

    /// Sets the time after which a stall is reported on standard error: all schedulers have slept
    /// for that long, without running a fiber. The default is no report.
    ///
    /// The report is the text of [`Handle::dump`](crate::Handle::dump): it shows what each fiber
    /// waits for, and where. Each stall is reported once, and nothing is killed. A stall need not
    /// be a defect: a server without requests sleeps, too. So the time should be longer than the
    /// program is idle in normal operation. It has no effect with a virtual clock. Beside tokio, a
    /// scheduler sleeps while only tasks run.
    ///
    /// # Panics
    ///
    /// Panics if `after` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let builder = fibra::Runtime::builder().threads(2);
    /// let runtime = builder.report_stalls(Duration::from_millis(50)).build()?;
    /// runtime.run(|| {
    ///     let (_sender, receiver) = fibra::sync::mpmc::bounded::<()>(1);
    ///     let forgotten = fibra::Handle::current().spawn_on(1, move || receiver.recv());
    ///     fibra::sleep(Duration::from_millis(200)); // meanwhile, on standard error:
    ///     // fibra: stall: all schedulers have slept for 50ms:
    ///     // scheduler 0 sleeps:
    ///     //   fiber 'main' (#1) is asleep at src/main.rs:9:5 for 50ms
    ///     // scheduler 1 sleeps:
    ///     //   fiber 'main' (#1) is waiting for the end of its runtime at ...
    ///     //   fiber #2 is receiving on an empty channel (made at src/main.rs:6:44) at ...
    ///     forgotten.kill();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn report_stalls(mut self, after: Duration) -> RuntimeBuilder {
        assert!(!after.is_zero(), "a stall that is reported after no time would be each sleep");
        self.plan.stalls_after = Some(after);
        self
    }

    /// Creates the runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the stack of the main fiber, or the first stack for other fibers, cannot
    /// be allocated; its text names the limit that was reached. Also returns an error if a thread
    /// cannot be started or a socket cannot be bound, if a runtime of several threads or with tokio
    /// has a virtual clock, and on a thread with CET shadow stacks, where a switch of stacks would
    /// be a fault.
    pub fn build(self) -> io::Result<Runtime> {
        stack::refuse_shadow_stack()?;
        #[cfg(feature = "tokio")]
        let companion = self.companion.look_around();
        #[cfg(not(feature = "tokio"))]
        let companion = NoCompanion;
        let RuntimeBuilder {
            main_class,
            class,
            keep,
            virtual_clock,
            hooks,
            hog_limit,
            plan,
            inspect,
            ..
        } = self;
        let keep = keep.of_class(class);
        let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if virtual_clock && 1 < plan.threads {
            return refused(
                "a virtual clock needs a runtime with one thread: several threads share no order",
            );
        }
        if virtual_clock && companion.is_any() {
            return refused("a virtual clock needs a runtime without tokio, whose time is real");
        }
        let clock: Box<dyn Clock> =
            if virtual_clock { Box::new(VirtualClock::new()) } else { Box::new(RealClock) };
        let mut scheduler = Box::new(Scheduler::new(class, clock, idle(&companion)?)?);
        scheduler.main.class = main_class;
        scheduler.pool.get_mut().set_keep(keep);
        scheduler.pool.get_mut().prepare(main_class)?;
        SharedHooks::observe(hooks.as_ref(), &scheduler);
        let hog_limit = hog_limit.get().filter(|_| !virtual_clock);
        hogs::watch(hog_limit, &scheduler);
        let crew = if plan.is_plain() && inspect.is_none() {
            None
        } else {
            let make = move || {
                let clock = Box::new(RealClock);
                let mut scheduler = Scheduler::new(class, clock, idle(&companion)?)?;
                scheduler.pool.get_mut().set_keep(keep);
                SharedHooks::observe(hooks.as_ref(), &scheduler);
                hogs::watch(hog_limit, &scheduler);
                Ok(scheduler)
            };
            let crew = Crew::start(plan, &scheduler, make)?;
            if let Some(path) = inspect {
                scheduler.attached.set(Some(path.open(&crew)?));
            }
            Some(crew)
        };
        Ok(Runtime { scheduler, crew })
    }
}

/// The runtime of tokio that fibers use, in a build without tokio: none.
#[cfg(not(feature = "tokio"))]
#[derive(Copy, Clone)]
struct NoCompanion;

#[cfg(not(feature = "tokio"))]
impl NoCompanion {
    fn is_any(self) -> bool {
        false
    }
}

/// Creates the implementation of waiting that a scheduler uses while no fiber can run.
#[cfg(feature = "tokio")]
fn idle(companion: &Companion) -> io::Result<Box<dyn Idle>> {
    Ok(if companion.is_any() {
        Box::new(TokioIdle::new(companion)?)
    } else {
        Box::new(crate::reactor::driver::Driver::new())
    })
}

/// Creates the implementation of waiting that a scheduler uses while no fiber can run.
#[cfg(not(feature = "tokio"))]
#[allow(clippy::unnecessary_wraps, reason = "with tokio it may fail")]
fn idle(_: &NoCompanion) -> io::Result<Box<dyn Idle>> {
    #[cfg(feature = "net")]
    return Ok(Box::new(crate::reactor::driver::Driver::new()));
    #[cfg(not(feature = "net"))]
    return Ok(Box::new(crate::sched::time::idle::ThreadIdle::new()));
}
