//! The channel for tasklets of several threads: its handles, its settings, and how many hold it.
//!
//! ```text
//!   thread 1: scheduler            SharedChannel                 thread 2: scheduler
//!     tasklet A -- send --> | lock: A's value to C's waiter | <-- receive -- tasklet C
//!        goes on            |_______________________________|  -- mail: C is ready --> end of ring
//! ```
//!
//! Invariants:
//! - The lock is held for a few moves at a time: never across a switch, nor while user code runs.
//! - A value is in one place: with the sender, in a waiter's slot, or with the receiver.
//! - Who waits can be served by others as long as another handle exists. When the last other handle
//!   goes, the schedulers of those who wait are told to look again: it may be a deadlock now.

use std::any::Any;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::channel::pairing::{After, Pairing, Preference, Side, Step};
use crate::channel::rendezvous::follow;
use crate::fiber::header::FiberRef;
use crate::sched::outside::Fate;
use crate::sched::scheduler::{Here, scheduler};
use crate::stackless::channel_error::ChannelError;
use crate::stackless::channel_event::{Arrival, ChannelId};
use crate::stackless::gate::{self, Next};
use queue::State;
use waiter::{Tally, Waiter};

mod queue;
mod recv;
mod send;
mod waiter;

pub use recv::SharedIter;

/// A Stackless channel that tasklets of several threads may use.
///
/// It is `Send` and `Sync`; clones are handles to the same channel. Within a thread it behaves as
/// [`Channel`](crate::stackless::Channel), with preference and `schedule_all`. A partner in another
/// thread is appended to the ring of that thread, which is woken, and the caller goes on (S-192).
/// Fibers of every scheduler may wait in it; a plain thread may [`try_send`](Self::try_send) and
/// [`try_receive`](Self::try_receive).
///
/// A fiber that waits here is not part of a deadlock as long as there is another handle to the
/// channel, wherever that is. So give each thread a clone of its own, not a reference to one that
/// all share, and drop the clones that nobody uses any more.
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
    /// An open channel, with the receiver preferred.
    #[must_use]
    pub fn new() -> SharedChannel<T> {
        let tally = Arc::new(Tally::default());
        tally.handles.store(1, Ordering::SeqCst);
        SharedChannel { inner: Arc::new(Inner { state: Mutex::new(State::new()), tally }) }
    }

    /// The number of senders that wait, or minus the number of receivers that wait (S-135). Other
    /// threads may change it at any time.
    #[must_use]
    pub fn balance(&self) -> isize {
        let _state = self.lock();
        let waiting = |side| self.inner.tally.waiting(side) as isize;
        waiting(Side::Send) - waiting(Side::Receive)
    }

    /// Which of two partners of one thread runs first.
    #[must_use]
    pub fn preference(&self) -> Preference {
        self.lock().pairing.preference
    }

    /// Says which of two partners of one thread runs first.
    pub fn set_preference(&self, preference: Preference) {
        self.change(|old| Pairing::new(preference, old.schedule_all, old.closing));
    }

    /// Whether a meeting of two fibers of one thread lets all others run first.
    #[must_use]
    pub fn schedule_all(&self) -> bool {
        self.lock().pairing.schedule_all
    }

    /// Lets the caller of a meeting with a fiber of its own thread go behind everybody (S-141).
    pub fn set_schedule_all(&self, schedule_all: bool) {
        self.change(|old| Pairing::new(old.preference, schedule_all, old.closing));
    }

    /// Closes the channel: from now on operations that would have to wait are refused. It wakes
    /// nobody (S-156, S-159).
    pub fn close(&self) {
        self.change(|old| Pairing::new(old.preference, old.schedule_all, true));
    }

    /// Closes the channel and refuses those who wait, too. Senders get their values back.
    pub fn close_and_wake(&self) {
        let mut state = self.lock();
        state.pairing = Pairing::new(state.pairing.preference, state.pairing.schedule_all, true);
        let closed: Vec<_> =
            state.all().filter(|waiter| waiter.end(Fate::Closed)).cloned().collect();
        drop(state);
        closed.iter().for_each(|waiter| waiter.ticket().wake(scheduler()));
    }

    /// Opens a closed channel again (S-158).
    pub fn open(&self) {
        self.change(|old| Pairing::new(old.preference, old.schedule_all, false));
    }

    /// Whether [`close`](Self::close) was called.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.lock().pairing.closing
    }

    /// Whether it is closed and nobody waits at it any more (S-157).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.is_closing() && self.balance() == 0
    }

    /// What tells it from all other channels that exist.
    #[must_use]
    pub fn id(&self) -> ChannelId {
        ChannelId::of_address(Arc::as_ptr(&self.inner).addr())
    }

    /// Nothing under this lock waits or runs user code.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, to: impl FnOnce(Pairing) -> Pairing) {
        let mut state = self.lock();
        state.pairing = to(state.pairing);
    }

    /// Whether nothing comes out of it any more (S-154).
    fn has_ended(&self) -> bool {
        self.is_closing() && self.balance() <= 0
    }
}

impl<T: Send + 'static> SharedChannel<T> {
    /// Tells the callbacks what is about to be done, after the checks that come before them.
    fn announce(
        &self,
        here: Here,
        side: Side,
        value: Option<&dyn Any>,
    ) -> Result<(), ChannelError> {
        let arrival = Arrival { channel: self.id(), side };
        arrival.announce(here, || self.foresee(here, side).0 == Step::Wait, value)?;
        gate::check(here, self.foresee(here, side).0)?;
        gate::before_switch(here, || {
            let (step, partner) = self.foresee(here, side);
            Next::of(step, partner)
        });
        Ok(())
    }

    /// What one would do who came on `side` now, and the partner if that is of this thread.
    fn foresee(&self, here: Here, side: Side) -> (Step, Option<FiberRef>) {
        let mut state = self.lock();
        let (step, partner) = state.foresee(side, Some(&here.sched));
        let fiber = partner.and_then(|partner| partner.ticket().fiber_in(&here.sched));
        (step, fiber.map(|fiber| fiber.to_ref()))
    }
}

/// Puts the partner of a meeting into its ring, and the caller where it belongs.
#[inline(always)]
fn go_on<T>(here: Here, partner: &Waiter<T>, after: After) {
    match partner.ticket().fiber_in(&here.sched) {
        Some(fiber) => follow(here, fiber, after),
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
        // Before the others are told: when they look, they must not count this one any more.
        let before = self.inner.tally.handles.fetch_sub(1, Ordering::SeqCst);
        if before == 2 {
            self.lock().all().for_each(|waiter| waiter.ticket().nudge());
        }
    }
}

impl<T> Default for SharedChannel<T> {
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
