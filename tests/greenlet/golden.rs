//! The golden vectors of Python's greenlet 3.5.6 (B12, G01 to G22), each with its results as
//! literals.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::frame;
use fibra::greenlet::{self, Event, Greenlet, GreenletExit, GreenletLocals, settrace};

use crate::support::greenlet::{
    KeyError, Value, args, exit_of, key_error, raise, raised, try_finally,
};
use crate::support::{check, log};

type Any = Greenlet<Value>;

fn main() -> Any {
    greenlet::main()
}

#[test]
fn g01_two_greenlets_print_12_56_34() {
    frame(|| {
        let (g1, g2) = (Any::empty(), Any::empty());
        let (to_g1, to_g2) = (g1.clone(), g2.clone());
        g1.set_run(move |_| {
            log(12);
            to_g2.switch(Value::Unit).unwrap();
            log(34);
            Value::Unit
        })
        .unwrap();
        g2.set_run(move |_| {
            log(56);
            to_g1.switch(Value::Unit).unwrap();
            log(78);
            Value::Unit
        })
        .unwrap();
        assert_eq!(g1.switch(Value::Unit).unwrap(), Value::Unit);
        check("12 56 34");
        assert_eq!((g1.is_dead(), g2.is_dead(), g2.is_active()), (true, false, true));
    });
}

#[test]
fn g02_values_go_both_ways() {
    frame(|| {
        let (g1, g2) = (Any::empty(), Any::empty());
        let (to_g1, to_g2) = (g1.clone(), g2.clone());
        g1.set_run(move |xy| {
            assert_eq!(xy, Value::Tuple(vec!["hello".into(), " world".into()]));
            let z = to_g2.switch("hello world".into()).unwrap();
            log(format!("z={z:?}"));
            Value::Unit
        })
        .unwrap();
        g2.set_run(move |u| {
            log(format!("u={u:?}"));
            to_g1.switch(42.into()).unwrap()
        })
        .unwrap();
        g1.switch(Value::Tuple(vec!["hello".into(), " world".into()])).unwrap();
        check("u=Text(\"hello world\") z=Int(42)");
    });
}

#[test]
fn g03_each_switch_delivers_its_arguments() {
    frame(|| {
        let g = Greenlet::new(|first: Value| {
            log(format!("{first:?}"));
            loop {
                log(format!("{:?}", main().switch(Value::Unit).unwrap()));
            }
        });
        for value in [
            args([1, 2], [("x", 3)]),
            args([], []),
            args([5], []),
            args([5, 6], []),
            args([], [("k", 1)]),
            args([7], [("k", 1)]),
        ] {
            g.switch(value).unwrap();
        }
        check(
            "Tuple([Tuple([Int(1), Int(2)]), Dict([(\"x\", Int(3))])]) Unit Int(5) \
             Tuple([Int(5), Int(6)]) Dict([(\"k\", Int(1))]) \
             Tuple([Tuple([Int(7)]), Dict([(\"k\", Int(1))])])",
        );
    });
}

fn five_values() -> [Value; 5] {
    [args([], []), args([1], []), args([1, 2], []), args([], [("a", 1)]), args([1], [("a", 2)])]
}

#[test]
fn g04_a_switch_to_oneself_returns_its_arguments() {
    frame(|| {
        for value in five_values() {
            assert_eq!(main().switch(value.clone()).unwrap(), value);
        }
        let g = Greenlet::new(|value: Value| greenlet::current().switch(value).unwrap());
        assert_eq!(g.switch(7.into()).unwrap(), 7.into());
    });
}

#[test]
fn g05_a_switch_to_a_dead_one_returns_its_arguments() {
    frame(|| {
        let g = Greenlet::new(|value: Value| value);
        g.switch(Value::Unit).unwrap();
        assert_eq!((g.is_dead(), g.is_active()), (true, false));
        for value in five_values() {
            assert_eq!(g.switch(value.clone()).unwrap(), value);
        }
    });
}

#[test]
fn g06_an_exit_thrown_at_a_suspended_one_is_returned() {
    frame(|| {
        let g = Greenlet::new(|_| main().switch(Value::Unit).unwrap());
        g.switch(Value::Unit).unwrap();
        assert_eq!(exit_of(g.kill()), GreenletExit::default());
        assert!(g.is_dead());
        // A throw at the dead greenlet (G-060).
        assert_eq!(exit_of(g.throw(GreenletExit::new("again"))).message(), Some("again"));
    });
}

#[test]
fn g07_an_exit_thrown_at_an_unstarted_one_is_returned_and_nothing_runs() {
    frame(|| {
        let g = Greenlet::new(|value: Value| {
            log("never");
            value
        });
        assert_eq!(exit_of(g.throw(GreenletExit::new("bye"))).message(), Some("bye"));
        assert!(g.is_dead());
        check("");
    });
}

