//! The root of a greenlet's stack, and where its end leads to.
//!
//! ```text
//!   outcome ---> value, exit, or something to raise
//!     its last handle is gone --> nowhere: its killer goes on
//!     its frame ends -----------> nowhere
//!     else ---------------------> the parent, and on to the next one as long as that is
//!        dead                       whatever it is
//!        unstarted                  it is started with a value (G-045); anything else ends it (G-048)
//!        of another world           an error instead
//! ```
//!
//! Invariants:
//! - All of this runs on the greenlet's own stack while it is the current one: destructors may do
//!   anything that its function could have done. After the last of them the target is looked up, gets
//!   its message and becomes the current one, and the root returns.
//! - Main is at the end of every chain, and is never dead while something of its world runs (G-052).

#![allow(unsafe_code, reason = "follows pointers to the record that runs, and to a killer")]

use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

use crate::greenlet::core::{Core, Message, Signal};
use crate::greenlet::error::{GreenletExit, Payload, Refusal};
use crate::greenlet::head::Killer;
use crate::greenlet::kill::report_unwanted;
use crate::greenlet::kin::Life;
use crate::greenlet::trace::{Event, GreenletId};
use crate::greenlet::world::{Attention, World};

/// The function at the base of a greenlet's stack. It does not unwind.
///
/// # Safety
///
/// `at` must point to a started greenlet that stays alive until this has returned.
pub(super) unsafe fn root<V: 'static>(at: *const Core<V>) {
    // SAFETY: the caller's promise.
    let core = unsafe { &*at };
    let world = core.head.world.get().expect("a started greenlet has a world");
    // A greenlet is isolated like a fiber: what its function leaves broken is seen by nobody but
    // those who share it knowingly.
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| core.run(world)));
    core.finish(world, outcome);
}

impl<V: 'static> Core<V> {
    fn run(&self, world: &World) -> V {
        let run = self.run.take().expect("a greenlet is started once");
        match self.arrive::<()>(world) {
            Ok(first) => run(first),
            Err(error) => unreachable!("a value starts a greenlet: {error}"),
        }
    }

    /// Its function is over: says who runs next.
    fn finish(&self, world: &Rc<World>, outcome: Result<V, Payload>) {
        let message = match outcome {
            Ok(value) => Message::Value(value),
            Err(payload) => Message::Signal(Signal::Raise(payload).leave()),
        };
        if world.attends(Attention::CLOSING) {
            return discard(world, message);
        }
        if matches!(self.head.killer.get(), Killer::Nobody) {
            return self.pass_up(world, message);
        }
        discard(world, message);
        if !self.wake_killer(world) {
            // It went on without waiting for this. Its end must lead somewhere.
            self.pass_up(world, Message::Signal(Signal::Exit(GreenletExit::default())));
        }
    }

    /// Hands the thread to whoever waits for this greenlet's end, if they still do.
    fn wake_killer(&self, world: &World) -> bool {
        match self.head.killer.get() {
            Killer::Main if world.main_kills.get() => {
                world.note(Event::Switch, || self.head.id());
                world.current.set(ptr::null());
                true
            }
            Killer::Other(killer) => {
                // SAFETY: a killer is alive while it stands here.
                let head = unsafe { &*killer }.head();
                let waits = head.kills.get() && head.is_suspended();
                if waits {
                    world.note(Event::Switch, || self.head.id());
                    world.current.set(killer.cast());
                }
                waits
            }
            _ => false,
        }
    }

    /// Delivers `message` to its nearest ancestor that takes it, who runs next.
    fn pass_up(&self, world: &Rc<World>, mut message: Message<V>) {
        let mut at = self.parent_in(world);
        // Who the tracer hears of: an unstarted greenlet in which a signal has just been raised.
        let mut origin = self.head.id();
        loop {
            match at.life(world) {
                Life::Waiting => break,
                Life::Deaf => return end_in_deaf_main(world, origin, message),
                Life::Dead | Life::Current => at = at.parent_in(world),
                Life::Elsewhere => {
                    message = replace(world, message, "the parent has gone to a different fiber");
                    at = world.main();
                }
                Life::Unstarted => match at.start_with(world, message, &mut origin) {
                    Ok(first) => {
                        message = first;
                        break;
                    }
                    Err(other) => {
                        message = other;
                        at = at.parent_in(world);
                    }
                },
            }
        }
        world.note(message.event(), || origin);
        // SAFETY: it waits in this world. Its roster, or the world, keeps it when `at` is gone.
        unsafe { Core::send_and_go(Rc::as_ptr(&at), world, message) };
    }

    /// Starts an unstarted parent if a value comes to it. Else it ends, or stays as it is if it could
    /// not start, and this is what its own parent gets.
    fn start_with(
        self: &Rc<Self>,
        world: &Rc<World>,
        message: Message<V>,
        origin: &mut GreenletId,
    ) -> Result<Message<V>, Message<V>> {
        match message {
            Message::Value(_) => match self.start(world) {
                Ok(()) => Ok(message),
                Err(refusal) => Err(replace(world, message, &text_of(refusal))),
            },
            Message::Signal(signal) => {
                let left = self.raise_in_unstarted(world, signal, Some(*origin));
                *origin = self.head.id();
                Err(Message::Signal(left))
            }
        }
    }
}

/// Main waits for values of another family: a signal is the same to all, a value is an error.
fn end_in_deaf_main<V>(world: &World, origin: GreenletId, message: Message<V>) {
    let signal = match message {
        Message::Signal(signal) => signal,
        value => {
            discard(world, value);
            Signal::Raise(Box::new(text_of(Refusal::family::<V>(world.family_of_main()))))
        }
    };
    world.note(signal.event(), || origin);
    world.signal_main(signal);
}

impl<V> Message<V> {
    fn event(&self) -> Event {
        match self {
            Message::Value(_) => Event::Switch,
            Message::Signal(signal) => signal.event(),
        }
    }
}

/// Drops a value that cannot be delivered, and says so to whoever comes next. A signal goes on.
fn replace<V>(world: &World, message: Message<V>, why: &str) -> Message<V> {
    match message {
        Message::Value(_) => {
            discard(world, message);
            Message::Signal(Signal::Raise(Box::new(String::from(why))))
        }
        signal => signal,
    }
}

fn text_of(refusal: Refusal) -> String {
    refusal.with(()).to_string()
}

/// Nobody wants to know how the greenlet has ended.
fn discard<V>(world: &World, message: Message<V>) {
    match message {
        Message::Signal(Signal::Raise(payload)) => report_unwanted(payload),
        other => world.quietly("the destructor of what a greenlet returned", || drop(other)),
    }
}
