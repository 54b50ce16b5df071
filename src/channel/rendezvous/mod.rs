//! The Stackless channel: a sender gives its value directly to a receiver, and the channel holds
//! none.
//!
//! Every operation asks [`Pairing`] for its step: to meet the first partner that waits, to join the
//! queue, or to fail.
//!
//! Invariants:
//! - At most one of the two queues is not empty: a fiber that finds a partner waiting meets it.
//! - A value moves exactly once. A sender whose wait is interrupted gets its value back.

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::channel::pairing::{After, Pairing, Preference, Side, Step};
use crate::channel::waiter::{WaitOutcome, Waiters};
use crate::sched::lowlevel::{CurrentFiber, FiberPtr, FiberRef, go_last, hand_over, scheduler};

pub(crate) mod arm;
mod recv;
mod send;

pub(crate) use recv::open;
pub use recv::{IntoIter, Iter};

/// A rendezvous channel with the semantics of Stackless Python.
///
/// Clones are handles to the same channel. A sender waits until a receiver takes its value, and a
/// receiver waits until a sender brings one; both queue in strict order. By default the receiver is
/// preferred: a send to a waiting receiver runs it immediately, and the sender goes to the end of
/// the run ring. [`Preference`] and [`set_schedule_all`](Channel::set_schedule_all) change that.
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
///         numbers.close();
///     });
///     assert_eq!(channel.iter().collect::<Vec<_>>(), [1, 2, 3]);
/// });
/// ```
#[doc(alias = "chan")]
pub struct Channel<T> {
    inner: Rc<Inner<T>>,
}

struct Inner<T> {
    senders: Waiters<T>,
    receivers: Waiters<T>,
    pairing: Cell<Pairing>,
}

impl<T> Channel<T> {
    /// Creates an open channel that prefers the receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let other_end = channel.clone(); // a handle to the same channel
    ///     fibra::spawn(move || other_end.send(1));
    ///     assert_eq!(channel.recv(), Ok(1));
    /// });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn new() -> Channel<T> {
        let place = Location::caller();
        let inner = Inner {
            senders: Waiters::of_channel(place),
            receivers: Waiters::of_channel(place),
            pairing: Cell::new(Pairing::default()),
        };
        Channel { inner: Rc::new(inner) }
    }

    /// Returns the number of senders that wait, or the negated number of receivers that wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let sender = channel.clone();
    ///     fibra::spawn(move || sender.send(1));
    ///     fibra::yield_now(); // the sender waits
    ///     assert_eq!(channel.balance(), 1);
    ///     assert_eq!(channel.recv().unwrap(), 1);
    ///     assert_eq!(channel.balance(), 0);
    /// });
    /// ```
    #[must_use]
    pub fn balance(&self) -> isize {
        self.inner.balance()
    }

    /// Returns which of two partners runs first.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.inner.pairing.get().preference
    }

    /// Sets which of two partners runs first.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{Channel, Preference};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     channel.set_preference(Preference::Sender);
    ///     let values = channel.clone();
    ///     let receiver = fibra::spawn(move || values.recv().unwrap());
    ///     fibra::yield_now(); // it waits now
    ///     channel.send(1).unwrap(); // the sender continues first
    ///     assert!(!receiver.is_finished());
    ///     assert_eq!(receiver.join(), Ok(1));
    /// });
    /// ```
    pub fn set_preference(&self, preference: Preference) {
        self.inner.change(|old| Pairing::new(preference, old.schedule_all, old.closing));
    }

    /// Returns whether the caller of every meeting goes to the end of the run ring.
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.inner.pairing.get().schedule_all
    }

    /// Sets whether the caller of every meeting goes to the end of the run ring, behind its
    /// partner. This takes precedence over the preference.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     channel.set_schedule_all(true);
    ///     let receiver = channel.clone();
    ///     fibra::spawn(move || receiver.recv());
    ///     fibra::yield_now();
    ///     let other = fibra::spawn(|| ());
    ///     channel.send(1).unwrap(); // returns behind all fibers that can run
    ///     assert!(other.is_finished());
    /// });
    /// ```
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.inner.change(|old| Pairing::new(old.preference, schedule_all, old.closing));
    }

    /// Closes the channel: operations that wait fail, and so do all later ones that would have to.
    /// Senders get their values back.
    ///
    /// The fibers that waited are appended to the run ring; the caller goes on. Closing a closed
    /// channel does nothing. (Stackless' `close` wakes none of them: see
    /// [`stackless::Channel::close`](crate::stackless::Channel::close).)
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::{Channel, SendError};
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::new();
    ///     let letters = channel.clone();
    ///     let sender = fibra::spawn(move || letters.send("a"));
    ///     fibra::yield_now(); // the sender waits
    ///     channel.close();
    ///     assert!(matches!(sender.join().unwrap(), Err(SendError::Closed("a"))));
    /// });
    /// ```
    pub fn close(&self) {
        self.close_quietly();
        let Some(sched) = scheduler() else { return };
        for list in [&self.inner.senders, &self.inner.receivers] {
            while let Some(fiber) = list.release(WaitOutcome::Closed) {
                sched.make_ready(fiber);
            }
        }
    }

    /// Opens a closed channel again.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::channel::Channel;
    ///
    /// fibra::run(|| {
    ///     let channel = Channel::<u32>::new();
    ///     channel.close();
    ///     assert!(channel.try_recv().unwrap_err().is_closed());
    ///     channel.open();
    ///     assert!(channel.try_recv().unwrap_err().is_empty()); // a value may come again
    /// });
    /// ```
    pub fn open(&self) {
        self.inner.change(|old| Pairing::new(old.preference, old.schedule_all, false));
    }

    /// Returns whether [`close`](Channel::close) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.inner.pairing.get().closing
    }

    /// Returns whether the channel is closed and no fiber waits at it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closing() && self.balance() == 0
    }
}

