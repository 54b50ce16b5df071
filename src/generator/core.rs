//! The life of a generator: how it is started, resumed, thrown into, closed, and unwound when its
//! frame ends.
//!
//! Invariants:
//! - A started generator is listed in the roster of its frame, and in that of its scope if it has
//!   one, until it has ended (a generator whose scope was made in the same frame is listed in that
//!   of the scope only). So it is never freed while it has a stack.
//! - The value or panic payload that leaves its function is in `result` from the end of the
//!   function until it is taken.
//! - A generator is unwound only by code of its own frame. A generator that cannot be unwound is
//!   abandoned: its stack and its record are kept forever. If it borrows, the process is aborted.

#![allow(unsafe_code, reason = "resumes coroutines, and erases the types of generators")]

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::rc::Rc;

use crate::collections::slot_table::Key;
use crate::fiber::coroutine::{Coroutine, State};
use crate::fiber::exit;
use crate::fiber::frame::Frame;
use crate::fiber::panic::Panic;
use crate::fiber::report;
use crate::fiber::roster::{Nested, Roster};
use crate::fiber::task;
use crate::generator::error::{CloseError, GeneratorExit, ResumeError};
use crate::generator::{GeneratorState, Yielder};
use crate::stack::SizeClass;

type Payload = Box<dyn Any + Send>;

/// The function of a generator. What it borrows lives at least for `'a`.
pub(super) type Body<'a, Y, R, T> = Box<dyn FnOnce(&Yielder<Y, R>, R) -> T + 'a>;

/// The record of a generator, without the handle.
pub(super) struct Core<Y, R, T> {
    yielder: Yielder<Y, R>,
    body: Cell<Option<Body<'static, Y, R, T>>>,
    result: Cell<Option<Result<T, Payload>>>,
    /// The scope that must not be left before the generator has ended, and the generator's place in
    /// the roster of that scope.
    scope: Option<Rc<ScopeRoster>>,
    place_in_scope: Cell<Key>,
    /// Whether the handle has been dropped.
    orphan: Cell<bool>,
}

/// The started generators of a scope, and the frame in which the scope was made.
pub(super) struct ScopeRoster {
    pub(super) roster: Roster,
    frame: Option<Rc<Frame>>,
}

impl ScopeRoster {
    pub(super) fn new() -> Rc<ScopeRoster> {
        Rc::new(ScopeRoster { roster: Roster::new(), frame: Frame::current() })
    }

    /// Returns whether a generator that is started in `frame` must be listed by this scope only, so
    /// that only the end of the scope unwinds it. This is so if the scope was made in that
    /// frame: the scope then ends with the frame, or with the generator inside which it was made.
    /// If the frame unwound such a generator on its own, the generators below it might already be
    /// gone.
    fn is_alone(&self, frame: &Rc<Frame>) -> bool {
        self.frame.as_ref().is_some_and(|own| Rc::ptr_eq(own, frame))
    }
}

/// The reason why a generator cannot be resumed.
enum Unready {
    Finished,
    Running,
    Elsewhere,
    NoFrame,
    NoStack(io::Error),
}

impl<Y, R, T> Core<Y, R, T> {
    /// Creates a generator. It may borrow only if it has a `scope`.
    pub(super) fn new(
        class: SizeClass,
        body: Body<'static, Y, R, T>,
        scope: Option<Rc<ScopeRoster>>,
    ) -> Rc<Core<Y, R, T>> {
        let exchanged = size_of::<Y>() + size_of::<R>() + size_of::<T>();
        let class = task::class_for_moves(class, exchanged + size_of_val(&*body));
        Rc::new(Core {
            yielder: Yielder::new(Coroutine::new(class, false), scope.is_some()),
            body: Cell::new(Some(body)),
            result: Cell::new(None),
            scope,
            place_in_scope: Cell::new(Key::from_bits(0)),
            orphan: Cell::new(false),
        })
    }

    #[inline(always)]
    pub(super) fn state(&self) -> State {
        self.yielder.coroutine.state()
    }

    #[inline(always)]
    pub(super) fn is_finished(&self) -> bool {
        matches!(self.state(), State::Ended | State::Abandoned)
    }

    #[inline(always)]
    pub(super) fn advance(
        self: &Rc<Self>,
        value: R,
    ) -> Result<GeneratorState<Y, T>, ResumeError<R>> {
        if !self.yielder.coroutine.is_ready() {
            if let Err(unready) = self.make_ready() {
                return Err(unready.with(value));
            }
        }
        self.yielder.send(value);
        // SAFETY: the generator is ready: checked above, or started by `make_ready`. It is not
        // closing: a closing generator ends or is abandoned before `unwind` returns.
        Ok(unsafe { self.go() })
    }

