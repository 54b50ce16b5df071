//! The channel for tasklets of several threads: its handles, its settings, and the number of
//! handles.
//!
//! ```text
//!   thread 1: scheduler            SharedChannel                 thread 2: scheduler
//!     tasklet A -- send --> | lock: A's value to C's waiter | <-- receive -- tasklet C
//!        continues          |_______________________________|  -- mail: C is ready --> end of ring
//! ```
//!
//! Invariants:
//! - The lock is held only while a few values are moved: never across a switch, nor while user code
//!   runs.
//! - A value is in one place: with the sender, in a waiter's slot, or with the receiver.
//! - A fiber that waits can be served by others as long as another handle exists. When the last
//!   other handle is dropped, the schedulers of the waiting fibers are woken to check again: it may
//!   be a deadlock now.

use std::any::Any;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::channel::pairing::{After, Pairing, Preference, Side, Step};
use crate::channel::rendezvous::follow;
use crate::collections::locked::locked;
use crate::fiber::header::FiberRef;
use crate::sched::core::scheduler::{CurrentFiber, scheduler};
use crate::sched::shared::ticket::WaitOutcome;
use crate::stackless::channel_error::ChannelError;
use crate::stackless::channel_event::{Arrival, ChannelId};
use crate::stackless::checks::{self, Next};
use queue::State;
use waiter::{Tally, Waiter};

mod queue;
mod recv;
mod send;
mod waiter;

pub use recv::SharedIter;

/// A Stackless channel that tasklets of several threads may use.
///
/// It is `Send` and `Sync`; clones are handles to the same channel. Within a thread it behaves like
/// [`Channel`](crate::stackless::Channel), with preference and `schedule_all`. A partner in another
/// thread is appended to the run ring of that thread, which is woken, and the caller continues.
/// Fibers of every scheduler may wait in it; a plain thread may call [`try_send`](Self::try_send)
/// and [`try_receive`](Self::try_receive).
///
/// A fiber that waits here is not part of a deadlock as long as another handle to the channel
/// exists, in whatever thread. So give each thread a clone of its own instead of a reference to a
/// shared one, and drop the clones that are no longer used.
///
/// # Examples
///
/// ```
/// use fibra::stackless::SharedChannel;
///
/// let numbers = SharedChannel::new();
/// let to_other = numbers.clone();
/// let thread = std::thread::spawn(move || {
///     fibra::run(|| {
///         for i in 1..=3 {
///             to_other.send(i).unwrap();
///         }
///     });
/// });
/// let sum: i32 = fibra::run(|| (0..3).map(|_| numbers.receive().unwrap()).sum());
/// assert_eq!(sum, 6);
/// thread.join().unwrap();
/// ```
pub struct SharedChannel<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    state: Mutex<State<T>>,
    tally: Arc<Tally>,
}

impl<T> SharedChannel<T> {
    /// Creates an open channel. Receivers are preferred.
    #[must_use]
    #[track_caller]
    pub fn new() -> SharedChannel<T> {
        let tally = Arc::new(Tally::new(Location::caller()));
        SharedChannel { inner: Arc::new(Inner { state: Mutex::new(State::new()), tally }) }
    }

    /// Returns the number of waiting senders, or minus the number of waiting receivers. Other
    /// threads may change it at any time.
    #[must_use]
    pub fn balance(&self) -> isize {
        let _state = self.lock();
        let waiting = |side| self.inner.tally.waiting(side) as isize;
        waiting(Side::Send) - waiting(Side::Receive)
    }

