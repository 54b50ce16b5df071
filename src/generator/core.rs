//! The life of a generator: started, resumed, thrown at, closed, unwound with its frame.
//!
//! Invariants:
//! - A started generator stands in the roster of its frame, and in that of its scope if it has one,
//!   until it has ended. So it is never freed while it has a stack.
//! - What leaves its function, a value or a payload, is in `result` from the end until it is taken.
//! - It is unwound in its own frame only. One that cannot be unwound is given up: its stack and its
//!   record are kept for ever. If it borrows, the process is aborted.

#![allow(unsafe_code, reason = "resumes strands, and erases the types of generators")]

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::exit;
use crate::fiber::frame::{Frame, Nested, Roster};
use crate::fiber::panic::Panic;
use crate::fiber::report;
use crate::fiber::strand::{State, Strand};
use crate::fiber::task;
use crate::generator::error::{CloseError, GeneratorExit, ResumeError};
use crate::generator::{GeneratorState, Yielder};
use crate::stack::SizeClass;

type Payload = Box<dyn Any + Send>;

/// A generator's function, which borrows for no longer than `'a`.
pub(super) type Body<'a, Y, R, T> = Box<dyn FnOnce(&Yielder<Y, R>, R) -> T + 'a>;

/// A generator without its handle.
pub(super) struct Core<Y, R, T> {
    yielder: Yielder<Y, R>,
    body: Cell<Option<Body<'static, Y, R, T>>>,
    result: Cell<Option<Result<T, Payload>>>,
    /// The scope that must not be left before it has ended, and its place there.
    scope: Option<Rc<ScopeRoster>>,
    place_in_scope: Cell<Key>,
    /// It has no handle any more.
    orphan: Cell<bool>,
}

/// The generators of a scope that were started, and the frame in which the scope was made.
pub(super) struct ScopeRoster {
    pub(super) roster: Roster,
    frame: Option<Rc<Frame>>,
}

impl ScopeRoster {
    pub(super) fn new() -> Rc<ScopeRoster> {
        Rc::new(ScopeRoster { roster: Roster::new(), frame: Frame::current() })
    }

    /// Whether the scope's end is the only thing that must unwind what is started in `frame`: if it
    /// was made in that frame it ends with it, or with the generator in which it was made. Unwound on
    /// its own, a generator would find those below it gone.
    fn is_alone(&self, frame: &Rc<Frame>) -> bool {
        self.frame.as_ref().is_some_and(|own| Rc::ptr_eq(own, frame))
    }
}

/// Why a generator cannot be resumed.
enum Unready {
    Finished,
    Running,
    Elsewhere,
    NoFrame,
    NoStack(io::Error),
}

impl<Y, R, T> Core<Y, R, T> {
    /// A generator that may borrow only if it has a `scope`.
    pub(super) fn new(
        class: SizeClass,
        body: Body<'static, Y, R, T>,
        scope: Option<Rc<ScopeRoster>>,
    ) -> Rc<Core<Y, R, T>> {
        let exchanged = size_of::<Y>() + size_of::<R>() + size_of::<T>();
        let class = task::class_for_moves(class, exchanged + size_of_val(&*body));
        Rc::new(Core {
            yielder: Yielder::new(Strand::new(class, false), scope.is_some()),
            body: Cell::new(Some(body)),
            result: Cell::new(None),
            scope,
            place_in_scope: Cell::new(Key::from_bits(0)),
            orphan: Cell::new(false),
        })
    }

    #[inline(always)]
    pub(super) fn state(&self) -> State {
        self.yielder.strand.state()
    }

