//! A value that is made once, on first use: `OnceCell`, and `LazyLock`, which contains the closure
//! that makes it.
//!
//! Invariant: the value is stored by the caller that has the turn in `once`, or through a `&mut`;
//! so a caller that finds `once` done finds the value.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::sync::{Mutex, OnceLock};

use crate::sync::once::{Never, Once};
use crate::sync::waiter::{count_operation, locked};

/// A cell for a value that is written once, like [`std::sync::OnceLock`]; other callers wait while
/// it is made.
///
/// # Examples
///
/// ```
/// use fibra::sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// fibra::run(|| {
///     let slow = fibra::spawn(|| {
///         CONFIG.get_or_init(|| {
///             fibra::yield_now(); // the closure may wait
///             String::from("loaded")
///         })
///     });
///     assert_eq!(CONFIG.get(), None);
///     fibra::yield_now();
///     assert_eq!(CONFIG.get_or_init(|| unreachable!("the other makes it")), "loaded");
///     slow.join().unwrap();
/// });
/// ```
pub struct OnceCell<T> {
    once: Once,
    value: OnceLock<T>,
}

impl<T> OnceCell<T> {
    /// Creates an empty cell.
    #[must_use]
    pub const fn new() -> OnceCell<T> {
        OnceCell { once: Once::new(), value: OnceLock::new() }
    }

    /// Returns the value, if there is one.
    #[inline]
    #[must_use]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Returns the value for modification, if there is one.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Waits until another caller has made the value.
    ///
    /// # Panics
    ///
    /// Panics with a report if the wait can never end.
    #[track_caller]
    pub fn wait(&self) -> &T {
        self.once.wait();
        self.value.get().expect("the value is stored before `once` is done")
    }

