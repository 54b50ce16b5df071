//! The public handle of a greenlet.
//!
//! Invariant: `Head::handles` counts the values of type [`Greenlet`], those in the parent links of
//! children included. When it falls to zero a suspended greenlet is killed.

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::greenlet::GreenletBuilder;
use crate::greenlet::core::Core;
use crate::greenlet::error::{
    GreenletExit, LocalsError, ParentError, RunError, SwitchError, ThrowError,
};
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::running::current_in;
use crate::greenlet::trace::GreenletId;
use crate::greenlet::world::World;

/// A call stack that others switch to, and that switches to others. A handle: clones are the same
/// greenlet.
///
/// `V` is what it exchanges with all the others of its family. It is `!Send`: a started greenlet
/// never leaves its frame.
///
/// ```compile_fail
/// fn send<T: Send>() {}
/// send::<fibra::greenlet::Greenlet<u32>>();
/// ```
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet};
///
/// fibra::frame(|| {
///     let counter = Greenlet::new(|mut step: u32| {
///         let (main, mut sum) = (greenlet::main(), 0);
///         loop {
///             sum += step;
///             step = main.switch(sum).unwrap();
///         }
///     });
///     assert_eq!(counter.switch(3).unwrap(), 3);
///     assert_eq!(counter.switch(4).unwrap(), 7);
///     // Dropped here: its loop is unwound.
/// });
/// ```
pub struct Greenlet<V: 'static> {
    pub(super) core: Rc<Core<V>>,
}