    #[inline(always)]
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state(), State::Ended | State::Retired)
    }

    #[inline(always)]
    pub(super) fn advance(
        self: &Rc<Self>,
        value: R,
    ) -> Result<GeneratorState<Y, T>, ResumeError<R>> {
        if !self.yielder.strand.is_ready() {
            if let Err(unready) = self.make_ready() {
                return Err(unready.with(value));
            }
        }
        self.yielder.send(value);
        // SAFETY: it is ready.
        Ok(unsafe { self.go() })
    }

    #[track_caller]
    pub(super) fn throw(self: &Rc<Self>, payload: Payload) -> GeneratorState<Y, T> {
        match self.state() {
            State::Fresh => {
                self.yielder.strand.end_fresh();
                drop(self.body.take());
                panic::resume_unwind(payload)
            }
            State::Ended | State::Retired => panic::resume_unwind(payload),
            State::Suspended | State::Running => {}
        }
        assert!(
            self.can_raise(),
            "nothing can be thrown into a generator that runs, belongs to another fiber, or is \
             suspended in a destructor that runs because of a panic"
        );
        self.yielder.send_raise(payload);
        // SAFETY: `can_raise` includes `is_ready`.
        unsafe { self.go() }
    }

    pub(super) fn close(self: &Rc<Self>) -> Result<Option<T>, CloseError<Y>> {
        match self.state() {
            State::Fresh => {
                self.yielder.strand.end_fresh();
                drop(self.body.take());
                return Ok(None);
            }
            State::Ended | State::Retired => return Ok(None),
            State::Suspended | State::Running => {}
        }
        if !self.can_raise() {
            return Err(CloseError::Refused);
        }
        self.yielder.send_raise(Box::new(GeneratorExit));
        // SAFETY: `can_raise` includes `is_ready`.
        if !unsafe { self.yielder.strand.resume() } {
            // SAFETY: it has not ended, so it has yielded.
            return Err(CloseError::Ignored(unsafe { self.yielder.take() }));
        }
        match self.end() {
            Ok(value) => Ok(Some(value)),
            Err(payload) if payload.is::<GeneratorExit>() => Ok(None),
            // A kill of the fiber, met while the generator cleaned up, is not the generator's.
            Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
            Err(payload) => Err(CloseError::Panicked(Panic::new(payload))),
        }
    }

    /// The handle goes: a suspended generator is unwound, at once or by its own frame.
    ///
    /// That is put off while it is in a destructor of its own, as far as one can tell: nothing may be
    /// raised there. One that borrows cannot wait.
    #[cold]
    pub(super) fn give_up_handle(core: &Rc<Core<Y, R, T>>) {
        core.orphan.set(true);
        let strand = &core.yielder.strand;
        if strand.state() != State::Suspended {
            return;
        }
        if strand.is_here() && (core.scope.is_some() || !strand.may_be_unwinding()) {
            core.clone().unwind();
        } else if let Some(frame) = strand.frame() {
            frame.note_orphan();
        }
    }

    /// Whether something can be raised at its pending yield.
    fn can_raise(&self) -> bool {
        self.yielder.strand.is_ready()
            && !cfg!(panic = "abort")
            && !self.yielder.strand.may_be_unwinding()
    }

    /// Starts it if it is fresh, or says why it cannot be resumed.
    #[cold]
    #[inline(never)]
    fn make_ready(self: &Rc<Self>) -> Result<(), Unready> {
        match self.state() {
            State::Fresh => self.start(),
            State::Suspended => Err(Unready::Elsewhere),
            State::Running => Err(Unready::Running),
            State::Ended | State::Retired => Err(Unready::Finished),
        }
    }

    fn start(self: &Rc<Self>) -> Result<(), Unready> {
        let frame = Frame::current().ok_or(Unready::NoFrame)?;
        frame.reap();
        // A function pointer and an address: the strand's entry must not borrow by its type.
        let root: unsafe fn(*const ()) = root::<Y, R, T>;
        let at: *const () = Rc::as_ptr(self).cast();
        // SAFETY: it is fresh, and the frame the current one. `root` does not unwind, and `at` is a
        // generator of these types, which the rosters keep until it has ended.
        let started = unsafe { self.yielder.strand.start(frame.clone(), move || root(at)) };
        started.map_err(Unready::NoStack)?;
        let nested = erase(self.clone());
        if let Some(scope) = &self.scope {
            self.place_in_scope.set(scope.roster.insert(nested.clone()));
        }
        if self.scope.as_ref().is_none_or(|scope| !scope.is_alone(&frame)) {
            self.yielder.strand.place.set(frame.roster.insert(nested));
        }
        Ok(())
    }

    /// Resumes it with what was left for it, and says what it did.
    ///
    /// # Safety
    ///
    /// It must be ready, and not closing.
    #[inline(always)]
    unsafe fn go(&self) -> GeneratorState<Y, T> {
        // SAFETY: it is suspended in the current frame, and the caller holds it.
        if !unsafe { self.yielder.strand.resume() } {
            // SAFETY: it has not ended, nor is it retired, for it was not closing: it has yielded.
            return GeneratorState::Yielded(unsafe { self.yielder.take() });
        }
        match self.end() {
            Ok(value) => GeneratorState::Complete(value),
            Err(payload) => panic::resume_unwind(payload),
        }
    }

    /// It has ended: what did it leave?
    #[inline(never)]
    fn end(&self) -> Result<T, Payload> {
        self.leave_rosters();
        self.result.take().expect("a generator that has ended left its result")
    }

    /// Nobody has to unwind it any more.
    fn leave_rosters(&self) {
        let from_scope =
            self.scope.as_ref().map(|scope| scope.roster.remove(self.place_in_scope.get()));
        let frame = self.yielder.strand.frame();
        let from_frame = frame.map(|frame| frame.roster.remove(self.yielder.strand.place.get()));
        // Whoever has resumed it holds it, so this frees nothing.
        drop((from_scope, from_frame));
    }

    /// Keeps it for ever, as it is.
    #[cold]
    fn abandon(self: Rc<Self>, why: &str) {
        if self.scope.is_some() {
            report::say(format_args!("a generator that borrows {why}: aborting"));
            process::abort();
        }
        report::say(format_args!("a generator {why}: its stack is kept"));
        if self.state() == State::Suspended {
            self.yielder.strand.retire();
        }
        mem::forget(self);
    }
}

