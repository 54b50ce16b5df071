//! The operations that can be waited for together, as types.

use std::fmt;
use std::time::{Duration, Instant};

use crate::channel::queue::arm as queue;
use crate::channel::rendezvous::arm as rendezvous;
use crate::channel::{Channel, OneshotReceiver, Receiver, RecvError, SendError, Sender};
use crate::fiber::exit::JoinError;
use crate::sched::api::join::{JoinArm, JoinHandle};
use crate::sched::core::choose::{self, Done, Order};
use crate::sched::lowlevel::{Arm as LowArm, Here, deadline_after, here};
use crate::sync::event::EventArm;
use crate::sync::mpmc::arm as mpmc;
use crate::sync::{self, Event};

/// One thing that can be waited for together with others.
pub trait Operation {
    /// What it gives when it is done.
    type Output;

    #[doc(hidden)]
    fn arm(&mut self) -> Arm<'_>;

    #[doc(hidden)]
    fn finish(self) -> Self::Output;
}

/// An operation without its type.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "cannot be named by users")]
pub struct Arm<'a>(&'a mut dyn LowArm);

/// What `recv` can receive from.
pub trait Source {
    /// What it gives.
    type Item;

    #[doc(hidden)]
    fn recv_arm(&self) -> Recv<'_, Self::Item>;
}

/// What `send` can send to.
pub trait Sink {
    /// What it takes.
    type Item;

    #[doc(hidden)]
    fn send_arm(&self, value: Self::Item) -> Send<'_, Self::Item>;
}

/// A receive. Made by [`recv`].
pub struct Recv<'a, T>(RecvKind<'a, T>);

enum RecvKind<'a, T> {
    Rendezvous(rendezvous::RecvArm<'a, T>),
    Queue(queue::RecvArm<'a, T>),
    Shared(mpmc::RecvArm<'a, T>),
}

/// A send. Made by [`send`].
pub struct Send<'a, T>(SendKind<'a, T>);

enum SendKind<'a, T> {
    Rendezvous(rendezvous::SendArm<'a, T>),
    Queue(queue::SendArm<'a, T>),
    Shared(mpmc::SendArm<'a, T>),
}

/// The end of a fiber. Made by [`join`].
pub struct Join<'a, T>(JoinArm<'a, T>);

/// An event. Made by [`wait`].
pub struct Wait<'a>(EventArm<'a>);

/// A time. Made by [`after`] and [`at`].
#[derive(Debug)]
pub struct After {
    micros: u64,
}

/// Receives from `source`.
pub fn recv<S: Source + ?Sized>(source: &S) -> Recv<'_, S::Item> {
    source.recv_arm()
}

/// Sends `value` to `sink`.
pub fn send<S: Sink + ?Sized>(sink: &S, value: S::Item) -> Send<'_, S::Item> {
    sink.send_arm(value)
}

/// Waits for the end of a fiber and takes its output. The handle stays, without an output.
pub fn join<T>(handle: &mut JoinHandle<T>) -> Join<'_, T> {
    Join(handle.arm())
}

/// Waits until `event` is set.
pub fn wait(event: &Event) -> Wait<'_> {
    Wait(event.arm())
}

/// Waits for so long, by the scheduler's clock.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[must_use]
pub fn after(duration: Duration) -> After {
    After { micros: deadline_after(here(), duration) }
}

/// Waits until then, by the scheduler's clock.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[must_use]
pub fn at(instant: Instant) -> After {
    After { micros: here().sched.micros_at(instant) }
}

#[doc(hidden)]
#[track_caller]
pub fn choose<const N: usize>(arms: [Arm<'_>; N], biased: bool) -> usize {
    let mut arms = arms.map(|arm| arm.0);
    choose::choose(&mut arms, order(biased))
}

#[doc(hidden)]
#[track_caller]
pub fn choose_now<const N: usize>(arms: [Arm<'_>; N], biased: bool) -> Option<usize> {
    let mut arms = arms.map(|arm| arm.0);
    choose::choose_now(&mut arms, order(biased))
}

pub(super) fn order(biased: bool) -> Order {
    if biased { Order::Given } else { Order::Fair }
}

impl<'a> Arm<'a> {
    pub(super) fn into_inner(self) -> &'a mut dyn LowArm {
        self.0
    }
}

impl<T> Operation for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn arm(&mut self) -> Arm<'_> {
        Arm(match &mut self.0 {
            RecvKind::Rendezvous(arm) => arm,
            RecvKind::Queue(arm) => arm,
            RecvKind::Shared(arm) => arm,
        })
    }

    fn finish(self) -> Result<T, RecvError> {
        match self.0 {
            RecvKind::Rendezvous(arm) => arm.finish(),
            RecvKind::Queue(arm) => arm.finish(),
            RecvKind::Shared(arm) => arm.finish(),
        }
    }
}

