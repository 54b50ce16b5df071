//! The end of greenlets that have lost their last handle, and of those whose frame ends.
//!
//! ```text
//!   the last handle is dropped
//!     in its own frame ----> kill: an exit is raised in the greenlet, while the dropper waits;
//!     in another frame,        again, if it survives without a handle; abandoned in the end
//!     while it runs, or
//!     while the dropper
//!     unwinds -------------> orphans: killed by the next greenlet that arrives in its frame
//!   its frame ends --------> unwind: an exit is raised in the greenlet, which cannot switch
//!                              meanwhile
//! ```
//!
//! Invariants:
//! - A killer removes itself from its victim before it leaves the wait.
//! - A killer is in the destructor of a handle. So a panic that comes to it meanwhile is reported
//!   and does not unwind it, unless the killer itself has to end (by an exit, or with its frame).
//! - No greenlet waits for a victim while the thread unwinds: the victim may switch to main and
//!   never continue, and the thread would unwind forever. (Main may wait so, because everything
//!   that comes to main comes to the killer.)
//! - A greenlet that cannot be unwound is abandoned: its stack and its record are kept forever.

#![allow(unsafe_code, reason = "resumes coroutines")]

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

use crate::fiber::coroutine::Coroutine;
use crate::fiber::exit;
use crate::fiber::payload;
use crate::fiber::report;
use crate::fiber::roster::Nested;
use crate::greenlet::context::{Context, Flags};
use crate::greenlet::core::{Core, Erased, Message, Signal};
use crate::greenlet::error::{GreenletExit, Payload};
use crate::greenlet::header::{Header, Killer};
use crate::greenlet::trace::Event;

/// The message of the exit that is raised in a greenlet whose last handle was dropped, as in
/// Python.
const VANISHED: &str = "Killing the greenlet because all references have vanished.";

/// The number of exits after which a greenlet that catches them and has no handle is abandoned.
const MOST_KILLS: usize = 100;

impl Context {
    /// Handles the loss of the last handle of `victim`, which has a stack.
    pub(super) fn lost(&self, victim: Rc<dyn Erased>) {
        if self.has_flag(Flags::CLOSING) {
            // The end of the frame unwinds it in its turn.
            return;
        }
        let header = victim.header();
        let runs = !header.is_suspended();
        if runs && !matches!(header.killer.get(), Killer::Nobody) {
            // Its killer checks it again.
            return;
        }
        let later = self.has_flag(Flags::TRACING)
            || self.has_flag(Flags::SWEEPING)
            || self.dropper_unwinds();
        if runs || later || !self.frame.is_current() {
            return self.put_off(victim);
        }
        self.kill(&victim);
        // Kill those that the victim's unwind has orphaned: in a loop, however many there are.
        self.reap();
    }

    /// Returns whether the calling code may be in a destructor of a greenlet other than main that
    /// runs because of an unwind. std reports only whether *some* stack of the thread unwinds.
    fn dropper_unwinds(&self) -> bool {
        self.current().is_some() && std::thread::panicking()
    }

    /// Leaves the kill to the next greenlet that arrives.
    fn put_off(&self, orphan: Rc<dyn Erased>) {
        self.orphans.borrow_mut().push_back(orphan);
        self.set_flag(Flags::ORPHANS, true);
    }

