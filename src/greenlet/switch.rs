//! How control goes from one greenlet to another.
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
//! A switch between greenlets is one suspend and one resume, through a loop on main's stack that runs
//! whatever `current` says. What a switch costs beside that is a handful of comparisons:
//! [`Core::is_ready`]. Everything out of the ordinary goes through [`Core::switch_slowly`]: the first
//! switch, a dead target, a switch to oneself, tracers, errors.
//!
//! Invariants:
//! - From the moment in which a slot is filled and `current` set until the target has arrived, no user
//!   code runs and nothing fails.
//! - What is raised is raised at the arrival, on the target's own stack.

#![allow(unsafe_code, reason = "resumes and suspends strands")]

use std::panic;
use std::ptr;
use std::rc::Rc;
use std::thread;

use crate::greenlet::core::{Core, Message, Signal};
use crate::greenlet::end;
use crate::greenlet::error::{Payload, Refusal, SwitchError, ThrowError, thrown};
use crate::greenlet::head::Head;
use crate::greenlet::kin::Life;
use crate::greenlet::trace::{Event, GreenletId};
use crate::greenlet::world::World;

/// What goes to whom.
type Addressed<V> = (Rc<Core<V>>, Message<V>);

impl<V: 'static> Core<V> {
    #[inline(always)]
    pub(super) fn switch(self: &Rc<Self>, value: V) -> Result<V, SwitchError<V>> {
        match self.head.world.get() {
            // SAFETY: it is ready.
            Some(world) if self.is_ready(world) => unsafe {
                Core::cross(Rc::as_ptr(self), world, Message::Value(value))
            },
            _ => self.switch_slowly(value),
        }
    }

    /// Whether a switch to it needs to look at nothing else: it waits, the caller may switch to it,
    /// and runs on the very stack of the current greenlet.
    #[inline(always)]
    fn is_ready(&self, world: &World) -> bool {
        if !world.is_quiet() {
            return false;
        }
        let Some(me) = world.current() else { return self.head.strand.is_ready() };
        // Of one world and one family; none is started without knowing its root.
        ptr::eq(me.root.get(), self.head.root.get())
            && (self.head.is_suspended() || ptr::eq(world.main_waits.get(), &raw const self.head))
            && me.strand.is_innermost()
    }

    /// Delivers `message` to it and waits for what comes in return.
    ///
    /// # Safety
    ///
    /// It must be [ready](Core::is_ready) in `world`, which must be its own.
    #[inline(always)]
    unsafe fn cross<T>(
        at: *const Core<V>,
        world: &World,
        message: Message<V>,
    ) -> Result<V, SwitchError<T>> {
        let me = world.current.get();
        if me.is_null() {
            // SAFETY: main's code runs, and so this greenlet, which is ready, is suspended.
            return unsafe { Core::cross_from_main(at, world, message) };
        }
        // SAFETY: the current greenlet is alive, and a `Core` of this very family: `is_ready`.
        let me = unsafe { &*me.cast::<Core<V>>() };
        // SAFETY: it waits, and so its roster, or the world, keeps it.
        unsafe { Core::send_and_go(at, world, message) };
        // SAFETY: the current greenlet's code runs, on its own stack: `is_ready`.
        unsafe { me.head.strand.suspend() };
        me.arrive(world)
    }

    /// As `cross`, from main.
    ///
    /// # Safety
    ///
    /// It must be suspended in `world`, whose main greenlet's code runs.
    #[inline(always)]
    unsafe fn cross_from_main<T>(
        at: *const Core<V>,
        world: &World,
        message: Message<V>,
    ) -> Result<V, SwitchError<T>> {
        // SAFETY: it is suspended, and so its roster keeps it; main is kept by it and by the world.
        let main = unsafe { (*at).main_core() };
        main.head.main_unwinds.set(thread::panicking());
        world.main_waits.set(&raw const main.head);
        // SAFETY: as above.
        unsafe { Core::send_and_go(at, world, message) };
        // SAFETY: main's code runs, and what is current is suspended: the caller's promise.
        unsafe { world.run_greenlets() };
        world.main_waits.set(ptr::null());
        main.arrive(world)
    }

    /// Leaves `message` for it and makes it the current one: it runs as soon as the caller has left
    /// its stack.
    ///
    /// # Safety
    ///
    /// It must be alive, and wait in `world`.
    #[inline(always)]
    pub(super) unsafe fn send_and_go(at: *const Core<V>, world: &World, message: Message<V>) {
        // SAFETY: the caller's promise.
        let target = unsafe { &*at };
        target.send(message);
        world.current.set(if target.head.is_main { ptr::null() } else { at.cast() });
    }

    /// Takes what has come to it, which runs again.
    #[inline(always)]
    pub(super) fn arrive<T>(&self, world: &World) -> Result<V, SwitchError<T>> {
        if self.has_value() && world.is_quiet() {
            // SAFETY: it has been switched to with a value, and this is the first look at it.
            return Ok(unsafe { self.take_value() });
        }
        self.arrive_slowly(world)
    }

    #[cold]
    #[inline(never)]
    fn arrive_slowly<T>(&self, world: &World) -> Result<V, SwitchError<T>> {
        // Looking after things may switch: then this would no longer be known.
        let can_raise = self.head.can_raise();
        // SAFETY: it has been switched to, and this is the first look at what came with that.
        let message = unsafe { self.take_message() };
        explode(world.look_after(message), can_raise)
    }

    /// A switch for which something has to be looked after or refused.
    #[cold]
    #[inline(never)]
    fn switch_slowly(self: &Rc<Self>, value: V) -> Result<V, SwitchError<V>> {
        let (world, target) = match self.find_target() {
            Ok(found) => found,
            Err(refusal) => return Err(refusal.with(value)),
        };
        world.note(Event::Switch, || world.current_id());
        // SAFETY: `find_target` gives one that waits, or the current one, and nothing has run since.
        unsafe { Core::deliver(target, &world, Message::Value(value)) }
    }

    /// Who a value for it goes to: itself, or the nearest ancestor that is not dead (G-037). If that
    /// one has not started it gets its stack (G-038).
    fn find_target(self: &Rc<Self>) -> Result<(Rc<World>, Rc<Core<V>>), Refusal> {
        let world = self.enter()?;
        let target = self.living(&world);
        match target.life(&world) {
            Life::Waiting | Life::Current => {}
            Life::Unstarted => target.start(&world)?,
            Life::Deaf => return Err(Refusal::family::<V>(world.family_of_main())),
            Life::Elsewhere | Life::Dead => return Err(target.refuse()),
        }
        Ok((world, target))
    }

    /// The world in which it is switched to, by code that may do so. Looks after what is left there.
    fn enter(self: &Rc<Self>) -> Result<Rc<World>, Refusal> {
        let world = self.world().or_else(World::find).ok_or(Refusal::NoFrame)?;
        world.check()?;
        world.reap();
        match world.current_family() {
            Some(family) if family.of_type != self.head.family.of_type => {
                Err(Refusal::family::<V>(family.name))
            }
            _ => Ok(world),
        }
    }

    /// Gives an unstarted greenlet a stack.
    pub(super) fn start(self: &Rc<Self>, world: &Rc<World>) -> Result<(), Refusal> {
        if !self.has_run() {
            return Err(Refusal::NoRun);
        }
        let at = Rc::as_ptr(self);
        // SAFETY: it is unstarted, and the code of this world's frame runs. `root` does not unwind.
        // The roster keeps the record, which does not move, until it has ended; one that is retired
        // is forgotten.
        let started = unsafe { self.head.strand.start(world.frame.clone(), move || end::root(at)) };
        started.map_err(Refusal::NoStack)?;
        self.set_started_in(world);
        self.head.strand.place.set(world.frame.roster.insert(self.clone()));
        Ok(())
    }

    /// Delivers `message` to it and waits for what comes in return.
    ///
    /// # Safety
    ///
    /// It must wait in `world`, or be the current one, which must be of its family or main. No user
    /// code may have run since that was looked at.
    unsafe fn deliver<T>(
        target: Rc<Self>,
        world: &Rc<World>,
        message: Message<V>,
    ) -> Result<V, SwitchError<T>> {
        let is_current = target.life(world) == Life::Current;
        let at = Rc::as_ptr(&target);
        // It is kept without this. What the wait for an answer ends with may be an unwind, which would
        // drop a last reference, and all that hangs on it, at a bad time.
        drop(target);
        if is_current {
            // Here and now is where it would be raised.
            let can_raise = !cfg!(panic = "abort") && !thread::panicking();
            return explode(world.look_after(message), can_raise);
        }
        let me = world.current.get();
        if me.is_null() {
            // SAFETY: main's code runs, and so this greenlet, which waits, is suspended.
            return unsafe { Core::cross_from_main(at, world, message) };
        }
        // SAFETY: the current greenlet is alive, and of this family: the caller's promise.
        let me = unsafe { &*me.cast::<Core<V>>() };
        // SAFETY: it waits, and so its roster, or the world, keeps it.
        unsafe { Core::send_and_go(at, world, message) };
        // SAFETY: the code of the current greenlet runs.
        unsafe { me.head.suspend_anywhere() };
        me.arrive(world)
    }

    /// Raises `payload` in it (G-055..G-065).
    #[cold]
    #[inline(never)]
    pub(super) fn throw(self: &Rc<Self>, payload: Payload) -> Result<V, ThrowError> {
        let world = match self.enter() {
            Ok(world) => world,
            Err(refusal) => return Err(refusal.with(thrown(payload))),
        };
        if self.life(&world) == Life::Unstarted && !self.has_run() {
            return Err(Refusal::NoRun.with(thrown(payload)));
        }
        let (target, message) = match self.find_raised(&world, payload) {
            Ok(found) => found,
            Err((refusal, payload)) => return Err(refusal.with(thrown(payload))),
        };
        // SAFETY: `find_raised` gives one that waits, or the current one, and nothing has run since.
        unsafe { Core::deliver(target, &world, message) }
    }

    /// Who `payload` comes to, and as what, if it is thrown at this greenlet: it passes through dead
    /// ones and ends unstarted ones, and an exit that ends something is raised no further.
    fn find_raised(
        self: &Rc<Self>,
        world: &Rc<World>,
        payload: Payload,
    ) -> Result<Addressed<V>, (Refusal, Payload)> {
        let mut at = self.clone();
        let mut signal = Signal::Raise(payload);
        let mut origin = None;
        loop {
            match at.life(world) {
                Life::Waiting | Life::Current => break,
                Life::Dead => signal = signal.leave(),
                Life::Unstarted => {
                    signal = at.raise_in_unstarted(world, signal, origin);
                    origin = Some(at.head.id());
                }
                Life::Deaf => {
                    let refusal = Refusal::family::<V>(world.family_of_main());
                    return Err((refusal, signal.into_payload()));
                }
                Life::Elsewhere => return Err((at.refuse(), signal.into_payload())),
            }
            at = at.parent_in(world);
        }
        world.note(signal.event(), || origin.unwrap_or_else(|| world.current_id()));
        Ok((at, Message::Signal(signal)))
    }

    /// It, which is unstarted, ends without having run, and the tracer sees that. Returns
    /// what leaves it.
    pub(super) fn raise_in_unstarted(
        &self,
        world: &World,
        signal: Signal,
        origin: Option<GreenletId>,
    ) -> Signal {
        // First of all: while the tracer runs, or waits, others may adopt it and would start it.
        self.head.strand.end_fresh();
        world.note(signal.event(), || origin.unwrap_or_else(|| world.current_id()));
        let signal = match world.tell_tracer(|| self.head.id()) {
            Some(panicked) => {
                world.quietly("what a tracer's panic has replaced", || drop(signal));
                Signal::Raise(panicked)
            }
            None => signal.leave(),
        };
        world.quietly("the destructor of a greenlet's function", || drop(self.run.take()));
        signal
    }

    /// Why nothing can be delivered to it, which belongs to another world.
    fn refuse(self: &Rc<Self>) -> Refusal {
        let world = self.world();
        world.and_then(|world| world.check().err()).unwrap_or(Refusal::Gone)
    }
}

