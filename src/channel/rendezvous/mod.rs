//! The Stackless channel: values go from hand to hand, and the channel holds none.
//!
//! Every operation asks [`Pairing`] and does what it says: meet the first partner that waits, join
//! the queue, or be refused.
//!
//! Invariants:
//! - At most one of the two queues has anybody in it: who finds a partner waiting meets it.
//! - A value moves exactly once. A sender that is cut short gets its own back.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::channel::pairing::{After, Pairing, Preference, Side, Step};
use crate::channel::waiter;
use crate::sched::lowlevel::{FiberPtr, FiberRef, Here, WaitList, go_last, hand_over, scheduler};

pub(crate) mod arm;
mod recv;
mod send;

pub(crate) use recv::open;
pub use recv::{IntoIter, Iter};

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
///         numbers.close();
///     });
///     assert_eq!(channel.iter().collect::<Vec<_>>(), [1, 2, 3]);
/// });
/// ```
pub struct Channel<T> {
    inner: Rc<Inner<T>>,
}

struct Inner<T> {
    senders: WaitList,
    receivers: WaitList,
    pairing: Cell<Pairing>,
    /// Values go in by one handle and come out by another, which may have another lifetime in its
    /// type if the types vary: as a cell, a channel must not.
    marker: PhantomData<Cell<T>>,
}

impl<T> Channel<T> {
    /// An open channel, with the receiver preferred.
    #[must_use]
    pub fn new() -> Channel<T> {
        let inner = Inner {
            senders: WaitList::new(),
            receivers: WaitList::new(),
            pairing: Cell::new(Pairing::default()),
            marker: PhantomData,
        };
        Channel { inner: Rc::new(inner) }
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
        self.inner.change(|old| Pairing::new(preference, old.schedule_all, old.closing));
    }

    /// Whether every meeting lets all other fibers run first.
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.inner.pairing.get().schedule_all
    }

    /// Lets the caller of each meeting go behind everybody, its partner included (S-141). This
    /// comes before the preference.
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.inner.change(|old| Pairing::new(old.preference, schedule_all, old.closing));
    }

    /// Closes the channel: operations that wait are refused, and from now on all that would have to.
    /// Senders get their values back.
    ///
    /// The fibers that waited are appended to the ring; the caller goes on. Closing a closed channel
    /// does nothing. (Stackless' `close` wakes none of them: see
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
            while let Some(fiber) = waiter::turn_away::<T>(list) {
                sched.make_ready(fiber);
            }
        }
    }

    /// Opens a closed channel again (S-158).
    pub fn open(&self) {
        self.inner.change(|old| Pairing::new(old.preference, old.schedule_all, false));
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
}

/// For façades over the channel.
impl<T> Channel<T> {
    /// Closes the channel and wakes nothing: those that wait can still be met.
    pub(crate) fn close_quietly(&self) {
        self.inner.change(|old| Pairing::new(old.preference, old.schedule_all, true));
    }

    /// What a fiber would do that came on `side` now.
    #[inline(always)]
    pub(crate) fn arrive(&self, side: Side) -> Step {
        let others = if side == Side::Send { &self.inner.receivers } else { &self.inner.senders };
        self.inner.pairing.get().arrive(side, others.len())
    }

    /// The first of those who wait.
    pub(crate) fn first_waiting(&self) -> Option<FiberRef> {
        let first = self.inner.senders.first().or(self.inner.receivers.first());
        first.map(FiberPtr::to_ref)
    }

    /// Those who wait, the first first.
    pub(crate) fn waiting(&self) -> Vec<FiberRef> {
        let (senders, receivers) = (self.inner.senders.fibers(), self.inner.receivers.fibers());
        senders.into_iter().chain(receivers).map(FiberPtr::to_ref).collect()
    }

    /// Puts `value` in the place of the one that `sender`, which waits to send here, has brought.
    pub(crate) fn replace_value(&self, sender: &FiberRef, value: T) -> Result<T, T> {
        waiter::replace(&self.inner.senders, sender.ptr(), value)
    }

    /// The address of what the handles share: no other channel has it while this one exists.
    pub(crate) fn address(&self) -> usize {
        Rc::as_ptr(&self.inner).addr()
    }
}

impl<T> Inner<T> {
    fn balance(&self) -> isize {
        self.senders.len() as isize - self.receivers.len() as isize
    }

    fn change(&self, to: impl FnOnce(Pairing) -> Pairing) {
        self.pairing.set(to(self.pairing.get()));
    }
}

/// Puts the partner of a meeting into the ring, and the caller where it belongs.
#[inline(always)]
pub(crate) fn follow(here: Here, partner: FiberPtr, after: After) {
    match after {
        After::GoOn => here.sched.make_ready(partner),
        After::RunPartner => hand_over(here, partner),
        After::RunAll => {
            here.sched.make_ready(partner);
            go_last(here);
        }
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