    /// Stores `value`. While another caller makes a value, this waits for that.
    ///
    /// # Errors
    ///
    /// Returns `value` if the cell has a value already.
    ///
    /// # Panics
    ///
    /// Panics like [`get_or_init`](Self::get_or_init).
    #[track_caller]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("it is called once"));
        value.map_or(Ok(()), Err)
    }

    /// Returns the value, and makes it with `f` if the cell is empty. While another caller makes
    /// the value, this waits.
    ///
    /// If `f` panics, or its fiber is killed, the cell stays empty, and the next caller makes the
    /// value.
    ///
    /// # Panics
    ///
    /// Panics with the panic of `f`; if `f` initialises the same cell; and with a report if the
    /// wait can never end.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::OnceCell;
    ///
    /// static CONFIG: OnceCell<String> = OnceCell::new();
    ///
    /// assert_eq!(CONFIG.get_or_init(|| "first".to_owned()), "first");
    /// assert_eq!(CONFIG.get_or_init(|| "second".to_owned()), "first");
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_init(&self, f: impl FnOnce() -> T) -> &T {
        let made: Result<&T, Never> = self.get_or_try_init(|| Ok(f()));
        made.unwrap_or_else(|never| match never {})
    }

    /// Like [`get_or_init`](Self::get_or_init), but `f` may fail: the cell then stays empty.
    ///
    /// # Errors
    ///
    /// Returns the error of `f`.
    ///
    /// # Panics
    ///
    /// Panics like [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// let cell = fibra::sync::OnceCell::new();
    /// assert!(cell.get_or_try_init(|| "five".parse::<u32>()).is_err());
    /// assert_eq!(cell.get_or_try_init(|| "5".parse::<u32>()), Ok(&5));
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        count_operation();
        if let Some(value) = self.value.get() {
            return Ok(value);
        }
        self.make(f)
    }

    #[cold]
    #[track_caller]
    fn make<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        self.once.call(|| {
            let value = f()?;
            let stored = self.value.set(value);
            assert!(stored.is_ok(), "no other caller has had a turn");
            Ok(())
        })?;
        Ok(self.value.get().expect("the value is stored before `once` is done"))
    }

    /// Waits, in a task, until another caller has made the value: see
    /// [`sync::futures`](crate::sync::futures).
    #[allow(clippy::missing_panics_doc, reason = "the value is there")]
    pub async fn wait_async(&self) -> &T {
        self.once.wait_async().await;
        self.value.get().expect("the value is stored before `once` is done")
    }

    /// Returns the value, and makes it with the future that `f` returns if the cell is empty. While
    /// another caller makes the value, in a task, a fiber or a thread, this waits.
    ///
    /// If this is dropped while it makes the value, or `f` or its future panics, the cell stays
    /// empty, and the next caller makes the value. A future that uses the same cell waits for
    /// itself forever.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::OnceCell;
    ///
    /// static CONFIG: OnceCell<String> = OnceCell::new();
    ///
    /// fibra::run(|| {
    ///     let config = fibra::future::block_on(CONFIG.get_or_init_async(|| async {
    ///         fibra::future::sleep(std::time::Duration::from_millis(1)).await;
    ///         String::from("loaded")
    ///     }));
    ///     assert_eq!(config, "loaded");
    ///     assert_eq!(CONFIG.get_or_init(|| unreachable!("it is there")), "loaded");
    /// });
    /// ```
    pub async fn get_or_init_async<F: Future<Output = T>>(&self, f: impl FnOnce() -> F) -> &T {
        let made: Result<&T, Never> = self.get_or_try_init_async(|| async { Ok(f().await) }).await;
        made.unwrap_or_else(|never| match never {})
    }

    /// Like [`get_or_init_async`](Self::get_or_init_async), but the future may fail: the cell then
    /// stays empty.
    ///
    /// # Errors
    ///
    /// Returns the error of the future.
    #[allow(clippy::missing_panics_doc, reason = "the value is there")]
    pub async fn get_or_try_init_async<E, F>(&self, f: impl FnOnce() -> F) -> Result<&T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        if self.value.get().is_none() {
            if let Some(mut turn) = self.once.turn_async().await {
                let stored = self.value.set(f().await?);
                assert!(stored.is_ok(), "no other caller has had a turn");
                turn.is_done = true;
            }
        }
        Ok(self.value.get().expect("the value is stored before `once` is done"))
    }

    /// Consumes the cell and returns the value, if there is one.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out and leaves the cell empty.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> OnceCell<T> {
        OnceCell::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> OnceCell<T> {
        let cell = OnceCell::new();
        assert!(cell.set(value).is_ok(), "a new cell is empty");
        cell
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(value) => f.debug_tuple("OnceCell").field(value).finish(),
            None => f.write_str("OnceCell(<empty>)"),
        }
    }
}

/// A value that is made when it is first used, like [`std::sync::LazyLock`].
///
/// # Examples
///
/// ```
/// use fibra::sync::LazyLock;
///
/// static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| "first second".split(' ').collect());
///
/// assert_eq!(WORDS.len(), 2);
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    cell: OnceCell<T>,
    make: Mutex<Option<F>>,
}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// Creates a value that `make` makes on first use.
    #[must_use]
    pub const fn new(make: F) -> LazyLock<T, F> {
        LazyLock { cell: OnceCell::new(), make: Mutex::new(Some(make)) }
    }

    /// Returns the value, and makes it if this is the first use.
    ///
    /// # Panics
    ///
    /// Panics with the panic of the closure. The closure is then consumed: later uses panic as
    /// well.
    #[inline]
    #[track_caller]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        // A use of an existing value does not count as an operation: it never lets other fibers
        // run.
        if let Some(value) = this.cell.get() {
            return value;
        }
        this.cell.get_or_init(|| {
            let make = locked(&this.make).take();
            make.expect("the closure of a LazyLock has panicked, or was killed")()
        })
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    #[track_caller]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cell.get() {
            Some(value) => f.debug_tuple("LazyLock").field(value).finish(),
            None => f.write_str("LazyLock(<not made yet>)"),
        }
    }
}
