//! Ends greenlets that nobody holds any more, and those whose frame ends.
//!
//! ```text
//!   the last handle is dropped
//!     in its own frame ----> kill: an exit is raised in it, while the dropper waits; again, if it
//!     in another, while it          survives without a handle; given up in the end
//!     runs itself, or while
//!     the dropper unwinds -> orphans: killed by what arrives next in its frame
//!   its frame ends --------> unwind: an exit is raised in it, and nothing is switched meanwhile
//! ```
//!
//! Invariants:
//! - A killer takes itself out of its victim before it leaves the wait.
//! - A killer is not unwound by what comes to it meanwhile, which is reported: it is in the destructor of
//!   a handle. But a greenlet that is itself to end (by an exit, or with its frame) is.
//! - No greenlet waits for a victim while the thread unwinds: the victim may go to main and stay away,
//!   and the thread would unwind forever. (Main may: all that comes to main comes to the killer.)
//! - One that cannot be unwound is given up: its stack and its record are kept for ever.

#![allow(unsafe_code, reason = "resumes strands")]

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::rc::Rc;

use crate::fiber::exit;
use crate::fiber::frame::Nested;
use crate::fiber::report;
use crate::fiber::strand::Strand;
use crate::greenlet::core::{Core, Erased, Message, Signal};
use crate::greenlet::error::{GreenletExit, Payload};
use crate::greenlet::head::{Head, Killer};
use crate::greenlet::trace::Event;
use crate::greenlet::world::{Attention, World};

/// What is raised in a greenlet whose last handle is gone (G-066).
const VANISHED: &str = "Killing the greenlet because all references have vanished.";

/// A greenlet that catches this many exits and is held by nobody is given up.
const MOST_KILLS: usize = 100;

impl World {
    /// `victim`, which has a stack, has lost its last handle.
    pub(super) fn lost(&self, victim: Rc<dyn Erased>) {
        if self.attends(Attention::CLOSING) {
            // It is unwound in its turn.
            return;
        }
        let head = victim.head();
        let runs = !head.is_suspended();
        if runs && !matches!(head.killer.get(), Killer::Nobody) {
            // Its killer looks at it again.
            return;
        }
        let later = self.attends(Attention::TRACING)
            || self.attends(Attention::SWEEPING)
            || self.dropper_unwinds();
        if runs || later || !self.frame.is_current() {
            return self.put_off(victim);
        }
        self.kill(&victim);
        // Those that the victim's unwind has orphaned: one after another, however many.
        self.reap();
    }

    /// Whether the code that runs is that of a greenlet, and perhaps in a destructor because of an
    /// unwind. std tells only whether *some* stack of the thread unwinds.
    fn dropper_unwinds(&self) -> bool {
        self.current().is_some() && std::thread::panicking()
    }

    /// Whoever arrives next looks at it again.
    fn put_off(&self, orphan: Rc<dyn Erased>) {
        self.orphans.borrow_mut().push_back(orphan);
        self.attend(Attention::ORPHANS, true);
    }