impl<V: 'static> Greenlet<V> {
    /// A greenlet that will run `f` with the first value that it is switched to with (G-001, G-032).
    ///
    /// Its parent is the greenlet that runs, or the main one if that is of another family. Made
    /// outside of all frames it gets the main greenlet of the one in which it starts.
    pub fn new(f: impl FnOnce(V) -> V + 'static) -> Greenlet<V> {
        GreenletBuilder::new().build(f)
    }

    /// As [`new`](Greenlet::new), with another parent.
    pub fn with_parent(f: impl FnOnce(V) -> V + 'static, parent: &Greenlet<V>) -> Greenlet<V> {
        let core = Core::new(crate::stack::SizeClass::DEFAULT, Some(Box::new(f)));
        core.replace_parent(Some(parent.clone()));
        Greenlet::from_core(Rc::new(core))
    }

    /// A greenlet that has nothing to run before [`set_run`](Greenlet::set_run) (G-002).
    #[must_use]
    pub fn empty() -> Greenlet<V> {
        GreenletBuilder::new().build_empty()
    }

    pub(super) fn make(core: Core<V>) -> Greenlet<V> {
        if let Some(world) = World::find() {
            world.reap();
            let parent = current_in(&world).unwrap_or_else(|| Greenlet::from_core(world.main()));
            core.replace_parent(Some(parent));
        }
        Greenlet::from_core(Rc::new(core))
    }

    pub(super) fn from_core(core: Rc<Core<V>>) -> Greenlet<V> {
        core.head.handles.set(core.head.handles.get() + 1);
        Greenlet { core }
    }

    /// Goes to it with `value`: the call in which it waits returns that, or its function is called
    /// with it. Returns what somebody switches back with, or what a child returns at its end.
    ///
    /// Nothing comes back by itself: if it goes on to others, they decide (G-040). A dead one passes
    /// the value on to its parent (G-037); the one that runs gets it at once (G-036).
    ///
    /// # Errors
    ///
    /// [`SwitchError::Exit`] if a child has ended by a [`GreenletExit`], which is an answer like any
    /// other. All others say why the value could not be delivered, and give it back.
    ///
    /// # Panics
    ///
    /// With whatever is raised in the caller: the panic of a child, or what is
    /// [thrown](Greenlet::throw) at it.
    #[inline(always)]
    pub fn switch(&self, value: V) -> Result<V, SwitchError<V>> {
        self.core.switch(value)
    }

    /// Goes to it and unwinds it with `payload`, as if the call in which it waits had panicked.
    /// Returns as [`switch`](Greenlet::switch).
    ///
    /// If it does not catch that it is raised in its parent, wherever that waits (G-061). One that has
    /// not started ends without running (G-059). At a dead one it is raised in the nearest living
    /// ancestor (G-060). [`GreenletExit`] is not raised in them, but returned to them.
    ///
    /// # Errors
    ///
    /// As [`switch`](Greenlet::switch), with the payload.
    ///
    /// # Panics
    ///
    /// As [`switch`](Greenlet::switch); with `payload`, if it is the one that runs (G-062).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{self, Greenlet};
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// fibra::frame(|| {
    ///     let worker = Greenlet::new(|_: &str| {
    ///         let wait = || greenlet::main().switch("working");
    ///         match catch_unwind(AssertUnwindSafe(wait)) {
    ///             Err(payload) if payload.is::<u32>() => "caught it",
    ///             _ => "never",
    ///         }
    ///     });
    ///     assert_eq!(worker.switch("go").unwrap(), "working");
    ///     assert_eq!(worker.throw(404_u32).unwrap(), "caught it");
    /// });
    /// ```
    pub fn throw(&self, payload: impl Any + Send) -> Result<V, ThrowError> {
        self.core.throw(Box::new(payload))
    }

    /// [Throws](Greenlet::throw) a [`GreenletExit`] at it: ends it, unless it catches that.
    ///
    /// # Errors
    ///
    /// [`SwitchError::Exit`] if it has ended by that and the caller is its parent; else as `throw`.
    ///
    /// # Panics
    ///
    /// As [`throw`](Greenlet::throw).
    pub fn kill(&self) -> Result<V, ThrowError> {
        self.throw(GreenletExit::default())
    }

    /// Gives an unstarted greenlet a function, in place of the one that it may have (G-004).
    ///
    /// # Errors
    ///
    /// If it has started, and for a main greenlet (G-005, G-006). `f` is dropped then.
    pub fn set_run(&self, f: impl FnOnce(V) -> V + 'static) -> Result<(), RunError> {
        self.check_run()?;
        drop(self.core.replace_run(Some(Box::new(f))));
        Ok(())
    }

    /// Takes the function of an unstarted greenlet away.
    ///
    /// # Errors
    ///
    /// As [`set_run`](Greenlet::set_run).
    pub fn clear_run(&self) -> Result<(), RunError> {
        self.check_run()?;
        drop(self.core.replace_run(None));
        Ok(())
    }

    /// Whether it has a function and has not started.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.core.has_run()
    }

    fn check_run(&self) -> Result<(), RunError> {
        if self.is_main() {
            return Err(RunError::Main);
        }
        if self.core.head.is_unstarted() { Ok(()) } else { Err(RunError::Started) }
    }

    /// Who gets what it returns; none for a main greenlet, and for one that was made outside of all
    /// frames and has not started.
    ///
    /// A greenlet that switches to its own asks [`greenlet::parent`](crate::greenlet::parent).
    ///
    /// While it is killed because its last handle was dropped this is whoever has dropped it (G-067),
    /// or the main greenlet if that is of another family.
    #[must_use]
    pub fn parent(&self) -> Option<Greenlet<V>> {
        self.core.killer().or_else(|| self.core.parent()).map(Greenlet::from_core)
    }

    /// Sets who gets what it returns, at whatever time (G-022). An unstarted greenlet moves to the
    /// frame of its new parent (G-029).
    ///
    /// # Errors
    ///
    /// Says why not; nothing is changed.
    pub fn set_parent(&self, parent: &Greenlet<V>) -> Result<(), ParentError> {
        if self.is_main() {
            return Err(ParentError::Main);
        }
        if self.core.is_in_chain_of(&parent.core) {
            return Err(ParentError::Cyclic);
        }
        if self.is_active() && !self.core.shares_world_with(&parent.core) {
            return Err(ParentError::Elsewhere);
        }
        // This may drop the last handle of the parent before, and so run whatever code.
        drop(self.core.replace_parent(Some(parent.clone())));
        Ok(())
    }

    /// Whether it has ended (G-012). A main greenlet is dead when its frame has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.core.head.is_dead()
    }

    /// Whether it has been switched to, however long ago.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.is_main() || !self.core.head.is_unstarted()
    }

    /// Whether it has started and is not dead: Python's `bool(g)` (G-013).
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_started() && !self.is_dead()
    }

    /// Whether it is the one that runs this.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.core.head.is_current()
    }

    /// Whether it is the main greenlet of a frame (or fiber).
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.core.head.is_main
    }

    /// What tells it from all others, for a [tracer](crate::greenlet::settrace).
    #[must_use]
    pub fn id(&self) -> GreenletId {
        self.core.head.id()
    }

    /// Its locals, which are empty at first (G-084), and can be read when it is dead (G-090).
    #[must_use]
    pub fn locals(&self) -> GreenletLocals {
        self.core.locals().borrow_mut().get_or_insert_default().clone()
    }

    /// Gives it other locals, perhaps those of another greenlet, which it shares then (G-086, G-087).
    /// Returns those before.
    ///
    /// # Errors
    ///
    /// If it is running in another fiber (G-089).
    pub fn set_locals(&self, locals: GreenletLocals) -> Result<GreenletLocals, LocalsError> {
        if self.core.head.runs_elsewhere() {
            return Err(LocalsError);
        }
        Ok(self.core.locals().replace(Some(locals)).unwrap_or_default())
    }
}

impl<V: 'static> Clone for Greenlet<V> {
    fn clone(&self) -> Greenlet<V> {
        Greenlet::from_core(self.core.clone())
    }
}

impl<V: 'static> Drop for Greenlet<V> {
    #[inline]
    fn drop(&mut self) {
        let left = self.core.head.handles.get() - 1;
        self.core.head.handles.set(left);
        if left == 0 {
            self.core.lost_last_handle();
        }
    }
}

/// By identity.
impl<V: 'static> PartialEq for Greenlet<V> {
    fn eq(&self, other: &Greenlet<V>) -> bool {
        Rc::ptr_eq(&self.core, &other.core)
    }
}

impl<V: 'static> Eq for Greenlet<V> {}

impl<V: 'static> Hash for Greenlet<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.core).hash(state);
    }
}

impl<V: 'static> fmt::Debug for Greenlet<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Greenlet({:?})", self.core)
    }
}
