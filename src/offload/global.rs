//! The pools of the process: for jobs of users, for files, for locks on files, for names.
//!
//! There are four, so that a queue at one of them delays none of the others. Each is created when
//! it is first used, starts no thread before that, and is never dropped.

use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use crate::offload::pool::{ThreadPool, ThreadPoolBuilder};

static JOBS: OnceLock<ThreadPool> = OnceLock::new();
static FILES: OnceLock<ThreadPool> = OnceLock::new();
static LOCKS: OnceLock<ThreadPool> = OnceLock::new();
#[cfg(feature = "net")]
static NAMES: OnceLock<ThreadPool> = OnceLock::new();

/// Runs `f` on another thread while the calling fiber waits, and returns the value of `f`.
///
/// Use it for code that would block the thread and with it all fibers: drivers that are not written
/// for fibers, long computations, system calls without a counterpart in this crate. A call takes 2
/// to 30 µs: most of that is for waking the other thread and for being woken by it, and a thread
/// that has just ended another job is often still awake. A plain thread calls `f` itself.
///
/// The call is a kill point. A fiber that is killed, or whose time limit passes, leaves
/// immediately:
/// - if `f` has not begun it never will, and is dropped on the fiber;
/// - if it has, it continues, because a thread cannot be stopped. Its result is dropped on its
///   thread (or on the fiber, if it arrives at that very moment), and its panic is lost.
///
/// When `run` ends, the same happens to all its fibers. [`uninterruptible`] waits instead, and lets
/// `f` borrow. The [module](mod@crate::blocking) describes limits, private pools and clocks.
///
/// # Panics
///
/// Propagates a panic of `f`. Panics if the pool has no thread and the system can start none, like
/// [`std::thread::spawn`].
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

/// Like [`blocking`](fn@crate::blocking), but the calling fiber does not leave before `f` has
/// returned, and `f` may borrow.
///
/// The call begins with a kill point: a fiber that has been killed does not begin `f`. Kills and
/// time limits that come while `f` runs take effect at the next wait, or the next such call, after
/// it. So does an error that is thrown at a tasklet. When `run` ends it waits for `f`, and so does
/// everything that waits for this fiber. Do not call it with an `f` that may never return.
///
/// To lend a value that is `Send` and not `Sync`, such as a connection of rusqlite, use
/// [`uninterruptible_with`].
///
/// # Panics
///
/// Propagates a panic of `f`. Panics if the pool has no thread and the system can start none.
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
#[track_caller]
pub fn uninterruptible<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    global().run_uninterruptible(f)
}

/// Lends `value` to `f`, which runs on another thread, and returns the value of `f`. Like
/// [`uninterruptible`], the calling fiber does not leave before `f` has returned.
///
/// This is for a value that is `Send` and not `Sync`, such as a connection of rusqlite. Many of its
/// methods take `&self`, and a closure that calls them captures `&Connection`, which is not `Send`.
/// That is no mere formality: this fiber waits, but other fibers of its thread run meanwhile, and
/// each shared reference that they hold reaches the same connection. Two threads would use it at
/// the same time, which is what `!Sync` forbids. An exclusive reference excludes that, because
/// there is no other reference while it lives: so `&mut T` may go to another thread if `T: Send`.
///
/// Fibers that share such a value lock it first, as the example does, or give it a thread of its
/// own: see [`Owned`](crate::blocking::Owned).
///
/// # Panics
///
/// Propagates a panic of `f`. Panics if the pool has no thread and the system can start none.
///
/// # Examples
///
/// ```
/// use fibra::blocking::uninterruptible_with;
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
///     let mut connection = connection.lock();
///     assert_eq!(uninterruptible_with(&mut *connection, |connection| connection.square(7)), 49);
/// });
/// ```
///
/// A shared reference is refused by the compiler:
///
/// ```compile_fail,E0277
/// # use std::cell::Cell;
/// fn count(connection: &Cell<u32>) -> u32 {
///     fibra::blocking::uninterruptible(|| connection.replace(1))
/// }
/// ```
#[track_caller]
pub fn uninterruptible_with<V, F, T>(value: &mut V, f: F) -> T
where
    V: Send + ?Sized,
    F: FnOnce(&mut V) -> T + Send,
    T: Send,
{
    global().run_uninterruptible(move || f(value))
}

/// Returns the pool of [`blocking`](fn@crate::blocking): one for the whole process.
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

/// Returns the pool of threads that work on files.
pub(crate) fn files() -> &'static ThreadPool {
    FILES.get_or_init(|| ThreadPoolBuilder::new().thread_name("fibra-file").build())
}

/// Returns the pool of threads that wait for locks on files, which may be held for any length of
/// time. Their owners may be fibers of this process that need other threads before they can release
/// them, so the limit is one that is rarely reached.
pub(crate) fn locks() -> &'static ThreadPool {
    LOCKS.get_or_init(|| {
        ThreadPoolBuilder::new().thread_name("fibra-lock").max_threads(1_000).build()
    })
}

/// Returns the pool of threads that look up names. A name whose servers do not answer occupies a
/// thread for many seconds.
#[cfg(feature = "net")]
pub(crate) fn names() -> &'static ThreadPool {
    NAMES.get_or_init(|| ThreadPoolBuilder::new().thread_name("fibra-name").build())
}

impl ThreadPoolBuilder {
    /// Creates the pool of [`blocking`](fn@crate::blocking) with these settings, for the whole
    /// process.
    ///
    /// # Errors
    ///
    /// Returns an error if that pool exists already: by an earlier call of this, or because it was
    /// used.
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

/// The error of [`ThreadPoolBuilder::build_global`]: the pool of the process exists already.
///
/// # Examples
///
/// ```
/// use fibra::blocking::ThreadPoolBuilder;
///
/// fibra::blocking::global(); // exists now, so its settings cannot be changed any more
/// assert!(ThreadPoolBuilder::new().build_global().is_err());
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GlobalPoolError(());

impl fmt::Display for GlobalPoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool of `fibra::blocking` is in use: build it before the first call")
    }
}

impl Error for GlobalPoolError {}