#[test]
fn g08_an_error_thrown_at_an_unstarted_one_is_raised_in_the_caller() {
    frame(|| {
        let g = Greenlet::new(|value: Value| {
            log("never");
            value
        });
        assert_eq!(key_error(|| g.throw(KeyError("k"))), "k");
        assert!(g.is_dead());
        check("");
    });
}

#[test]
fn g09_an_exit_that_is_raised_is_returned_to_the_parent() {
    frame(|| {
        let g = Greenlet::new(|_: Value| GreenletExit::new("v").raise());
        assert_eq!(exit_of(g.switch(Value::Unit)).message(), Some("v"));
        assert!(g.is_dead());
    });
}

#[test]
fn g10_an_error_is_caught_in_the_parent() {
    frame(|| {
        let middle = Greenlet::new(|_: Value| {
            let inner = Greenlet::new(|_: Value| raise(KeyError("inner")));
            log(format!("caught {}", key_error(|| inner.switch(Value::Unit))));
            "middle".into()
        });
        assert_eq!(middle.switch(Value::Unit).unwrap(), "middle".into());
        check("caught inner");
    });
}

fn pair(value: Value) -> Value {
    Value::Tuple(vec!["p".into(), value])
}

#[test]
fn g11_a_value_starts_an_unstarted_parent() {
    frame(|| {
        let parent = Greenlet::new(pair);
        let child = Greenlet::with_parent(|_: Value| 42.into(), &parent);
        assert_eq!(child.switch(Value::Unit).unwrap(), pair(42.into()));
        assert!(child.is_dead() && parent.is_dead());
    });
}

#[test]
fn g12_an_error_passes_through_an_unstarted_parent() {
    frame(|| {
        let parent = Greenlet::new(|value: Value| {
            log("never");
            value
        });
        let child = Greenlet::with_parent(|_: Value| raise(KeyError("child")), &parent);
        assert_eq!(key_error(|| child.switch(Value::Unit)), "child");
        assert!(child.is_dead() && parent.is_dead());
        check("");
    });
}

#[test]
fn g13_a_dead_parent_is_passed_over() {
    frame(|| {
        let parent = Greenlet::new(|value: Value| value);
        parent.switch(Value::Unit).unwrap();
        let child = Greenlet::with_parent(|_: Value| 5.into(), &parent);
        assert_eq!(child.switch(Value::Unit).unwrap(), 5.into());
        assert_eq!(child.parent(), Some(parent), "it stays linked (G-031)");
    });
}

#[test]
fn g14_the_greenlet_that_drops_the_last_handle_is_the_parent_during_the_kill() {
    frame(|| {
        let hub = Greenlet::new(|value: Value| value);
        let g = Greenlet::with_parent(
            |_: Value| {
                let payload = raised(|| main().switch(Value::Unit));
                let exit = payload.downcast::<GreenletExit>().unwrap();
                log(exit.message().unwrap());
                log(greenlet::current::<Value>().parent() == Some(main()));
                GreenletExit::default().raise()
            },
            &hub,
        );
        g.switch(Value::Unit).unwrap();
        assert_eq!(g.parent(), Some(hub.clone()));
        log("drop");
        drop(g);
        log("dropped");
        assert!(!hub.is_started());
        check("drop Killing the greenlet because all references have vanished. true dropped");
    });
}

#[test]
fn g15_a_victim_that_saves_itself_lives_on() {
    frame(|| {
        let saved = Rc::new(RefCell::new(None));
        let keep = saved.clone();
        let g = Greenlet::new(move |_: Value| {
            let payload = raised(|| main().switch(Value::Unit));
            assert!(payload.is::<GreenletExit>());
            keep.replace(Some(greenlet::current::<Value>()));
            main().switch("saved".into()).unwrap();
            "fin".into()
        });
        g.switch(Value::Unit).unwrap();
        drop(g);
        let g = saved.take().expect("it saved itself");
        assert!(g.is_active());
        assert_eq!(g.switch(Value::Unit).unwrap(), "fin".into());
        assert!(g.is_dead());
    });
}

#[test]
fn g16_a_tracer_sees_every_switch() {
    frame(|| {
        let home = main().id();
        settrace(Some(Rc::new(move |event, origin, target| {
            let name = |id| if id == home { "m" } else { "g" };
            let event = if event == Event::Switch { "s" } else { "t" };
            log(format!("{event}({},{})", name(origin), name(target)));
        })));
        let g = Greenlet::new(|_| main().switch(Value::Unit).unwrap());
        g.switch(Value::Unit).unwrap();
        exit_of(g.kill());
        exit_of(Greenlet::new(|value: Value| value).kill());
        let raising = Greenlet::new(|_: Value| raise(KeyError("r")));
        key_error(|| raising.switch(Value::Unit));
        main().switch(Value::Unit).unwrap();
        key_error(|| main().throw(KeyError("self")));
        settrace(None);
        check("s(m,g) s(g,m) t(m,g) s(g,m) t(m,g) s(g,m) s(m,g) t(g,m) s(m,m) t(m,m)");
    });
}

