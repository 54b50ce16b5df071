//! Shortcuts for signals: the next Ctrl-C, and a closure for each signal.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use crate::sched::api::handle::{current, in_fiber};
use crate::sched::api::join::JoinHandle;
use crate::sched::api::spawn::Builder;
use crate::signal::action;
use crate::signal::number::Signal;
use crate::signal::signals::Signals;

/// Waits for the next Ctrl-C (`SIGINT`).
///
/// From the first call on, and for the rest of the process, Ctrl-C does not end the process any
/// more: otherwise it would between two calls in a loop. A Ctrl-C that comes while no fiber waits
/// is dropped; use [`Signals`] to keep it. All waiters get the same Ctrl-C. Inside
/// [`fibra::main`](crate::main()) it also ends the main fiber, as usual there.
///
/// On a plain thread this blocks.
///
/// # Errors
///
/// Returns an error if no descriptors are left.
///
/// # Examples
///
/// ```no_run
/// fibra::run(|| {
///     fibra::spawn(|| { /* serve */ });
///     fibra::signal::ctrl_c().unwrap();
///     println!("closing time");
/// }); // unwinds the fibers that are left
/// ```
#[track_caller]
pub fn ctrl_c() -> io::Result<()> {
    let signals = Signals::new(&[Signal::SIGINT])?;
    action::hold(Signal::SIGINT)?;
    signals.recv().map(drop)
}

/// Calls `handler` for each `signal`, in a fiber of its own, until the handle is dropped.
///
/// The handler may wait, like any code in a fiber. Signals that come meanwhile count as one when it
/// returns. A panic of the handler is reported, and the signal is no longer received.
///
/// # Errors
///
/// The same as for [`Signals::new`].
///
/// # Panics
///
/// Panics outside of a fiber.
///
/// # Examples
///
/// ```
/// use fibra::signal::{self, Signal};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let (told, heard) = fibra::channel::oneshot();
///     let mut told = Some(told);
///     let handle = signal::on(Signal::SIGHUP, move || {
///         // Read the settings again.
///         told.take().map(|told| told.send("reloaded"));
///     })?;
///     # let me = std::process::id().to_string();
///     fibra::process::Command::new("kill").args(["-HUP", &me]).status()?;
///     assert_eq!(heard.recv().unwrap(), "reloaded");
///     drop(handle);
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn on(signal: Signal, mut handler: impl FnMut() + 'static) -> io::Result<OnSignal> {
    let signals = Signals::new(&[signal])?;
    let stopped = Rc::new(Cell::new(false));
    let stop = stopped.clone();
    let fiber = Builder::new().name(format!("on {signal}")).spawn(move || {
        for _ in &signals {
            handler();
            if stop.get() {
                break;
            }
        }
    });
    Ok(OnSignal { signal, fiber, stopped })
}

/// A guard that keeps a handler for a signal active until it is dropped: see [`on`].
///
/// A handler that is running when this is dropped is killed, unless it is the handler that drops
/// it: that one continues to its end.
///
/// # Examples
///
/// ```
/// use fibra::signal::{self, Signal};
///
/// # fn main() -> std::io::Result<()> {
/// fibra::run(|| {
///     let reload = signal::on(Signal::SIGHUP, || println!("reading the configuration again"))?;
///     assert_eq!(reload.signal(), Signal::SIGHUP);
///     drop(reload); // the signal has its old effect again
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
#[must_use = "the handler is not called any more once this is dropped"]
pub struct OnSignal {
    signal: Signal,
    fiber: JoinHandle<()>,
    stopped: Rc<Cell<bool>>,
}

impl OnSignal {
    /// Returns the signal that is handled.
    #[must_use]
    pub fn signal(&self) -> Signal {
        self.signal
    }
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        self.stopped.set(true);
        if !in_fiber() || current() != *self.fiber.fiber() {
            self.fiber.kill();
        }
    }
}
