//! What a scheduler does when no fiber can run: the border to whatever can end the wait.
//!
//! The scheduler knows no file descriptor. Whoever knows events from outside implements [`Idle`].

#[cfg(feature = "net")]
use std::any::Any;
use std::fmt;
#[cfg(feature = "net")]
use std::sync::OnceLock;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

#[cfg(feature = "net")]
use crate::collections::locked::locked;
use crate::collections::publish;
use crate::sched::time::clock::{Clock, RealClock};

/// Waits for events from outside the scheduler.
pub(crate) trait Idle: fmt::Debug {
    /// Takes note of events that are already there; never waits.
    fn poll(&self);

    /// Waits until `until`, or for ever, or until [`Wake::wake`] is called. It may return early.
    fn wait(&self, until: Option<Instant>);

    /// A handle with which any thread ends the wait.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Takes out the wakers that it holds. Dropping them may run user code.
    fn take_wakers(&self) -> Vec<Waker> {
        Vec::new()
    }

    /// Itself, for whoever plugged it in.
    #[cfg(feature = "net")]
    fn as_any(&self) -> &dyn Any;
}

/// Ends an [`Idle::wait`], the present one or, if there is none, the next.
pub(crate) trait Wake: Send + Sync + fmt::Debug {
    fn wake(&self);
}

/// A place where one thread waits to be called: a call that comes first ends the next wait at once.
///
/// It is what `thread::park` is, without the token of the thread: that is the user's, and a wait of ours
/// would take it.
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

    /// Waits until it is called, or for `at_most` so long.
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

    /// Ends the present wait, or the next. What the caller wrote before is seen by the thread that waited.
    pub(crate) fn call(&self) {
        let mut state = locked(&self.state);
        let before = std::mem::replace(&mut *state, Parked::Called);
        drop(state);
        if before == Parked::Asleep {
            self.called.notify_one();
        }
    }
}

/// What a scheduler sleeps in: a parker, until it opens something that others can wake as well.
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

    /// Sleeps in `opened` from now on. For the scheduler's own thread, which looks once more at everything
    /// that does not go through the inbox before it sleeps.
    pub(crate) fn open(&self, opened: P) -> &P {
        let opened = self.opened.get_or_init(|| opened);
        publish::fence();
        opened
    }

    pub(crate) fn opened(&self) -> Option<&P> {
        self.opened.get()
    }

    /// What is to be woken, after the caller has published why. If there is none yet the parker is called:
    /// then the scheduler sleeps in that, or sees what was published when it has opened the other.
    pub(crate) fn call(&self) -> Option<&P> {
        publish::fence();
        let opened = self.opened.get();
        if opened.is_none() {
            self.parker.call();
        }
        opened
    }
}

/// Idles by parking the thread: for schedulers that wait for nothing but timers and threads.
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
