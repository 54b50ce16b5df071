//! Channels that hold values: bounded and unbounded, with two ends.
//!
//! ```text
//!   senders wait (full) --> [ buffer, up to `capacity` ] --> receivers wait (empty)
//! ```
//!
//! Invariants:
//! - Receivers wait only while the buffer is empty, senders only while it is full. So a value goes
//!   straight to a waiting receiver, and a freed place straight to the first waiting sender.
//! - Values arrive in the order in which their sends began.
//! - When one end is gone the other is told: receivers after the buffer is empty, senders at once.
//! - Nothing is dropped while the buffer is borrowed.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::channel::error::{
    Cut, RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};
use crate::channel::waiter::{self, Fate, Message, Waiter};
use crate::sched::lowlevel::{
    Here, OnDeadlock, WaitList, WaitReason, deadline_after, here, scheduler, spend,
};

static SENDING: WaitReason = WaitReason::new("sending on a full channel", OnDeadlock::Fail);
static RECEIVING: WaitReason = WaitReason::new("receiving on an empty channel", OnDeadlock::Fail);

/// A channel that holds up to `capacity` values; a send waits while it is full.
///
/// With a capacity of 0 each send waits for its receiver, as std's `sync_channel(0)`. A send or
/// receive that need not wait does not switch either.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = fibra::channel::bounded(2);
///     fibra::spawn(move || (1..=5).for_each(|i| sender.send(i).unwrap()));
///     assert_eq!(receiver.iter().sum::<u32>(), 15);
/// });
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let shared = Rc::new(Shared {
        buffer: RefCell::new(VecDeque::new()),
        capacity,
        senders: Cell::new(1),
        receivers: Cell::new(1),
        waiting_senders: WaitList::new(),
        waiting_receivers: WaitList::new(),
    });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

/// A channel that holds any number of values; a send never waits.
///
/// # Examples
///
/// ```
/// fibra::run(|| {
///     let (sender, receiver) = fibra::channel::unbounded();
///     sender.send("a").unwrap();
///     sender.send("b").unwrap();
///     drop(sender);
///     assert_eq!(receiver.iter().collect::<String>(), "ab");
/// });
/// ```
#[must_use]
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    bounded(usize::MAX)
}

struct Shared<T> {
    buffer: RefCell<VecDeque<T>>,
    capacity: usize,
    senders: Cell<usize>,
    receivers: Cell<usize>,
    waiting_senders: WaitList,
    waiting_receivers: WaitList,
}

/// The sending end. Clones share the channel; when the last is dropped, receivers learn of it.
pub struct Sender<T> {
    shared: Rc<Shared<T>>,
}

