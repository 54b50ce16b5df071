//! The public handle of a greenlet.
//!
//! Invariant: `Header::handles` counts the values of type [`Greenlet`], including those in the
//! parent links of children. When it falls to zero, a suspended greenlet is killed.

mod state;

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use crate::greenlet::GreenletBuilder;
use crate::greenlet::context::Context;
use crate::greenlet::core::Core;
use crate::greenlet::error::{GreenletExit, ParentError, RunError, SwitchError, ThrowError};
use crate::greenlet::running::current_in;

/// A handle to a greenlet: a call stack that other greenlets switch to, and that switches to
/// others. Clones of a handle are the same greenlet.
///
/// `V` is the type of the values that it exchanges with all other greenlets of its family. It is
/// `!Send`: a started greenlet never leaves its frame.
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
    /// Creates a greenlet that will run `f` with the first value that it is switched to with.
    ///
    /// Its parent is the current greenlet, or the main greenlet if the current one belongs to
    /// another family. If it is created outside of all frames, its parent is the main greenlet of
    /// the frame in which it starts.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::Greenlet;
    ///
    /// fibra::frame(|| {
    ///     let double = Greenlet::new(|n: u32| 2 * n);
    ///     assert_eq!(double.switch(21).unwrap(), 42);
    ///     assert!(double.is_dead());
    /// });
    /// ```
    pub fn new(f: impl FnOnce(V) -> V + 'static) -> Greenlet<V> {
        GreenletBuilder::new().build(f)
    }

    /// Creates a greenlet like [`new`](Greenlet::new), with `parent` as its parent.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::Greenlet;
    ///
    /// fibra::frame(|| {
    ///     let parent = Greenlet::new(|n: u32| 10 * n);
    ///     let child = Greenlet::with_parent(|n| n + 1, &parent);
    ///     assert_eq!(child.switch(1).unwrap(), 20); // its result goes to its parent
    /// });
    /// ```
    pub fn with_parent(f: impl FnOnce(V) -> V + 'static, parent: &Greenlet<V>) -> Greenlet<V> {
        let core = Core::new(crate::stack::SizeClass::DEFAULT, Some(Box::new(f)));
        core.replace_parent(Some(parent.clone()));
        Greenlet::from_core(Rc::new(core))
    }

    /// Creates a greenlet that has no function until [`set_run`](Greenlet::set_run).
    #[must_use]
    pub fn empty() -> Greenlet<V> {
        GreenletBuilder::new().build_empty()
    }

    pub(super) fn make(core: Core<V>) -> Greenlet<V> {
        if let Some(context) = Context::find() {
            context.reap();
            let parent =
                current_in(&context).unwrap_or_else(|| Greenlet::from_core(context.main()));
            core.replace_parent(Some(parent));
        }
        Greenlet::from_core(Rc::new(core))
    }

    pub(super) fn from_core(core: Rc<Core<V>>) -> Greenlet<V> {
        core.header.handles.set(core.header.handles.get() + 1);
        Greenlet { core }
    }

    /// Switches to the greenlet with `value`: the call in which it waits returns `value`, or its
    /// function is called with it. Returns the value with which another greenlet switches back to
    /// the caller, or which a child of the caller returns at its end.
    ///
    /// Control returns only by a switch: if the greenlet switches to others, those determine when
    /// the caller continues. A dead greenlet passes the value on to its parent. The current
    /// greenlet gets its own value back immediately.
    ///
    /// # Errors
    ///
    /// Returns [`SwitchError::Exit`] if a child has ended by a [`GreenletExit`], and
    /// [`SwitchError::Unraised`] if a payload has come that cannot be raised here: these are
    /// answers, and the value was delivered. All other errors are reasons why the value could not
    /// be delivered, and return it.
    ///
    /// # Panics
    ///
    /// Panics with the payload that is raised in the caller: the panic of a child, or what is
    /// [thrown](Greenlet::throw) into the caller.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{self, Greenlet};
    ///
    /// fibra::frame(|| {
    ///     let server = Greenlet::new(|mut request: String| {
    ///         loop {
    ///             request = greenlet::main().switch(request.to_uppercase()).unwrap();
    ///         }
    ///     });
    ///     assert_eq!(server.switch("ping".into()).unwrap(), "PING");
    ///     assert_eq!(server.switch("pong".into()).unwrap(), "PONG");
    /// });
    /// ```
    #[inline(always)]
    pub fn switch(&self, value: V) -> Result<V, SwitchError<V>> {
        self.core.switch(value)
    }

    /// Switches to the greenlet and unwinds it with `payload`, as if the call in which it waits had
    /// panicked. Returns like [`switch`](Greenlet::switch).
    ///
    /// If the greenlet does not catch the payload, it is raised in its parent, where that waits. An
    /// unstarted greenlet ends without running. If the greenlet is dead, the payload is raised in
    /// its nearest living ancestor. A [`GreenletExit`] is not raised in those ancestors, but
    /// returned to them.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`switch`](Greenlet::switch), with the payload.
    ///
    /// # Panics
    ///
    /// Panics like [`switch`](Greenlet::switch). Panics with `payload`, if the greenlet is the
    /// current one.
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

    /// Ends the greenlet by [throwing](Greenlet::throw) a [`GreenletExit`] into it, unless it
    /// catches that.
    ///
    /// # Errors
    ///
    /// Returns [`SwitchError::Exit`] if the greenlet has ended by that and the caller is its
    /// parent, and otherwise the same errors as [`throw`](Greenlet::throw).
    ///
    /// # Panics
    ///
    /// Panics like [`throw`](Greenlet::throw).
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{self, Greenlet, SwitchError};
    ///
    /// fibra::frame(|| {
    ///     let worker = Greenlet::new(|_: u32| greenlet::main().switch(1).unwrap());
    ///     assert_eq!(worker.switch(0).unwrap(), 1);
    ///     assert!(matches!(worker.kill(), Err(SwitchError::Exit(_))));
    ///     assert!(worker.is_dead());
    /// });
    /// ```
    pub fn kill(&self) -> Result<V, ThrowError> {
        self.throw(GreenletExit::default())
    }

    /// Sets the function of an unstarted greenlet. A previous function is dropped.
    ///
    /// # Errors
    ///
    /// Returns an error if the greenlet has started, and if it is a main greenlet. `f` is dropped
    /// then.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::Greenlet;
    ///
    /// fibra::frame(|| {
    ///     let greenlet = Greenlet::empty();
    ///     greenlet.set_run(|n: u32| n + 1).unwrap();
    ///     assert_eq!(greenlet.switch(1).unwrap(), 2);
    ///     assert!(greenlet.set_run(|n| n).is_err()); // too late
    /// });
    /// ```
    pub fn set_run(&self, f: impl FnOnce(V) -> V + 'static) -> Result<(), RunError> {
        self.check_run()?;
        drop(self.core.replace_run(Some(Box::new(f))));
        Ok(())
    }

    /// Removes the function of an unstarted greenlet.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`set_run`](Greenlet::set_run).
    pub fn clear_run(&self) -> Result<(), RunError> {
        self.check_run()?;
        drop(self.core.replace_run(None));
        Ok(())
    }

    /// Returns whether the greenlet has a function and has not started.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.core.has_run()
    }

    fn check_run(&self) -> Result<(), RunError> {
        if self.is_main() {
            return Err(RunError::Main);
        }
        if self.core.header.is_unstarted() { Ok(()) } else { Err(RunError::Started) }
    }

    /// Returns the parent: the greenlet that gets the value which this one returns. A main greenlet
    /// has none, and neither has an unstarted greenlet that was created outside of all frames.
    ///
    /// A greenlet that switches to its own parent should use
    /// [`greenlet::parent`](crate::greenlet::parent).
    ///
    /// While the greenlet is killed because its last handle was dropped, its parent is the greenlet
    /// that dropped the handle, or the main greenlet if that one belongs to another family.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::{self, Greenlet};
    ///
    /// fibra::frame(|| {
    ///     let child = Greenlet::new(|n: u32| n);
    ///     assert_eq!(child.parent(), Some(greenlet::main()));
    ///
    ///     // What `child` returns now goes to `other`.
    ///     let other = Greenlet::new(|n| n * 10);
    ///     child.set_parent(&other).unwrap();
    ///     assert_eq!(child.switch(4).unwrap(), 40);
    /// });
    /// ```
    #[must_use]
    pub fn parent(&self) -> Option<Greenlet<V>> {
        self.core.killer().or_else(|| self.core.parent()).map(Greenlet::from_core)
    }

    /// Sets the parent: the greenlet that gets the value which this one returns. This may be done
    /// at any time. An unstarted greenlet moves to the frame of its new parent.
    ///
    /// # Errors
    ///
    /// Returns the reason if the parent cannot be set, and changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use fibra::greenlet::Greenlet;
    ///
    /// fibra::frame(|| {
    ///     let [one, other] = [1, 2].map(|n: u32| Greenlet::new(move |value| value + n));
    ///     one.set_parent(&other).unwrap();
    ///     assert_eq!(one.switch(10).unwrap(), 13); // through both
    /// });
    /// ```
    pub fn set_parent(&self, parent: &Greenlet<V>) -> Result<(), ParentError> {
        if self.is_main() {
            return Err(ParentError::Main);
        }
        if self.core.is_in_chain_of(&parent.core) {
            return Err(ParentError::Cyclic);
        }
        if self.is_active() && !self.core.shares_context_with(&parent.core) {
            return Err(ParentError::Elsewhere);
        }
        // This may drop the last handle of the previous parent, and so run arbitrary code.
        drop(self.core.replace_parent(Some(parent.clone())));
        Ok(())
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
        let left = self.core.header.handles.get() - 1;
        self.core.header.handles.set(left);
        if left == 0 {
            self.core.lost_last_handle();
        }
    }
}

/// Compares by identity.
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
