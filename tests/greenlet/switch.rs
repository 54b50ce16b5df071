//! Switching, the end of greenlets, throwing: rules G-032 to G-064, and Python's own tests of them.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::frame;
use fibra::greenlet::{self, Greenlet, GreenletExit, SwitchError};

use crate::support::greenlet::{KeyError, exit_of, key_error, raise, raised, try_finally};
use crate::support::{Noisy, OnDrop, check, log, panic_of, text_of};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

/// Switches to main with `n`.
fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

#[test]
fn g032_the_first_switch_calls_the_function() {
    frame(|| {
        let g = Greenlet::new(|n: i64| n + 1);
        assert_eq!(g.switch(1).unwrap(), 2);
    });
}

#[test]
fn test_simple_two_switches() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            log(1);
            back(0);
            log(3);
            0
        });
        log(0);
        g.switch(0).unwrap();
        log(2);
        g.switch(0).unwrap();
        log(4);
        check("0 1 2 3 4");
    });
}

#[test]
fn g034_any_may_switch_to_any() {
    frame(|| {
        let ring: Rc<RefCell<Vec<Number>>> = Rc::default();
        for i in 0..3_usize {
            let others = ring.clone();
            let g = Greenlet::new(move |mut n: i64| {
                while n < 10 {
                    log(format!("{i}:{n}"));
                    let next = others.borrow()[(i + 1) % 3].clone();
                    n = next.switch(n + 1).unwrap();
                }
                n
            });
            ring.borrow_mut().push(g);
        }
        let first = ring.borrow()[0].clone();
        assert_eq!(first.switch(0).unwrap(), 10);
        check("0:0 1:1 2:2 0:3 1:4 2:5 0:6 1:7 2:8 0:9");
    });
}

#[test]
fn test_two_children_interleave() {
    frame(|| {
        let child = |name: &'static str| {
            Greenlet::new(move |_: i64| {
                log(name);
                back(0);
                log(name);
                0
            })
        };
        let (g, h) = (child("g"), child("h"));
        for greenlet in [&g, &h, &g] {
            greenlet.switch(0).unwrap();
        }
        assert_eq!((g.is_dead(), h.is_dead()), (true, false));
        h.switch(0).unwrap();
        assert!(h.is_dead());
        check("g h g h");
    });
}

#[test]
fn test_two_recursive_children() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            log("a");
            let inner = Greenlet::new(|_: i64| {
                log("b");
                back(0)
            });
            inner.switch(0).unwrap();
            log("c");
            0
        });
        // `inner` switches to main, not to its parent, and `g` waits.
        g.switch(0).unwrap();
        check("a b");
        g.switch(0).unwrap();
        check("c");
    });
}

#[test]
fn g035_a_switch_works_at_any_depth() {
    fn down(depth: u32) -> i64 {
        if depth == 0 { back(1) } else { down(depth - 1) + 1 }
    }
    frame(|| {
        let g = Greenlet::new(|_: i64| down(100));
        assert_eq!(g.switch(0).unwrap(), 1);
        assert_eq!(g.switch(5).unwrap(), 105);
    });
}

#[test]
fn g037_a_dead_ones_value_goes_to_its_nearest_living_ancestor() {
    frame(|| {
        let hub = Greenlet::new(|n: i64| {
            let dead = Greenlet::new(|n: i64| n);
            dead.switch(0).unwrap();
            log(main().switch(n).unwrap());
            // Its parent is the hub, which is running: the value arrives immediately.
            log(dead.switch(7).unwrap());
            keep(dead);
            log(back(0));
            0
        });
        hub.switch(0).unwrap();
        hub.switch(1).unwrap();
        let dead = kept();
        assert!(dead.is_dead());
        // From main the value goes to the hub.
        dead.switch(9).unwrap();
        check("1 7 9");
        assert!(hub.is_dead());
        assert_eq!(dead.switch(11).unwrap(), 11, "and now to main");
    });
}

thread_local! {
    static KEPT: RefCell<Vec<Number>> = const { RefCell::new(Vec::new()) };
}