impl<T> Operation for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn arm(&mut self) -> Arm<'_> {
        Arm(match &mut self.0 {
            SendKind::Rendezvous(arm) => arm,
            SendKind::Queue(arm) => arm,
            SendKind::Shared(arm) => arm,
        })
    }

    fn finish(self) -> Result<(), SendError<T>> {
        match self.0 {
            SendKind::Rendezvous(arm) => arm.finish(),
            SendKind::Queue(arm) => arm.finish(),
            SendKind::Shared(arm) => arm.finish(),
        }
    }
}

impl<T> Operation for Join<'_, T> {
    type Output = Result<T, JoinError>;

    fn arm(&mut self) -> Arm<'_> {
        Arm(&mut self.0)
    }

    fn finish(self) -> Result<T, JoinError> {
        self.0.finish(here())
    }
}

impl Operation for Wait<'_> {
    type Output = ();

    fn arm(&mut self) -> Arm<'_> {
        Arm(&mut self.0)
    }

    fn finish(self) {}
}

impl Operation for After {
    type Output = ();

    fn arm(&mut self) -> Arm<'_> {
        Arm(self)
    }

    fn finish(self) {}
}

impl LowArm for After {
    fn attempt(&mut self, here: Here) -> bool {
        self.micros <= here.sched.micros_at(here.sched.time.clock.now())
    }

    fn done(&self) -> Option<Done> {
        None
    }

    fn deadline(&self) -> Option<u64> {
        Some(self.micros)
    }
}

impl<T> Source for Channel<T> {
    type Item = T;

    fn recv_arm(&self) -> Recv<'_, T> {
        Recv(RecvKind::Rendezvous(Channel::recv_arm(self)))
    }
}

impl<T> Source for Receiver<T> {
    type Item = T;

    fn recv_arm(&self) -> Recv<'_, T> {
        Recv(RecvKind::Queue(Receiver::recv_arm(self)))
    }
}

impl<T> Source for OneshotReceiver<T> {
    type Item = T;

    fn recv_arm(&self) -> Recv<'_, T> {
        Recv(RecvKind::Queue(self.receiver().recv_arm()))
    }
}

impl<T> Source for sync::mpmc::Receiver<T> {
    type Item = T;

    fn recv_arm(&self) -> Recv<'_, T> {
        Recv(RecvKind::Shared(self.arm()))
    }
}

impl<T> Source for sync::OneshotReceiver<T> {
    type Item = T;

    fn recv_arm(&self) -> Recv<'_, T> {
        Recv(RecvKind::Shared(self.receiver().arm()))
    }
}

impl<S: Source + ?Sized> Source for &S {
    type Item = S::Item;

    fn recv_arm(&self) -> Recv<'_, S::Item> {
        S::recv_arm(self)
    }
}

impl<T> Sink for Channel<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> Send<'_, T> {
        Send(SendKind::Rendezvous(Channel::send_arm(self, value)))
    }
}

impl<T> Sink for Sender<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> Send<'_, T> {
        Send(SendKind::Queue(Sender::send_arm(self, value)))
    }
}

impl<T> Sink for sync::mpmc::Sender<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> Send<'_, T> {
        Send(SendKind::Shared(self.arm(value)))
    }
}

impl<S: Sink + ?Sized> Sink for &S {
    type Item = S::Item;

    fn send_arm(&self, value: S::Item) -> Send<'_, S::Item> {
        S::send_arm(self, value)
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recv(..)")
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Send(..)")
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait(..)")
    }
}

impl<T> fmt::Debug for Join<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Join(..)")
    }
}
