//! A channel for one value, sent once: a bounded channel whose ends are consumed by their use.

use std::time::Duration;

use crate::channel::error::{RecvError, RecvTimeoutError, TryRecvError, TrySendError};
use crate::channel::queue::{Receiver, Sender, bounded};

/// Creates a channel for one value. Sending never waits.
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

/// The sending end of a [`oneshot`]. If it is dropped unused, the receiver fails with `Closed`.
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
    /// Sends the value, and never waits.
    ///
    /// # Errors
    ///
    /// Returns the value if the receiver is gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let (sender, receiver) = fibra::channel::oneshot();
    ///     drop(receiver);
    ///     assert_eq!(sender.send("unwanted"), Err("unwanted"));
    /// });
    /// ```
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
    /// Returns [`RecvError::Closed`] if the sender was dropped unused.
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

    /// Takes the value if it was sent, and never waits.
    ///
    /// # Errors
    ///
    /// Returns an error that tells a value that may still come from one that never will.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.try_recv()
    }

    /// Waits for the value, but no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is over, or if the sender was dropped unused.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receiver.recv_timeout(timeout)
    }
}
