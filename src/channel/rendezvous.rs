//! The Stackless channel: values go from hand to hand, and the channel holds none.
//!
//! Every operation asks [`Pairing`] and does what it says: meet the first partner that waits, join
//! the queue, or be refused.
//!
//! Invariants:
//! - All waiters are of the kind that `waiting` names; it is changed only while none waits.
//! - A value moves exactly once. A sender that is cut short gets its own back.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::channel::error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::channel::pairing::{After, Pairing, Preference, Side, Step};
use crate::channel::waiter::{self, Fate, Message, Waiter};
use crate::fiber::header::FiberPtr;
use crate::fiber::state::{OnDeadlock, WaitReason};
use crate::fiber::wait_list::WaitList;
use crate::sched::interrupt::Interrupt;
use crate::sched::park::{self, Deadline};
use crate::sched::scheduler::{Here, here, scheduler};

static SENDING: WaitReason = WaitReason::new("sending on a channel", OnDeadlock::Fail);
static RECEIVING: WaitReason = WaitReason::new("receiving on a channel", OnDeadlock::Fail);

/// A rendezvous channel with the semantics of Stackless Python.
///
/// Clones are handles to the same channel. A sender waits until a receiver takes its value, and a
/// receiver until a sender brings one; both queue in strict order. By default the receiver is
/// preferred: a send to a waiting receiver runs it at once, and the sender goes behind everybody.
/// [`Preference`] and [`set_schedule_all`](Channel::set_schedule_all) change that (S-140 to
/// S-144).
///
/// # Examples
///
/// ```
/// use fibra::channel::Channel;
///
/// fibra::run(|| {
///     let channel = Channel::new();
///     let numbers = channel.clone();
///     fibra::spawn(move || {
///         for i in 1..=3 {
///             numbers.send(i).unwrap();
///         }
///         numbers.close_and_wake();
///     });
///     assert_eq!(channel.iter().collect::<Vec<_>>(), [1, 2, 3]);
/// });
/// ```
pub struct Channel<T> {
    inner: Rc<Inner<T>>,
}

struct Inner<T> {
    waiters: WaitList,
    /// The kind of all who wait.
    waiting: Cell<Side>,
    pairing: Cell<Pairing>,
    marker: std::marker::PhantomData<T>,
}

impl<T> Channel<T> {
    /// An open channel, with the receiver preferred.
    #[must_use]
    pub fn new() -> Channel<T> {
        let inner = Inner {
            waiters: WaitList::new(),
            waiting: Cell::new(Side::Send),
            pairing: Cell::new(Pairing::default()),
            marker: std::marker::PhantomData,
        };
        Channel { inner: Rc::new(inner) }
    }

