//! One value that lives on a thread of its own: its public interface.
//!
//! Invariant: the value has one thread from its beginning to its end, even if it is replaced.

use std::convert::Infallible;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::offload::owned::builder::OwnedBuilder;
use crate::offload::owned::error::OwnedError;
use crate::offload::owned::keepers::{Keepers, MAKING};
use crate::offload::owned::kept::{Kept, Maker, Rules, Shared};
use crate::offload::worker::Settings;
use crate::sched::lowlevel::Limit;

/// A value that lives on a thread of its own, where calls may block: a connection to a database, an
/// interpreter, a window.
///
/// The value is made, used and dropped on its thread, so it need not be `Send`. A
/// [`call`](Self::call) sends a closure there and waits for its result. The wait parks the fiber,
/// and the other fibers of its thread go on; a plain thread blocks. Calls run one at a time, in the
/// order in which they were made.
///
/// Clones are handles to the same value. They may be used from every thread, and so from every
/// scheduler of a [`Runtime`](crate::Runtime). When the last one is dropped, the thread runs the
/// calls that are queued, drops the value, and ends; [`close`](Self::close) waits for that.
///
/// # A caller that leaves
///
/// A call is a kill point. If its fiber is killed, or its time limit passes, the caller leaves
/// immediately. A call that has not begun never will. One that has begun goes on, because a thread
/// cannot be stopped: its result is dropped on its thread, and then the next call runs. The value
/// stays, unless its builder decides [otherwise](OwnedBuilder::replace_after_abandoned_call).
///
/// # A call that panics
///
/// The panic continues in the caller. The value may be in the middle of a change, so it is dropped
/// and never used again. A value that was made by a [builder](Self::builder) is made again for the
/// next call; others return [`OwnedError::Poisoned`] from then on.
///
/// # Examples
///
/// ```
/// use fibra::blocking::Owned;
/// use std::rc::Rc;
///
/// // Neither `Send` nor `Sync`, like many connections.
/// let list = Owned::new(|| Rc::new(std::cell::RefCell::new(Vec::new())));
/// fibra::run(|| {
///     let callers = [1, 2, 3].map(|n| {
///         let list = list.clone();
///         fibra::spawn(move || list.call(move |list| list.borrow_mut().push(n)))
///     });
///     callers.into_iter().for_each(|caller| caller.join().unwrap().unwrap());
///     assert_eq!(list.call(|list| list.take()).unwrap(), [1, 2, 3]);
/// });
/// ```
#[doc(alias("actor", "connection", "tokio_rusqlite"))]
pub struct Owned<T: 'static> {
    keepers: Arc<Keepers<T>>,
}

impl<T> Owned<T> {
    /// Starts a thread and makes the value there, by a closure that runs once. Waits until it is
    /// made.
    ///
    /// # Panics
    ///
    /// Propagates a panic of `maker`. Panics if the system can start no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// let counter = fibra::blocking::Owned::new(|| 40);
    /// counter.call(|n| *n += 2).unwrap();
    /// assert_eq!(counter.call(|n| *n).unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn new<F>(maker: F) -> Owned<T>
    where
        F: FnOnce() -> T + Send + 'static,
    {
        let Ok(owned) = Owned::try_new(|| Ok::<T, Infallible>(maker()));
        owned
    }

    /// Starts a thread and makes the value there, by a closure that runs once and can fail. Waits
    /// until it is made.
    ///
    /// This is a kill point for a fiber. If it is killed here, the value is dropped on its thread
    /// as soon as it is made.
    ///
    /// # Errors
    ///
    /// Returns the error of `maker`. The thread ends then.
    ///
    /// # Panics
    ///
    /// Propagates a panic of `maker`. Panics if the system can start no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    /// use std::fs::File;
    ///
    /// let file = Owned::try_new(|| File::open("/no/such/file"));
    /// assert_eq!(file.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    /// ```
    #[track_caller]
    pub fn try_new<F, E>(maker: F) -> Result<Owned<T>, E>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        E: Send + 'static,
    {
        let settings = OwnedBuilder::<T>::settings();
        Owned::start(settings, Rules::default(), move || Ok((maker()?, None)))
    }

    /// Returns a builder, whose maker may be called again to replace the value.
    ///
    /// # Examples
    ///
    /// ```
    /// let database = fibra::blocking::Owned::builder().thread_name("database").build(|| vec![0]);
    /// let name = database.call(|_| std::thread::current().name().map(String::from)).unwrap();
    /// assert_eq!(name.as_deref(), Some("database-1"));
    /// ```
    pub fn builder() -> OwnedBuilder<T> {
        OwnedBuilder::new()
    }

