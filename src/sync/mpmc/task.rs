//! Futures that receive from and send on a channel between threads.
//!
//! ```text
//!   future ---> Arc< Waiter: waker, slot > <--- line of the channel
//!   dropped with a received value in the slot --> the front of the channel, or the next receiver
//!   dropped with an unsent value in the slot  --> dropped with it, or returned by `into_inner`
//! ```
//!
//! The invariants are those of [`line`](super::line) and of `sync/task.rs`. A value in a slot is
//! dropped by the future, never by a partner.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::channel::error::{RecvError, SendError};
use crate::sched::lowlevel::WaitOutcome;
use crate::sync::mpmc::line::{Shared, Slot};
use crate::sync::mpmc::recv::Receivers;
use crate::sync::mpmc::send::Senders;
use crate::sync::mpmc::{Receiver, Sender};
use crate::sync::task::{leave, poll_wait};
use crate::sync::waiter::{Waiter, locked};

impl<T> Receiver<T> {
    /// Returns a future that takes the first value, and waits while the channel is empty. Its wait
    /// begins with the first poll. If it is dropped after it was given a value, the value goes to
    /// the next receiver, or back to the front of the channel, even if that is full.
    ///
    /// See [`sync::futures`](crate::sync::futures).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::mpmc;
    ///
    /// let (sender, receiver) = mpmc::bounded(1);
    /// let task = std::thread::spawn(move || fibra::future::block_on(receiver.recv_async()));
    /// fibra::run(|| sender.send("from a fiber").unwrap());
    /// assert_eq!(task.join().unwrap(), Ok("from a fiber"));
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture { receiver: self, receiving: Receiving::new() }
    }
}

impl<T> Sender<T> {
    /// Returns a future that appends `value`, and waits while the channel is full. Its wait begins
    /// with the first poll. If it is dropped before the value was sent, so is the value:
    /// [`SendFuture::into_inner`] returns it instead.
    ///
    /// See [`sync::futures`](crate::sync::futures).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::sync::mpmc;
    ///
    /// let (sender, receiver) = mpmc::bounded(1);
    /// fibra::run(|| {
    ///     let fiber = fibra::spawn(move || receiver.iter().sum::<u32>());
    ///     fibra::future::block_on(async {
    ///         for n in 1..=4 {
    ///             sender.send_async(n).await?;
    ///         }
    ///         drop(sender);
    ///         Ok::<(), fibra::channel::SendError<u32>>(())
    ///     })
    ///     .unwrap();
    ///     assert_eq!(fiber.join().unwrap(), 10);
    /// });
    /// ```
    pub fn send_async(&self, value: T) -> SendFuture<'_, T> {
        SendFuture { sender: self, sending: Sending::new(Some(value)) }
    }
}

/// A future that receives a value, made by [`Receiver::recv_async`].
#[must_use = "futures do nothing unless they are polled"]
pub struct RecvFuture<'a, T> {
    receiver: &'a Receiver<T>,
    receiving: Receiving<T>,
}

/// A future that sends a value, made by [`Sender::send_async`].
///
/// # Examples
///
/// ```
/// use std::pin::Pin;
/// use std::task::{Context, Waker};
/// use fibra::sync::mpmc;
///
/// let (sender, _receiver) = mpmc::bounded(0);
/// let mut send = sender.send_async("nothing receives this");
/// let mut context = Context::from_waker(Waker::noop());
/// assert!(Future::poll(Pin::new(&mut send), &mut context).is_pending());
/// assert_eq!(send.into_inner(), Some("nothing receives this"));
/// ```
#[must_use = "futures do nothing unless they are polled"]
pub struct SendFuture<'a, T> {
    sender: &'a Sender<T>,
    sending: Sending<T>,
}

/// The values are not pinned.
impl<T> Unpin for RecvFuture<'_, T> {}
/// The values are not pinned.
impl<T> Unpin for SendFuture<'_, T> {}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    /// Returns the value, or [`RecvError::Closed`] if the channel is empty and all senders are
    /// gone. May be polled again after that, to receive the next value.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.receiving.poll(&this.receiver.shared, cx)
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        self.receiving.leave(&self.receiver.shared);
    }
}

impl<T> SendFuture<'_, T> {
    /// Gives the send up, and returns the value unless it was sent.
    #[must_use = "the value was not sent"]
    pub fn into_inner(mut self) -> Option<T> {
        self.sending.leave(&self.sender.shared)
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    /// Returns `Ok` when the value was sent, or [`SendError::Closed`] with the value if all
    /// receivers are gone.
    ///
    /// # Panics
    ///
    /// Panics if an earlier poll has returned the outcome.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(
            !this.sending.is_over(),
            "the future of a send was polled again after it was ready"
        );
        this.sending.poll(&this.sender.shared, cx)
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        drop(self.sending.leave(&self.sender.shared));
    }
}

/// A receiver with the state of its receive, which is polled.
pub(in crate::sync) struct OwnedReceiving<T> {
    receiver: Receiver<T>,
    receiving: Receiving<T>,
}

impl<T> OwnedReceiving<T> {
    pub(in crate::sync) fn new(receiver: Receiver<T>) -> OwnedReceiving<T> {
        OwnedReceiving { receiver, receiving: Receiving::new() }
    }

