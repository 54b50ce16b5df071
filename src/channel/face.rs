//! The forms of receiving and of sending, each set made from one operation with a time limit.
//!
//! The public methods of all channels and work queues (`x`, `x_timeout`, `x_deadline`, iteration)
//! are thin calls of these traits; `try_x` is what each of them does before it waits.
//!
//! Invariants:
//! - The required operation and the form without a limit are inlined up to the switch; with
//!   [`Limit::None`] nothing of the limit is left in them.
//! - A send that fails returns the value.

use crate::channel::error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, WaitError};
use crate::sched::lowlevel::Limit;

/// The receiving end of something.
pub(crate) trait Receive<T> {
    /// Takes a value, waiting for one until `limit` is over.
    #[track_caller]
    fn receive_until(&self, limit: Limit) -> Result<T, WaitError>;

    /// Takes a value, waiting for one without a limit.
    #[inline(always)]
    #[track_caller]
    fn receive(&self) -> Result<T, RecvError> {
        self.receive_until(Limit::None).map_err(WaitError::into_recv_error)
    }

    /// Takes a value, waiting for one until `limit` is over.
    #[track_caller]
    fn receive_within(&self, limit: Limit) -> Result<T, RecvTimeoutError> {
        self.receive_until(limit).map_err(WaitError::into_recv_timeout_error)
    }

    /// Takes the next value for an iterator, which ends when nothing can come any more.
    ///
    /// # Panics
    ///
    /// Panics with a report if nothing can ever run again.
    #[track_caller]
    fn receive_next(&self) -> Option<T> {
        match self.receive() {
            Ok(value) => Some(value),
            Err(RecvError::Closed | RecvError::Killed) => None,
            Err(RecvError::Deadlock(report)) => panic!("{report}"),
        }
    }
}

/// The sending end of something.
pub(crate) trait Deliver<T> {
    /// Sends `value`, waiting until `limit` is over for room or for a receiver.
    #[track_caller]
    fn deliver_until(&self, value: T, limit: Limit) -> Result<(), (T, WaitError)>;

    /// Sends `value`, waiting without a limit.
    #[inline(always)]
    #[track_caller]
    fn deliver(&self, value: T) -> Result<(), SendError<T>> {
        self.deliver_until(value, Limit::None).map_err(|(value, cut)| cut.into_send_error(value))
    }

    /// Sends `value`, waiting until `limit` is over.
    #[track_caller]
    fn deliver_within(&self, value: T, limit: Limit) -> Result<(), SendTimeoutError<T>> {
        self.deliver_until(value, limit).map_err(|(value, cut)| cut.into_send_timeout_error(value))
    }
}
