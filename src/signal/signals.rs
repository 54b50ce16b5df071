//! A stream of signals.
//!
//! Invariant: the subscriptions are dropped before the bell that they ring.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::collections::by_value::by_value;
use crate::io::Waitable;
use crate::reactor::source::{Direction, Wait};
use crate::sched::lowlevel::{Limit, OnDeadlock, WaitReason};
use crate::signal::action::{Action, Subscription, subscribe};
use crate::signal::bell::{self, Bell};
use crate::signal::number::Signal;

static RECEIVING: WaitReason =
    WaitReason::new("waiting for a signal", OnDeadlock::Fail).ended_externally();

/// A receiver of signals, from its creation until it is dropped.
///
/// Every `Signals` of the process that has subscribed to a signal gets it. If several fibers or
/// threads share one, each signal goes to one of them. On a plain thread receiving blocks.
///
/// A signal that comes again before it was received is received once: see [the
/// module](crate::signal#signals-coalesce). Different signals that are pending at the same time are
/// received in the order of their numbers. The effect on the default action is described
/// [there](crate::signal#what-becomes-of-the-default-action), too.
///
/// # Examples
///
/// ```
/// use fibra::signal::{Signal, Signals};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let signals = Signals::new(&[Signal::SIGUSR1, Signal::SIGTERM])?;
///     # let me = std::process::id().to_string();
///     fibra::process::Command::new("kill").args(["-USR1", &me]).status()?;
///     assert_eq!(signals.recv()?, Signal::SIGUSR1);
///     assert_eq!(signals.try_recv(), None);
///     Ok(())
/// })
/// # }
/// ```
pub struct Signals {
    subscriptions: Vec<Subscription>,
    signals: Vec<Signal>,
    bell: Arc<Bell>,
    reader: Waitable<OwnedFd>,
}

impl Signals {
    /// Subscribes to `signals`, from now on.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them cannot be received (`SIGKILL` and `SIGSTOP`; `SIGILL`,
    /// `SIGFPE` and `SIGSEGV`, which report faults), or if no descriptors are left: it takes two.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::signal::{Signal, Signals};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let signals = Signals::new(&[Signal::SIGHUP, Signal::SIGUSR1])?;
    ///     assert_eq!(signals.try_recv(), None); // none has come
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn new(signals: &[Signal]) -> io::Result<Signals> {
        let (bell, reader) = bell::bell()?;
        let bell = Arc::new(bell);
        let mut signals = signals.to_vec();
        signals.sort_unstable();
        signals.dedup();
        let subscribe = |&signal: &Signal| subscribe(signal, Action::Note(bell.clone()));
        let subscriptions = signals.iter().map(subscribe).collect::<io::Result<_>>()?;
        Ok(Signals { subscriptions, signals, bell, reader })
    }

    /// Waits for the next signal.
    ///
    /// # Errors
    ///
    /// Returns an error if the wait itself is not possible: no descriptor is left for the
    /// scheduler, or, where nothing can unwind, the fiber was killed.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::signal::{Signal, Signals};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// fibra::run(|| {
    ///     let signals = Signals::new(&[Signal::SIGUSR1])?;
    ///     fibra::process::Command::new("kill")
    ///         .args(["-USR1", &std::process::id().to_string()])
    ///         .status()?;
    ///     assert_eq!(signals.recv()?, Signal::SIGUSR1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn recv(&self) -> io::Result<Signal> {
        self.receive(Limit::None)
    }

    /// Receives like [`recv`](Signals::recv), but waits no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// The same as for `recv`, and [`TimedOut`](io::ErrorKind::TimedOut).
    #[track_caller]
    pub fn recv_timeout(&self, timeout: Duration) -> io::Result<Signal> {
        self.receive(Limit::After(timeout))
    }

    /// Like [`recv`](Signals::recv), but waits no longer than until `deadline`, by the clock of the
    /// caller's scheduler; on a plain thread, by the system's clock.
    ///
    /// # Errors
    ///
    /// The same as for [`recv_timeout`](Signals::recv_timeout).
    #[track_caller]
    pub fn recv_deadline(&self, deadline: Instant) -> io::Result<Signal> {
        self.receive(Limit::At(deadline))
    }

    /// Returns a signal that has come already, if there is one. Never waits.
    #[must_use]
    pub fn try_recv(&self) -> Option<Signal> {
        self.bell.take()
    }

    /// Returns an iterator over the signals as they come. It ends at an error of
    /// [`recv`](Signals::recv).
    pub fn iter(&self) -> Iter<'_> {
        Iter { signals: self }
    }

    #[track_caller]
    fn receive(&self, limit: Limit) -> io::Result<Signal> {
        let timeout = limit.left();
        let wait = Wait { direction: Direction::Read, timeout, reason: &RECEIVING };
        // There may be more signals than the one that is returned.
        self.reader.io(wait, |reader| self.bell.receive(reader), |_| false)
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_assert_eq!(self.subscriptions.len(), self.signals.len());
        f.debug_tuple("Signals").field(&self.signals).finish()
    }
}

impl<'a> IntoIterator for &'a Signals {
    type Item = Signal;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// An iterator over the signals of a [`Signals`], as they come.
#[derive(Debug)]
pub struct Iter<'a> {
    signals: &'a Signals,
}

impl Iterator for Iter<'_> {
    type Item = Signal;

    #[track_caller]
    fn next(&mut self) -> Option<Signal> {
        self.signals.recv().ok()
    }
}

/// An iterator over the signals of a [`Signals`] that it owns, as they come.
///
/// # Examples
///
/// ```
/// use fibra::signal::{Signal, Signals};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let signals = Signals::new(&[Signal::SIGUSR2])?;
///     # let me = std::process::id().to_string();
///     fibra::process::Command::new("kill").args(["-USR2", &me]).status()?;
///     for signal in signals {
///         assert_eq!(signal, Signal::SIGUSR2);
///         break; // The signal has its former effect again.
///     }
///     Ok(())
/// })
/// # }
/// ```
pub struct IntoIter {
    source: Signals,
}

by_value!([] Signals => IntoIter<>, Signal);
