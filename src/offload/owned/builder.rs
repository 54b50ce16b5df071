//! The settings of one value on a thread of its own.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::offload::owned::kept::{Maker, Rules};
use crate::offload::owned::value::Owned;
use crate::offload::worker::Settings;

/// Settings for an [`Owned`] value. Its maker may be called several times: it replaces the value
/// after a call that panicked, and after other calls as the settings say.
///
/// # Examples
///
/// ```
/// use fibra::blocking::Owned;
///
/// # #[derive(Default)] struct Connection { is_broken: bool }
/// # impl Connection { fn open() -> std::io::Result<Connection> { Ok(Connection::default()) } }
/// let connection = Owned::builder()
///     .thread_name("database")
///     .keep_if(|connection: &mut Connection| !connection.is_broken)
///     .try_build(Connection::open)?;
///
/// connection.call(|connection| connection.is_broken = true).unwrap();
/// assert!(!connection.call(|connection| connection.is_broken).unwrap()); // another one
/// # std::io::Result::Ok(())
/// ```
#[must_use = "a builder does nothing until it builds"]
pub struct OwnedBuilder<T: 'static> {
    settings: Settings,
    rules: Rules<T>,
}

impl<T> OwnedBuilder<T> {
    /// Creates a builder with the default settings, those of [`Owned::new`].
    pub fn new() -> OwnedBuilder<T> {
        OwnedBuilder { settings: OwnedBuilder::<T>::settings(), rules: Rules::default() }
    }

    pub(super) fn settings() -> Settings {
        Settings {
            name: "fibra-owned".into(),
            max_threads: 1,
            idle_timeout: Duration::MAX,
            stack_size: None,
        }
    }

    /// Sets the prefix of the thread's name, which is followed by `-1`. The default is
    /// `fibra-owned`. (Linux shows 15 bytes of a name.)
    pub fn thread_name(mut self, prefix: impl Into<String>) -> OwnedBuilder<T> {
        self.settings.name = prefix.into();
        self
    }

    /// Sets the bytes of stack of the thread. The default is that of std, 2 MiB.
    pub fn stack_size(mut self, bytes: usize) -> OwnedBuilder<T> {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Replaces the value if `check` returns false after a call: a connection that the server has
    /// closed, for instance. The check runs on the thread of the value after each call that has
    /// returned, before its caller goes on. By default every value is kept.
    pub fn keep_if<F>(mut self, check: F) -> OwnedBuilder<T>
    where
        F: Fn(&mut T) -> bool + Send + Sync + 'static,
    {
        self.rules.keep_if = Some(Arc::new(check));
        self
    }

    /// Chooses whether the value is replaced after a call whose caller left before it had ended.
    /// The default is false: the next call finds the value as that call left it.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    /// use std::time::Duration;
    ///
    /// let numbers = Owned::builder().replace_after_abandoned_call(true).build(Vec::new);
    /// let slow = |numbers: &mut Vec<i32>| {
    ///     numbers.push(1);
    ///     std::thread::sleep(Duration::from_millis(200));
    /// };
    /// assert!(numbers.call_timeout(Duration::from_millis(1), slow).is_err());
    /// assert_eq!(numbers.call(|numbers| numbers.len()).unwrap(), 0);
    /// ```
    pub fn replace_after_abandoned_call(mut self, replace: bool) -> OwnedBuilder<T> {
        self.rules.replace_after_abandoned_call = replace;
        self
    }

    /// Starts the thread, and makes the value there. Waits until it is made.
    ///
    /// # Panics
    ///
    /// Propagates a panic of `maker`. Panics if the system can start no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// let text = fibra::blocking::Owned::builder().stack_size(256 << 10).build(String::new);
    /// text.call(|text| text.push_str("abc")).unwrap();
    /// assert_eq!(text.call(|text| text.len()).unwrap(), 3);
    /// ```
    #[track_caller]
    pub fn build<F>(self, mut maker: F) -> Owned<T>
    where
        F: FnMut() -> T + Send + 'static,
    {
        let OwnedBuilder { settings, rules } = self;
        let Ok(owned) = Owned::start(settings, rules, move || {
            let value = maker();
            let again: Maker<T> = Box::new(move || Ok(maker()));
            Ok::<_, Infallible>((value, Some(again)))
        });
        owned
    }

    /// Starts the thread, and makes the value there by a maker that can fail. Waits until it is
    /// made.
    ///
    /// A later failure, when the value is replaced, is the error
    /// [`OwnedError::Maker`](crate::blocking::OwnedError::Maker) of the call for which it was made.
    /// The call after it calls the maker again.
    ///
    /// # Errors
    ///
    /// Returns the error of `maker`. The thread ends then.
    ///
    /// # Panics
    ///
    /// The same as for [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::blocking::Owned;
    /// use std::fs::File;
    ///
    /// let file = Owned::builder().try_build(|| File::open("Cargo.toml"))?;
    /// assert!(file.call(|file| file.metadata()).unwrap()?.is_file());
    /// # std::io::Result::Ok(())
    /// ```
    #[track_caller]
    pub fn try_build<F, E>(self, mut maker: F) -> Result<Owned<T>, E>
    where
        F: FnMut() -> Result<T, E> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let OwnedBuilder { settings, rules } = self;
        Owned::start(settings, rules, move || {
            let value = maker()?;
            let again: Maker<T> = Box::new(move || maker().map_err(Into::into));
            Ok((value, Some(again)))
        })
    }
}

impl<T> Default for OwnedBuilder<T> {
    fn default() -> OwnedBuilder<T> {
        OwnedBuilder::new()
    }
}

impl<T> Clone for OwnedBuilder<T> {
    fn clone(&self) -> OwnedBuilder<T> {
        OwnedBuilder { settings: self.settings.clone(), rules: self.rules.clone() }
    }
}

impl<T> fmt::Debug for OwnedBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedBuilder")
            .field("settings", &self.settings)
            .field("rules", &self.rules)
            .finish()
    }
}