    /// Kills the greenlets that could not be killed when they lost their last handle, and drops
    /// those that have ended without one.
    #[inline]
    pub(super) fn reap(&self) {
        if self.has_flag(Flags::ORPHANS) || self.has_flag(Flags::LITTER) {
            self.clean_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn clean_up(&self) {
        let later = self.has_flag(Flags::CLOSING) || self.has_flag(Flags::TRACING);
        if later || self.dropper_unwinds() {
            return;
        }
        loop {
            self.drop_litter();
            let Some(orphan) = self.take_orphan() else { return };
            if orphan.header().is_suspended() && orphan.header().handles.get() == 0 {
                self.kill(&orphan);
            }
            self.throw_away(orphan.into_nested());
        }
    }

    /// Leaves a record whose destructor is user code to the next call of [`reap`](Context::reap).
    pub(super) fn throw_away(&self, dead: Rc<dyn Nested>) {
        self.litter.borrow_mut().push(dead);
        self.set_flag(Flags::LITTER, true);
    }

    fn drop_litter(&self) {
        loop {
            let Some(dead) = self.litter.borrow_mut().pop() else { break };
            self.quietly("the destructor of a greenlet", || drop(dead));
        }
        self.set_flag(Flags::LITTER, false);
    }

    /// Runs destructors that do not belong to the caller. A panic in them is reported.
    ///
    /// A greenlet that loses its last handle in them becomes an orphan.
    pub(super) fn quietly(&self, owner: &str, f: impl FnOnce()) {
        self.sweeps.set(self.sweeps.get() + 1);
        self.set_flag(Flags::SWEEPING, true);
        run_quietly(owner, f);
        // The destructors may have switched to greenlets that run such destructors as well.
        self.sweeps.set(self.sweeps.get() - 1);
        self.set_flag(Flags::SWEEPING, self.sweeps.get() != 0);
    }

    /// Takes an orphan out of the list, except one that runs or must wait for the end of an unwind.
    fn take_orphan(&self) -> Option<Rc<dyn Erased>> {
        let mut orphans = self.orphans.borrow_mut();
        let is_ripe = |header: &Header| {
            header.is_dead()
                || header.is_suspended()
                    && (header.handles.get() != 0 || (cfg!(panic = "abort") || header.can_raise()))
        };
        let at = orphans.iter().position(|orphan| is_ripe(orphan.header()));
        let orphan = at.and_then(|at| orphans.remove(at));
        self.set_flag(Flags::ORPHANS, !orphans.is_empty());
        orphan
    }

    /// Ends a suspended greenlet of this context, whose code runs.
    fn kill(&self, victim: &Rc<dyn Erased>) {
        let header = victim.header();
        let killing = Killing::begin(self, victim);
        for _ in 0..MOST_KILLS {
            if !header.is_suspended() || header.handles.get() != 0 {
                return;
            }
            if cfg!(panic = "abort") {
                return victim.clone().abandon_because("is suspended where nothing can be raised");
            }
            if !header.can_raise() {
                return self.put_off(victim.clone());
            }
            header.killer.set(killing.killer);
            self.note(Event::Throw, || self.current_id());
            victim.put(Signal::Raise(Box::new(GreenletExit::new(VANISHED))));
            // SAFETY: it is suspended in this context, whose code runs, and a signal was left for
            // it.
            let came = unsafe { self.await_end(Rc::as_ptr(victim).cast()) };
            self.take_in(came);
            if self.has_flag(Flags::CLOSING) {
                // The end of the frame unwinds the victim in its turn.
                return;
            }
        }
        victim.clone().abandon_because("lost its last handle, and GreenletExit did not kill it");
    }

    /// Handles a message that has come to a killer while it waited. The killer is in a destructor,
    /// out of which no panic of other greenlets is raised: it is reported, as in Python. An exit is
    /// raised, because the killer itself is to end and must not wait for its victim instead. (Two
    /// greenlets that kill each other would wait forever.)
    fn take_in(&self, came: Option<(Payload, bool)>) {
        let (came, can_raise) = came.unzip();
        let came = came.map_or(Message::Value(()), |came| Message::Signal(Signal::Raise(came)));
        // A killer handles the other orphans itself, when this one has ended.
        let Message::Signal(Signal::Raise(payload)) = self.show_tracer(came) else { return };
        let is_exit = payload.is::<GreenletExit>() && self.current().is_some();
        if (is_exit || self.has_flag(Flags::CLOSING)) && can_raise.unwrap_or(false) {
            panic::resume_unwind(payload);
        }
        if payload.is::<GreenletExit>() || exit::is_unwind(&*payload) {
            return report::drop_payload(payload);
        }
        let text = payload::panic_text(&*payload);
        report::say(format_args!(
            "the last handle of a greenlet was being dropped, when something was raised there: {text}"
        ));
        report::drop_payload(payload);
    }

    /// Does the work that was put off until a greenlet arrives. Returns what has come to it:
    /// `message`, or the payload that the tracer panicked with.
    pub(super) fn look_after<V>(&self, message: Message<V>) -> Message<V> {
        if self.is_quiet() {
            return message;
        }
        let message = self.show_tracer(message);
        self.reap();
        message
    }

    /// Calls the tracer for an arrival, if there is one. Returns what has come: `message`, or
    /// the payload that the tracer panicked with.
    fn show_tracer<V>(&self, message: Message<V>) -> Message<V> {
        match self.tell_tracer(|| self.current_id()) {
            Some(panicked) => {
                self.quietly("what a tracer's panic has replaced", || drop(message));
                Message::Signal(Signal::Raise(panicked))
            }
            None => message,
        }
    }
}

/// A guard that lasts while a greenlet waits for the end of another one.
struct Killing<'a> {
    context: &'a Context,
    victim: &'a Rc<dyn Erased>,
    killer: Killer,
}

impl<'a> Killing<'a> {
    fn begin(context: &'a Context, victim: &'a Rc<dyn Erased>) -> Killing<'a> {
        let killer = match context.current() {
            Some(current) => current.erased().map_or(Killer::Nobody, Killer::Other),
            None => Killer::Main,
        };
        Killing { context, victim, killer }
    }
}