    /// Kills those that have lost their last handle where that was not possible, and drops those that
    /// have ended without one.
    #[inline]
    pub(super) fn reap(&self) {
        if self.attends(Attention::ORPHANS) || self.attends(Attention::LITTER) {
            self.clean_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn clean_up(&self) {
        let later = self.attends(Attention::CLOSING) || self.attends(Attention::TRACING);
        if later || self.dropper_unwinds() {
            return;
        }
        loop {
            self.drop_litter();
            let Some(orphan) = self.take_orphan() else { return };
            if orphan.head().is_suspended() && orphan.head().handles.get() == 0 {
                self.kill(&orphan);
            }
            self.throw_away(orphan.into_nested());
        }
    }

    /// Leaves something whose destructor is user code for the next who looks after things.
    pub(super) fn throw_away(&self, dead: Rc<dyn Nested>) {
        self.litter.borrow_mut().push(dead);
        self.attend(Attention::LITTER, true);
    }

    fn drop_litter(&self) {
        loop {
            let Some(dead) = self.litter.borrow_mut().pop() else { break };
            self.quietly("the destructor of a greenlet", || drop(dead));
        }
        self.attend(Attention::LITTER, false);
    }

    /// Runs destructors that are none of the caller's. A panic in them is reported.
    ///
    /// A greenlet that loses its last handle by that becomes an orphan.
    pub(super) fn quietly(&self, who: &str, f: impl FnOnce()) {
        self.sweeps.set(self.sweeps.get() + 1);
        self.attend(Attention::SWEEPING, true);
        run_quietly(who, f);
        // The destructors may have switched, to where others run as well.
        self.sweeps.set(self.sweeps.get() - 1);
        self.attend(Attention::SWEEPING, self.sweeps.get() != 0);
    }

    /// Takes an orphan out, but one that runs, or must wait for the end of an unwind.
    fn take_orphan(&self) -> Option<Rc<dyn Erased>> {
        let mut orphans = self.orphans.borrow_mut();
        let is_ripe = |head: &Head| {
            head.is_dead()
                || head.is_suspended()
                    && (head.handles.get() != 0 || (cfg!(panic = "abort") || head.can_raise()))
        };
        let at = orphans.iter().position(|orphan| is_ripe(orphan.head()));
        let orphan = at.and_then(|at| orphans.remove(at));
        self.attend(Attention::ORPHANS, !orphans.is_empty());
        orphan
    }

    /// Ends a suspended greenlet of this world, whose code runs.
    fn kill(&self, victim: &Rc<dyn Erased>) {
        let head = victim.head();
        let killing = Killing::begin(self, victim);
        for _ in 0..MOST_KILLS {
            if !head.is_suspended() || head.handles.get() != 0 {
                return;
            }
            if cfg!(panic = "abort") {
                return victim.clone().abandon("is suspended where nothing can be raised");
            }
            if !head.can_raise() {
                return self.put_off(victim.clone());
            }
            head.killer.set(killing.killer);
            self.note(Event::Throw, || self.current_id());
            victim.put(Signal::Raise(Box::new(GreenletExit::new(VANISHED))));
            // SAFETY: it is suspended in this world, whose code runs, and has been left a signal.
            let came = unsafe { self.await_end(Rc::as_ptr(victim).cast()) };
            self.take_in(came);
            if self.attends(Attention::CLOSING) {
                // The frame unwinds the victim in its turn.
                return;
            }
        }
        victim.clone().abandon("lost its last handle, and GreenletExit did not kill it");
    }

    /// Something has come to a killer that waited. It is in a destructor, out of which no panic of others
    /// is raised: it is reported, as in Python. An exit is none: the greenlet is to end, and would wait
    /// for its victim in place of that. (Two that kill each other would do so forever.)
    fn take_in(&self, came: Option<(Payload, bool)>) {
        let (came, can_raise) = came.unzip();
        let came = came.map_or(Message::Value(()), |came| Message::Signal(Signal::Raise(came)));
        // Whoever kills looks for other orphans itself, when this one has ended.
        let Message::Signal(Signal::Raise(payload)) = self.show_tracer(came) else { return };
        let is_exit = payload.is::<GreenletExit>() && self.current().is_some();
        if (is_exit || self.attends(Attention::CLOSING)) && can_raise.unwrap_or(false) {
            panic::resume_unwind(payload);
        }
        if payload.is::<GreenletExit>() || exit::is_unwind(&*payload) {
            return report::drop_payload(payload);
        }
        let text = exit::panic_text(&*payload);
        report::say(format_args!(
            "the last handle of a greenlet was being dropped, when something was raised there: {text}"
        ));
        report::drop_payload(payload);
    }

    /// Does what was put off until a greenlet arrives. Returns what has come to it: `message`, or
    /// what the tracer panicked with.
    pub(super) fn look_after<V>(&self, message: Message<V>) -> Message<V> {
        if self.is_quiet() {
            return message;
        }
        let message = self.show_tracer(message);
        self.reap();
        message
    }

    /// Tells the tracer of an arrival, if there is one. Returns what has come: `message`, or what the
    /// tracer panicked with.
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

/// The time in which one waits for the end of another.
struct Killing<'a> {
    world: &'a World,
    victim: &'a Rc<dyn Erased>,
    killer: Killer,
}

impl<'a> Killing<'a> {
    fn begin(world: &'a World, victim: &'a Rc<dyn Erased>) -> Killing<'a> {
        let killer = match world.current() {
            Some(current) => current.erased().map_or(Killer::Nobody, Killer::Other),
            None => Killer::Main,
        };
        Killing { world, victim, killer }
    }
}

impl Drop for Killing<'_> {
    fn drop(&mut self) {
        let head = self.victim.head();
        if self.killer.is(head.killer.get()) {
            head.killer.set(Killer::Nobody);
        }
        if std::thread::panicking() {
            // The killer unwinds out of the destructor of a handle, which drops the record next: what
            // that holds had better be dropped when nothing unwinds.
            self.world.throw_away(self.victim.clone().into_nested());
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

/// Nobody wants the payload with which something ended: an exit is what was asked for, a kill of the
/// fiber is met again, and the rest is said.
pub(super) fn report_unwanted(payload: Payload) {
    if payload.is::<GreenletExit>() {
        return report::drop_payload(payload);
    }
    report_panic("a greenlet that was being dropped", payload);
}

impl<V: 'static> Core<V> {
    /// Keeps it for ever, as it is. It must be suspended or retired.
    #[cold]
    pub(super) fn give_up_for_ever(self: Rc<Self>, why: &str) {
        report::say(format_args!("a greenlet {why}: its stack is kept"));
        if self.head.is_suspended() {
            self.head.strand.retire();
        }
        mem::forget(self);
    }
}

impl<V: 'static> Nested for Core<V> {
    fn strand(&self) -> &Strand {
        &self.head.strand
    }

    /// The world keeps a list of its own.
    fn is_orphan(&self) -> bool {
        false
    }

    fn give_up(self: Rc<Self>) {
        self.give_up_for_ever("is one of too many that were started by destructors");
    }

    /// Called when the frame ends, on its own stack.
    fn unwind(self: Rc<Self>) {
        if !self.head.can_raise() {
            return self.give_up_for_ever("is suspended where nothing can be raised");
        }
        let Some(world) = self.head.world.get().cloned() else { return };
        world.begin_closing(Rc::as_ptr(&self).cast());
        self.send(Message::Signal(Signal::Raise(Box::new(GreenletExit::default()))));
        // SAFETY: it is suspended, and its frame unwinds it in its own code.
        let ended = unsafe { self.head.strand.resume() };
        world.current.set(ptr::null());
        if ended {
            let dead = world.frame.roster.remove(self.head.strand.place.get());
            world.quietly("the destructor of a greenlet", || drop((dead, self)));
        } else {
            self.give_up_for_ever("went on switching while its frame ended");
        }
        world.attend(Attention::CLOSING, false);
    }
}

/// Runs destructors of `who`. A panic in them is reported, for there is nobody to carry it.
pub(super) fn run_quietly(who: &str, f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        report_panic(who, payload);
    }
}

#[cold]
fn report_panic(who: &str, payload: Payload) {
    if exit::is_unwind(&*payload) {
        return report::drop_payload(payload);
    }
    report::report_lost(format_args!("{who} panicked"), payload);
}
