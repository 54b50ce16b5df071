//! Generators made of greenlets, like those in the tests of Python's greenlet.
//!
//! The parent of a genlet is the greenlet that asks it for a value. `yield_` finds the genlet that
//! encloses the caller, at any depth, and switches to its parent. With a level, it switches to the
//! parent's parent and so leaves two genlets together.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::greenlet::{self, Greenlet};

/// An iterator over what a function yields.
pub(crate) struct Genlet<T: 'static> {
    greenlet: Greenlet<Option<T>>,
}

/// The mark of a genlet, in the locals of its greenlet. If the genlet was left from one inside it,
/// the mark holds that one: it provides the next value.
struct Mark<T: 'static>(RefCell<Option<Greenlet<Option<T>>>>);

/// The error of a `yield_` outside of a genlet, or out of more genlets than there are.
#[derive(Debug)]
pub(crate) struct OutsideGenlet;

impl<T: 'static> Genlet<T> {
    pub(crate) fn new(f: impl FnOnce() + 'static) -> Genlet<T> {
        let greenlet = Greenlet::new(move |_| {
            f();
            None
        });
        greenlet.locals().set(Mark::<T>(RefCell::new(None)));
        Genlet { greenlet }
    }
}

impl<T: 'static> Iterator for Genlet<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.greenlet.is_dead() {
            return None;
        }
        let next = left_inside(&self.greenlet);
        if next == self.greenlet {
            next.set_parent(&greenlet::current()).expect("a genlet does not ask itself");
        }
        let value = next.switch(None).expect("a genlet returns a value, or none at its end");
        value.filter(|_| self.greenlet.is_active())
    }
}

/// Returns the innermost genlet from which `outer` was left: itself, after a plain `yield_`.
fn left_inside<T: 'static>(outer: &Greenlet<Option<T>>) -> Greenlet<Option<T>> {
    let inner = mark_of(outer).and_then(|mark| mark.0.take());
    inner.map_or_else(|| outer.clone(), |inner| left_inside(&inner))
}

/// Passes `value` to the consumer of the genlet that encloses the caller.
pub(crate) fn yield_<T: 'static>(value: T) -> Result<(), OutsideGenlet> {
    yield_out_of(value, 1)
}

/// Passes `value` to the consumer of the `level`-th genlet around the caller.
pub(crate) fn yield_out_of<T: 'static>(value: T, level: u32) -> Result<(), OutsideGenlet> {
    let mut at = greenlet::current::<Option<T>>();
    for left in (0..level).rev() {
        mark_of(&at).ok_or(OutsideGenlet)?;
        let parent = at.parent().ok_or(OutsideGenlet)?;
        if 0 < left {
            let mark = mark_of(&parent).ok_or(OutsideGenlet)?;
            mark.0.replace(Some(at));
        }
        at = parent;
    }
    at.switch(Some(value)).expect("the consumer asks for the next value");
    Ok(())
}

fn mark_of<T: 'static>(greenlet: &Greenlet<Option<T>>) -> Option<Rc<Mark<T>>> {
    greenlet.locals().get()
}
