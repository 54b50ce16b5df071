//! The root function of a greenlet's stack, and the target that the end of a greenlet leads to.
//!
//! ```text
//!   outcome ---> value, exit, or a payload to raise
//!     its last handle is gone --> discarded: its killer continues
//!     its frame ends -----------> discarded
//!     otherwise ----------------> the parent, and on to the next one as long as that is
//!        dead                       for any outcome
//!        unstarted                  a value starts it; any other outcome ends it
//!        of another context         main gets the outcome; a value is replaced by an error
//! ```
//!
//! Invariants:
//! - All of this runs on the greenlet's own stack while it is the current greenlet: destructors may
//!   do anything that its function could have done. After the last of them, the target is looked
//!   up, gets its message and becomes the current greenlet, and the root function returns.
//! - The main greenlet is at the end of every chain of parents, and is never dead while a greenlet
//!   of its context runs.

#![allow(unsafe_code, reason = "follows pointers to the running record, and to a killer")]

use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

use crate::greenlet::ancestry::Life;
use crate::greenlet::context::{Context, Flags};
use crate::greenlet::core::{Core, Message, Signal};
use crate::greenlet::error::{GreenletExit, Payload, Refusal};
use crate::greenlet::header::Killer;
use crate::greenlet::kill::report_unwanted;
use crate::greenlet::trace::{Event, GreenletId};

/// Runs as the function at the base of a greenlet's stack. It does not unwind.
///
/// # Safety
///
/// `at` must point to a started greenlet that stays alive until this function has returned.
pub(super) unsafe fn root<V: 'static>(at: *const Core<V>) {
    // SAFETY: guaranteed by the caller.
    let core = unsafe { &*at };
    let context = core.header.context.get().expect("a started greenlet has a context");
    // A greenlet is isolated like a fiber: what its function leaves in an inconsistent state is
    // seen only by code that knowingly shares it.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| core.run(context)));
    core.finish(context, outcome);
}

impl<V: 'static> Core<V> {
    fn run(&self, context: &Context) -> V {
        let run = self.run.take().expect("a greenlet is started once");
        match self.arrive::<()>(context) {
            Ok(first) => run(first),
            Err(error) => unreachable!("a value starts a greenlet: {error}"),
        }
    }

    /// Handles the end of the function: delivers its outcome, and determines the next greenlet to
    /// run.
    fn finish(&self, context: &Rc<Context>, outcome: Result<V, Payload>) {
        let message = match outcome {
            Ok(value) => Message::Value(value),
            Err(payload) => Message::Signal(Signal::Raise(payload).leave()),
        };
        if context.has_flag(Flags::CLOSING) {
            return discard(context, message);
        }
        if matches!(self.header.killer.get(), Killer::Nobody) {
            return self.pass_up(context, message);
        }
        discard(context, message);
        if !self.wake_killer(context) {
            // The killer went on without waiting for this end, which must lead to some other
            // greenlet.
            self.pass_up(context, Message::Signal(Signal::Exit(GreenletExit::default())));
        }
    }

    /// Makes the killer that waits for this greenlet's end the current greenlet. Returns whether it
    /// still waits.
    fn wake_killer(&self, context: &Context) -> bool {
        match self.header.killer.get() {
            Killer::Main if context.main_kills.get() => {
                context.note(Event::Switch, || self.header.id());
                context.current.set(ptr::null());
                true
            }
            Killer::Other(killer) => {
                // SAFETY: a killer is alive while it is recorded here.
                let header = unsafe { &*killer }.header();
                let waits = header.kills.get() && header.is_suspended();
                if waits {
                    context.note(Event::Switch, || self.header.id());
                    context.current.set(killer.cast());
                }
                waits
            }
            _ => false,
        }
    }

    /// Delivers `message` to the nearest ancestor that accepts it, which is the next one to run.
    fn pass_up(&self, context: &Rc<Context>, mut message: Message<V>) {
        let mut at = self.parent_in(context);
        // The origin that the tracer sees. It is an unstarted greenlet if a signal has just been
        // raised in that.
        let mut origin = self.header.id();
        loop {
            match at.life(context) {
                Life::Waiting => break,
                Life::WaitsForOtherType => {
                    return end_in_main_of_other_type(context, origin, message);
                }
                Life::Dead | Life::Current => at = at.parent_in(context),
                Life::Elsewhere => {
                    message = replace(context, message, "the parent has gone to a different fiber");
                    at = context.main();
                }
                Life::Unstarted => match at.start_with(context, message, &mut origin) {
                    Ok(first) => {
                        message = first;
                        break;
                    }
                    Err(other) => {
                        message = other;
                        at = at.parent_in(context);
                    }
                },
            }
        }
        context.note(message.event(), || origin);
        // SAFETY: the greenlet waits in this context. Its roster, or the context, keeps it alive
        // when `at` is dropped.
        unsafe { Core::send_and_go(Rc::as_ptr(&at), context, message) };
    }

    /// Starts an unstarted parent if a value comes to it. Otherwise, or if it cannot be started,
    /// returns the message that the parent of the parent gets. A signal ends the unstarted parent;
    /// one that could not be started stays unstarted.
    fn start_with(
        self: &Rc<Self>,
        context: &Rc<Context>,
        message: Message<V>,
        origin: &mut GreenletId,
    ) -> Result<Message<V>, Message<V>> {
        match message {
            Message::Value(_) => match self.start(context) {
                Ok(()) => Ok(message),
                Err(refusal) => Err(replace(context, message, &text_of(refusal))),
            },
            Message::Signal(signal) => {
                let left = self.raise_in_unstarted(context, signal, Some(*origin));
                *origin = self.header.id();
                Err(Message::Signal(left))
            }
        }
    }
}

/// Delivers `message` to the main greenlet, which waits for values of another family. A signal is
/// the same for all families; a value is replaced by an error.
fn end_in_main_of_other_type<V>(context: &Context, origin: GreenletId, message: Message<V>) {
    let signal = match message {
        Message::Signal(signal) => signal,
        value => {
            discard(context, value);
            Signal::Raise(Box::new(text_of(Refusal::family::<V>(context.family_of_main()))))
        }
    };
    context.note(signal.event(), || origin);
    context.signal_main(signal);
}

impl<V> Message<V> {
    fn event(&self) -> Event {
        match self {
            Message::Value(_) => Event::Switch,
            Message::Signal(signal) => signal.event(),
        }
    }
}

/// Drops a value that cannot be delivered, and returns an error for the next ancestor. Returns a
/// signal unchanged.
fn replace<V>(context: &Context, message: Message<V>, why: &str) -> Message<V> {
    match message {
        Message::Value(_) => {
            discard(context, message);
            Message::Signal(Signal::Raise(Box::new(String::from(why))))
        }
        signal => signal,
    }
}

fn text_of(refusal: Refusal) -> String {
    refusal.with(()).to_string()
}

/// Drops the outcome of a greenlet that no other greenlet gets. A panic is reported.
fn discard<V>(context: &Context, message: Message<V>) {
    match message {
        Message::Signal(Signal::Raise(payload)) => report_unwanted(payload),
        other => context.quietly("the destructor of what a greenlet returned", || drop(other)),
    }
}
