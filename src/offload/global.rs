//! The pools of the process: for users, for files, for locks on files, for names.
//!
//! Four, so that a line at one of them holds up none of the others. They are made when they are first
//! used, start no thread before that, and are never dropped.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use crate::offload::pool::{ThreadPool, ThreadPoolBuilder};

static JOBS: OnceLock<ThreadPool> = OnceLock::new();
static FILES: OnceLock<ThreadPool> = OnceLock::new();
static LOCKS: OnceLock<ThreadPool> = OnceLock::new();
#[cfg(feature = "net")]
static NAMES: OnceLock<ThreadPool> = OnceLock::new();

/// Runs `f` on another thread while the calling fiber waits, and returns what it returns.
///
/// For what would block the thread and with it all fibers: drivers that know nothing of fibers,
/// long computations, system calls without a counterpart here. It takes about 10 µs, for the thread
/// must be woken and must wake this one. A plain thread calls `f` itself.
///
/// The call is a kill point. A fiber that is killed, or whose time limit passes, leaves at once:
/// - if `f` has not begun it never will, and is dropped on the fiber;
/// - if it has, it goes on, for a thread cannot be stopped. Its result is dropped on its thread (or
///   on the fiber, if it arrives in that very moment), and its panic is lost.
///
/// When `run` ends, that is true of all its fibers. [`uninterruptible`] waits instead, and `f` may
/// borrow there. The [module](mod@crate::blocking) says more: limits, own pools, clocks.
///
/// # Panics
///
/// With the panic of `f`. If the pool has no thread and the system gives it none: as
/// [`std::thread::spawn`] does.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let waits = fibra::spawn(|| fibra::blocking(|| std::fs::read_to_string("/proc/version")));
///     fibra::spawn(|| println!("meanwhile"));
///     println!("{:?}", waits.join().unwrap());
/// });
/// ```
#[track_caller]
#[doc(alias("thread", "spawn_blocking"))]
pub fn blocking<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    global().run(f)
}

/// As [`blocking`](fn@crate::blocking), but the calling fiber does not leave before `f` is back, and
/// `f` may borrow.
///
/// It begins with a kill point: a fiber that is to end does not begin `f`. Kills and time limits that come
/// meanwhile are met at the next wait, or the next such call, after it. So is what is thrown at a tasklet. When `run` ends it waits for `f`, and so does everything that waits for this fiber.
/// Do not give it what may never return.
///
/// What is `Send` and not `Sync`, such as a connection of rusqlite, is lent by an exclusive reference:
/// `&mut Connection` is `Send`, and `&Connection` is not. There is no form that takes the latter:
/// this fiber waits, but other fibers of its thread run, and may use the same connection by a shared
/// reference of their own. A closure captures what its methods need, so move the reference into it, as
/// the second example does; fibers that share a connection lock it first.
///
/// # Panics
///
/// With the panic of `f`. If the pool has no thread and the system gives it none.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let text = String::from("green threads");
///     let mut vowels = 0;
///     fibra::blocking::uninterruptible(|| {
///         vowels = text.matches(['a', 'e', 'i', 'o', 'u']).count();
///     });
///     assert_eq!(vowels, 4);
/// });
/// ```
///
/// Something that is not `Sync` and that fibers share:
///
/// ```
/// use fibra::sync::Mutex;
/// use std::cell::RefCell;
/// use std::collections::HashMap;
///
/// #[derive(Default)]
/// struct Connection {
///     cache: RefCell<HashMap<u32, u32>>, // makes it `!Sync`
/// }
///
/// impl Connection {
///     fn square(&self, n: u32) -> u32 {
///         *self.cache.borrow_mut().entry(n).or_insert(n * n)
///     }
/// }
///
/// let connection = Mutex::new(Connection::default());
/// fibra::run(|| {
///     let mut locked = connection.lock();
///     let connection = &mut *locked;
///     assert_eq!(fibra::blocking::uninterruptible(move || connection.square(7)), 49);
/// });
/// ```
#[track_caller]
pub fn uninterruptible<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    global().run_uninterruptible(f)
}

/// The pool of [`blocking`](fn@crate::blocking): one for the whole process.
///
/// # Examples
///
/// ```
/// let job = fibra::blocking::global().spawn(|| 1 + 1);
/// assert_eq!(job.join().unwrap(), 2);
/// ```
#[must_use]
pub fn global() -> &'static ThreadPool {
    JOBS.get_or_init(|| ThreadPoolBuilder::new().build())
}

/// Threads that work on files.
pub(crate) fn files() -> &'static ThreadPool {
    FILES.get_or_init(|| ThreadPoolBuilder::new().thread_name("fibra-file").build())
}

/// Threads that wait for locks on files, which last as long as their owners like. Those may be fibers of
/// this process that need other threads to come to an end, so the limit is one that is hardly reached.
pub(crate) fn locks() -> &'static ThreadPool {
    LOCKS.get_or_init(|| {
        ThreadPoolBuilder::new().thread_name("fibra-lock").max_threads(1_000).build()
    })
}

/// Threads that look up names. A resolver whose servers do not answer keeps a thread for many
/// seconds.
#[cfg(feature = "net")]
pub(crate) fn names() -> &'static ThreadPool {
    NAMES.get_or_init(|| ThreadPoolBuilder::new().thread_name("fibra-name").build())
}

impl ThreadPoolBuilder {
    /// Makes the pool of [`blocking`](fn@crate::blocking) with these settings, for the whole process.
    ///
    /// # Errors
    ///
    /// If that was made before: by this, or because it was used.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::blocking::ThreadPoolBuilder::new().max_threads(100).build_global()?;
    /// assert!(fibra::blocking::ThreadPoolBuilder::new().build_global().is_err());
    /// # Ok::<(), fibra::blocking::GlobalPoolError>(())
    /// ```
    pub fn build_global(self) -> Result<(), GlobalPoolError> {
        JOBS.set(self.build()).map_err(|_| GlobalPoolError(()))
    }
}

/// The pool of the process was in use before its settings came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GlobalPoolError(());

impl fmt::Display for GlobalPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool of `fibra::blocking` is in use: build it before the first call")
    }
}

impl Error for GlobalPoolError {}
