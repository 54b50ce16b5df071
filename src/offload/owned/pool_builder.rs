//! The settings of a pool of values on threads of their own.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::offload::owned::keepers::Keepers;
use crate::offload::owned::kept::{Rules, Shared, SharedMaker};
use crate::offload::owned::pool::OwnedPool;
use crate::offload::worker::Settings;

/// The most values of a pool, unless a builder sets another number.
const MAX: usize = 10;
/// The time after which an idle value is dropped, unless a builder sets another one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// Settings for an [`OwnedPool`].
///
/// # Examples
///
/// ```
/// use fibra::blocking::OwnedPool;
/// use std::time::Duration;
///
/// # #[derive(Default)] struct Connection { is_broken: bool }
/// # impl Connection { fn open() -> std::io::Result<Connection> { Ok(Connection::default()) } }
/// let pool = OwnedPool::builder()
///     .max(4)
///     .idle_timeout(Duration::from_secs(60))
///     .thread_name("database")
///     .keep_if(|connection: &mut Connection| !connection.is_broken)
///     .build(Connection::open);
/// pool.call(|connection| connection.is_broken = true).unwrap();
/// pool.call(|connection| assert!(!connection.is_broken)).unwrap(); // another one
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct OwnedPoolBuilder<T: 'static> {
    settings: Settings,
    rules: Rules<T>,
}

impl<T> OwnedPoolBuilder<T> {
    /// Creates a builder with the default settings.
    pub fn new() -> OwnedPoolBuilder<T> {
        let settings = Settings {
            name: "fibra-owned".into(),
            max_threads: MAX,
            idle_timeout: IDLE_TIMEOUT,
            stack_size: None,
        };
        OwnedPoolBuilder { settings, rules: Rules::default() }
    }

    /// Sets the most values that the pool may have. The default is 10.
    ///
    /// # Panics
    ///
    /// Panics if it is 0, because no call would ever run.
    #[track_caller]
    pub fn max(mut self, n: usize) -> OwnedPoolBuilder<T> {
        assert!(n != 0, "a pool of 0 values would never serve a call: make it at least 1");
        self.settings.max_threads = n;
        self
    }

    /// Sets how long a value without a call is kept. Then it is dropped, and its thread ends. The
    /// default is ten minutes; `Duration::MAX` keeps all values.
    pub fn idle_timeout(mut self, timeout: Duration) -> OwnedPoolBuilder<T> {
        self.settings.idle_timeout = timeout;
        self
    }

    /// Sets the prefix of the threads' names, which is followed by a hyphen and a number. The
    /// default is `fibra-owned`. (Linux shows 15 bytes of a name.)
    pub fn thread_name(mut self, prefix: impl Into<String>) -> OwnedPoolBuilder<T> {
        self.settings.name = prefix.into();
        self
    }

    /// Sets the bytes of stack of each thread. The default is that of std, 2 MiB.
    pub fn stack_size(mut self, bytes: usize) -> OwnedPoolBuilder<T> {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Replaces a value if `check` returns false after a call. Like
    /// [`OwnedBuilder::keep_if`](crate::blocking::OwnedBuilder::keep_if).
    pub fn keep_if<F>(mut self, check: F) -> OwnedPoolBuilder<T>
    where
        F: Fn(&mut T) -> bool + Send + Sync + 'static,
    {
        self.rules.keep_if = Some(Arc::new(check));
        self
    }

    /// Chooses whether a value is replaced after a call whose caller left before it had ended. The
    /// default is false: the next call finds the value as that call left it.
    pub fn replace_after_abandoned_call(mut self, replace: bool) -> OwnedPoolBuilder<T> {
        self.rules.replace_after_abandoned_call = replace;
        self
    }

    /// Creates the pool. It has no value so far: `maker` makes each on its thread, when a call
    /// needs it. If it fails, that call returns
    /// [`OwnedError::Maker`](crate::blocking::OwnedError::Maker), and the next one tries again.
    pub fn build<F, E>(self, maker: F) -> OwnedPool<T>
    where
        F: Fn() -> Result<T, E> + Send + Sync + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let maker: SharedMaker<T> = Arc::new(move || maker().map_err(Into::into));
        OwnedPool::of(Keepers::new(self.settings, Shared::new(self.rules, Some(maker))))
    }
}

impl<T> Default for OwnedPoolBuilder<T> {
    fn default() -> OwnedPoolBuilder<T> {
        OwnedPoolBuilder::new()
    }
}

impl<T> Clone for OwnedPoolBuilder<T> {
    fn clone(&self) -> OwnedPoolBuilder<T> {
        OwnedPoolBuilder { settings: self.settings.clone(), rules: self.rules.clone() }
    }
}

impl<T> fmt::Debug for OwnedPoolBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPoolBuilder")
            .field("settings", &self.settings)
            .field("rules", &self.rules)
            .finish()
    }
}