    pub(in crate::sync) fn poll(&mut self, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        self.receiving.poll(&self.receiver.shared, cx)
    }
}

impl<T> Drop for OwnedReceiving<T> {
    fn drop(&mut self) {
        self.receiving.leave(&self.receiver.shared);
    }
}

/// The state of a receive that is polled.
struct Receiving<T> {
    waiter: Option<Arc<Waiter<Slot<T>>>>,
}

impl<T> Receiving<T> {
    fn new() -> Receiving<T> {
        Receiving { waiter: None }
    }

    fn poll(&mut self, shared: &Shared<T>, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut again = false;
        if self.waiter.is_none() {
            if let Some(value) = shared.pop() {
                return Poll::Ready(Ok(value));
            }
        }
        loop {
            let Some(waiter) = &self.waiter else {
                self.waiter = Some(Receiving::begin(shared, cx.waker().clone(), again));
                continue;
            };
            let Poll::Ready(outcome) = poll_wait(&Receivers(shared), waiter, cx) else {
                return Poll::Pending;
            };
            let value = locked(&waiter.extra).take();
            self.waiter = None;
            match (value, outcome) {
                (Some(value), _) => return Poll::Ready(Ok(value)),
                // Another thread has taken the value.
                (None, WaitOutcome::Served) => again = true,
                (None, _) => return Poll::Ready(Err(RecvError::Closed)),
            }
        }
    }

    /// Joins the line. If the wait need not begin, the waiter gets the value and its outcome
    /// without a line: it keeps the value until its waker was dropped, which may panic.
    fn begin(shared: &Shared<T>, waker: Waker, again: bool) -> Arc<Waiter<Slot<T>>> {
        let new = Arc::new(Waiter::of_task(waker, Mutex::new(None)));
        match shared.take_or_join(again, || new.clone()) {
            Ok(received) => {
                let outcome =
                    if received.is_some() { WaitOutcome::Served } else { WaitOutcome::Closed };
                *locked(&new.extra) = received;
                let claimed = new.claim(outcome);
                debug_assert!(claimed, "nothing else has the waiter");
                new
            }
            Err(waiter) => waiter,
        }
    }

    /// Ends the wait, if there is one, and puts a value that it was given back.
    fn leave(&mut self, shared: &Shared<T>) {
        if let Some(waiter) = self.waiter.take() {
            let (_, waker) = leave(&Receivers(shared), &*waiter);
            let value = locked(&waiter.extra).take();
            if let Some(value) = value {
                shared.put_back(value);
            }
            drop(waker);
        }
    }
}

/// The state of a send that is polled.
pub(super) struct Sending<T> {
    /// The value, unless it is in the slot of the waiter or was sent.
    value: Option<T>,
    waiter: Option<Arc<Waiter<Slot<T>>>>,
}

impl<T> Sending<T> {
    pub(super) fn new(value: Option<T>) -> Sending<T> {
        Sending { value, waiter: None }
    }

    /// Returns whether there is no value to send.
    pub(super) fn is_over(&self) -> bool {
        self.value.is_none() && self.waiter.is_none()
    }

    pub(super) fn poll(
        &mut self,
        shared: &Shared<T>,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        let mut again = false;
        if let Some(value) = self.value.take() {
            match shared.push(value) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(value) => self.value = Some(value),
            }
        }
        loop {
            if self.value.is_some() {
                // Cloned before the value is taken: the clone may panic.
                let waker = cx.waker().clone();
                match self.begin(shared, waker, again) {
                    Some(sent) => return Poll::Ready(sent),
                    None => continue,
                }
            }
            let Some(waiter) = &self.waiter else { return Poll::Ready(Ok(())) };
            let Poll::Ready(outcome) = poll_wait(&Senders(shared), waiter, cx) else {
                return Poll::Pending;
            };
            let left = locked(&waiter.extra).take();
            self.waiter = None;
            match (left, outcome) {
                (None, _) => return Poll::Ready(Ok(())),
                // Another thread has taken the room.
                (Some(value), WaitOutcome::Served) => self.value = Some(value),
                (Some(value), _) => return Poll::Ready(Err(SendError::Closed(value))),
            }
            again = true;
        }
    }

    /// Sends the value, or joins the line with it.
    fn begin(
        &mut self,
        shared: &Shared<T>,
        waker: Waker,
        again: bool,
    ) -> Option<Result<(), SendError<T>>> {
        let value = self.value.take()?;
        // A waker that is not needed is dropped here, and not under the lock.
        let mut waker = Some(waker);
        let waiter = |slot| {
            let waker = waker.take().unwrap_or_else(|| unreachable!("there is one waiter"));
            Arc::new(Waiter::of_task(waker, slot))
        };
        match shared.give_or_join(value, again, waiter) {
            Ok(sent) => Some(sent.map_err(SendError::Closed)),
            Err(waiter) => {
                self.waiter = Some(waiter);
                None
            }
        }
    }

    /// Ends the wait, if there is one, and returns the value unless it was sent.
    pub(super) fn leave(&mut self, shared: &Shared<T>) -> Option<T> {
        let Some(waiter) = self.waiter.take() else { return self.value.take() };
        let (_, waker) = leave(&Senders(shared), &*waiter);
        let value = locked(&waiter.extra).take();
        drop(waker);
        value
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecvFuture(..)")
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendFuture(..)")
    }
}
