//! The greenlet that runs, and what hangs on it: its parent, its main greenlet, its locals.
//!
//! Invariant: the world of a frame knows which greenlet runs as a bare pointer and a family. A handle is
//! made of it only for the family that it has.

#![allow(unsafe_code, reason = "makes a handle of the greenlet that runs")]

use std::rc::Rc;

use crate::greenlet::core::Core;
use crate::greenlet::handle::Greenlet;
use crate::greenlet::locals::GreenletLocals;
use crate::greenlet::world::{World, here};

/// The greenlet that runs: the frame's main greenlet outside of all others.
///
/// # Panics
///
/// If that one belongs to another family, and outside of `fibra::frame` and `fibra::run`.
#[track_caller]
#[must_use]
pub fn current<V: 'static>() -> Greenlet<V> {
    let world = here();
    world.reap();
    match current_in(&world) {
        Some(current) => current,
        None => panic!(
            "the greenlet that runs exchanges values of type `{}`, and not of type `{}`",
            world.current_family().map_or("another", |family| family.name),
            std::any::type_name::<V>()
        ),
    }
}

/// The parent of the greenlet that runs, to which it gives values back; none for a main greenlet.
///
/// For a greenlet that switches to its parent, this is better than `current().parent()`: there the
/// handle to the running greenlet is a temporary that lives as long as the switch, so the greenlet is
/// not killed when all others drop theirs, but when its frame ends. With this function only
/// the parent is held, as any child holds it.
///
/// # Panics
///
/// If the greenlet that runs belongs to another family, and outside of `fibra::frame` and `fibra::run`.
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

/// The main greenlet of this frame (or fiber), as the family of `V` knows it.
///
/// # Panics
///
/// Outside of `fibra::frame` and `fibra::run`.
#[track_caller]
#[must_use]
pub fn main<V: 'static>() -> Greenlet<V> {
    Greenlet::from_core(here().main())
}

/// The locals of the greenlet that runs, whatever its family.
///
/// # Panics
///
/// Outside of `fibra::frame` and `fibra::run`.
#[track_caller]
#[must_use]
pub fn locals() -> GreenletLocals {
    let world = here();
    let locals = world.current().map_or(&world.main_locals, |current| &current.locals);
    locals.borrow_mut().get_or_insert_default().clone()
}

/// The greenlet that runs, if it is of this family or main.
pub(super) fn current_in<V: 'static>(world: &Rc<World>) -> Option<Greenlet<V>> {
    let Some(current) = world.current() else { return Some(Greenlet::from_core(world.main())) };
    if !current.is_of::<V>() {
        return None;
    }
    let core: *const Core<V> = world.current.get().cast();
    // SAFETY: the pointer came from an `Rc` of this very type, as the family says, and the roster
    // keeps one; the count is that of the reference which `from_raw` makes.
    let core = unsafe {
        Rc::increment_strong_count(core);
        Rc::from_raw(core)
    };
    Some(Greenlet::from_core(core))
}
