//! The limits of one request.

use std::time::{Duration, Instant};

use crate::http::client::error::TimeLimit;
use crate::sched::lowlevel::clock_now;

/// The limits of a request. Times count from the call of `send` on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// The time at which the whole response must have been read.
    pub(super) deadline: Option<Instant>,
    pub(super) connect: Option<Duration>,
    /// The longest wait for any data.
    pub(super) read: Option<Duration>,
    /// The number of bytes of the body that may still be read.
    pub(super) body_size: Option<u64>,
}

/// A time, and the limit that is reached then.
pub(super) type Until = Option<(Instant, TimeLimit)>;

impl Limits {
    /// Returns when a wait for data that begins now ends.
    pub(super) fn of_read(&self) -> Until {
        self.earlier(self.read, TimeLimit::Read)
    }

    /// Returns when an attempt to connect that begins now ends.
    pub(super) fn of_connect(&self) -> Until {
        self.earlier(self.connect, TimeLimit::Connect)
    }

    /// Returns when a wait ends that only the limit of the whole request ends.
    pub(super) fn of_whole(&self) -> Until {
        self.deadline.map(|at| (at, TimeLimit::Whole))
    }

    fn earlier(&self, other: Option<Duration>, limit: TimeLimit) -> Until {
        let Some(other) = other else { return self.of_whole() };
        let other = clock_now().checked_add(other).map(|at| (at, limit));
        match (self.of_whole(), other) {
            (Some(whole), Some(other)) => Some(if other.0 < whole.0 { other } else { whole }),
            (one, other) => one.or(other),
        }
    }
}
