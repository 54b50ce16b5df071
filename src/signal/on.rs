//! The short ways to a signal: the next Ctrl-C, and a closure for each.

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
/// From the first call on, and for the rest of the process, Ctrl-C does not end it any more:
/// otherwise it would between two calls in a loop. One that comes while nobody waits is forgotten;
/// [`Signals`] keeps it. All that wait get the same Ctrl-C. Inside [`fibra::main`](crate::main())
/// it also ends the main fiber, as ever there.
///
/// On a plain thread this blocks.
///
/// # Errors
///
/// If no descriptors are left.
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
/// The handler may wait, as any code in a fiber. Signals that come meanwhile are one when it
/// returns. If it panics that is reported, and the signal is not received any more.
///
/// # Errors
///
/// As [`Signals::new`].
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

/// Lets a handler run for each signal, until it is dropped: see [`on`].
///
/// A handler that is at work when this is dropped is killed, but for one that drops it itself: that
/// one goes on to its end.
#[derive(Debug)]
#[must_use = "the handler is not called any more when this is dropped"]
pub struct OnSignal {
    signal: Signal,
    fiber: JoinHandle<()>,
    stopped: Rc<Cell<bool>>,
}

impl OnSignal {
    /// The signal that it is for.
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
