//! Receiving and sending as operations, and the traits of what they receive from and send to.
//!
//! Invariant: [`Source`] and [`Sink`] are sealed, like [`Operation`].

use std::fmt;
use std::mem;

use crate::channel::queue::arm as queue;
use crate::channel::rendezvous::arm as rendezvous;
use crate::channel::{Channel, OneshotReceiver, Receiver, RecvError, SendError, Sender};
use crate::select::choice::{Arm, Chooser};
use crate::select::operation::{Operation, sealed};
use crate::sync;
use crate::sync::mpmc::arm as mpmc;

/// Something that [`recv`] can receive from.
///
/// Only this crate implements it: for the receiving ends of its channels, and references to them.
///
/// # Examples
///
/// ```
/// use fibra::channel::{self, Channel, RecvError};
/// use fibra::select::{self, Select, Source};
///
/// fibra::run(|| {
///     fn first<T>(a: &impl Source<Item = T>, b: &impl Source<Item = T>) -> Result<T, RecvError> {
///         let mut select = Select::new();
///         select.add(select::recv(a), |value| value);
///         select.add(select::recv(b), |value| value);
///         select.wait()
///     }
///
///     let (channel, (sender, receiver)) = (Channel::new(), channel::unbounded());
///     sender.send(1).unwrap();
///     assert_eq!(first(&channel, &receiver), Ok(1)); // two kinds of channels
/// });
/// ```
pub trait Source: sealed::Sealed {
    /// The type of the values that are received.
    type Item;

    #[doc(hidden)]
    fn recv_arm(&self) -> RecvOp<'_, Self::Item>;
}

/// Something that [`send`] can send to.
///
/// Only this crate implements it: for the sending ends of its channels, and references to them.
///
/// # Examples
///
/// ```
/// use fibra::channel;
/// use fibra::select::{self, Select, Sink};
///
/// fibra::run(|| {
///     fn offer<T>(sink: &impl Sink<Item = T>, value: T) -> bool {
///         let mut select = Select::new();
///         select.add(select::send(sink, value), |sent| sent.is_ok());
///         select.try_now().unwrap_or(false)
///     }
///
///     let (sender, _receiver) = channel::bounded(1);
///     assert!(offer(&sender, 1));
///     assert!(!offer(&sender, 2)); // full
/// });
/// ```
pub trait Sink: sealed::Sealed {
    /// The type of the values that are sent.
    type Item;

    #[doc(hidden)]
    fn send_arm(&self, value: Self::Item) -> SendOp<'_, Self::Item>;
}

/// The operation of receiving a value, made by [`recv`].
pub struct RecvOp<'a, T>(RecvKind<'a, T>);

enum RecvKind<'a, T> {
    Rendezvous(rendezvous::RecvArm<'a, T>),
    Queue(queue::RecvArm<'a, T>),
    Shared(mpmc::RecvArm<'a, T>),
}

/// The operation of sending a value, made by [`send`].
pub struct SendOp<'a, T>(SendKind<'a, T>);

enum SendKind<'a, T> {
    Rendezvous(rendezvous::SendArm<'a, T>),
    Queue(queue::SendArm<'a, T>),
    Shared(mpmc::SendArm<'a, T>),
}

/// Makes an operation that receives from `source`.
///
/// # Examples
///
/// ```
/// use fibra::channel;
///
/// fibra::run(|| {
///     let (sender, receiver) = channel::unbounded();
///     sender.send(1).unwrap();
///     let value = fibra::select! {
///         value = recv(receiver) => value.unwrap(),
///     };
///     assert_eq!(value, 1);
/// });
/// ```
#[inline]
pub fn recv<S: Source + ?Sized>(source: &S) -> RecvOp<'_, S::Item> {
    source.recv_arm()
}

/// Makes an operation that sends `value` to `sink`.
///
/// # Examples
///
/// ```
/// use fibra::channel;
///
/// fibra::run(|| {
///     let (sender, receiver) = channel::bounded(1);
///     fibra::select! {
///         sent = send(sender, 1) => sent.unwrap(),
///     }
///     assert_eq!(receiver.recv(), Ok(1));
/// });
/// ```
#[inline]
pub fn send<S: Sink + ?Sized>(sink: &S, value: S::Item) -> SendOp<'_, S::Item> {
    sink.send_arm(value)
}

impl<T> sealed::Sealed for Channel<T> {}
impl<T> sealed::Sealed for Receiver<T> {}
impl<T> sealed::Sealed for OneshotReceiver<T> {}
impl<T> sealed::Sealed for Sender<T> {}
impl<T> sealed::Sealed for sync::mpmc::Receiver<T> {}
impl<T> sealed::Sealed for sync::OneshotReceiver<T> {}
impl<T> sealed::Sealed for sync::mpmc::Sender<T> {}
impl<S: sealed::Sealed + ?Sized> sealed::Sealed for &S {}
impl<T> sealed::Sealed for RecvOp<'_, T> {}
impl<T> sealed::Sealed for SendOp<'_, T> {}

impl<T> Operation for RecvOp<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline(always)]
    fn try_now(&mut self, chooser: Chooser) -> Option<Result<T, RecvError>> {
        match &mut self.0 {
            RecvKind::Rendezvous(arm) => arm.try_now(chooser.0),
            RecvKind::Queue(arm) => arm.try_now(chooser.0),
            RecvKind::Shared(arm) => arm.try_now(),
        }
    }

    #[inline(always)]
    fn drop_unwaited(self) {
        // It holds a reference, and neither a waiter nor an outcome.
        mem::forget(self);
    }

    #[inline]
    fn arm(&mut self) -> Arm<'_> {
        match &mut self.0 {
            RecvKind::Rendezvous(arm) => Arm::new(arm),
            RecvKind::Queue(arm) => Arm::new(arm),
            RecvKind::Shared(arm) => Arm::new(arm),
        }
    }

    #[inline]
    fn finish(self) -> Result<T, RecvError> {
        match self.0 {
            RecvKind::Rendezvous(arm) => arm.finish(),
            RecvKind::Queue(arm) => arm.finish(),
            RecvKind::Shared(arm) => arm.finish(),
        }
    }
}

