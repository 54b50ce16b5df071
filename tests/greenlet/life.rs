//! Making greenlets, their states, functions and parents: rules G-001 to G-031.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::frame;
use fibra::greenlet::{self, Greenlet, ParentError, RunError, SwitchError};

use crate::support::greenlet::{KeyError, exit_of, key_error, raise, words};
use crate::support::{Noisy, check, log, panic_of};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

/// Returns a greenlet that switches back to main each time it is switched to.
fn suspended() -> Number {
    let g = Greenlet::new(|mut n: i64| {
        loop {
            n = main().switch(n).unwrap();
        }
    });
    g.switch(0).unwrap();
    g
}

#[test]
fn g001_the_parent_is_the_greenlet_that_makes_it_and_nothing_runs() {
    frame(|| {
        let top = Greenlet::new(|n| {
            log("never");
            n
        });
        assert_eq!(top.parent(), Some(main()));
        let outer = Greenlet::new(|n: i64| {
            let inner = Greenlet::new(|n: i64| n);
            assert_eq!(inner.parent(), Some(greenlet::current()));
            inner.switch(n).unwrap() + 1
        });
        assert_eq!(outer.switch(1).unwrap(), 2);
        check("");
    });
}

#[test]
fn g001_made_outside_of_all_frames_it_starts_in_the_one_that_switches_to_it() {
    let g = Greenlet::new(|n: i64| n + 1);
    assert_eq!((g.parent(), words(&g).as_str()), (None, "pending"));
    assert!(matches!(g.switch(1), Err(SwitchError::NoFrame(1))));
    frame(|| assert_eq!(g.switch(1).unwrap(), 2));
    assert!(g.is_dead());
}

#[test]
fn g002_g004_the_function_may_be_given_later_replaced_and_taken_away() {
    frame(|| {
        let g = Number::empty();
        assert!(!g.has_run());
        let owned = Noisy("dropped");
        g.set_run(move |n| {
            let _owned = &owned;
            n
        })
        .unwrap();
        assert!(g.has_run());
        g.set_run(|n| n * 2).unwrap();
        check("dropped");
        assert_eq!(g.switch(4).unwrap(), 8);

        let cleared = Greenlet::new(|n: i64| n);
        cleared.clear_run().unwrap();
        assert!(!cleared.has_run());
    });
}

#[test]
fn g005_after_the_start_there_is_no_function() {
    frame(|| {
        let g = Greenlet::new(|n: i64| {
            assert!(!greenlet::current::<i64>().has_run());
            assert_eq!(greenlet::current::<i64>().set_run(|n| n), Err(RunError::Started));
            main().switch(n).unwrap()
        });
        g.switch(1).unwrap();
        assert_eq!((g.has_run(), g.set_run(|n| n)), (false, Err(RunError::Started)));
        g.switch(1).unwrap();
        assert_eq!((g.has_run(), g.clear_run()), (false, Err(RunError::Started)));
    });
}

#[test]
fn g006_a_main_greenlet_has_no_function() {
    frame(|| {
        assert!(!main().has_run());
        assert_eq!(
            (main().set_run(|n| n), main().clear_run()),
            (Err(RunError::Main), Err(RunError::Main))
        );
    });
}

#[test]
fn g008_g063_without_a_function_a_switch_fails_and_it_stays_unstarted() {
    frame(|| {
        let g = Number::empty();
        assert!(matches!(g.switch(3), Err(SwitchError::NoRun(3))));
        match g.throw(KeyError("k")) {
            Err(SwitchError::NoRun(payload)) => assert!(payload.is::<KeyError>()),
            other => panic!("{other:?}"),
        }
        assert_eq!(words(&g), "pending");
        g.set_run(|n| n).unwrap();
        assert_eq!(g.switch(3).unwrap(), 3);
    });
}