    #[track_caller]
    pub(super) fn throw(self: &Rc<Self>, payload: Payload) -> GeneratorState<Y, T> {
        match self.state() {
            State::Fresh => {
                self.yielder.coroutine.end_fresh();
                drop(self.body.take());
                panic::resume_unwind(payload)
            }
            State::Ended | State::Abandoned => panic::resume_unwind(payload),
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
                self.yielder.coroutine.end_fresh();
                drop(self.body.take());
                return Ok(None);
            }
            State::Ended | State::Abandoned => return Ok(None),
            State::Suspended | State::Running => {}
        }
        if !self.can_raise() {
            return Err(CloseError::Refused);
        }
        self.yielder.send_raise(Box::new(GeneratorExit));
        // SAFETY: `can_raise` includes `is_ready`.
        if !unsafe { self.yielder.coroutine.resume() } {
            // SAFETY: the generator was resumed and has not ended, so it has yielded.
            return Err(CloseError::Ignored(unsafe { self.yielder.take() }));
        }
        match self.end() {
            Ok(value) => Ok(Some(value)),
            Err(payload) if payload.is::<GeneratorExit>() => Ok(None),
            // A kill of the fiber that the generator met while it cleaned up is not an error of the
            // generator.
            Err(payload) if exit::is_unwind(&*payload) => panic::resume_unwind(payload),
            Err(payload) => Err(CloseError::Panicked(Panic::new(payload))),
        }
    }

    /// Handles the drop of the handle: a suspended generator is unwound, either immediately or
    /// later by its own frame.
    ///
    /// The unwind is put off while the generator may be suspended in a destructor that runs because
    /// of a panic, where nothing may be raised. A generator that borrows cannot be put off.
    #[cold]
    pub(super) fn give_up_handle(core: &Rc<Core<Y, R, T>>) {
        core.orphan.set(true);
        let coroutine = &core.yielder.coroutine;
        if coroutine.state() != State::Suspended {
            return;
        }
        if coroutine.is_here() && (core.scope.is_some() || !coroutine.may_be_unwinding()) {
            core.clone().unwind();
        } else if let Some(frame) = coroutine.frame() {
            frame.note_orphan();
        }
    }

    /// Returns whether something can be raised at the pending yield of the generator.
    fn can_raise(&self) -> bool {
        self.yielder.coroutine.is_ready()
            && !cfg!(panic = "abort")
            && !self.yielder.coroutine.may_be_unwinding()
    }

    /// Starts the generator if it is fresh; otherwise returns why it cannot be resumed.
    #[cold]
    #[inline(never)]
    fn make_ready(self: &Rc<Self>) -> Result<(), Unready> {
        match self.state() {
            State::Fresh => self.start(),
            State::Suspended => Err(Unready::Elsewhere),
            State::Running => Err(Unready::Running),
            State::Ended | State::Abandoned => Err(Unready::Finished),
        }
    }

    fn start(self: &Rc<Self>) -> Result<(), Unready> {
        let frame = Frame::current().ok_or(Unready::NoFrame)?;
        frame.reap();
        // The entry is a function pointer and an address, because the closure that the coroutine is
        // started with must not borrow by its type.
        let root: unsafe fn(*const ()) = root::<Y, R, T>;
        let at: *const () = Rc::as_ptr(self).cast();
        // SAFETY: the generator is fresh, and `frame` is the current frame. `root` does not unwind,
        // and `at` points to a generator of these types, which the rosters keep until it has ended.
        let started = unsafe { self.yielder.coroutine.start(frame.clone(), move || root(at)) };
        started.map_err(Unready::NoStack)?;
        let nested = erase(self.clone());
        if let Some(scope) = &self.scope {
            self.place_in_scope.set(scope.roster.insert(nested.clone()));
        }
        if self.scope.as_ref().is_none_or(|scope| !scope.is_alone(&frame)) {
            self.yielder.coroutine.place.set(frame.roster.insert(nested));
        }
        Ok(())
    }

    /// Resumes the generator with the value or payload that was left for it, and returns what it
    /// did.
    ///
    /// # Safety
    ///
    /// The generator must be ready, and not closing.
    #[inline(always)]
    unsafe fn go(&self) -> GeneratorState<Y, T> {
        // SAFETY: the generator is suspended in the current frame, and the caller holds a reference
        // to it.
        if !unsafe { self.yielder.coroutine.resume() } {
            // SAFETY: the generator has not ended. It is not abandoned either, because it was not
            // closing. So it has yielded.
            return GeneratorState::Yielded(unsafe { self.yielder.take() });
        }
        match self.end() {
            Ok(value) => GeneratorState::Complete(value),
            Err(payload) => panic::resume_unwind(payload),
        }
    }

    /// Takes the result of the generator, which has ended, and removes the generator from the
    /// rosters.
    #[inline(never)]
    fn end(&self) -> Result<T, Payload> {
        self.leave_rosters();
        self.result.take().expect("a generator that has ended left its result")
    }

    /// Removes the generator from the rosters: nothing has to unwind it any more.
    fn leave_rosters(&self) {
        let from_scope =
            self.scope.as_ref().map(|scope| scope.roster.remove(self.place_in_scope.get()));
        let frame = self.yielder.coroutine.frame();
        let from_frame = frame.map(|frame| frame.roster.remove(self.yielder.coroutine.place.get()));
        // The caller that resumed the generator holds a reference to it, so this frees nothing.
        drop((from_scope, from_frame));
    }

    /// Keeps the generator forever, in its present state.
    #[cold]
    fn abandon(self: Rc<Self>, why: &str) {
        if self.scope.is_some() {
            report::say(format_args!("a generator that borrows {why}: aborting"));
            process::abort();
        }
        report::say(format_args!("a generator {why}: its stack is kept"));
        if self.state() == State::Suspended {
            self.yielder.coroutine.abandon();
        }
        mem::forget(self);
    }
}