/// The operations for façades over the channel.
impl<T> Channel<T> {
    /// Closes the channel without waking any fiber: those that wait can still be met.
    pub(crate) fn close_quietly(&self) {
        self.inner.change(|old| Pairing::new(old.preference, old.schedule_all, true));
    }

    /// Returns the step of a fiber that arrives on `side` and takes that step now.
    #[inline(always)]
    pub(crate) fn arrive(&self, side: Side) -> Step {
        self.inner.pairing.get().arrive(side, self.inner.others(side).claim())
    }

    /// Returns the step of a fiber that would arrive on `side` now.
    #[inline(always)]
    pub(crate) fn foresee(&self, side: Side) -> Step {
        self.inner.pairing.get().arrive(side, self.inner.others(side).len() != 0)
    }

    /// Returns the first fiber that waits.
    pub(crate) fn first_waiting(&self) -> Option<FiberRef> {
        let first = self.inner.senders.first().or(self.inner.receivers.first());
        first.map(FiberPtr::to_ref)
    }

    /// Returns the fibers that wait, in the order in which they came.
    pub(crate) fn waiting(&self) -> Vec<FiberRef> {
        let (senders, receivers) = (self.inner.senders.fibers(), self.inner.receivers.fibers());
        senders.into_iter().chain(receivers).map(FiberPtr::to_ref).collect()
    }

    /// Replaces the value that `sender`, which waits to send here, has brought.
    pub(crate) fn replace_value(&self, sender: &FiberRef, value: T) -> Result<T, T> {
        self.inner.senders.replace(sender.ptr(), value)
    }

    /// Returns the address of the shared state: no other channel has it while this one exists.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.inner).addr()
    }
}

impl<T> Inner<T> {
    /// Returns the queue in which the partners of a fiber on `side` wait.
    #[inline(always)]
    fn others(&self, side: Side) -> &Waiters<T> {
        if side == Side::Send { &self.receivers } else { &self.senders }
    }

    fn balance(&self) -> isize {
        self.senders.len() as isize - self.receivers.len() as isize
    }

    fn change(&self, to: impl FnOnce(Pairing) -> Pairing) {
        self.pairing.set(to(self.pairing.get()));
    }
}

/// Makes the partner of a meeting ready, and moves the caller as `after` demands.
#[inline(always)]
pub(crate) fn follow(current: CurrentFiber, partner: FiberPtr, after: After) {
    match after {
        After::GoOn => current.sched.make_ready(partner),
        After::RunPartner => hand_over(current, partner),
        After::RunAll => {
            current.sched.make_ready(partner);
            go_last(current);
        }
    }
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Channel<T> {
        Channel { inner: self.inner.clone() }
    }
}

impl<T> Default for Channel<T> {
    #[track_caller]
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
