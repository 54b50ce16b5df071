//! Throws: how a payload is raised in another greenlet, and where it goes from there.
//!
//! ```text
//!   throw at ---> a greenlet that waits, or the current one: it is raised there
//!                 unstarted: the greenlet ends, and the payload goes on to its parent
//!                 dead: the payload goes on to its parent
//! ```
//!
//! Invariant: a [`GreenletExit`](crate::greenlet::GreenletExit) that has ended a greenlet is
//! returned to the next greenlet, and not raised in it.

#![allow(unsafe_code, reason = "delivers what is raised")]

use std::rc::Rc;

use crate::greenlet::ancestry::Life;
use crate::greenlet::context::Context;
use crate::greenlet::core::{Core, Message, Signal};
use crate::greenlet::error::{Payload, Refusal, ThrowError, thrown};
use crate::greenlet::trace::GreenletId;

/// A message, and the greenlet that gets it.
type Addressed<V> = (Rc<Core<V>>, Message<V>);

impl<V: 'static> Core<V> {
    /// Raises `payload` in the greenlet, and waits for the answer.
    #[cold]
    #[inline(never)]
    pub(super) fn throw(self: &Rc<Self>, payload: Payload) -> Result<V, ThrowError> {
        let context = match self.enter() {
            Ok(context) => context,
            Err(refusal) => return Err(refusal.with(thrown(payload))),
        };
        if self.life(&context) == Life::Unstarted && !self.has_run() {
            return Err(Refusal::NoRun.with(thrown(payload)));
        }
        let (target, message) = match self.find_raised(&context, payload) {
            Ok(found) => found,
            Err((refusal, payload)) => return Err(refusal.with(thrown(payload))),
        };
        // SAFETY: `find_raised` returns a greenlet that waits, or the current one, and no user code
        // has run since.
        unsafe { Core::deliver(target, &context, message) }
    }

    /// Returns the greenlet that gets `payload` if it is thrown into this one, and the message that
    /// it gets. The payload passes through dead greenlets and ends unstarted ones. An exit that
    /// ends a greenlet is not raised any further.
    fn find_raised(
        self: &Rc<Self>,
        context: &Rc<Context>,
        payload: Payload,
    ) -> Result<Addressed<V>, (Refusal, Payload)> {
        let mut at = self.clone();
        let mut signal = Signal::Raise(payload);
        let mut origin = None;
        loop {
            match at.life(context) {
                Life::Waiting | Life::Current => break,
                Life::Dead => signal = signal.leave(),
                Life::Unstarted => {
                    signal = at.raise_in_unstarted(context, signal, origin);
                    origin = Some(at.header.id());
                }
                Life::WaitsForOtherType => {
                    let refusal = Refusal::family::<V>(context.family_of_main());
                    return Err((refusal, signal.into_payload()));
                }
                Life::Elsewhere => return Err((at.refuse(), signal.into_payload())),
            }
            at = at.parent_in(context);
        }
        context.note(signal.event(), || origin.unwrap_or_else(|| context.current_id()));
        Ok((at, Message::Signal(signal)))
    }

    /// Ends the greenlet, which is unstarted and never runs, and calls the tracer. Returns the
    /// signal that leaves it.
    pub(super) fn raise_in_unstarted(
        &self,
        context: &Context,
        signal: Signal,
        origin: Option<GreenletId>,
    ) -> Signal {
        // This comes first: while the tracer runs, or waits, other code may make this greenlet a
        // parent and would start it.
        self.header.coroutine.end_fresh();
        context.note(signal.event(), || origin.unwrap_or_else(|| context.current_id()));
        let signal = match context.tell_tracer(|| self.header.id()) {
            Some(panicked) => {
                context.quietly("what a tracer's panic has replaced", || drop(signal));
                Signal::Raise(panicked)
            }
            None => signal.leave(),
        };
        context.quietly("the destructor of a greenlet's function", || drop(self.run.take()));
        signal
    }
}
