//! Tracers and locals of greenlets: rules G-084 to G-099.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra::frame;
use fibra::greenlet::{
    self, Event, Greenlet, GreenletId, GreenletLocals, SwitchError, gettrace, settrace,
};

use crate::support::greenlet::{KeyError, key_error, raise};
use crate::support::{Noisy, check, log, panic_of};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

/// Sets a tracer that logs each event, with names from `names`.
fn trace(names: Rc<RefCell<Vec<(GreenletId, &'static str)>>>) {
    settrace(Some(Rc::new(move |event, origin, target| {
        let names = names.borrow();
        let name = |id| names.iter().find(|(known, _)| *known == id).map_or("?", |(_, name)| name);
        log(format!("{event}({},{})", name(origin), name(target)));
    })));
}

#[test]
fn g092_settrace_returns_the_tracer_before() {
    frame(|| {
        assert!(gettrace().is_none());
        let tracer: Rc<greenlet::Tracer> = Rc::new(|_, _, _| ());
        assert!(settrace(Some(tracer.clone())).is_none());
        assert!(Rc::ptr_eq(&gettrace().unwrap(), &tracer));
        // Setting the same tracer again is legal (G-099).
        assert!(Rc::ptr_eq(&settrace(Some(tracer.clone())).unwrap(), &tracer));
        assert!(Rc::ptr_eq(&settrace(None).unwrap(), &tracer));
        assert!(gettrace().is_none());
    });
    let text = panic_of(|| settrace(None));
    assert!(text.contains("`fibra::frame(|| ...)`"), "{text}");
}

#[test]
fn g092_each_fiber_has_its_own() {
    fibra::run(|| {
        settrace(Some(Rc::new(|_, _, _| log("traced"))));
        fibra::spawn(|| {
            assert!(gettrace().is_none());
            Greenlet::new(|n: i64| n).switch(1).unwrap();
        })
        .join()
        .unwrap();
        check("");
    });
}

#[test]
fn g093_the_tracer_runs_in_the_target() {
    frame(|| {
        settrace(Some(Rc::new(|_, _, target| {
            assert_eq!(greenlet::current::<i64>().id(), target);
            log(target == main().id());
        })));
        let g = Greenlet::new(|n: i64| back(n));
        g.switch(1).unwrap();
        check("false true");
    });
}

#[test]
fn g094_the_end_of_a_greenlet_is_seen_as_what_it_is() {
    frame(|| {
        let names: Rc<RefCell<Vec<_>>> = Rc::default();
        let parent = Greenlet::new(|n: i64| n);
        let child = Greenlet::with_parent(|n: i64| n, &parent);
        let fails = Greenlet::new(|_: i64| raise(KeyError("e")));
        names.borrow_mut().extend([
            (main().id(), "m"),
            (parent.id(), "p"),
            (child.id(), "c"),
            (fails.id(), "f"),
        ]);
        trace(names);
        child.switch(1).unwrap();
        key_error(|| fails.switch(1));
        // A switch to a dead greenlet (G-095).
        child.switch(1).unwrap();
        key_error(|| child.throw(KeyError("dead")));
        settrace(None);
        check("switch(m,c) switch(c,p) switch(p,m) switch(m,f) throw(f,m) switch(m,m) throw(m,m)");
    });
}

#[test]
fn a_kill_of_a_dropped_one_is_seen_too() {
    frame(|| {
        let names: Rc<RefCell<Vec<_>>> = Rc::default();
        let g = Greenlet::new(back);
        g.switch(1).unwrap();
        names.borrow_mut().extend([(main().id(), "m"), (g.id(), "g")]);
        trace(names);
        drop(g);
        settrace(None);
        check("throw(m,g) switch(g,m)");
    });
}

#[test]
fn g096_a_tracer_that_raises_in_a_suspended_target_is_caught_there() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            log(key_error(|| back(1)));
            2
        });
        g.switch(0).unwrap();
        let owned = Noisy("tracer dropped");
        settrace(Some(Rc::new(move |_, _, _| {
            let _owned = &owned;
            raise(KeyError("tracer"))
        })));
        assert_eq!(g.switch(0).unwrap(), 2);
        assert!(gettrace().is_none());
        check("tracer dropped tracer");
    });
}

