//! A channel for one value, sent once: a bounded channel whose ends are used up.

use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError, TrySendError};
use crate::channel::queue::{Receiver, Sender, bounded};

/// A channel for one value. Sending never waits.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (answer, question) = fibra::channel::oneshot();
///     fibra::spawn(move || answer.send(42).unwrap());
///     assert_eq!(question.recv().unwrap(), 42);
/// });
/// ```
#[must_use]
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let (sender, receiver) = bounded(1);
    (OneshotSender { sender }, OneshotReceiver { receiver })
}

/// The sending end of a [`oneshot`]. Dropped unused, it lets the receiver fail with `Closed`.
#[derive(Debug)]
pub struct OneshotSender<T> {
    sender: Sender<T>,
}

/// The receiving end of a [`oneshot`].
#[derive(Debug)]
pub struct OneshotReceiver<T> {
    receiver: Receiver<T>,
}

impl<T> OneshotSender<T> {
    /// Sends the value. It never waits.
    ///
    /// # Errors
    ///
    /// Gives the value back if the receiver is gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send(self, value: T) -> Result<(), T> {
        self.sender.try_send(value).map_err(TrySendError::into_inner)
    }
}

impl<T> OneshotReceiver<T> {
    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the sender was dropped unused.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv(self) -> Result<T, RecvError> {
        self.receiver.recv()
    }

    pub(crate) fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }

    /// Takes the value if it is there.
    ///
    /// # Errors
    ///
    /// Says whether it may still come.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.try_recv()
    }

    /// Waits for the value, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Says whether the time is over or the sender was dropped unused.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receiver.recv_timeout(timeout)
    }

    /// Waits for the value, no longer than until `deadline` by the clock of the caller's scheduler.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let (_sender, mut receiver) = fibra::channel::oneshot::<u32>();
    ///     let soon = fibra::now() + Duration::from_millis(1);
    ///     assert!(receiver.recv_deadline(soon).unwrap_err().is_timeout());
    /// });
    /// ```
    #[track_caller]
    pub fn recv_deadline(&mut self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        self.receiver.recv_deadline(deadline)
    }
}