impl Head {
    /// Leaves the stack of this greenlet, whatever generators run on top of it.
    ///
    /// # Safety
    ///
    /// Its code must run.
    unsafe fn suspend_anywhere(&self) {
        if self.strand.is_innermost() {
            // SAFETY: the caller runs on its stack.
            return unsafe { self.strand.suspend() };
        }
        // SAFETY: its code runs (the caller's promise), and not on its own stack: on top of that.
        unsafe { self.strand.suspend_from_above() };
    }
}

impl World {
    /// Main's part in a switch: runs what is current until main is.
    ///
    /// # Safety
    ///
    /// Main's code must run, and the current greenlet be suspended.
    #[inline(always)]
    unsafe fn run_greenlets(&self) {
        while let Some(current) = self.current() {
            // SAFETY: it is suspended, as every greenlet is that is made the current one, and belongs
            // to the frame whose code runs. Its roster keeps it alive until it is buried.
            if unsafe { current.strand.resume() } {
                self.bury(current);
            }
        }
    }

    /// Switches to `victim`, and waits until it has ended or something else comes. Returns what is to
    /// be raised, and whether that can be.
    ///
    /// # Safety
    ///
    /// `victim` must be suspended in this world, which must be that of the code that runs, and a
    /// signal must have been left for it. No user code may have run since that was looked at.
    pub(super) unsafe fn await_end(&self, victim: *const Head) -> Option<(Payload, bool)> {
        let Some(me) = self.current() else {
            let unwinds = thread::panicking();
            let mains = self.mains();
            mains.iter().for_each(|main| main.expect_anything());
            self.main_kills.set(true);
            self.current.set(victim);
            // SAFETY: main's code runs, and the victim is suspended: the caller's promise.
            unsafe { self.run_greenlets() };
            self.main_kills.set(false);
            let can_raise = !(unwinds && thread::panicking());
            // One thing came, to one of them, perhaps to one that was made meanwhile. The others must
            // not be asked: what is dropped here may switch, and leave traces in them.
            let mains = self.mains();
            let payload = mains.iter().find(|main| main.has_come())?.take_payload();
            return payload.map(|payload| (payload, can_raise));
        };
        let erased = me.erased()?;
        // SAFETY: it is the very record that `me` is the head of.
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

    /// A greenlet has ended, and nobody has to unwind it. This runs between two greenlets: its
    /// destructors are left to the next.
    #[cold]
    #[inline(never)]
    fn bury(&self, ended: &Head) {
        let dead = self.frame.roster.remove(ended.strand.place.get());
        if ended.handles.get() != 0 {
            // Not the last reference: the handles have one each.
            return drop(dead);
        }
        if let Some(dead) = dead {
            self.throw_away(dead);
        }
    }
}

/// What comes of a message at its arrival.
fn explode<V, T>(message: Message<V>, can_raise: bool) -> Result<V, SwitchError<T>> {
    match message {
        Message::Value(value) => Ok(value),
        Message::Signal(Signal::Exit(exit)) => Err(SwitchError::Exit(exit)),
        Message::Signal(Signal::Raise(payload)) if can_raise => panic::resume_unwind(payload),
        Message::Signal(Signal::Raise(payload)) => Err(SwitchError::Unraised(thrown(payload))),
    }
}