#[test]
fn g009_main_has_no_parent_and_is_always_started() {
    let kept = frame(|| {
        let m = main();
        assert_eq!(m.parent(), None);
        assert_eq!(
            (m.is_main(), m.is_started(), m.is_dead(), m.is_active()),
            (true, true, false, true)
        );
        m
    });
    assert_eq!((kept.is_dead(), kept.is_active()), (true, false), "G-081");
    fibra::run(|| {
        let here = main();
        let there = fibra::spawn(|| main().id()).join().unwrap();
        assert_ne!(here.id(), there, "each fiber has its own (G-082)");
    });
}

#[test]
fn g010_current_is_the_one_that_runs() {
    frame(|| {
        assert_eq!(greenlet::current::<i64>(), main());
        let g = Greenlet::new(|n: i64| {
            assert!(greenlet::current::<i64>().is_current());
            assert_ne!(greenlet::current::<i64>(), main());
            main().switch(n).unwrap();
            n
        });
        assert!(!g.is_current());
        g.switch(1).unwrap();
        assert_eq!((g.is_current(), main().is_current()), (false, true));
    });
    let text = panic_of(greenlet::current::<i64>);
    assert!(text.contains("`fibra::frame(|| ...)`"), "{text}");
}

#[test]
fn g011_g012_g013_a_greenlet_is_pending_then_active_then_dead() {
    frame(|| {
        let states = |g: &Number| (g.is_started(), g.is_active(), g.is_dead());
        let g = Greenlet::new(move |n: i64| {
            assert_eq!(states(&greenlet::current()), (true, true, false));
            main().switch(n).unwrap()
        });
        assert_eq!(states(&g), (false, false, false));
        g.switch(1).unwrap();
        assert_eq!(states(&g), (true, true, false));
        g.switch(1).unwrap();
        assert_eq!(states(&g), (true, false, true));
    });
}

#[test]
fn g018_debug_shows_the_state() {
    let kept = frame(|| {
        let g = Greenlet::new(|n: i64| {
            log(words(&greenlet::current::<i64>()));
            log(words(&main()));
            main().switch(n).unwrap()
        });
        log(words(&g));
        g.switch(1).unwrap();
        log(words(&g));
        log(words(&main()));
        g.switch(1).unwrap();
        log(words(&g));
        main()
    });
    log(words(&kept));
    check(
        "pending current active started suspended active started main suspended active started \
         current active started main dead (frame exited) dead",
    );
}

#[test]
fn g017_a_clone_is_the_same_greenlet() {
    frame(|| {
        let g = Greenlet::new(|n: i64| n);
        let clone = g.clone();
        assert_eq!((&g, g.id()), (&clone, clone.id()));
        assert_ne!(g, Greenlet::new(|n: i64| n));
        clone.switch(1).unwrap();
        assert!(g.is_dead());
        assert_eq!(std::collections::HashSet::from([g, clone]).len(), 1);
    });
}

#[test]
fn g022_the_parent_may_change_while_suspended_and_counts_at_the_end() {
    frame(|| {
        let g = suspended();
        let other = Greenlet::new(|n: i64| n + 100);
        g.set_parent(&other).unwrap();
        assert_eq!(g.parent(), Some(other.clone()));
        // It ends by an exit, which goes to the unstarted `other`: `other` ends without running.
        exit_of(g.kill());
        assert!(other.is_dead());
    });
}

/// Python's `test_exception`: an error goes to the parent that was set in the meantime.
#[test]
fn g022_an_error_goes_to_the_parent_of_that_moment() {
    frame(|| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let fails = || {
            Greenlet::new(|n: i64| {
                main().switch(n).unwrap();
                raise(KeyError("it"))
            })
        };
        let (g1, g2) = (fails(), fails());
        g1.switch(0).unwrap();
        g2.switch(0).unwrap();
        g2.set_parent(&g1).unwrap();
        let error = key_error(|| {
            seen.borrow_mut().push(1);
            // The error is raised in `g1`, which does not catch it, and so arrives here.
            g2.switch(5).unwrap();
        });
        assert_eq!(error, "it");
        assert!(g1.is_dead() && g2.is_dead());
        // Dead greenlets return the value.
        assert_eq!((g1.switch(6).unwrap(), g2.switch(7).unwrap()), (6, 7));
    });
}