    /// Gives `value` to the first receiver that waits, or waits for one.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if the channel is closed and nobody waits to receive, and
    /// [`SendError::Deadlock`] if nothing can ever run again. The value comes back.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[inline(always)]
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.send_message(here(), Message::Value(value)).map_err(|(message, cut)| match message {
            Message::Value(value) => cut.into_send_error(value),
            Message::Unwind(_) => unreachable!("a value was sent"),
        })
    }

    /// Gives `value` to a receiver that waits, if there is one. It neither waits nor switches: the
    /// receiver is appended to the ring, whatever the preference.
    ///
    /// # Errors
    ///
    /// Gives the value back if nobody waits to receive.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let here = here();
        match self.inner.arrive(Side::Send) {
            Step::Meet(_) => {
                self.serve(Message::Value(value), |receiver| here.sched.make_ready(receiver));
                Ok(())
            }
            Step::Wait => Err(TrySendError::Full(value)),
            Step::Refused => Err(TrySendError::Closed(value)),
        }
    }

    /// As [`send`](Channel::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Gives the value back if it could not be sent in time, or the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        let here = here();
        self.send_by(here, value, park::deadline_after(here, timeout))
    }

    /// As [`send`](Channel::send), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Channel::send_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        let here = here();
        self.send_by(here, value, here.sched.micros_at(deadline))
    }

    /// Sends an unwind: the receiver's `recv` panics with `payload`, and no panic hook runs.
    ///
    /// This is Stackless' `send_exception` (S-151), for protocols in which the consumer is to fail
    /// as the producer did. A panic that was joined is passed on like this.
    ///
    /// # Errors
    ///
    /// As [`send`](Channel::send); the payload comes back.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_panic(
        &self,
        payload: Box<dyn Any + Send>,
    ) -> Result<(), SendError<Box<dyn Any + Send>>> {
        self.send_message(here(), Message::Unwind(payload)).map_err(
            |(message, cut)| match message {
                Message::Unwind(payload) => cut.into_send_error(payload),
                Message::Value(_) => unreachable!("a payload was sent"),
            },
        )
    }

    /// Takes a value from the first sender that waits, or waits for one.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the channel is closed and nobody waits to send, and
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with what [`send_panic`](Channel::send_panic) has sent.
    #[inline(always)]
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let here = here();
        park::spend(here);
        match self.inner.arrive(Side::Receive) {
            Step::Meet(after) => Ok(open(self.collect(here, after))),
            Step::Wait => match self.wait_to_receive(here) {
                Ok(message) => Ok(open(message)),
                Err(cut) => Err(cut.into_recv_error()),
            },
            Step::Refused => Err(RecvError::Closed),
        }
    }

    /// Takes a value from a sender that waits, if there is one. It neither waits nor switches.
    ///
    /// # Errors
    ///
    /// Says whether there is nothing now, or nothing for as long as the channel is closed.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber, and with what [`send_panic`](Channel::send_panic) has sent.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let here = here();
        match self.inner.arrive(Side::Receive) {
            Step::Meet(_) => Ok(open(self.collect(here, After::GoOn))),
            Step::Wait => Err(TryRecvError::Empty),
            Step::Refused => Err(TryRecvError::Closed),
        }
    }

    /// As [`recv`](Channel::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Says whether the time is over or the channel closed.
    ///
    /// # Panics
    ///
    /// As [`recv`](Channel::recv).
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let here = here();
        self.recv_by(here, park::deadline_after(here, timeout))
    }

    /// As [`recv`](Channel::recv), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Channel::recv_timeout).
    ///
    /// # Panics
    ///
    /// As [`recv`](Channel::recv).
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        let here = here();
        self.recv_by(here, here.sched.micros_at(deadline))
    }

    /// Receives until the channel is closed and no sender waits (S-154).
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { channel: self }
    }

    /// The number of senders that wait, or minus the number of receivers that wait.
    #[must_use]
    pub fn balance(&self) -> isize {
        self.inner.balance()
    }

    /// Which of two partners runs first.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.inner.pairing.get().preference
    }

    /// Says which of two partners runs first.
    pub fn set_preference(&self, preference: Preference) {
        self.inner.pairing.set(Pairing { preference, ..self.inner.pairing.get() });
    }

    /// Whether every meeting lets all other fibers run first.
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.inner.pairing.get().schedule_all
    }

    /// Lets the caller of each meeting go behind everybody, its partner included (S-141). This
    /// comes before the preference.
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.inner.pairing.set(Pairing { schedule_all, ..self.inner.pairing.get() });
    }

    /// Closes the channel: from now on operations that would have to wait are refused.
    ///
    /// It wakes nobody. Those who wait go on waiting, and can still be met (S-156, S-159):
    /// receivers that should learn of the end are woken by
    /// [`close_and_wake`](Channel::close_and_wake).
    pub fn close(&self) {
        self.inner.pairing.set(Pairing { closing: true, ..self.inner.pairing.get() });
    }

    /// Closes the channel and refuses those who wait, too. Senders get their values back.
    pub fn close_and_wake(&self) {
        self.close();
        let Some(sched) = scheduler() else { return };
        while let Some(fiber) = waiter::turn_away::<T>(&self.inner.waiters) {
            sched.make_ready(fiber);
        }
    }

    /// Opens a closed channel again (S-158).
    pub fn open(&self) {
        self.inner.pairing.set(Pairing { closing: false, ..self.inner.pairing.get() });
    }

    /// Whether [`close`](Channel::close) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.inner.pairing.get().closing
    }

    /// Whether it is closed and nobody waits at it any more (S-157).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closing() && self.balance() == 0
    }

    #[inline(always)]
    #[track_caller]
    fn send_message(&self, here: Here, message: Message<T>) -> Result<(), (Message<T>, Cut)> {
        park::spend(here);
        match self.inner.arrive(Side::Send) {
            Step::Meet(after) => {
                self.serve(message, |receiver| follow(here, receiver, after));
                Ok(())
            }
            Step::Wait => self.wait_to_send(here, message),
            Step::Refused => Err((message, Cut::Closed)),
        }
    }

    #[track_caller]
    fn send_by(&self, here: Here, value: T, at: u64) -> Result<(), SendTimeoutError<T>> {
        park::spend(here);
        let message = Message::Value(value);
        let sent = match self.inner.arrive(Side::Send) {
            Step::Meet(after) => {
                self.serve(message, |receiver| follow(here, receiver, after));
                Ok(())
            }
            Step::Wait => {
                let _deadline = Deadline::arm(here, at);
                self.wait_to_send(here, message)
            }
            Step::Refused => Err((message, Cut::Closed)),
        };
        sent.map_err(|(message, cut)| match message {
            Message::Value(value) => cut.into_send_timeout_error(value),
            Message::Unwind(_) => unreachable!("a value was sent"),
        })
    }

    #[track_caller]
    fn recv_by(&self, here: Here, at: u64) -> Result<T, RecvTimeoutError> {
        park::spend(here);
        match self.inner.arrive(Side::Receive) {
            Step::Meet(after) => Ok(open(self.collect(here, after))),
            Step::Wait => {
                let deadline = Deadline::arm(here, at);
                let received = self.wait_to_receive(here);
                drop(deadline);
                received.map(open).map_err(Cut::into_recv_timeout_error)
            }
            Step::Refused => Err(RecvTimeoutError::Closed),
        }
    }

    /// Gives `message` to the first waiting receiver; `then` puts it back into the ring.
    #[inline(always)]
    fn serve(&self, message: Message<T>, then: impl FnOnce(FiberPtr)) {
        match waiter::serve(&self.inner.waiters, message) {
            Ok(receiver) => then(receiver),
            Err(_) => unreachable!("the balance said that a receiver waits"),
        }
    }

    #[inline(always)]
    fn collect(&self, here: Here, after: After) -> Message<T> {
        let Some((sender, message)) = waiter::collect(&self.inner.waiters) else {
            unreachable!("the balance said that a sender waits")
        };
        follow(here, sender, after);
        message
    }

    #[inline(always)]
    #[track_caller]
    fn wait_to_send(&self, here: Here, message: Message<T>) -> Result<(), (Message<T>, Cut)> {
        self.inner.waiting.set(Side::Send);
        let waiter = Waiter::new(here.fiber, Some(message));
        let cut = match waiter.wait_in(here, &self.inner.waiters, &SENDING) {
            Ok(Fate::Served) => return Ok(()),
            Ok(_) => Cut::Closed,
            Err(interrupt) => Cut::Short(interrupt),
        };
        Err((waiter.take().expect("nobody has taken the message"), cut))
    }

    #[inline(always)]
    #[track_caller]
    fn wait_to_receive(&self, here: Here) -> Result<Message<T>, Cut> {
        self.inner.waiting.set(Side::Receive);
        let waiter = Waiter::new(here.fiber, None);
        match waiter.wait_in(here, &self.inner.waiters, &RECEIVING) {
            Ok(Fate::Served) => Ok(waiter.take().expect("a sender has put its message in")),
            Ok(_) => Err(Cut::Closed),
            Err(interrupt) => Err(Cut::Short(interrupt)),
        }
    }
}