/// A context variable with the default "d".
struct Var(&'static str);

fn read() {
    log(greenlet::locals().get::<Var>().map_or("d", |var| var.0));
}

#[test]
fn g17_each_greenlet_has_its_own_locals() {
    frame(|| {
        greenlet::locals().set(Var("main"));
        let g = Greenlet::new(|_: Value| {
            read();
            greenlet::locals().set(Var("g"));
            main().switch(Value::Unit).unwrap();
            read();
            Value::Unit
        });
        g.switch(Value::Unit).unwrap();
        read();
        g.switch(Value::Unit).unwrap();
        read();
        let g2 = Greenlet::new(|value: Value| {
            read();
            value
        });
        let copied: GreenletLocals = greenlet::locals().copy();
        g2.set_locals(copied).unwrap();
        g2.switch(Value::Unit).unwrap();
        check("d main g main main");
    });
}

#[test]
fn g18_the_texts_of_errors() {
    frame(|| {
        let g = Greenlet::new(|value: Value| value);
        let m = main();
        assert_eq!(
            m.set_run(|value| value).unwrap_err().to_string(),
            "Main greenlets do not have a run attribute."
        );
        assert_eq!(g.set_parent(&g).unwrap_err().to_string(), "cyclic parent chain");
        assert_eq!(
            m.set_parent(&g).unwrap_err().to_string(),
            "cannot set the parent of a main greenlet"
        );
        g.switch(Value::Unit).unwrap();
        assert_eq!(
            g.set_run(|value| value).unwrap_err().to_string(),
            "run cannot be set after the start of the greenlet"
        );
    });
}

#[test]
fn g19_a_parent_set_while_running_gets_the_value() {
    frame(|| {
        let a = Greenlet::new(pair);
        let parent = a.clone();
        let g = Greenlet::new(move |_: Value| {
            greenlet::current::<Value>().set_parent(&parent).unwrap();
            "v".into()
        });
        assert_eq!(g.switch(Value::Unit).unwrap(), pair("v".into()));
        assert!(a.is_dead());
    });
}

#[test]
fn g20_another_fibers_greenlet_is_refused_alive_and_ended() {
    fibra::run(|| {
        let shared = Rc::new(RefCell::new(None));
        let keep = shared.clone();
        let theirs = fibra::Builder::new().name("theirs").spawn(move || {
            let g = Greenlet::new(|_| main().switch(Value::Unit).unwrap());
            g.switch(Value::Unit).unwrap();
            keep.replace(Some(g));
            fibra::yield_now();
        });
        fibra::yield_now();
        let g: Any = shared.take().unwrap();
        let error = g.switch(1.into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Cannot switch to a different fiber\n\tCurrent:  fiber 'main' (#1)\n\tExpected: fiber \
             'theirs' (#2)"
        );
        assert_eq!(error.into_inner().unwrap(), 1.into());
        theirs.join().unwrap();
        assert!(g.is_dead());
        let error = g.switch(1.into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot switch to a different fiber (which happens to have ended)"
        );
        assert_eq!(error.into_inner().unwrap(), 1.into());
    });
}

#[test]
fn g21_a_tracer_that_raises_is_taken_off_and_its_error_raised_in_the_target() {
    frame(|| {
        settrace(Some(Rc::new(|_, _, _| raise(KeyError("tracer")))));
        let g = Greenlet::new(|value: Value| {
            log("never");
            value
        });
        assert_eq!(key_error(|| g.switch(Value::Unit)), "tracer");
        assert!(greenlet::gettrace().is_none());
        assert!(g.is_dead());
        check("");
    });
}

#[test]
fn g22_a_greenlet_may_switch_while_an_exit_passes() {
    frame(|| {
        let g = Greenlet::new(|_: Value| {
            try_finally(
                || main().switch(1.into()).unwrap(),
                || drop(main().switch("in finally".into()).unwrap()),
            )
        });
        assert_eq!(g.switch(Value::Unit).unwrap(), 1.into());
        assert_eq!(g.kill().unwrap(), "in finally".into());
        assert!(!g.is_dead());
        assert_eq!(exit_of(g.switch(Value::Unit)), GreenletExit::default());
        assert!(g.is_dead());
    });
}