    /// Starts the thread, and makes there the first value and the maker of further ones.
    #[track_caller]
    pub(super) fn start<F, E>(settings: Settings, rules: Rules<T>, make: F) -> Result<Owned<T>, E>
    where
        F: FnOnce() -> Result<(T, Option<Maker<T>>), E> + Send + 'static,
        E: Send + 'static,
    {
        let keepers = Keepers::new(settings, Shared::new(rules, None));
        let first = move |kept: &mut Kept<T>| {
            let (value, maker) = make()?;
            kept.install(value, maker);
            Ok(())
        };
        match keepers.run(Limit::None, &MAKING, first) {
            Ok(made) => made.map(|()| Owned { keepers }),
            Err(error) => panic!("cannot make a value on another thread: {error}"),
        }
    }

    /// Calls `f` with the value, on its thread, and returns the result of `f`. Waits until earlier
    /// calls have run, and for `f`.
    ///
    /// # Errors
    ///
    /// Returns an error if `f` was not called: the value was closed, or could not be made again.
    ///
    /// # Panics
    ///
    /// Propagates a panic of `f`, or of a maker that was called to replace the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    ///
    /// fibra::run(|| {
    ///     let words = Owned::new(Vec::new);
    ///     words.call(|words| words.push("green")).unwrap();
    ///     words.call(|words| words.push("threads")).unwrap();
    ///     assert_eq!(words.call(|words| words.join(" ")).unwrap(), "green threads");
    /// });
    /// ```
    #[track_caller]
    pub fn call<F, R>(&self, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.keepers.call(Limit::None, f)
    }

    /// Calls `f` like [`call`](Self::call), but leaves when `timeout` has passed: a call that has
    /// begun goes on without its caller.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), and [`OwnedError::Timeout`].
    ///
    /// # Panics
    ///
    /// The same as for [`call`](Self::call).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    /// use std::time::Duration;
    ///
    /// let slow = Owned::new(|| 7);
    /// let nap = |_: &mut i32| std::thread::sleep(Duration::from_millis(200));
    /// assert!(slow.call_timeout(Duration::from_millis(1), nap).unwrap_err().is_timeout());
    /// assert_eq!(slow.call(|n| *n).unwrap(), 7); // when the first call has ended
    /// ```
    #[track_caller]
    pub fn call_timeout<F, R>(&self, timeout: Duration, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.keepers.call(Limit::After(timeout), f)
    }

    /// Calls `f` like [`call_timeout`](Self::call_timeout), but leaves at `at` by the clock of the
    /// caller.
    ///
    /// # Errors
    ///
    /// Those of [`call_timeout`](Self::call_timeout).
    ///
    /// # Panics
    ///
    /// The same as for [`call`](Self::call).
    #[track_caller]
    pub fn call_deadline<F, R>(&self, at: Instant, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.keepers.call(Limit::At(at), f)
    }

    /// Calls `f` with the value. The caller does not leave before `f` has returned, and `f` may
    /// borrow.
    ///
    /// The call begins with a kill point. Kills and time limits that come later take effect at the
    /// next wait after it: see [`uninterruptible`](crate::blocking::uninterruptible).
    ///
    /// # Errors
    ///
    /// The same as for [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// The same as for [`call`](Self::call).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    /// use std::collections::HashMap;
    ///
    /// fibra::run(|| {
    ///     let table = Owned::new(|| HashMap::from([("fibra", 7)]));
    ///     let key = String::from("fibra");
    ///     let found = table.call_uninterruptible(|table| table.get(key.as_str()).copied());
    ///     assert_eq!(found.unwrap(), Some(7));
    /// });
    /// ```
    #[track_caller]
    pub fn call_uninterruptible<F, R>(&self, f: F) -> Result<R, OwnedError>
    where
        F: FnOnce(&mut T) -> R + Send,
        R: Send,
    {
        self.keepers.call_uninterruptible(f)
    }

    /// Closes the value for all handles, and waits until it is dropped. Calls that are queued run
    /// first; later ones return [`OwnedError::Closed`].
    ///
    /// This is a kill point for a fiber; a plain thread blocks. If the fiber is killed here, the
    /// value is dropped without it. Inside a call to the value itself, this does not wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    ///
    /// let log = Owned::new(|| std::io::BufWriter::new(std::io::stderr()));
    /// log.close(); // all text is written, because the writer was dropped
    /// assert!(log.call(|_| ()).unwrap_err().is_closed());
    /// ```
    #[track_caller]
    pub fn close(&self) {
        self.keepers.close();
    }

    /// Returns whether the value was closed, by this handle or another one.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.keepers.is_closed()
    }
}

// After a panic in a call, the value is not used again.
impl<T> UnwindSafe for Owned<T> {}
impl<T> RefUnwindSafe for Owned<T> {}

impl<T> Clone for Owned<T> {
    fn clone(&self) -> Owned<T> {
        Owned { keepers: self.keepers.clone() }
    }
}

impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stats = self.keepers.stats();
        f.debug_struct("Owned")
            .field("is_closed", &self.is_closed())
            .field("is_busy", &(stats.running != 0))
            .field("waiting", &stats.queued)
            .finish_non_exhaustive()
    }
}