#[test]
fn g096_what_a_tracer_replaces_is_dropped() {
    frame(|| {
        let g = Greenlet::new(|n: Rc<Noisy<&'static str>>| n);
        settrace(Some(Rc::new(|_, _, _| raise(KeyError("tracer")))));
        let error = key_error(|| g.switch(Rc::new(Noisy("value dropped"))));
        log(error);
        check("value dropped tracer");
    });
}

#[test]
fn g098_a_tracer_cannot_switch() {
    frame(|| {
        let other = Greenlet::new(|n: i64| n);
        let refused = Rc::new(Cell::new(0));
        let count = refused.clone();
        settrace(Some(Rc::new(move |_, _, _| {
            assert!(matches!(other.switch(1), Err(SwitchError::Tracing(1))));
            assert!(matches!(other.kill(), Err(SwitchError::Tracing(_))));
            assert!(matches!(main().switch(1), Err(SwitchError::Tracing(1))));
            count.set(count.get() + 1);
        })));
        let g = Greenlet::new(|n: i64| n);
        assert_eq!(g.switch(1).unwrap(), 1);
        assert_eq!(refused.get(), 2);
    });
}

#[test]
fn a_tracer_may_drop_the_last_handle_of_a_suspended_one() {
    frame(|| {
        let victim = Greenlet::new(|n: i64| {
            let _noisy = Noisy("victim");
            back(n)
        });
        victim.switch(1).unwrap();
        let victim = RefCell::new(Some(victim));
        settrace(Some(Rc::new(move |event, _, _| {
            if victim.take().is_some() {
                log(format!("{event}: dropped"));
            }
        })));
        let g = Greenlet::new(|n: i64| {
            log("g");
            n
        });
        g.switch(1).unwrap();
        settrace(None);
        check("switch: dropped victim g");
    });
}

#[test]
fn a_tracer_may_take_itself_off() {
    frame(|| {
        settrace(Some(Rc::new(|event: Event, _, _| {
            log(event);
            settrace(None);
        })));
        Greenlet::new(|n: i64| n).switch(1).unwrap();
        check("switch");
    });
}

/// A variable of the locals.
#[derive(Debug, PartialEq)]
struct Var(i64);

fn var() -> i64 {
    greenlet::locals().get::<Var>().map_or(0, |var| var.0)
}

#[test]
fn g084_g085_locals_are_empty_at_first_and_seen_by_no_other() {
    frame(|| {
        greenlet::locals().set(Var(1));
        let g = Greenlet::new(|_: i64| {
            assert_eq!(var(), 0);
            greenlet::locals().set(Var(2));
            back(0);
            var()
        });
        g.switch(0).unwrap();
        assert_eq!(var(), 1);
        assert_eq!(g.switch(0).unwrap(), 2);
    });
}

#[test]
fn g086_locals_are_set_before_the_start_while_suspended_and_by_oneself() {
    frame(|| {
        let with = |n| {
            let locals = GreenletLocals::new();
            locals.set(Var(n));
            locals
        };
        let g = Greenlet::new(move |_: i64| {
            back(var());
            back(var());
            greenlet::current::<i64>().set_locals(with(3)).unwrap();
            var()
        });
        g.set_locals(with(1)).unwrap();
        assert_eq!(g.switch(0).unwrap(), 1);
        let before = g.set_locals(with(2)).unwrap();
        assert_eq!(before.get::<Var>().as_deref(), Some(&Var(1)));
        assert_eq!(g.switch(0).unwrap(), 2);
        assert_eq!(g.switch(0).unwrap(), 3);
        assert_eq!(g.locals().get::<Var>().as_deref(), Some(&Var(3)), "G-090: it is dead");
    });
}

#[test]
fn g087_locals_may_be_shared() {
    frame(|| {
        let shared = GreenletLocals::new();
        let bump = |_: i64| {
            let n = var() + 1;
            greenlet::locals().set(Var(n));
            n
        };
        for n in 1..4 {
            let g = Greenlet::new(bump);
            g.set_locals(shared.clone()).unwrap();
            assert!(g.locals().is_same(&shared));
            assert_eq!(g.switch(0).unwrap(), n);
        }
        assert_eq!(shared.remove::<Var>().as_deref(), Some(&Var(3)));
        assert_eq!((shared.get::<Var>(), var()), (None, 0));
    });
}

#[test]
fn g089_locals_of_one_that_runs_in_another_fiber_cannot_be_set() {
    fibra::run(|| {
        let shared: Rc<RefCell<Option<Number>>> = Rc::default();
        let keep = shared.clone();
        let other = fibra::spawn(move || {
            let g = Greenlet::new(move |n: i64| {
                keep.replace(Some(greenlet::current()));
                fibra::yield_now();
                n
            });
            g.switch(1).unwrap();
        });
        fibra::yield_now();
        let g = shared.take().unwrap();
        let error = g.set_locals(GreenletLocals::new()).unwrap_err();
        let text = "cannot set the locals of a greenlet that is running in a different fiber";
        assert_eq!(error.to_string(), text);
        other.join().unwrap();
        assert!(g.set_locals(GreenletLocals::new()).is_ok());
    });
}

#[test]
fn main_has_locals_whatever_the_family() {
    frame(|| {
        greenlet::main::<i64>().locals().set(Var(5));
        assert_eq!(var(), 5);
        assert!(greenlet::main::<&str>().locals().is_same(&greenlet::locals()));
    });
}

#[test]
fn locals_are_dropped_with_their_greenlet_and_with_the_frame() {
    frame(|| {
        greenlet::locals().set(Noisy("main's"));
        let g = Greenlet::new(|n: i64| {
            drop(greenlet::locals().set(Noisy("its")));
            n
        });
        g.switch(0).unwrap();
        log("dead");
        drop(g);
        log("end");
    });
    check("dead its end main's");
}
