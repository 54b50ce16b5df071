//! Actions with generators, greenlets, other stacks and fiber-locals.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fibra::generator::{self, Generator, Yielder};

use super::{Action, quiet};
use crate::attack::ledger::Counted;
use crate::attack::stage::Stage;

fibra::local! {
    static PLAIN: Counted = Counted::new("a fiber-local");
    static inherit INHERITED: Counted = Counted::new("an inherited fiber-local");
    static KEPT: RefCell<Vec<Generator<u32>>> = RefCell::default();
}

/// Returns a generator that has yielded once and never ends by itself.
fn suspended(what: &'static str) -> Generator<u32> {
    let mut generator = Generator::new(move |y: &Yielder<u32>, ()| {
        let _counted = Counted::new(what);
        loop {
            y.yield_(1);
        }
    });
    generator.resume(());
    generator
}

/// Waits in a destructor when its stack is unwound.
struct Waits(Counted);

impl Drop for Waits {
    fn drop(&mut self) {
        if fibra::in_fiber() {
            fibra::yield_now();
        }
        let _ = &self.0;
    }
}

fn suspended_and_waits() -> Generator<u32> {
    let mut generator = Generator::new(|y: &Yielder<u32>, ()| {
        let _waits = Waits(Counted::new("waits in a generator"));
        y.yield_(1);
    });
    generator.resume(());
    generator
}

pub(super) const ACTIONS: &[Action] = &[
    quiet("runs a generator", |_| {
        let numbers = generator::iter(|y| (0..3).for_each(|_| y.yield_(Counted::new("yielded"))));
        numbers.for_each(drop);
    }),
    quiet("waits inside a generator", |_| {
        let numbers = generator::iter(|y| {
            for _ in 0..3 {
                fibra::yield_now();
                y.yield_(Counted::new("yielded"));
                fibra::sleep(Duration::from_millis(1));
            }
        });
        numbers.for_each(drop);
    }),
    quiet("closes a generator", |_| drop(suspended("in a generator that is closed").close())),
    quiet("drops a generator that waits", |_| drop(suspended_and_waits())),
    quiet("leaves a generator suspended", |stage: &Rc<Stage>| {
        stage.hold(suspended("in a generator that is left"));
    }),
    quiet("leaves a generator suspended that waits", |stage: &Rc<Stage>| {
        stage.hold(suspended_and_waits());
    }),
    quiet("leaks a generator", |_| std::mem::forget(suspended("in a generator that is leaked"))),
    quiet("leaves a generator in a fiber-local", |_| {
        if fibra::in_fiber() {
            KEPT.with(|kept| kept.borrow_mut().push(suspended("in a generator in a local")));
        }
    }),
    quiet("borrows in generators", |_| {
        let value = Counted::new("borrowed by a generator");
        generator::scope(|s| {
            let mut clones = s.iter(|y| y.yield_(value.clone()));
            drop(clones.next());
            let mut left = s.iter(|y| y.yield_(value.clone()));
            drop(left.next());
            std::mem::forget(left);
        });
    }),
    quiet("has a frame of its own", |_| {
        fibra::frame(|| std::mem::forget(suspended("in a generator of a frame")));
    }),
    quiet("uses a fiber-local", |_| PLAIN.with(|_| fibra::yield_now())),
    quiet("uses an inherited fiber-local", |_| {
        INHERITED.with(|_| ());
        drop(fibra::spawn(|| INHERITED.with(|_| ())).join());
    }),
    quiet("waits on another stack", |_| {
        let value = Counted::new("on another stack");
        fibra::with_stack_size(1 << 18, || {
            fibra::yield_now();
            drop(value);
        });
    }),
    #[cfg(feature = "greenlet")]
    quiet("runs a greenlet", |_| {
        let greenlet = greenlets::twice();
        drop(greenlet.switch(Counted::new("a greenlet's argument")));
        drop(greenlet.switch(Counted::new("a greenlet's argument")));
    }),
    #[cfg(feature = "greenlet")]
    quiet("drops a greenlet", |_| drop(greenlets::started())),
    #[cfg(feature = "greenlet")]
    quiet("leaves a greenlet suspended", |stage: &Rc<Stage>| stage.hold(greenlets::started())),
    #[cfg(feature = "greenlet")]
    quiet("leaks a greenlet", |_| std::mem::forget(greenlets::started())),
    #[cfg(feature = "greenlet")]
    quiet("leaves a greenlet unstarted", |stage: &Rc<Stage>| stage.hold(greenlets::twice())),
    #[cfg(feature = "greenlet")]
    super::unwinds("has a greenlet's exception come out", |_| {
        let thrower = fibra::greenlet::Greenlet::new(|_: Counted| {
            std::panic::resume_unwind(Box::new(fibra::greenlet::GreenletExit::default()))
        });
        drop(thrower.switch(Counted::new("a greenlet's argument")));
    }),
];

#[cfg(feature = "greenlet")]
mod greenlets {
    use fibra::greenlet::{self, Greenlet};

    use crate::attack::ledger::Counted;

    /// Returns a greenlet that switches back to its parent once.
    pub(super) fn twice() -> Greenlet<Counted> {
        Greenlet::new(|first| {
            let _counted = Counted::new("in a greenlet");
            fibra::yield_now();
            let parent = greenlet::current::<Counted>().parent().expect("it has one");
            parent.switch(first).unwrap_or_else(|error| {
                error.into_inner().unwrap_or_else(|_| Counted::new("in place of what was lost"))
            })
        })
    }

    pub(super) fn started() -> Greenlet<Counted> {
        let greenlet = twice();
        drop(greenlet.switch(Counted::new("a greenlet's argument")));
        greenlet
    }
}