impl<T> Operation for SendOp<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline(always)]
    fn try_now(&mut self, chooser: Chooser) -> Option<Result<(), SendError<T>>> {
        match &mut self.0 {
            SendKind::Rendezvous(arm) => arm.try_now(chooser.0),
            SendKind::Queue(arm) => arm.try_now(chooser.0),
            SendKind::Shared(arm) => arm.try_now(),
        }
    }

    #[inline]
    fn arm(&mut self) -> Arm<'_> {
        match &mut self.0 {
            SendKind::Rendezvous(arm) => Arm::new(arm),
            SendKind::Queue(arm) => Arm::new(arm),
            SendKind::Shared(arm) => Arm::new(arm),
        }
    }

    #[inline]
    fn finish(self) -> Result<(), SendError<T>> {
        match self.0 {
            SendKind::Rendezvous(arm) => arm.finish(),
            SendKind::Queue(arm) => arm.finish(),
            SendKind::Shared(arm) => arm.finish(),
        }
    }
}

impl<T> Source for Channel<T> {
    type Item = T;

    #[inline]
    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Rendezvous(Channel::recv_arm(self)))
    }
}

impl<T> Source for Receiver<T> {
    type Item = T;

    #[inline]
    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Queue(Receiver::recv_arm(self)))
    }
}

impl<T> Source for OneshotReceiver<T> {
    type Item = T;

    #[inline]
    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Queue(self.receiver().recv_arm()))
    }
}

impl<T> Source for sync::mpmc::Receiver<T> {
    type Item = T;

    #[inline]
    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Shared(self.arm()))
    }
}

impl<T> Source for sync::OneshotReceiver<T> {
    type Item = T;

    #[inline]
    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Shared(self.receiver().arm()))
    }
}

impl<S: Source + ?Sized> Source for &S {
    type Item = S::Item;

    #[inline]
    fn recv_arm(&self) -> RecvOp<'_, S::Item> {
        S::recv_arm(self)
    }
}

impl<T> Sink for Channel<T> {
    type Item = T;

    #[inline]
    fn send_arm(&self, value: T) -> SendOp<'_, T> {
        SendOp(SendKind::Rendezvous(Channel::send_arm(self, value)))
    }
}

impl<T> Sink for Sender<T> {
    type Item = T;

    #[inline]
    fn send_arm(&self, value: T) -> SendOp<'_, T> {
        SendOp(SendKind::Queue(Sender::send_arm(self, value)))
    }
}

impl<T> Sink for sync::mpmc::Sender<T> {
    type Item = T;

    #[inline]
    fn send_arm(&self, value: T) -> SendOp<'_, T> {
        SendOp(SendKind::Shared(self.arm(value)))
    }
}

impl<S: Sink + ?Sized> Sink for &S {
    type Item = S::Item;

    #[inline]
    fn send_arm(&self, value: S::Item) -> SendOp<'_, S::Item> {
        S::send_arm(self, value)
    }
}

impl<T> fmt::Debug for RecvOp<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecvOp(..)")
    }
}

impl<T> fmt::Debug for SendOp<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendOp(..)")
    }
}