impl<Y, R, T> Nested for Core<Y, R, T> {
    fn strand(&self) -> &Strand {
        &self.yielder.strand
    }

    fn is_orphan(&self) -> bool {
        self.orphan.get()
    }

    fn give_up(self: Rc<Self>) {
        self.abandon("is one of too many that were started by destructors");
    }

    fn unwind(self: Rc<Self>) {
        let strand = &self.yielder.strand;
        // One that borrows has no choice: if it is in a destructor indeed, the process aborts.
        let may_raise = self.scope.is_some() || !strand.may_be_unwinding();
        if !strand.is_ready() || cfg!(panic = "abort") || !may_raise {
            return self.abandon("is suspended where nothing can be raised");
        }
        self.yielder.set_closing();
        self.yielder.send_raise(Box::new(GeneratorExit));
        // SAFETY: it is ready.
        if !unsafe { self.yielder.strand.resume() } {
            // A closing generator does not yield.
            return self.abandon("caught every GeneratorExit and went on yielding");
        }
        match self.end() {
            Ok(value) => drop_quietly(value),
            Err(payload) if payload.is::<GeneratorExit>() || exit::is_unwind(&*payload) => {
                report::drop_payload(payload);
            }
            Err(payload) => {
                report::report_lost("a generator panicked while it was dropped", payload)
            }
        }
    }
}

fn drop_quietly<T>(value: T) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(value))) {
        report::report_lost("the destructor of what a generator returned panicked", payload);
    }
}

/// Drops a function that never runs. Returns what leaves the generator: `payload`, or the panic of a
/// destructor, which takes its place.
fn drop_unrun<F>(body: F, payload: Payload) -> Payload {
    match panic::catch_unwind(AssertUnwindSafe(|| drop(body))) {
        Ok(()) => payload,
        Err(panicked) => {
            // Not outside of a `catch_unwind`: its destructor is the user's.
            report::drop_payload(payload);
            panicked
        }
    }
}

/// The function at the base of a generator's stack. It does not unwind.
///
/// # Safety
///
/// `at` must point to a `Core` of these types that stays alive until this has returned.
unsafe fn root<Y, R, T>(at: *const ()) {
    // SAFETY: the caller's promise.
    let core = unsafe { &*at.cast::<Core<Y, R, T>>() };
    let body = core.body.take().expect("a generator is started once");
    let result = match core.yielder.take_raise() {
        // It was unwound before it ever ran: what it captured is dropped here.
        Some(payload) => Err(drop_unrun(body, payload)),
        // A generator is isolated like a fiber: what its function leaves broken is seen by nobody
        // but those who share it knowingly.
        None => panic::catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: it was resumed for the first time, and not to be unwound.
            let first = unsafe { core.yielder.receive() };
            body(&core.yielder, first)
        })),
    };
    core.result.set(Some(result));
}

/// Erases the types of a generator, and how long what they borrow lives.
fn erase<'a, Y: 'a, R: 'a, T: 'a>(core: Rc<Core<Y, R, T>>) -> Rc<dyn Nested> {
    let nested: Rc<dyn Nested + 'a> = core;
    // SAFETY: only the lifetime changes. The rosters hold the result until the generator has ended:
    // after that neither its stack nor its record holds anything that borrows but its result, which
    // whoever has resumed it takes at once. A generator that borrows belongs to a scope, which is not
    // left before: it unwinds the generator, or aborts.
    unsafe { mem::transmute::<Rc<dyn Nested + 'a>, Rc<dyn Nested>>(nested) }
}

impl Unready {
    fn with<R>(self, value: R) -> ResumeError<R> {
        match self {
            Unready::Finished => ResumeError::Finished(value),
            Unready::Running => ResumeError::Running(value),
            Unready::Elsewhere => ResumeError::Elsewhere(value),
            Unready::NoFrame => ResumeError::NoFrame(value),
            Unready::NoStack(error) => ResumeError::NoStack(value, error),
        }
    }
}