fn keep(g: Number) {
    KEPT.with_borrow_mut(|kept| kept.push(g));
}

fn kept() -> Number {
    KEPT.with_borrow_mut(|kept| kept.pop().unwrap())
}

#[test]
fn g037_a_dead_one_forwards_to_its_new_parent() {
    frame(|| {
        let dead = Greenlet::new(|n: i64| n);
        dead.switch(0).unwrap();
        let parent = Greenlet::new(|n: i64| n * 2);
        dead.set_parent(&parent).unwrap();
        assert_eq!(dead.switch(21).unwrap(), 42, "and starts it (G-038)");
    });
}

#[test]
fn g038_an_unstarted_ancestor_without_a_function_fails_each_time() {
    frame(|| {
        let dead = Greenlet::new(|n: i64| n);
        dead.switch(0).unwrap();
        dead.set_parent(&Number::empty()).unwrap();
        for n in 0..3 {
            assert!(matches!(dead.switch(n), Err(SwitchError::NoRun(m)) if m == n));
        }
    });
}

#[test]
fn g039_a_value_is_kept_when_the_one_that_switched_is_killed_meanwhile() {
    frame(|| {
        let cell: Rc<RefCell<Option<Number>>> = Rc::default();
        let only_holder = cell.clone();
        let g = Greenlet::new(move |_: i64| {
            let _noisy = Noisy("killed");
            only_holder.take().unwrap().set_parent(&main()).unwrap();
            // This greenlet has no handle any more: it is killed once it has switched away.
            back(42)
        });
        let child = Greenlet::with_parent(|n: i64| n, &g);
        cell.replace(Some(child.clone()));
        drop(g);
        assert_eq!(child.switch(0).unwrap(), 42);
        check("killed");
    });
}

#[test]
fn g040_nothing_returns_to_the_switcher_by_itself() {
    frame(|| {
        let g2 = Greenlet::new(|n: i64| n + 1);
        let target = g2.clone();
        let g1 = Greenlet::new(move |n: i64| {
            target.switch(n).unwrap();
            log("never");
            0
        });
        // g2 ends and goes to its parent, main, though g1 has switched to it.
        assert_eq!(g1.switch(1).unwrap(), 2);
        assert!(g2.is_dead() && !g1.is_dead());
        drop(g1.throw(GreenletExit::default()));
        check("");
    });
}

#[test]
fn g044_g045_results_go_up_through_unstarted_parents() {
    frame(|| {
        let top = Greenlet::new(|n: i64| n + 1000);
        let middle = Greenlet::with_parent(|n: i64| n + 100, &top);
        let child = Greenlet::with_parent(|n: i64| n + 10, &middle);
        assert_eq!(child.switch(1).unwrap(), 1111);
        assert!(top.is_dead() && middle.is_dead() && child.is_dead());
    });
}

#[test]
fn g047_an_uncaught_panic_is_raised_in_the_parent_with_its_payload() {
    frame(|| {
        let g = Greenlet::new(|_: i64| -> i64 { raise("a text") });
        let payload = raised(|| g.switch(0));
        assert_eq!(text_of(&*payload), "a text");
        assert!(g.is_dead());
    });
}

#[test]
fn g049_the_exit_comes_to_a_parent_that_waits_elsewhere() {
    frame(|| {
        let parent = Greenlet::new(|_: i64| {
            let child = Greenlet::new(|n: i64| {
                main().switch(n).unwrap();
                GreenletExit::new("over").raise()
            });
            keep(child.clone());
            let exit = exit_of(child.switch(1));
            log(exit.message().unwrap());
            5
        });
        parent.switch(0).unwrap();
        assert_eq!(kept().switch(0).unwrap(), 5);
        check("over");
    });
}

#[test]
fn g050_an_exit_that_is_passed_is_a_value() {
    frame(|| {
        let g = Greenlet::new(|exit: GreenletExit| exit);
        assert_eq!(g.switch(GreenletExit::new("v")).unwrap().message(), Some("v"));
    });
}