    /// Returns which of two partners of the same thread runs first.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.lock().pairing.preference
    }

    /// Sets which of two partners of the same thread runs first.
    pub fn set_preference(&self, preference: Preference) {
        self.change(|old| Pairing::new(preference, old.schedule_all, old.closing));
    }

    /// Returns whether an exchange between two fibers of the same thread lets all others run first.
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.lock().pairing.schedule_all
    }

    /// Sets whether the caller of an exchange with a fiber of its own thread goes to the end of the
    /// run ring.
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.change(|old| Pairing::new(old.preference, schedule_all, old.closing));
    }

    /// Closes the channel: from now on, operations that would have to wait are refused. Fibers that
    /// wait already are not woken.
    pub fn close(&self) {
        self.change(|old| Pairing::new(old.preference, old.schedule_all, true));
    }

    /// Closes the channel, and also refuses the operations of fibers that wait already: senders get
    /// their values back.
    pub fn close_and_wake(&self) {
        let mut state = self.lock();
        state.pairing = Pairing::new(state.pairing.preference, state.pairing.schedule_all, true);
        let closed: Vec<_> =
            state.all().filter(|waiter| waiter.end(WaitOutcome::Closed)).cloned().collect();
        drop(state);
        closed.iter().for_each(|waiter| waiter.ticket().wake(scheduler()));
    }

    /// Opens a closed channel again.
    pub fn open(&self) {
        self.change(|old| Pairing::new(old.preference, old.schedule_all, false));
    }

    /// Returns whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.lock().pairing.closing
    }

    /// Returns whether the channel is closed and no fiber waits at it any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closing() && self.balance() == 0
    }

    /// Returns the identity of the channel, which differs from that of all other channels that
    /// exist.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        ChannelId::of_address(Arc::as_ptr(&self.inner).addr())
    }

    /// Locks the state. Nothing waits or runs user code while it holds this lock.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        locked(&self.inner.state)
    }

    fn change(&self, to: impl FnOnce(Pairing) -> Pairing) {
        let mut state = self.lock();
        state.pairing = to(state.pairing);
    }

    /// Returns whether no value can be received any more.
    fn has_ended(&self) -> bool {
        self.is_closing() && self.balance() <= 0
    }
}

impl<T: Send + 'static> SharedChannel<T> {
    /// Calls the callbacks for an operation that is about to happen, after the checks that come
    /// before them.
    fn announce(
        &self,
        current: CurrentFiber,
        side: Side,
        value: Option<&dyn Any>,
    ) -> Result<(), ChannelError> {
        let arrival = Arrival { channel: self.id(), side };
        arrival.announce(current, || self.foresee(current, side).0 == Step::Wait, value)?;
        checks::check(current, self.foresee(current, side).0)?;
        checks::before_switch(current, || {
            let (step, partner) = self.foresee(current, side);
            Next::of(step, partner)
        });
        Ok(())
    }

    /// Returns the step of an operation on `side` that came now, and the partner if that belongs to
    /// this thread.
    fn foresee(&self, current: CurrentFiber, side: Side) -> (Step, Option<FiberRef>) {
        let mut state = self.lock();
        let (step, partner) = state.foresee(side, Some(&current.sched));
        let fiber = partner.and_then(|partner| partner.ticket().fiber_in(&current.sched));
        (step, fiber.map(|fiber| fiber.to_ref()))
    }
}

/// Puts the partner of an exchange into its run ring, and the caller at its place.
#[inline(always)]
fn go_on<T>(current: CurrentFiber, partner: &Waiter<T>, after: After) {
    match partner.ticket().fiber_in(&current.sched) {
        Some(fiber) => follow(current, fiber, after),
        None => partner.ticket().wake(None),
    }
}

impl<T> Clone for SharedChannel<T> {
    fn clone(&self) -> SharedChannel<T> {
        self.inner.tally.handles.fetch_add(1, Ordering::SeqCst);
        SharedChannel { inner: self.inner.clone() }
    }
}

impl<T> Drop for SharedChannel<T> {
    fn drop(&mut self) {
        // This comes before the wake-up of the others: when they check, they must not count this
        // handle any more.
        let before = self.inner.tally.handles.fetch_sub(1, Ordering::SeqCst);
        if before == 2 {
            self.lock().all().for_each(|waiter| waiter.ticket().nudge());
        }
    }
}

impl<T> Default for SharedChannel<T> {
    #[track_caller]
    fn default() -> SharedChannel<T> {
        SharedChannel::new()
    }
}

impl<T> fmt::Debug for SharedChannel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedChannel")
            .field("balance", &self.balance())
            .field("preference", &self.preference())
            .field("closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}