/// The receiving end. Clones share the channel, and each value goes to one of them.
pub struct Receiver<T> {
    shared: Rc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Appends `value`, waiting while the channel is full.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] if all receivers are gone, [`SendError::Deadlock`] if nothing can
    /// ever run again. The value comes back.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[inline(always)]
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        let here = here();
        spend(here);
        match self.offer(here, value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(value)) => {
                self.wait(here, value, None).map_err(|(value, cut)| cut.into_send_error(value))
            }
            Err(TrySendError::Closed(value)) => Err(SendError::Closed(value)),
        }
    }

    /// Appends `value` if there is room, and never waits.
    ///
    /// # Errors
    ///
    /// Gives the value back if the channel is full or all receivers are gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.offer(here(), value)
    }

    /// As [`send`](Sender::send), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Gives the value back if there was no room in time or all receivers are gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        let here = here();
        self.send_by(here, value, deadline_after(here, timeout))
    }

    /// As [`send`](Sender::send), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Sender::send_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn send_deadline(&self, value: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        let here = here();
        self.send_by(here, value, here.sched.micros_at(deadline))
    }

    /// Values that the channel holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.buffer.borrow().len()
    }

    /// Whether the channel holds nothing now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives the value to a waiting receiver or the buffer.
    #[inline(always)]
    fn offer(&self, here: Here, value: T) -> Result<(), TrySendError<T>> {
        let shared = &*self.shared;
        if shared.receivers.get() == 0 {
            return Err(TrySendError::Closed(value));
        }
        let Err(message) = waiter::serve(&shared.waiting_receivers, Message::Value(value))
            .map(|receiver| here.sched.make_ready(receiver))
        else {
            return Ok(());
        };
        let value = into_value(message);
        let mut buffer = shared.buffer.borrow_mut();
        if buffer.len() < shared.capacity {
            buffer.push_back(value);
            Ok(())
        } else {
            Err(TrySendError::Full(value))
        }
    }

    #[inline(always)]
    #[track_caller]
    fn wait(&self, here: Here, value: T, by: Option<u64>) -> Result<(), (T, Cut)> {
        let waiter = Waiter::new(here.fiber, Some(Message::Value(value)));
        let cut = match waiter.wait_in(here, &self.shared.waiting_senders, by, &SENDING) {
            Ok(Fate::Served) => return Ok(()),
            Ok(_) => Cut::Closed,
            Err(interrupt) => Cut::Short(interrupt),
        };
        Err((into_value(waiter.take().expect("nobody has taken the value")), cut))
    }

    #[track_caller]
    fn send_by(&self, here: Here, value: T, at: u64) -> Result<(), SendTimeoutError<T>> {
        spend(here);
        match self.offer(here, value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(value)) => self
                .wait(here, value, Some(at))
                .map_err(|(value, cut)| cut.into_send_timeout_error(value)),
            Err(TrySendError::Closed(value)) => Err(SendTimeoutError::Closed(value)),
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the first value, waiting while there is none.
    ///
    /// # Errors
    ///
    /// [`RecvError::Closed`] if the channel is empty and all senders are gone,
    /// [`RecvError::Deadlock`] if nothing can ever run again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[inline(always)]
    #[track_caller]
    pub fn recv(&self) -> Result<T, RecvError> {
        let here = here();
        spend(here);
        match self.take(here) {
            Ok(value) => Ok(value),
            Err(TryRecvError::Empty) => self.wait(here, None).map_err(Cut::into_recv_error),
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
        }
    }

    /// Takes the first value if there is one, and never waits.
    ///
    /// # Errors
    ///
    /// Says whether there is nothing now, or nothing ever again.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.take(here())
    }

    /// As [`recv`](Receiver::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Says whether the time is over or all senders are gone.
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let here = here();
        self.recv_by(here, deadline_after(here, timeout))
    }

    /// As [`recv`](Receiver::recv), but waits no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// As [`recv_timeout`](Receiver::recv_timeout).
    ///
    /// # Panics
    ///
    /// Panics outside of a fiber.
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        let here = here();
        self.recv_by(here, here.sched.micros_at(deadline))
    }

    /// Receives until the channel is empty and all senders are gone.
    ///
    /// # Panics
    ///
    /// `next` panics with a report if nothing can ever run again.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        Values { receiver: self }
    }

    /// Values that the channel holds now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.buffer.borrow().len()
    }

    /// Whether the channel holds nothing now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes from the buffer, whose free place goes to a waiting sender, or from that sender.
    #[inline(always)]
    fn take(&self, here: Here) -> Result<T, TryRecvError> {
        let shared = &*self.shared;
        let first = shared.buffer.borrow_mut().pop_front();
        let from_sender = || {
            let (sender, message) = waiter::collect::<T>(&shared.waiting_senders)?;
            here.sched.make_ready(sender);
            Some(into_value(message))
        };
        match first {
            Some(value) => {
                if let Some(next) = from_sender() {
                    shared.buffer.borrow_mut().push_back(next);
                }
                Ok(value)
            }
            None => from_sender().ok_or_else(|| match shared.senders.get() {
                0 => TryRecvError::Closed,
                _ => TryRecvError::Empty,
            }),
        }
    }

    #[inline(always)]
    #[track_caller]
    fn wait(&self, here: Here, by: Option<u64>) -> Result<T, Cut> {
        let waiter = Waiter::new(here.fiber, None);
        match waiter.wait_in(here, &self.shared.waiting_receivers, by, &RECEIVING) {
            Ok(Fate::Served) => {
                Ok(into_value(waiter.take().expect("a sender has put its value in")))
            }
            Ok(_) => Err(Cut::Closed),
            Err(interrupt) => Err(Cut::Short(interrupt)),
        }
    }

    #[track_caller]
    fn recv_by(&self, here: Here, at: u64) -> Result<T, RecvTimeoutError> {
        spend(here);
        match self.take(here) {
            Ok(value) => Ok(value),
            Err(TryRecvError::Empty) => {
                self.wait(here, Some(at)).map_err(Cut::into_recv_timeout_error)
            }
            Err(TryRecvError::Closed) => Err(RecvTimeoutError::Closed),
        }
    }
}

/// What a receiver receives. A type of its own, for a closure's wait would be reported as here.
struct Values<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T> Iterator for Values<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match self.receiver.recv() {
            Ok(value) => Some(value),
            Err(RecvError::Closed | RecvError::Killed) => None,
            Err(RecvError::Deadlock(report)) => panic!("{report}"),
        }
    }
}

impl<T> Shared<T> {
    fn turn_all_away(&self, list: &WaitList) {
        let Some(sched) = scheduler() else { return };
        while let Some(fiber) = waiter::turn_away::<T>(list) {
            sched.make_ready(fiber);
        }
    }
}

/// Only values travel through these channels.
#[inline(always)]
fn into_value<T>(message: Message<T>) -> T {
    match message {
        Message::Value(value) => value,
        Message::Unwind(_) => unreachable!("these channels carry no unwinds"),
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.senders.set(self.shared.senders.get() + 1);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        self.shared.receivers.set(self.shared.receivers.get() + 1);
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.senders.set(self.shared.senders.get() - 1);
        if self.shared.senders.get() == 0 {
            self.shared.turn_all_away(&self.shared.waiting_receivers);
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.receivers.set(self.shared.receivers.get() - 1);
        if self.shared.receivers.get() == 0 {
            self.shared.turn_all_away(&self.shared.waiting_senders);
            // Nobody can ever take these. They are dropped after the borrow has ended.
            let left = std::mem::take(&mut *self.shared.buffer.borrow_mut());
            drop(left);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("len", &self.len()).finish_non_exhaustive()
    }
}