/// Python's `test_parent_return_failure`.
#[test]
fn g051_a_parent_that_cannot_start_gives_the_error_to_its_own_parent() {
    frame(|| {
        let broken = Number::empty();
        let child = Greenlet::with_parent(|_: i64| 1, &broken);
        let text = panic_of(|| child.switch(0));
        assert_eq!(text, "the greenlet has no function to run: give it one with `set_run`");
        assert!(child.is_dead() && !broken.is_dead());
    });
}

#[test]
fn g053_a_dead_greenlet_never_runs_again() {
    frame(|| {
        let runs = Rc::new(Cell::new(0));
        let count = runs.clone();
        let g = Greenlet::new(move |n: i64| {
            count.set(count.get() + 1);
            n
        });
        for n in 0..5 {
            assert_eq!(g.switch(n).unwrap(), n);
        }
        assert_eq!(runs.get(), 1);
    });
}

#[test]
fn g054_locals_are_dropped_before_the_parent_goes_on() {
    frame(|| {
        let captured = Noisy("captured");
        let g = Greenlet::new(move |n: i64| {
            let _local = Noisy("local");
            let _captured = captured;
            n
        });
        g.switch(0).unwrap();
        log("parent");
        check("captured local parent");
    });
}

#[test]
fn g058_what_comes_back_is_the_result_of_throw() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            log(key_error(|| back(1)));
            back(2);
            3
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        assert_eq!(g.throw(KeyError("thrown")).unwrap(), 2);
        assert_eq!(g.switch(0).unwrap(), 3);
        check("thrown");
    });
}

/// Python's `test_send_exception`.
#[test]
fn g058_an_error_that_is_not_caught_comes_back_out() {
    frame(|| {
        let g = Greenlet::new(back);
        assert_eq!(g.switch(1).unwrap(), 1);
        assert_eq!(key_error(|| g.throw(KeyError("through"))), "through");
        assert!(g.is_dead());
    });
}

/// Python's `test_throw_goes_to_original_parent`: three states of the parent.
#[test]
fn g059_g061_what_is_thrown_goes_to_the_parent_and_not_to_the_thrower() {
    for started in [false, true] {
        frame(|| {
            let caught = |child: Number| {
                Greenlet::new(move |_: i64| {
                    log(key_error(
                        || if child.is_started() { child.switch(0) } else { Ok(back(0)) },
                    ));
                    77
                })
            };
            let child = Number::empty();
            child.set_run(back).unwrap();
            let parent = caught(child.clone());
            parent.switch(0).unwrap();
            child.set_parent(&parent).unwrap();
            if started {
                child.switch(0).unwrap();
            }
            // The parent catches it; what it returns goes to its own parent, main.
            assert_eq!(child.throw(KeyError("up")).unwrap(), 77);
            assert!(child.is_dead() && parent.is_dead());
        });
        check("up");
    }
}

#[test]
fn g060_an_error_at_a_dead_one_is_raised_in_the_nearest_living_ancestor() {
    frame(|| {
        let hub = Greenlet::new(|_: i64| {
            let dead = Greenlet::new(|n: i64| n);
            dead.switch(0).unwrap();
            keep(dead);
            log(key_error(|| back(0)));
            1
        });
        hub.switch(0).unwrap();
        let dead = kept();
        assert_eq!(dead.throw(KeyError("dead")).unwrap(), 1);
        check("dead");
        assert_eq!(key_error(|| dead.throw(KeyError("main"))), "main");
    });
}

#[test]
fn g060_an_exit_at_a_dead_one_is_returned_to_the_nearest_living_ancestor() {
    frame(|| {
        let hub = Greenlet::new(|_: i64| {
            let dead = Greenlet::new(|n: i64| n);
            dead.switch(0).unwrap();
            keep(dead);
            log(exit_of(main().switch(0)).message().unwrap());
            1
        });
        hub.switch(0).unwrap();
        assert_eq!(kept().throw(GreenletExit::new("to the hub")).unwrap(), 1);
        check("to the hub");
    });
}

