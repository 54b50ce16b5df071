//! The types of the operations that can be waited for together, and the traits that they implement.
//!
//! Invariant: [`Operation`], [`Source`] and [`Sink`] are sealed. A choice relies on what an arm
//! does when it is tried, queued and taken back, so only this crate may write one.

use std::fmt;
use std::time::{Duration, Instant};

use crate::channel::queue::arm as queue;
use crate::channel::rendezvous::arm as rendezvous;
use crate::channel::{Channel, OneshotReceiver, Receiver, RecvError, SendError, Sender};
use crate::fiber::exit::JoinError;
use crate::sched::api::join::{JoinArm, JoinHandle};
use crate::sched::core::choose::{self, Done, Order};
use crate::sched::lowlevel::{Arm as LowArm, CurrentFiber, current_fiber, deadline_after};
use crate::sync::event::EventArm;
use crate::sync::mpmc::arm as mpmc;
use crate::sync::{self, Event};

/// One thing that can be waited for together with others.
///
/// Only this crate implements it: the functions of [this module](mod@crate::select) make
/// operations.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use fibra::select::{self, Operation, Select};
///
/// fibra::run(|| {
///     fn wait<O: Operation>(operation: O) -> Option<O::Output> {
///         let mut select = Select::new();
///         select.add(operation, Some);
///         select.add(select::after(Duration::from_millis(1)), |()| None);
///         select.wait()
///     }
///
///     let mut handle = fibra::spawn(|| 42);
///     assert_eq!(wait(select::join(&mut handle)), Some(Ok(42)));
/// });
/// ```
pub trait Operation: sealed::Sealed {
    /// The result of the operation once it is done.
    type Output;

    #[doc(hidden)]
    fn arm(&mut self) -> Arm<'_>;

    #[doc(hidden)]
    fn finish(self) -> Self::Output;
}

/// A borrowed operation whose type is erased.
#[doc(hidden)]
#[allow(missing_debug_implementations, reason = "cannot be named by users")]
pub struct Arm<'a>(&'a mut dyn LowArm);

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

/// The operation of joining a fiber, made by [`join`].
pub struct JoinOp<'a, T>(JoinArm<'a, T>);

/// The operation of waiting for an event, made by [`wait`].
pub struct WaitOp<'a>(EventArm<'a>);

/// The operation of waiting for a time, made by [`after`] and [`at`].
#[derive(Debug)]
pub struct TimerOp {
    micros: u64,
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
pub fn send<S: Sink + ?Sized>(sink: &S, value: S::Item) -> SendOp<'_, S::Item> {
    sink.send_arm(value)
}

/// Makes an operation that waits until a fiber has ended and takes its output.
///
/// The handle remains usable, but has no output any more once the operation is done.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let mut handle = fibra::spawn(|| 42);
///     let output = fibra::select! {
///         output = join(&mut handle) => output,
///     };
///     assert_eq!(output, Ok(42));
/// });
/// ```
pub fn join<T>(handle: &mut JoinHandle<T>) -> JoinOp<'_, T> {
    JoinOp(handle.arm())
}

/// Makes an operation that waits until `event` is set.
///
/// # Examples
///
/// ```
/// use fibra::sync::Event;
///
/// fibra::run(|| {
///     let event = Event::new();
///     event.set();
///     fibra::select! {
///         wait(event) => println!("it has happened"),
///     }
/// });
/// ```
pub fn wait(event: &Event) -> WaitOp<'_> {
    WaitOp(event.arm())
}

/// Makes an operation that waits until `duration` has passed, by the scheduler's clock.
///
/// The time is counted from this call.
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
///     fibra::select! {
///         after(Duration::from_millis(1)) => println!("the time is over"),
///     }
/// });
/// ```
#[track_caller]
#[must_use]
pub fn after(duration: Duration) -> TimerOp {
    TimerOp { micros: deadline_after(current_fiber(), duration) }
}

/// Makes an operation that waits until `instant`, by the scheduler's clock.
///
/// # Panics
///
/// Panics outside of a fiber.
#[track_caller]
#[must_use]
pub fn at(instant: Instant) -> TimerOp {
    TimerOp { micros: current_fiber().sched.micros_at(instant) }
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

/// Keeps other crates from implementing the traits of this module.
pub(crate) mod sealed {
    pub trait Sealed {}
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
impl<T> sealed::Sealed for JoinOp<'_, T> {}
impl sealed::Sealed for WaitOp<'_> {}
impl sealed::Sealed for TimerOp {}

pub(super) fn order(biased: bool) -> Order {
    if biased { Order::Given } else { Order::Fair }
}

impl<'a> Arm<'a> {
    pub(super) fn into_inner(self) -> &'a mut dyn LowArm {
        self.0
    }
}

impl<T> Operation for RecvOp<'_, T> {
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

impl<T> Operation for SendOp<'_, T> {
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

impl<T> Operation for JoinOp<'_, T> {
    type Output = Result<T, JoinError>;

    fn arm(&mut self) -> Arm<'_> {
        Arm(&mut self.0)
    }

    fn finish(self) -> Result<T, JoinError> {
        self.0.finish(current_fiber())
    }
}

impl Operation for WaitOp<'_> {
    type Output = ();

    fn arm(&mut self) -> Arm<'_> {
        Arm(&mut self.0)
    }

    fn finish(self) {}
}

impl Operation for TimerOp {
    type Output = ();

    fn arm(&mut self) -> Arm<'_> {
        Arm(self)
    }

    fn finish(self) {}
}

impl LowArm for TimerOp {
    fn attempt(&mut self, current: CurrentFiber) -> bool {
        self.micros <= current.sched.micros_at(current.sched.time.clock.now())
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

    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Rendezvous(Channel::recv_arm(self)))
    }
}

impl<T> Source for Receiver<T> {
    type Item = T;

    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Queue(Receiver::recv_arm(self)))
    }
}

impl<T> Source for OneshotReceiver<T> {
    type Item = T;

    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Queue(self.receiver().recv_arm()))
    }
}

impl<T> Source for sync::mpmc::Receiver<T> {
    type Item = T;

    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Shared(self.arm()))
    }
}

impl<T> Source for sync::OneshotReceiver<T> {
    type Item = T;

    fn recv_arm(&self) -> RecvOp<'_, T> {
        RecvOp(RecvKind::Shared(self.receiver().arm()))
    }
}

impl<S: Source + ?Sized> Source for &S {
    type Item = S::Item;

    fn recv_arm(&self) -> RecvOp<'_, S::Item> {
        S::recv_arm(self)
    }
}

impl<T> Sink for Channel<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> SendOp<'_, T> {
        SendOp(SendKind::Rendezvous(Channel::send_arm(self, value)))
    }
}

impl<T> Sink for Sender<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> SendOp<'_, T> {
        SendOp(SendKind::Queue(Sender::send_arm(self, value)))
    }
}

impl<T> Sink for sync::mpmc::Sender<T> {
    type Item = T;

    fn send_arm(&self, value: T) -> SendOp<'_, T> {
        SendOp(SendKind::Shared(self.arm(value)))
    }
}

impl<S: Sink + ?Sized> Sink for &S {
    type Item = S::Item;

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

impl fmt::Debug for WaitOp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WaitOp(..)")
    }
}

impl<T> fmt::Debug for JoinOp<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinOp(..)")
    }
}
