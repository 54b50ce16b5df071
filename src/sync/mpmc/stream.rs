//! The ends of a channel as a `Stream` and a `Sink`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

use crate::channel::error::SendError;
use crate::sync::mpmc::task::{OwnedReceiving, Sending};
use crate::sync::mpmc::{Receiver, Sender};

impl<T> Receiver<T> {
    /// Turns the receiver into a stream of the values, which ends when the channel is empty and all
    /// senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_lite::StreamExt;
    /// use fibra::sync::mpmc;
    ///
    /// let (sender, receiver) = mpmc::unbounded();
    /// (1..=3).for_each(|n| sender.send(n).unwrap());
    /// drop(sender);
    /// let sum = fibra::future::block_on(receiver.into_stream().fold(0, |sum, n| sum + n));
    /// assert_eq!(sum, 6);
    /// ```
    pub fn into_stream(self) -> RecvStream<T> {
        RecvStream { receiving: OwnedReceiving::new(self), is_over: false }
    }
}

impl<T> Sender<T> {
    /// Turns the sender into a sink, which accepts one value more than the channel has room for.
    /// Closing it waits until that value is sent; the sender is gone when the sink is dropped.
    pub fn into_sink(self) -> SendSink<T> {
        SendSink { sender: Some(self), sending: Sending::new(None) }
    }
}

/// The values that a [`Receiver`] receives, as a stream, made by [`Receiver::into_stream`].
#[must_use = "streams do nothing unless they are polled"]
pub struct RecvStream<T> {
    receiving: OwnedReceiving<T>,
    is_over: bool,
}

/// The values are not pinned.
impl<T> Unpin for RecvStream<T> {}

impl<T> Stream for RecvStream<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let received = this.receiving.poll(cx).map(Result::ok);
        this.is_over = matches!(received, Poll::Ready(None));
        received
    }
}

impl<T> FusedStream for RecvStream<T> {
    fn is_terminated(&self) -> bool {
        self.is_over
    }
}

/// A [`Sender`] as a sink, made by [`Sender::into_sink`].
///
/// The error of all its operations is [`SendError::Closed`], with the value, if all receivers are
/// gone. A value that was accepted and is not sent yet is dropped with the sink.
#[must_use = "sinks do nothing unless they are polled"]
pub struct SendSink<T> {
    /// The sender, until the sink is closed.
    sender: Option<Sender<T>>,
    sending: Sending<T>,
}

/// The values are not pinned.
impl<T> Unpin for SendSink<T> {}

impl<T> SendSink<T> {
    fn poll_sent(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        match &self.sender {
            Some(sender) if !self.sending.is_over() => self.sending.poll(&sender.shared, cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<T> Sink<T> for SendSink<T> {
    type Error = SendError<T>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.get_mut().poll_sent(cx)
    }

    /// Accepts `value`, which is sent immediately if there is room.
    ///
    /// # Panics
    ///
    /// Panics if the last value was not sent yet: `poll_ready` must have returned `Ready` before.
    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), SendError<T>> {
        let this = self.get_mut();
        assert!(this.sending.is_over(), "the sink was not ready for another value");
        let Some(sender) = &this.sender else { return Err(SendError::Closed(value)) };
        match sender.try_send(value) {
            Ok(()) => Ok(()),
            Err(error) if error.is_full() => {
                this.sending = Sending::new(Some(error.into_inner()));
                Ok(())
            }
            Err(error) => Err(SendError::Closed(error.into_inner())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.get_mut().poll_sent(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let this = self.get_mut();
        let sent = this.poll_sent(cx);
        if sent.is_ready() {
            this.sender = None;
        }
        sent
    }
}

impl<T> Drop for SendSink<T> {
    fn drop(&mut self) {
        if let Some(sender) = &self.sender {
            drop(self.sending.leave(&sender.shared));
        }
    }
}

impl<T> fmt::Debug for RecvStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecvStream(..)")
    }
}

impl<T> fmt::Debug for SendSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendSink(..)")
    }
}
