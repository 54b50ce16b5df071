//! A channel between threads for one value: a bounded channel whose ends are consumed by their use.

use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, SendError, TryRecvError};
use crate::sync::mpmc::{Receiver, Sender, bounded};

/// Creates a channel for one value, for fibers of any thread and plain threads. Sending never
/// waits.
///
/// # Examples
///
/// ```
/// let (answer, question) = fibra::sync::oneshot();
/// let thread = std::thread::spawn(move || answer.send(42).unwrap());
/// fibra::run(|| assert_eq!(question.recv().unwrap(), 42));
/// thread.join().unwrap();
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
    /// Sends the value. It never waits.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::Closed`] with the value if the receiver is gone.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.sender.try_send(value).map_err(|error| SendError::Closed(error.into_inner()))
    }
}

impl<T> OneshotReceiver<T> {
    pub(crate) fn receiver(&self) -> &Receiver<T> {
        &self.receiver
    }

    /// Waits for the value.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the sender was dropped unused.
    #[track_caller]
    pub fn recv(self) -> Result<T, RecvError> {
        self.receiver.recv()
    }

    /// Takes the value if it was sent, and never waits.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if it may still be sent, [`TryRecvError::Closed`] if the sender was
    /// dropped unused.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.receiver.try_recv()
    }

    /// Waits for the value, no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] if the time is over, and the errors of [`recv`](Self::recv).
    #[track_caller]
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        self.receiver.recv_timeout(timeout)
    }

    /// Waits for the value, no longer than until `at` by the clock of the caller.
    ///
    /// # Errors
    ///
    /// Those of [`recv_timeout`](Self::recv_timeout).
    #[track_caller]
    pub fn recv_deadline(&mut self, at: Instant) -> Result<T, RecvTimeoutError> {
        self.receiver.recv_deadline(at)
    }
}
