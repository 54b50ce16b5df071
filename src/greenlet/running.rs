//! The current greenlet, its parent, its main greenlet and its locals.
//!
//! Invariant: the context of a frame knows the current greenlet as a bare pointer and a family. A
//! handle is made from the pointer only for that family.

#![allow(unsafe_code, reason = "makes a handle of the current greenlet")]

use std::rc::Rc;

use crate::greenlet::context::{Context, current_context};
use crate::greenlet::core::Core;
use crate::greenlet::handle::Greenlet;
use crate::greenlet::locals::GreenletLocals;

/// Returns the current greenlet: outside of all other greenlets, the frame's main greenlet.
///
/// # Panics
///
/// Panics if the current greenlet belongs to another family, and outside of `fibra::frame` and
/// `fibra::run`.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet};
///
/// fibra::frame(|| {
///     assert!(greenlet::current::<u32>().is_main());
///     let child = Greenlet::new(|n: u32| {
///         assert!(!greenlet::current::<u32>().is_main());
///         n
///     });
///     assert_eq!(child.switch(1).unwrap(), 1);
/// });
/// ```
#[track_caller]
#[must_use]
pub fn current<V: 'static>() -> Greenlet<V> {
    let context = current_context();
    context.reap();
    match current_in(&context) {
        Some(current) => current,
        None => panic!(
            "the current greenlet exchanges values of type `{}`, and not of type `{}`",
            context.current_family().map_or("another", |family| family.name),
            std::any::type_name::<V>()
        ),
    }
}

/// Returns the parent of the current greenlet, to which it gives values back. A main greenlet has
/// none.
///
/// A greenlet that switches to its parent should use this rather than `current().parent()`. There,
/// the handle to the current greenlet is a temporary that lives as long as the switch. So the
/// greenlet is not killed when all other handles are dropped, but only when its frame ends. This
/// function holds only the parent, as any child does.
///
/// # Panics
///
/// Panics if the current greenlet belongs to another family, and outside of `fibra::frame` and
/// `fibra::run`.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet};
///
/// fibra::frame(|| {
///     let doubler = Greenlet::new(|mut n: u32| {
///         loop {
///             n = greenlet::parent().unwrap().switch(2 * n).unwrap();
///         }
///     });
///     assert_eq!(doubler.switch(3).unwrap(), 6);
///     assert_eq!(doubler.switch(4).unwrap(), 8);
///     // Dropped here: its loop is unwound.
/// });
/// ```
#[track_caller]
#[must_use]
pub fn parent<V: 'static>() -> Option<Greenlet<V>> {
    current().parent()
}

/// Returns the main greenlet of this frame (or fiber), for the family of `V`.
///
/// # Panics
///
/// Panics outside of `fibra::frame` and `fibra::run`.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet};
///
/// fibra::frame(|| {
///     // The main greenlet belongs to every family.
///     let lengths = Greenlet::new(|word: String| greenlet::main().switch(word + "!").unwrap());
///     let numbers = Greenlet::new(|n: u32| greenlet::main().switch(n + 1).unwrap());
///     assert_eq!(lengths.switch("hello".into()).unwrap(), "hello!");
///     assert_eq!(numbers.switch(1).unwrap(), 2);
/// });
/// ```
#[track_caller]
#[must_use]
pub fn main<V: 'static>() -> Greenlet<V> {
    Greenlet::from_core(current_context().main())
}

/// Returns the locals of the current greenlet, whatever its family.
///
/// # Panics
///
/// Panics outside of `fibra::frame` and `fibra::run`.
///
/// # Examples
///
/// ```
/// use fibra::greenlet::{self, Greenlet};
///
/// fibra::frame(|| {
///     let counts = Greenlet::new(|n: u32| {
///         greenlet::locals().set(n);
///         *greenlet::locals().get::<u32>().unwrap()
///     });
///     assert_eq!(counts.switch(3).unwrap(), 3);
/// });
/// ```
#[track_caller]
#[must_use]
pub fn locals() -> GreenletLocals {
    let context = current_context();
    let locals = context.current().map_or(&context.main_locals, |current| &current.locals);
    locals.borrow_mut().get_or_insert_default().clone()
}

/// Returns the current greenlet, if it belongs to this family or is main.
pub(super) fn current_in<V: 'static>(context: &Rc<Context>) -> Option<Greenlet<V>> {
    let Some(current) = context.current() else { return Some(Greenlet::from_core(context.main())) };
    if !current.is_of::<V>() {
        return None;
    }
    let core: *const Core<V> = context.current.get().cast();
    // SAFETY: the pointer came from an `Rc` of this very type, as the family shows, and the roster
    // keeps one; the count that is added is that of the reference which `from_raw` makes.
    let core = unsafe {
        Rc::increment_strong_count(core);
        Rc::from_raw(core)
    };
    Some(Greenlet::from_core(core))
}
