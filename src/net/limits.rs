//! The time limits of the calls of one socket.
//!
//! Invariant: zero nanoseconds represent "no limit"; a limit of zero is refused, as in std.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A time limit that any fiber or thread may change.
#[derive(Debug)]
pub(super) struct Limit(AtomicU64);

impl Limit {
    pub(super) const fn none() -> Limit {
        Limit(AtomicU64::new(0))
    }

    #[inline]
    pub(super) fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Duration::from_nanos(nanos)),
        }
    }

    pub(super) fn set(&self, limit: Option<Duration>) -> io::Result<()> {
        if limit == Some(Duration::ZERO) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the time limit is zero: pass `None` for none, or use a socket of std",
            ));
        }
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(limit.map_or(0, nanos), Ordering::Relaxed);
        Ok(())
    }
}

/// The time limits of a socket. Its duplicates start with the same ones.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) read: Limit,
    pub(super) write: Limit,
}

impl Limits {
    pub(super) const fn none() -> Limits {
        Limits { read: Limit::none(), write: Limit::none() }
    }
}

impl Clone for Limits {
    fn clone(&self) -> Limits {
        let copy = |limit: &Limit| Limit(AtomicU64::new(limit.0.load(Ordering::Relaxed)));
        Limits { read: copy(&self.read), write: copy(&self.write) }
    }
}

/// Implements std's methods for time limits, for types with `Limits` in the field `limits` and a
/// `Waitable` in `io`. `$READING` and `$WRITING` are the wait reasons.
macro_rules! limited {
    ($socket:ty, $READING:ident, $WRITING:ident) => {
        impl $socket {
            /// Returns how long one read may wait; `None` if there is no limit.
            ///
            /// # Errors
            ///
            /// Never fails. (The method of std may.)
            pub fn read_timeout(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
                Ok(self.limits.read.get())
            }

            /// Limits how long one read may wait; `None` removes the limit.
            ///
            /// # Errors
            ///
            /// Returns an error if the limit is zero.
            pub fn set_read_timeout(
                &self,
                limit: Option<::std::time::Duration>,
            ) -> ::std::io::Result<()> {
                self.limits.read.set(limit)
            }

            /// Returns how long one write may wait; `None` if there is no limit.
            ///
            /// # Errors
            ///
            /// Never fails. (The method of std may.)
            pub fn write_timeout(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
                Ok(self.limits.write.get())
            }

            /// Limits how long one write may wait; `None` removes the limit.
            ///
            /// # Errors
            ///
            /// Returns an error if the limit is zero.
            pub fn set_write_timeout(
                &self,
                limit: Option<::std::time::Duration>,
            ) -> ::std::io::Result<()> {
                self.limits.write.set(limit)
            }

            #[inline]
            fn reads(&self) -> $crate::reactor::source::Wait {
                $crate::reactor::source::Wait {
                    direction: $crate::reactor::source::Direction::Read,
                    timeout: self.limits.read.get(),
                    reason: &$READING,
                }
            }

            #[inline]
            fn writes(&self) -> $crate::reactor::source::Wait {
                $crate::reactor::source::Wait {
                    direction: $crate::reactor::source::Direction::Write,
                    timeout: self.limits.write.get(),
                    reason: &$WRITING,
                }
            }
        }
    };
}
pub(super) use limited;
