//! A channel between threads for one value: a bounded channel whose ends are consumed by their use.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::channel::error::{RecvError, RecvTimeoutError, SendError, TryRecvError};
use crate::sync::mpmc::task::OwnedReceiving;
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
/// use fibra::sync::oneshot;
///
/// let (sender, receiver) = oneshot();
/// std::thread::spawn(move || sender.send("from a thread").unwrap());
/// fibra::run(|| assert_eq!(receiver.recv(), Ok("from a thread")));
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
/// use fibra::sync::oneshot;
///
/// let (sender, receiver) = oneshot::<u32>();
/// drop(sender);
/// assert!(receiver.recv().unwrap_err().is_closed());
/// ```
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

    /// Returns a future of the value: see [`sync::futures`](crate::sync::futures). `receiver.await`
    /// does the same.
    ///
    /// # Examples
    ///
    /// ```
    /// let (answer, question) = fibra::sync::oneshot();
    /// std::thread::spawn(move || answer.send(42).unwrap());
    /// assert_eq!(fibra::future::block_on(question), Ok(42));
    /// ```
    pub fn recv_async(self) -> OneshotFuture<T> {
        OneshotFuture { receiving: OwnedReceiving::new(self.receiver) }
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

impl<T> IntoFuture for OneshotReceiver<T> {
    type Output = Result<T, RecvError>;
    type IntoFuture = OneshotFuture<T>;

    fn into_future(self) -> OneshotFuture<T> {
        self.recv_async()
    }
}

/// A future of the value of a [`oneshot`], made by [`OneshotReceiver::recv_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct OneshotFuture<T> {
    receiving: OwnedReceiving<T>,
}

/// The value is not pinned.
impl<T> Unpin for OneshotFuture<T> {}

impl<T> Future for OneshotFuture<T> {
    type Output = Result<T, RecvError>;

    /// Returns the value, or [`RecvError::Closed`] if the sender was dropped unused, or an earlier
    /// poll has returned the value.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().receiving.poll(cx)
    }
}

impl<T> fmt::Debug for OneshotFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneshotFuture(..)")
    }
}
