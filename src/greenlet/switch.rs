//! Switches: how control passes from one greenlet to another.
//!
//! ```text
//!   main's stack           A's stack            B's stack
//!   A.switch(1)
//!     run_greenlets:
//!       resume A ------->  v == 1
//!                          B.switch(2)
//!                            B's slot := 2
//!                            current := B
//!       <--- suspend A ----
//!       resume B ----------------------------->  v == 2
//!                                                main().switch(3)
//!                                                  main's slot := 3
//!                                                  current := null
//!       <--- suspend B -----------------------------
//!     current is null
//!   == Ok(3)
//! ```
//!
//! A switch between greenlets is one suspend and one resume, through a loop on main's stack that
//! runs the greenlet in `current`. Apart from these, a switch costs a handful of comparisons:
//! [`Core::is_ready`]. Everything else goes through [`Core::switch_slowly`]: the first switch, a
//! dead target, a switch to the current greenlet, tracers, errors.
//!
//! Invariants:
//! - From the moment in which a slot is filled and `current` set until the target has arrived, no
//!   user code runs and nothing fails.
//! - A payload is raised at the arrival, on the target's own stack.

#![allow(unsafe_code, reason = "resumes and suspends coroutines")]

use std::panic;
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::greenlet::ancestry::Life;
use crate::greenlet::context::Context;
use crate::greenlet::core::{Core, Message, Signal};
use crate::greenlet::end;
use crate::greenlet::error::{Payload, Refusal, SwitchError, thrown};
use crate::greenlet::header::Header;
use crate::greenlet::trace::Event;

