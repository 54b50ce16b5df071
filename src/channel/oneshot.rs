//! A channel for one value, sent once: a bounded channel whose ends are consumed by their use.

use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, SendError, TryRecvError};
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
#[track_caller]
pub fn oneshot<T>() -> (OneshotSender<T>, OneshotReceiver<T>) {
    let (sender, receiver) = bounded(1);
    (OneshotSender { sender }, OneshotReceiver { receiver })
}

/// The sending end of a [`oneshot`]. If it is dropped unused, the receiver fails with `Closed`.
///
/// # Examples
///
/// ```
/// use fibra::channel;
///
/// fibra::run(|| {
///     let (sender, receiver) = channel::oneshot();
///     fibra::spawn(move || sender.send("the answer"));
///     assert_eq!(receiver.recv(), Ok("the answer"));
/// });
/// ```
#[derive(Debug)]
pub struct OneshotSender<T> {
    sender: Sender<T>,
}

/// The receiving end of a [`oneshot`].
///
/// # Examples
///
/// ```
/// use fibra::channel;
///
/// fibra::run(|| {
///     let (sender, receiver) = channel::oneshot::<u32>();
///     drop(sender);
///     assert!(receiver.recv().unwrap_err().is_closed());
/// });
/// ```
#[derive(Debug)]
pub struct OneshotReceiver<T> {
    receiver: Receiver<T>,
}

impl<T> OneshotSender<T> {
    /// Sends the value, and never waits.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Closed`] with the value if the receiver is gone.
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
    ///     assert_eq!(sender.send("unwanted").unwrap_err().into_inner(), "unwanted");
    /// });
    /// ```
    #[track_caller]
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.sender.try_send(value).map_err(|error| SendError::Closed(error.into_inner()))
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
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel;
    ///
    /// fibra::run(|| {
    ///     let (sender, receiver) = channel::oneshot();
    ///     fibra::spawn(move || sender.send(42));
    ///     assert_eq!(receiver.recv(), Ok(42));
    /// });
    /// ```
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
    /// Returns an error that distinguishes a value that may still come from one that never will.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{TryRecvError, oneshot};
    ///
    /// fibra::run(|| {
    ///     let (sender, mut receiver) = oneshot();
    ///     assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    ///     sender.send("here").unwrap();
    ///     assert_eq!(receiver.try_recv(), Ok("here"));
    /// });
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// fibra::run(|| {
    ///     let (sender, mut receiver) = fibra::channel::oneshot();
    ///     let soon = Duration::from_millis(1);
    ///     assert!(receiver.recv_timeout(soon).unwrap_err().is_timeout());
    ///     sender.send(42).unwrap();
    ///     assert_eq!(receiver.recv_timeout(soon), Ok(42));
    /// });
    /// ```
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
