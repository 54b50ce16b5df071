//! Tracers that wait, and the events of an error that passes through several greenlets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra::frame;
use fibra::greenlet::{self, Event, Greenlet, GreenletExit, GreenletId, SwitchError, settrace};

use crate::support::greenlet::{KeyError, key_error, raise};
use crate::support::{check, log};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

/// Sets a tracer that logs each event, with names from `names`.
fn trace(names: Vec<(GreenletId, &'static str)>) {
    settrace(Some(Rc::new(move |event, origin, target| {
        let name = |id| names.iter().find(|(known, _)| *known == id).map_or("?", |(_, name)| name);
        log(format!("{event}({},{})", name(origin), name(target)));
    })));
}

#[test]
fn one_that_is_killed_unstarted_is_dead_for_those_that_the_waiting_tracer_lets_run() {
    fibra::run(|| {
        let g = Greenlet::new(|n: i64| {
            log("never");
            back(n)
        });
        let waits = Cell::new(true);
        settrace(Some(Rc::new(move |event, _, _| {
            if event == Event::Throw && waits.replace(false) {
                fibra::yield_now();
            }
        })));
        let adopted = g.clone();
        let other = fibra::spawn(move || {
            log(adopted.is_dead());
            let own = main();
            log(adopted.set_parent(&own).is_ok());
            // It passes the value on to its parent, which is the running greenlet.
            log(adopted.switch(3).unwrap());
        });
        let killed = g.kill();
        // Its parent belongs to another fiber, which has ended.
        log(matches!(killed, Err(SwitchError::Gone(_))));
        other.join().unwrap();
        assert!(g.is_dead());
        settrace(None);
    });
    check("true true 3 true");
}

#[test]
fn a_panic_is_traced_on_its_way_through_an_unstarted_parent() {
    frame(|| {
        let parent = Number::new(|_| unreachable!());
        let child = Greenlet::with_parent(|_: i64| raise(KeyError("e")), &parent);
        trace(vec![(main().id(), "m"), (parent.id(), "parent"), (child.id(), "child")]);
        log(key_error(|| child.switch(0)));
        settrace(None);
        assert!(parent.is_dead());
    });
    check("switch(m,child) throw(child,parent) throw(parent,m) e");
}

#[test]
fn an_exit_is_traced_on_its_way_through_unstarted_parents() {
    frame(|| {
        let outer = Number::new(|_| unreachable!());
        let inner = Greenlet::with_parent(|_: i64| unreachable!(), &outer);
        let child = Greenlet::with_parent(|_: i64| raise(GreenletExit::new("over")), &inner);
        let names = [(main().id(), "m"), (outer.id(), "outer"), (inner.id(), "inner")];
        trace(names.into_iter().chain([(child.id(), "child")]).collect());
        assert!(matches!(child.switch(0), Err(SwitchError::Exit(_))));
        settrace(None);
        assert!(outer.is_dead() && inner.is_dead());
    });
    check("switch(m,child) switch(child,inner) switch(inner,outer) switch(outer,m)");
}

#[test]
fn a_tracer_that_panics_at_an_unstarted_parent_replaces_what_was_raised() {
    frame(|| {
        let parent = Number::new(|_| unreachable!());
        let child = Greenlet::with_parent(|_: i64| raise(KeyError("e")), &parent);
        let target = parent.id();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let events = seen.clone();
        settrace(Some(Rc::new(move |event, _, to| {
            events.borrow_mut().push(event);
            if to == target {
                raise(KeyError("of the tracer"));
            }
        })));
        log(key_error(|| child.switch(0)));
        assert_eq!(*seen.borrow(), [Event::Switch, Event::Throw]);
        assert!(parent.is_dead() && greenlet::gettrace().is_none());
    });
    check("of the tracer");
}