#[test]
fn g025_cycles_are_refused_and_change_nothing() {
    frame(|| {
        let a = Greenlet::new(|n: i64| n);
        let b = Greenlet::with_parent(|n: i64| n, &a);
        let c = Greenlet::with_parent(|n: i64| n, &b);
        assert_eq!(a.set_parent(&a), Err(ParentError::Cyclic));
        assert_eq!(a.set_parent(&b), Err(ParentError::Cyclic));
        assert_eq!(a.set_parent(&c), Err(ParentError::Cyclic));
        assert_eq!((a.parent(), b.parent(), c.parent()), (Some(main()), Some(a.clone()), Some(b)));
        c.set_parent(&a).unwrap();
    });
}

#[test]
fn g026_a_started_one_gets_no_parent_of_another_fiber() {
    fibra::run(|| {
        let theirs = Rc::new(RefCell::new(None));
        let keep = theirs.clone();
        let other = fibra::spawn(move || {
            keep.replace(Some(Greenlet::new(|n: i64| n)));
            fibra::yield_now();
        });
        fibra::yield_now();
        let g = suspended();
        let parent: Number = theirs.take().unwrap();
        assert_eq!(g.set_parent(&parent), Err(ParentError::Elsewhere));
        assert_eq!(g.parent(), Some(main()));
        other.join().unwrap();
    });
}

#[test]
fn g028_main_gets_no_parent() {
    frame(|| {
        let g = Greenlet::new(|n: i64| n);
        assert_eq!(main().set_parent(&g), Err(ParentError::Main));
        assert_eq!(main().set_parent(&main()), Err(ParentError::Main));
    });
}

#[test]
fn g029_an_unstarted_one_moves_to_the_fiber_of_its_parent() {
    fibra::run(|| {
        let shared = Rc::new(RefCell::new(None));
        let keep = shared.clone();
        let other = fibra::spawn(move || {
            keep.replace(Some(main()));
            fibra::yield_now();
            let g: Number = keep.take().unwrap();
            assert_eq!(g.switch(1).unwrap(), 2, "it belongs here now");
        });
        fibra::yield_now();
        let g = Greenlet::new(|n: i64| n + 1);
        g.set_parent(&shared.take().unwrap()).unwrap();
        assert!(matches!(g.switch(1), Err(SwitchError::Elsewhere(1, _))));
        assert!(!g.is_started());
        shared.replace(Some(g));
        other.join().unwrap();
    });
}

#[test]
fn g030_a_child_keeps_its_parent_alive() {
    frame(|| {
        let owned = Noisy("parent's");
        let parent = Greenlet::new(move |n: i64| {
            let _owned = owned;
            n
        });
        let child = Greenlet::with_parent(|n: i64| n + 1, &parent);
        drop(parent);
        check("");
        assert_eq!(child.switch(1).unwrap(), 2);
        check("parent's");
        assert!(child.parent().unwrap().is_dead());
    });
}

#[test]
fn a_chain_of_a_hundred_thousand_parents_is_dropped() {
    frame(|| {
        let mut last = Greenlet::new(|n: i64| n);
        for _ in 0..100_000 {
            last = Greenlet::with_parent(|n: i64| n, &last);
        }
    });
}

#[test]
fn families_do_not_mix() {
    frame(|| {
        let text = Greenlet::new(|text: &'static str| text);
        let number = Greenlet::new(move |n: i64| {
            assert!(matches!(text.switch("x"), Err(SwitchError::Family("x", _))));
            // Main waits for a number.
            let main = greenlet::main::<&'static str>();
            assert!(matches!(main.switch("x"), Err(SwitchError::Family("x", _))));
            let message = panic_of(greenlet::current::<&'static str>);
            assert!(
                message.contains("exchanges values of type `i64`, and not of type `&str`"),
                "{message}"
            );
            // A greenlet of another family gets main as its parent.
            assert_eq!(Greenlet::new(|s: &'static str| s).parent(), Some(main));
            n
        });
        assert_eq!(number.switch(1).unwrap(), 1);
    });
}