#[test]
fn g062_what_is_thrown_at_oneself_is_raised_at_the_call() {
    frame(|| {
        assert_eq!(key_error(|| main().throw(KeyError("main"))), "main");
        let g = Greenlet::new(|_: i64| {
            log(key_error(|| greenlet::current::<i64>().throw(KeyError("self"))));
            1
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        check("self");
    });
}

#[test]
fn g064_a_greenlet_may_catch_an_exit_and_go_on() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            let mut caught = 0;
            while let Err(payload) = catch_unwind(AssertUnwindSafe(|| back(caught))) {
                assert!(payload.is::<GreenletExit>());
                caught += 1;
            }
            -caught
        });
        g.switch(0).unwrap();
        for caught in 1..=50 {
            assert_eq!(g.kill().unwrap(), caught);
        }
        assert!(g.is_active());
        assert_eq!(g.switch(0).unwrap(), -50);
    });
}

#[test]
fn g104_a_destructor_may_switch() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            let _guard = OnDrop(|| log(back(1)));
            2
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        assert_eq!(g.switch(9).unwrap(), 2);
        check("9");
    });
}

#[test]
fn a_destructor_may_switch_while_its_stack_unwinds() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            let _guard = OnDrop(|| log(back(1)));
            raise(KeyError("e"))
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        // Its stack unwinds, so nothing can be raised in it now: the switch delivers a value.
        assert_eq!(key_error(|| g.switch(8)), "e");
        check("8");
    });
}

#[test]
fn what_cannot_be_raised_is_returned() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            let _guard = OnDrop(|| match main().switch(1) {
                Err(SwitchError::Unraised(payload)) => log(payload.is::<GreenletExit>()),
                other => log(format!("{other:?}")),
            });
            raise(KeyError("e"))
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        assert_eq!(key_error(|| g.kill()), "e");
        check("true");
        assert!(!std::thread::panicking());
    });
}

#[test]
fn a_finally_may_switch_in_all_of_a_chain() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            try_finally(
                || try_finally(|| raise(KeyError("deep")), || assert_eq!(back(1), 0)),
                || assert_eq!(back(2), 0),
            )
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        assert_eq!(g.switch(0).unwrap(), 2);
        assert_eq!(key_error(|| g.switch(0)), "deep");
    });
}

#[test]
fn a_switch_inside_a_generator_takes_the_generator_along() {
    use fibra::generator::{self, Yielder};
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            let numbers = generator::iter(|y: &Yielder<i64>| {
                for i in 0..3 {
                    y.yield_(back(i));
                }
            });
            for number in numbers {
                log(number);
            }
            99
        });
        assert_eq!(g.switch(0).unwrap(), 0);
        assert_eq!(g.switch(10).unwrap(), 1);
        assert_eq!(g.switch(11).unwrap(), 2);
        assert_eq!(g.switch(12).unwrap(), 99);
        check("10 11 12");
    });
}

#[test]
fn main_may_switch_inside_a_generator() {
    use fibra::generator;
    frame(|| {
        let g = Greenlet::new(|mut n: i64| {
            loop {
                n = back(n * 2);
            }
        });
        let doubled = generator::iter(move |y| (1..4).for_each(|n| y.yield_(g.switch(n).unwrap())));
        assert_eq!(doubled.collect::<Vec<_>>(), [2, 4, 6]);
    });
}

#[test]
fn g079_after_the_frame_handles_read_as_ended() {
    let (dead, unstarted) = frame(|| {
        let g = Greenlet::new(back);
        g.switch(1).unwrap();
        (g, Greenlet::new(|n: i64| n))
    });
    assert!(dead.is_dead() && !unstarted.is_dead());
    frame(|| {
        assert!(matches!(dead.switch(1), Err(SwitchError::Gone(1))));
        assert!(matches!(unstarted.switch(1), Err(SwitchError::Gone(1))));
        assert!(matches!(dead.kill(), Err(SwitchError::Gone(_))));
        let ours = Greenlet::new(|n: i64| n);
        unstarted.set_parent(&ours).unwrap();
        assert_eq!(unstarted.switch(5).unwrap(), 5, "it has moved here");
    });
    assert!(catch_unwind(AssertUnwindSafe(main)).is_err(), "there is no frame");
}