impl<Y, R, T> Nested for Core<Y, R, T> {
    fn coroutine(&self) -> &Coroutine {
        &self.yielder.coroutine
    }

    fn is_orphan(&self) -> bool {
        self.orphan.get()
    }

    fn abandon(self: Rc<Self>) {
        self.abandon("is one of too many that were started by destructors");
    }

    fn unwind(self: Rc<Self>) {
        let coroutine = &self.yielder.coroutine;
        // A generator that borrows must be unwound in any case: if it really is in such a
        // destructor, the process aborts.
        let may_raise = self.scope.is_some() || !coroutine.may_be_unwinding();
        if !coroutine.is_ready() || cfg!(panic = "abort") || !may_raise {
            return self.abandon("is suspended where nothing can be raised");
        }
        self.yielder.set_closing();
        self.yielder.send_raise(Box::new(GeneratorExit));
        // SAFETY: the generator is ready.
        if !unsafe { self.yielder.coroutine.resume() } {
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

/// Drops a function that never runs. Returns what leaves the generator: `payload`, or the panic of
/// a destructor, which replaces it.
fn drop_unrun<F>(body: F, payload: Payload) -> Payload {
    match panic::catch_unwind(AssertUnwindSafe(|| drop(body))) {
        Ok(()) => payload,
        Err(panicked) => {
            // `drop_payload` catches a panic of the payload's destructor, which is user code.
            report::drop_payload(payload);
            panicked
        }
    }
}

/// Runs as the function at the base of a generator's stack. It does not unwind.
///
/// # Safety
///
/// `at` must point to a `Core` of these types that stays alive until this function has returned.
unsafe fn root<Y, R, T>(at: *const ()) {
    // SAFETY: the caller's promise.
    let core = unsafe { &*at.cast::<Core<Y, R, T>>() };
    let body = core.body.take().expect("a generator is started once");
    let result = match core.yielder.take_raise() {
        // Unwound before it ever ran: what the function captured is dropped here.
        Some(payload) => Err(drop_unrun(body, payload)),
        // A generator is isolated like a fiber: what its function leaves in an inconsistent state
        // is seen only by code that knowingly shares it.
        None => panic::catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: the generator was resumed for the first time, and with a value: there is
            // nothing to raise.
            let first = unsafe { core.yielder.receive() };
            body(&core.yielder, first)
        })),
    };
    core.result.set(Some(result));
}

/// Erases the types of a generator, and the lifetime of what they borrow.
fn erase<'a, Y: 'a, R: 'a, T: 'a>(core: Rc<Core<Y, R, T>>) -> Rc<dyn Nested> {
    let nested: Rc<dyn Nested + 'a> = core;
    // SAFETY: only the lifetime changes. The rosters hold the result until the generator has ended.
    // After that neither its stack nor its record holds anything that borrows except its result,
    // which the caller that resumed it takes immediately. A generator that borrows belongs to a
    // scope, which is not left before the generator has ended: the scope unwinds it, or aborts the
    // process.
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