impl<V: 'static> Core<V> {
    #[inline(always)]
    pub(super) fn switch(self: &Rc<Self>, value: V) -> Result<V, SwitchError<V>> {
        match self.header.context.get() {
            // SAFETY: the greenlet is ready.
            Some(context) if self.is_ready(context) => unsafe {
                Core::cross(Rc::as_ptr(self), context, Message::Value(value))
            },
            _ => self.switch_slowly(value),
        }
    }

    /// Returns whether a switch to the greenlet needs to check nothing else: it waits, the caller
    /// may switch to it, and the caller runs on the very stack of the current greenlet.
    #[inline(always)]
    fn is_ready(&self, context: &Context) -> bool {
        if !context.is_quiet() {
            return false;
        }
        let Some(me) = context.current() else { return self.header.coroutine.is_ready() };
        // Of one context and one family; no greenlet is started without its root.
        ptr::eq(me.root.get(), self.header.root.get())
            && (self.header.is_suspended()
                || ptr::eq(context.main_waits.get(), &raw const self.header))
            && me.coroutine.is_innermost()
    }

    /// Delivers `message` to the greenlet and waits for the answer.
    ///
    /// # Safety
    ///
    /// The greenlet must be [ready](Core::is_ready) in `context`, which must be its own.
    #[inline(always)]
    unsafe fn cross<T>(
        at: *const Core<V>,
        context: &Context,
        message: Message<V>,
    ) -> Result<V, SwitchError<T>> {
        let me = context.current.get();
        if me.is_null() {
            // SAFETY: main's code runs, so the greenlet, which is ready, is suspended.
            return unsafe { Core::cross_from_main(at, context, message) };
        }
        // SAFETY: the current greenlet is alive, and a `Core` of this very family: `is_ready`.
        let me = unsafe { &*me.cast::<Core<V>>() };
        // SAFETY: the greenlet waits, so its roster, or the context, keeps it alive.
        unsafe { Core::send_and_go(at, context, message) };
        // SAFETY: the current greenlet's code runs, on its own stack: `is_ready`.
        unsafe { me.header.coroutine.suspend() };
        me.arrive(context)
    }

    /// Delivers `message` and waits like `cross`, from main.
    ///
    /// # Safety
    ///
    /// The greenlet must be suspended in `context`, whose main greenlet's code runs.
    #[inline(always)]
    unsafe fn cross_from_main<T>(
        at: *const Core<V>,
        context: &Context,
        message: Message<V>,
    ) -> Result<V, SwitchError<T>> {
        // SAFETY: the greenlet is suspended, so its roster keeps it alive; the greenlet and the
        // context keep main alive.
        let main = unsafe { (*at).main_core() };
        main.header.main_unwinds.set(thread::panicking());
        context.main_waits.set(&raw const main.header);
        // SAFETY: as above.
        unsafe { Core::send_and_go(at, context, message) };
        // SAFETY: main's code runs, and the current greenlet is suspended, as the caller
        // guarantees.
        unsafe { context.run_greenlets() };
        context.main_waits.set(ptr::null());
        main.arrive(context)
    }

    /// Leaves `message` for the greenlet and makes it the current one: it runs as soon as the
    /// caller has left its own stack.
    ///
    /// # Safety
    ///
    /// The greenlet must be alive, and wait in `context`.
    #[inline(always)]
    pub(super) unsafe fn send_and_go(at: *const Core<V>, context: &Context, message: Message<V>) {
        // SAFETY: guaranteed by the caller.
        let target = unsafe { &*at };
        target.send(message);
        context.current.set(if target.header.is_main { ptr::null() } else { at.cast() });
    }

    /// Takes the message that has come to the greenlet, which runs again.
    #[inline(always)]
    pub(super) fn arrive<T>(&self, context: &Context) -> Result<V, SwitchError<T>> {
        if self.has_value() && context.is_quiet() {
            // SAFETY: the greenlet was switched to with a value, and nothing has taken that yet.
            return Ok(unsafe { self.take_value() });
        }
        self.arrive_slowly(context)
    }

    #[cold]
    #[inline(never)]
    fn arrive_slowly<T>(&self, context: &Context) -> Result<V, SwitchError<T>> {
        // `look_after` may switch: after it, this would no longer be known.
        let can_raise = self.header.can_raise();
        // SAFETY: the greenlet was switched to, and nothing has taken the message yet.
        let message = unsafe { self.take_message() };
        raise_or_return(context.look_after(message), can_raise)
    }

    /// Performs a switch for which there is pending work, or which may be refused.
    #[cold]
    #[inline(never)]
    fn switch_slowly(self: &Rc<Self>, value: V) -> Result<V, SwitchError<V>> {
        let (context, target) = match self.find_target() {
            Ok(found) => found,
            Err(refusal) => return Err(refusal.with(value)),
        };
        context.note(Event::Switch, || context.current_id());
        // SAFETY: `find_target` returns a greenlet that waits, or the current one, and no user code
        // has run since.
        unsafe { Core::deliver(target, &context, Message::Value(value)) }
    }

    /// Returns the greenlet that gets a value for this one: itself, or its nearest ancestor that is
    /// not dead. If that one has not started, it is given its stack.
    fn find_target(self: &Rc<Self>) -> Result<(Rc<Context>, Rc<Core<V>>), Refusal> {
        let context = self.enter()?;
        let target = self.living(&context);
        match target.life(&context) {
            Life::Waiting | Life::Current => {}
            Life::Unstarted => target.start(&context)?,
            Life::WaitsForOtherType => return Err(Refusal::family::<V>(context.family_of_main())),
            Life::Elsewhere | Life::Dead => return Err(target.refuse()),
        }
        Ok((context, target))
    }

    /// Returns the context in which the greenlet is switched to, if the caller may switch there.
    /// Does the work that was put off in it.
    pub(super) fn enter(self: &Rc<Self>) -> Result<Rc<Context>, Refusal> {
        let context = self.context().or_else(Context::find).ok_or(Refusal::NoFrame)?;
        context.check()?;
        context.reap();
        match context.current_family() {
            Some(family) if family.of_type != self.header.family.of_type => {
                Err(Refusal::family::<V>(family.name))
            }
            _ => Ok(context),
        }
    }

    /// Gives an unstarted greenlet a stack.
    pub(super) fn start(self: &Rc<Self>, context: &Rc<Context>) -> Result<(), Refusal> {
        if !self.has_run() {
            return Err(Refusal::NoRun);
        }
        let at = Rc::as_ptr(self);
        // SAFETY: the greenlet is unstarted, and the code of this context's frame runs. `root` does
        // not unwind. The roster keeps the record, which does not move, until the greenlet has
        // ended; the record of an abandoned greenlet is forgotten.
        let started =
            unsafe { self.header.coroutine.start(context.frame.clone(), move || end::root(at)) };
        started.map_err(Refusal::NoStack)?;
        self.set_started_in(context);
        self.header.coroutine.place.set(context.frame.roster.insert(self.clone()));
        Ok(())
    }

    /// Delivers `message` to the greenlet and waits for the answer.
    ///
    /// # Safety
    ///
    /// The greenlet must wait in `context`, or be its current one; the current greenlet must be of
    /// the same family or main. No user code may have run since that was checked.
    pub(super) unsafe fn deliver<T>(
        target: Rc<Self>,
        context: &Rc<Context>,
        message: Message<V>,
    ) -> Result<V, SwitchError<T>> {
        let is_current = target.life(context) == Life::Current;
        let at = Rc::as_ptr(&target);
        // It is kept alive without this reference. The wait for an answer may end with an unwind,
        // which would drop a last reference, and everything that it owns, at a bad time.
        drop(target);
        if is_current {
            // Here and now is where it would be raised.
            let can_raise = !cfg!(panic = "abort") && !thread::panicking();
            return raise_or_return(context.look_after(message), can_raise);
        }
        let me = context.current.get();
        if me.is_null() {
            // SAFETY: main's code runs, so the greenlet, which waits, is suspended.
            return unsafe { Core::cross_from_main(at, context, message) };
        }
        // SAFETY: the current greenlet is alive, and of this family, as the caller guarantees.
        let me = unsafe { &*me.cast::<Core<V>>() };
        // SAFETY: the greenlet waits, so its roster, or the context, keeps it alive.
        unsafe { Core::send_and_go(at, context, message) };
        // SAFETY: the code of the current greenlet runs.
        unsafe { me.header.suspend_anywhere() };
        me.arrive(context)
    }

    /// Returns why nothing can be delivered to the greenlet, which belongs to another context.
    pub(super) fn refuse(self: &Rc<Self>) -> Refusal {
        let context = self.context();
        context.and_then(|context| context.check().err()).unwrap_or(Refusal::Gone)
    }
}