impl Drop for Killing<'_> {
    fn drop(&mut self) {
        let header = self.victim.header();
        if self.killer.is(header.killer.get()) {
            header.killer.set(Killer::Nobody);
        }
        if std::thread::panicking() {
            // The killer unwinds out of the destructor of a handle, which drops the record next.
            // What the record holds is better dropped when nothing unwinds.
            self.context.throw_away(self.victim.clone().into_nested());
        }
    }
}

impl Killer {
    fn is(self, other: Killer) -> bool {
        match (self, other) {
            (Killer::Main, Killer::Main) | (Killer::Nobody, Killer::Nobody) => true,
            (Killer::Other(one), Killer::Other(other)) => ptr::addr_eq(one, other),
            _ => false,
        }
    }
}

/// Handles the payload with which a greenlet ended that no other greenlet waits for. An exit is
/// what was asked for; a kill of the fiber is raised again at its next wait; anything else is
/// reported.
pub(super) fn report_unwanted(payload: Payload) {
    if payload.is::<GreenletExit>() {
        return report::drop_payload(payload);
    }
    report_panic("a greenlet that was being dropped", payload);
}

impl<V: 'static> Core<V> {
    /// Keeps the greenlet forever, in its present state. It must be suspended or abandoned.
    #[cold]
    pub(super) fn abandon_and_report(self: Rc<Self>, why: &str) {
        report::say(format_args!("a greenlet {why}: its stack is kept"));
        if self.header.is_suspended() {
            self.header.coroutine.abandon();
        }
        mem::forget(self);
    }
}

impl<V: 'static> Nested for Core<V> {
    fn coroutine(&self) -> &Coroutine {
        &self.header.coroutine
    }

    /// Returns `false`: the context keeps a list of orphans of its own.
    fn is_orphan(&self) -> bool {
        false
    }

    fn abandon(self: Rc<Self>) {
        self.abandon_and_report("is one of too many that were started by destructors");
    }

    /// Unwinds the greenlet when its frame ends, on the stack of the frame.
    fn unwind(self: Rc<Self>) {
        if !self.header.can_raise() {
            return self.abandon_and_report("is suspended where nothing can be raised");
        }
        let Some(context) = self.header.context.get().cloned() else { return };
        context.begin_closing(Rc::as_ptr(&self).cast());
        self.send(Message::Signal(Signal::Raise(Box::new(GreenletExit::default()))));
        // SAFETY: it is suspended, and its frame unwinds it in its own code.
        let ended = unsafe { self.header.coroutine.resume() };
        context.current.set(ptr::null());
        if ended {
            let dead = context.frame.roster.remove(self.header.coroutine.place.get());
            context.quietly("the destructor of a greenlet", || drop((dead, self)));
        } else {
            self.abandon_and_report("went on switching while its frame ended");
        }
        context.set_flag(Flags::CLOSING, false);
    }
}

/// Runs the destructors of `owner`. A panic in them is reported, because no caller could handle it.
pub(super) fn run_quietly(owner: &str, f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        report_panic(owner, payload);
    }
}

#[cold]
fn report_panic(owner: &str, payload: Payload) {
    if exit::is_unwind(&*payload) {
        return report::drop_payload(payload);
    }
    report::report_lost(format_args!("{owner} panicked"), payload);
}