impl<T> Inner<T> {
    #[inline(always)]
    fn balance(&self) -> isize {
        let waiting = self.waiters.len().cast_signed();
        if self.waiting.get() == Side::Send { waiting } else { -waiting }
    }

    #[inline(always)]
    fn arrive(&self, side: Side) -> Step {
        self.pairing.get().arrive(side, self.balance())
    }
}

/// Why a wait at the channel brought nothing.
pub(crate) enum Cut {
    Closed,
    Short(Interrupt),
}

impl Cut {
    pub(crate) fn into_send_error<V>(self, value: V) -> SendError<V> {
        match self {
            Cut::Closed => SendError::Closed(value),
            Cut::Short(interrupt) => SendError::interrupted(value, interrupt),
        }
    }

    pub(crate) fn into_send_timeout_error<V>(self, value: V) -> SendTimeoutError<V> {
        match self {
            Cut::Closed => SendTimeoutError::Closed(value),
            Cut::Short(interrupt) => SendTimeoutError::interrupted(value, &interrupt),
        }
    }

    pub(crate) fn into_recv_error(self) -> RecvError {
        match self {
            Cut::Closed => RecvError::Closed,
            Cut::Short(interrupt) => RecvError::interrupted(interrupt),
        }
    }

    pub(crate) fn into_recv_timeout_error(self) -> RecvTimeoutError {
        match self {
            Cut::Closed => RecvTimeoutError::Closed,
            Cut::Short(interrupt) => RecvTimeoutError::interrupted(&interrupt),
        }
    }
}

/// What was received; an unwind goes on here.
#[inline(always)]
fn open<T>(message: Message<T>) -> T {
    match message {
        Message::Value(value) => value,
        Message::Unwind(payload) => panic::resume_unwind(payload),
    }
}

/// Puts the partner of a meeting into the ring, and the caller where it belongs.
#[inline(always)]
fn follow(here: Here, partner: FiberPtr, after: After) {
    match after {
        After::GoOn => here.sched.make_ready(partner),
        After::RunPartner => park::hand_over(here, partner),
        After::RunAll => {
            here.sched.make_ready(partner);
            park::go_last(here);
        }
    }
}

/// Receives from a [`Channel`] until it is closed and no sender waits.
///
/// # Panics
///
/// `next` panics with a report if nothing can ever run again.
pub struct Iter<'a, T> {
    channel: &'a Channel<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match self.channel.recv() {
            Ok(value) => Some(value),
            Err(RecvError::Closed | RecvError::Killed) => None,
            Err(RecvError::Deadlock(report)) => panic!("{report}"),
        }
    }
}

impl<'a, T> IntoIterator for &'a Channel<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Channel<T> {
        Channel { inner: self.inner.clone() }
    }
}

impl<T> Default for Channel<T> {
    fn default() -> Channel<T> {
        Channel::new()
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("balance", &self.balance())
            .field("preference", &self.preference())
            .field("closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Iter<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(self.channel).finish()
    }
}