impl Header {
    /// Leaves the stack of this greenlet, even if generators run on top of it.
    ///
    /// # Safety
    ///
    /// The code of the greenlet must run.
    unsafe fn suspend_anywhere(&self) {
        if self.coroutine.is_innermost() {
            // SAFETY: the caller runs on its stack.
            return unsafe { self.coroutine.suspend() };
        }
        // SAFETY: the code of the greenlet runs, as the caller guarantees, and not on its own
        // stack, so on top of that.
        unsafe { self.coroutine.suspend_from_above() };
    }
}

impl Context {
    /// Runs main's part of a switch: resumes the current greenlet until main is the current one.
    ///
    /// # Safety
    ///
    /// Main's code must run, and the current greenlet must be suspended.
    #[inline(always)]
    unsafe fn run_greenlets(&self) {
        while let Some(current) = self.current() {
            // SAFETY: it is suspended, like every greenlet that is made the current one, and
            // belongs to the frame whose code runs. Its roster keeps it alive until `bury` has
            // removed it.
            if unsafe { current.coroutine.resume() } {
                self.bury(current);
            }
        }
    }

    /// Switches to `victim`, and waits until it has ended or another message comes. Returns the
    /// payload that must be raised, and whether it can be raised.
    ///
    /// # Safety
    ///
    /// `victim` must be suspended in this context, which must be that of the code that runs, and a
    /// signal must have been left for it. No user code may have run since that was checked.
    pub(super) unsafe fn await_end(&self, victim: *const Header) -> Option<(Payload, bool)> {
        let Some(me) = self.current() else {
            let unwinds = thread::panicking();
            let mains = self.mains();
            mains.iter().for_each(|main| main.expect_anything());
            self.main_kills.set(true);
            self.current.set(victim);
            // SAFETY: main's code runs, and the victim is suspended, as the caller guarantees.
            unsafe { self.run_greenlets() };
            self.main_kills.set(false);
            let can_raise = !(unwinds && thread::panicking());
            // One message came, to one of the main greenlets, perhaps to one that was made
            // meanwhile. The others must not be asked: what is dropped here may switch, and leave
            // messages in them.
            let mains = self.mains();
            let payload = mains.iter().find(|main| main.has_come())?.take_payload();
            return payload.map(|payload| (payload, can_raise));
        };
        let erased = me.erased()?;
        // SAFETY: it points to the very record that `me` is the header of.
        let erased = unsafe { &*erased };
        erased.expect_anything();
        me.kills.set(true);
        self.current.set(victim);
        // SAFETY: the code of the current greenlet runs.
        unsafe { me.suspend_anywhere() };
        me.kills.set(false);
        let can_raise = me.can_raise();
        erased.take_payload().map(|payload| (payload, can_raise))
    }

    /// Removes a greenlet that has ended from the roster: nothing has to unwind it any more. This
    /// runs between two greenlets, so destructors are left to the next greenlet that arrives.
    #[cold]
    #[inline(never)]
    fn bury(&self, ended: &Header) {
        let dead = self.frame.roster.remove(ended.coroutine.place.get());
        if ended.handles.get() != 0 {
            // This is not the last reference: each handle has one.
            return drop(dead);
        }
        if let Some(dead) = dead {
            self.throw_away(dead);
        }
    }
}

/// Converts a message to the result of the switch at which it arrives, or raises it.
fn raise_or_return<V, T>(message: Message<V>, can_raise: bool) -> Result<V, SwitchError<T>> {
    match message {
        Message::Value(value) => Ok(value),
        Message::Signal(Signal::Exit(exit)) => Err(SwitchError::Exit(exit)),
        Message::Signal(Signal::Raise(payload)) if can_raise => panic::resume_unwind(payload),
        Message::Signal(Signal::Raise(payload)) => Err(SwitchError::Unraised(thrown(payload))),
    }
}
