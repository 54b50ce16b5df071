//! Sleeping while no fiber can run: the interface to the events that end the sleep.
//!
//! The scheduler has no notion of file descriptors. A source of external events, such as the
//! reactor, implements [`Idle`].

#[cfg(feature = "net")]
use std::any::Any;
use std::fmt;
#[cfg(feature = "net")]
use std::sync::OnceLock;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::collections::locked::locked;
#[cfg(feature = "net")]
use crate::collections::publish;
#[cfg(feature = "tokio")]
use crate::collections::run_ring::Alarm;
use crate::fiber::wait_list::WaitList;
use crate::fiber::waits_for::Descriptor;
use crate::sched::time::clock::{Clock, RealClock};

/// Waits for events from outside the scheduler.
pub(crate) trait Idle: fmt::Debug {
    /// Runs the scheduler to its end by `turns`, if this thread belongs to an event loop of another
    /// library, which calls them. Returns whether it did; if not, the scheduler runs by itself.
    #[cfg(feature = "tokio")]
    fn drive(&self, _turns: &dyn Turns) -> bool {
        false
    }

    /// Handles events that have already occurred. Never waits.
    fn poll(&self);

    /// Waits until `until` (forever if that is `None`) or until [`Wake::wake`] is called. May
    /// return early.
    fn wait(&self, until: Option<Instant>);

    /// Returns a handle with which any thread can end the wait.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Takes out the wakers that it holds. Dropping them may run user code.
    fn take_wakers(&self) -> Vec<Waker> {
        Vec::new()
    }

    /// Returns the lists in which fibers wait for descriptors, for dumps.
    fn descriptors(&self) -> Vec<(*const WaitList, Descriptor)> {
        Vec::new()
    }

    /// Returns itself, for the module that installed it.
    #[cfg(feature = "net")]
    fn as_any(&self) -> &dyn Any;
}

/// The turns of a scheduler whose thread another event loop runs, the host.
///
/// ```text
///   host:   turn --> Again                          turn --> Sleep(until)
///                      other tasks of the host                 looks at its own events
///                    turn ...                                  rest(alarm) --> false: turn ...
///                                                                true: waits for events, `until`,
///                                                                or the alarm; then turn ...
/// ```
#[cfg(feature = "tokio")]
pub(crate) trait Turns {
    /// Runs fibers, and polls messages, timers and events once. Does not wait.
    fn turn(&self) -> Next;

    /// Makes the next wake of a fiber by code of the host call `alarm`. Returns whether no fiber is
    /// ready so far.
    fn rest(&self, alarm: Alarm) -> bool;

    /// Runs the scheduler to its end, without the host.
    fn run_until_done(&self);
}

/// The result of one turn.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
#[cfg(feature = "tokio")]
pub(crate) enum Next {
    /// The main fiber has ended.
    Over,
    /// There is more to do.
    Again,
    /// Nothing is left to do until an event, an alarm, or that time.
    Sleep(Option<Instant>),
}

/// A handle that ends an [`Idle::wait`]: the current one or, if there is none, the next one.
pub(crate) trait Wake: Send + Sync + fmt::Debug {
    fn wake(&self);
}

/// A place where one thread waits to be called. A call that comes before the wait ends that wait
/// immediately.
///
/// It works like `thread::park`, but with a token of its own: the thread's token belongs to the
/// user, and a wait of the scheduler would consume it.
#[derive(Debug)]
pub(crate) struct Parker {
    state: Mutex<Parked>,
    called: Condvar,
}

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
enum Parked {
    Awake,
    Asleep,
    Called,
}

impl Parker {
    pub(crate) const fn new() -> Parker {
        Parker { state: Mutex::new(Parked::Awake), called: Condvar::new() }
    }

    /// Waits until it is called, for up to `at_most`.
    pub(crate) fn wait(&self, at_most: Option<Duration>) {
        let mut state = locked(&self.state);
        if *state == Parked::Awake {
            *state = Parked::Asleep;
            let asleep = |state: &mut Parked| *state == Parked::Asleep;
            state = match at_most {
                None => {
                    self.called.wait_while(state, asleep).unwrap_or_else(PoisonError::into_inner)
                }
                Some(at_most) => {
                    let waited = self.called.wait_timeout_while(state, at_most, asleep);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *state = Parked::Awake;
    }

    /// Ends the current wait or, if there is none, the next one. Everything that the caller wrote
    /// before the call is visible to the thread that waited.
    pub(crate) fn call(&self) {
        let mut state = locked(&self.state);
        let before = std::mem::replace(&mut *state, Parked::Called);
        drop(state);
        if before == Parked::Asleep {
            self.called.notify_one();
        }
    }
}

/// The place where a scheduler sleeps: a parker, until the scheduler opens something else that
/// other threads can wake, such as a poller.
#[cfg(feature = "net")]
#[derive(Debug)]
pub(crate) struct Bed<P> {
    opened: OnceLock<P>,
    pub(crate) parker: Parker,
}

#[cfg(feature = "net")]
impl<P> Bed<P> {
    pub(crate) const fn new() -> Bed<P> {
        Bed { opened: OnceLock::new(), parker: Parker::new() }
    }

    /// Makes the scheduler sleep in `opened` from now on. Must be called by the scheduler's own
    /// thread, which must check everything that does not go through the inbox once more before it
    /// sleeps.
    pub(crate) fn open(&self, opened: P) -> &P {
        let opened = self.opened.get_or_init(|| opened);
        publish::fence();
        opened
    }

    pub(crate) fn opened(&self) -> Option<&P> {
        self.opened.get()
    }

    /// Returns the opened sleeping place, which the caller must wake. The caller must have
    /// published the reason before. If nothing is opened yet, calls the parker and returns `None`:
    /// the scheduler either sleeps in the parker, or sees what was published after it has opened
    /// the other place.
    pub(crate) fn call(&self) -> Option<&P> {
        publish::fence();
        let opened = self.opened.get();
        if opened.is_none() {
            self.parker.call();
        }
        opened
    }
}

/// An [`Idle`] that parks the thread: for schedulers that wait only for timers and threads.
#[cfg(any(test, not(feature = "net")))]
#[derive(Debug)]
pub(crate) struct ThreadIdle(Arc<Parker>);

#[cfg(any(test, not(feature = "net")))]
impl ThreadIdle {
    pub(crate) fn new() -> ThreadIdle {
        ThreadIdle(Arc::new(Parker::new()))
    }
}

#[cfg(any(test, not(feature = "net")))]
impl Idle for ThreadIdle {
    fn poll(&self) {}

    fn wait(&self, until: Option<Instant>) {
        park(&self.0, until);
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.0.clone()
    }

    #[cfg(feature = "net")]
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Waits in `parker` until `until`, or forever.
pub(crate) fn park(parker: &Parker, until: Option<Instant>) {
    parker.wait(until.map(|until| until.saturating_duration_since(RealClock.now())));
}

impl Wake for Parker {
    fn wake(&self) {
        self.call();
    }
}
