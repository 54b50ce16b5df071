//! Greenlets whose last handle was dropped, and the end of frames: rules G-066 to G-076.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use fibra::frame;
use fibra::greenlet::{self, Greenlet, GreenletExit, SwitchError};

use crate::support::greenlet::{KeyError, key_error, raise, raised, try_finally};
use crate::support::{DONE_LINE, Noisy, OnDrop, apart, check, in_child, log, name_of, stderr};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

/// Returns a suspended greenlet that logs its name when it is unwound.
fn suspended(name: &'static str) -> Number {
    let g = Greenlet::new(move |_: i64| {
        let _noisy = Noisy(name);
        back(0)
    });
    g.switch(0).unwrap();
    g
}

#[test]
fn g066_the_last_handle_unwinds_a_suspended_greenlet_at_that_very_place() {
    frame(|| {
        let g = suspended("unwound");
        let clone = g.clone();
        drop(g);
        log("one left");
        drop(clone);
        log("after");
        check("one left unwound after");
    });
}

#[test]
fn g066_whichever_greenlet_drops_it_goes_on_afterwards() {
    frame(|| {
        let victim = suspended("victim");
        let dropper = Greenlet::new(move |_: i64| {
            drop(victim);
            log("dropper");
            5
        });
        assert_eq!(dropper.switch(0).unwrap(), 5);
        check("victim dropper");
    });
}

#[test]
fn g067_the_parent_is_restored_if_it_survives() {
    frame(|| {
        let hub = Greenlet::new(|n: i64| {
            log("hub");
            n
        });
        let saved: Rc<RefCell<Option<Number>>> = Rc::default();
        let keep = saved.clone();
        let g = Greenlet::with_parent(
            move |_: i64| {
                drop(raised(|| back(0)));
                keep.replace(Some(greenlet::current()));
                log(greenlet::current::<i64>().parent() == Some(main()));
                back(1);
                log(greenlet::current::<i64>().parent() == Some(main()));
                7
            },
            &hub,
        );
        g.switch(0).unwrap();
        drop(g);
        let g = saved.take().unwrap();
        assert_eq!(g.parent(), Some(hub.clone()));
        assert_eq!(g.switch(0).unwrap(), 7, "its end goes to the hub, and from there to main");
        check("true false hub");
        assert!(hub.is_dead());
    });
}

#[test]
fn g067_the_dropper_is_the_parent_and_may_be_of_another_family() {
    frame(|| {
        let victim = suspended("victim");
        let dropper = Greenlet::new(move |text: &'static str| {
            drop(victim);
            text
        });
        assert_eq!(dropper.switch("x").unwrap(), "x");
        check("victim");
    });
}

#[test]
fn g068_the_value_of_the_victim_is_ignored() {
    frame(|| {
        let g = Greenlet::new(|n: Rc<Noisy<&'static str>>| {
            let caught = catch_unwind(AssertUnwindSafe(|| greenlet::main().switch(n)));
            drop(caught);
            Rc::new(Noisy("ignored"))
        });
        drop(g.switch(Rc::new(Noisy("first"))).unwrap());
        log("drop");
        drop(g);
        check("first drop ignored");
    });
}

#[test]
fn g068_another_panic_of_the_victim_is_reported_and_raised_nowhere() {
    let output = in_child(
        name_of!(g068_another_panic_of_the_victim_is_reported_and_raised_nowhere),
        &[],
        || {
            frame(|| {
                let g = Greenlet::new(|_: i64| {
                    drop(raised(|| back(0)));
                    raise("not an exit")
                });
                g.switch(0).unwrap();
                drop(g);
            });
        },
    );
    assert_eq!(
        stderr(&output),
        format!("fibra: a greenlet that was being dropped panicked: not an exit\n{DONE_LINE}")
    );
}

#[test]
fn g070_one_that_cannot_be_killed_is_abandoned_with_a_message() {
    let output =
        in_child(name_of!(g070_one_that_cannot_be_killed_is_abandoned_with_a_message), &[], || {
            frame(|| {
                let count = Rc::new(Cell::new(0));
                let caught = count.clone();
                let g = Greenlet::new(move |_: i64| {
                    loop {
                        if catch_unwind(AssertUnwindSafe(|| back(0))).is_err() {
                            caught.set(caught.get() + 1);
                        }
                    }
                });
                g.switch(0).unwrap();
                drop(g);
                assert_eq!(count.get(), 100);
            });
        });
    assert_eq!(
        stderr(&output),
        format!(
            "fibra: a greenlet lost its last handle, and GreenletExit did not kill it: its stack \
             is kept\n{DONE_LINE}"
        )
    );
}

#[test]
fn g071_unstarted_and_dead_ones_are_dropped_silently() {
    frame(|| {
        let owned = Noisy("closure");
        let unstarted = Greenlet::new(move |n: i64| {
            let _owned = &owned;
            log("never");
            n
        });
        drop(unstarted);
        let dead = Greenlet::new(|n: i64| n);
        dead.switch(0).unwrap();
        drop(dead);
        check("closure");
    });
}

#[test]
fn g072_a_cycle_of_handles_is_unwound_when_the_frame_ends() {
    frame(|| {
        let (a, b) = (Number::empty(), Number::empty());
        for (g, other, name) in [(&a, b.clone(), "a"), (&b, a.clone(), "b")] {
            g.set_run(move |_| {
                let _noisy = Noisy(name);
                let _other = other;
                back(0)
            })
            .unwrap();
            g.switch(0).unwrap();
        }
        drop((a, b));
        check("");
    });
    check("b a");
}

#[test]
fn g073_dropped_in_another_fiber_it_is_killed_by_its_own() {
    fibra::run(|| {
        let g = suspended("killed");
        let other = fibra::spawn(move || {
            drop(g);
            log("dropped");
        });
        other.join().unwrap();
        log("joined");
        // The fiber's next call to a function of `greenlet`.
        drop(greenlet::current::<i64>());
        log("after");
        check("dropped joined killed after");
    });
}

#[test]
fn g073_dropped_in_another_fiber_it_is_killed_by_the_next_switch() {
    fibra::run(|| {
        let g = suspended("killed");
        let busy = suspended("busy");
        fibra::spawn(move || drop(g)).join().unwrap();
        log("switch");
        assert_eq!(busy.switch(3).unwrap(), 3);
        check("switch killed busy");
    });
}

#[test]
fn g073_dropped_in_another_fiber_it_is_unwound_at_the_latest_when_its_own_ends() {
    fibra::run(|| {
        let shared = Rc::new(RefCell::new(None));
        let keep = shared.clone();
        let owner = fibra::spawn(move || {
            keep.replace(Some(suspended("unwound")));
            fibra::yield_now();
            log("owner ends");
        });
        fibra::yield_now();
        shared.take();
        owner.join().unwrap();
        check("owner ends unwound");
    });
}

#[test]
fn g074_all_are_unwound_when_their_fiber_ends_the_youngest_first() {
    fibra::run(|| {
        let all: Rc<RefCell<Vec<Number>>> = Rc::default();
        let keep = all.clone();
        fibra::spawn(move || {
            *keep.borrow_mut() = vec![suspended("a"), suspended("b"), suspended("c")];
            log("end");
        })
        .join()
        .unwrap();
        check("end c b a");
        assert!(all.borrow().iter().all(Greenlet::is_dead));
    });
}

#[test]
fn g074_a_greenlet_that_is_unwound_with_its_frame_can_no_longer_switch() {
    let g = frame(|| {
        let other = suspended("other");
        let g = Greenlet::new(move |_: i64| {
            try_finally(
                || back(0),
                || {
                    log(matches!(other.switch(1), Err(SwitchError::Gone(1))));
                    log(matches!(main().switch(2), Err(SwitchError::Gone(2))));
                    log(matches!(other.kill(), Err(SwitchError::Gone(_))));
                },
            )
        });
        g.switch(0).unwrap();
        g
    });
    check("true true true other");
    assert!(g.is_dead());
}

#[test]
fn one_that_switches_without_end_while_its_frame_ends_is_abandoned() {
    let output = in_child(
        name_of!(one_that_switches_without_end_while_its_frame_ends_is_abandoned),
        &[],
        || {
            frame(|| {
                let g = Greenlet::new(|_: i64| {
                    loop {
                        let _ = catch_unwind(AssertUnwindSafe(|| main().switch(0)));
                    }
                });
                g.switch(0).unwrap();
                std::mem::forget(g);
            });
        },
    );
    assert_eq!(
        stderr(&output),
        format!(
            "fibra: a greenlet went on switching while its frame ended: its stack is kept\n\
             {DONE_LINE}"
        )
    );
}

#[test]
fn g076_a_value_that_waits_is_dropped_with_its_target() {
    frame(|| {
        let g = Greenlet::new(|first: Noisy<&'static str>| {
            let got = greenlet::main().switch(first);
            drop(got);
            Noisy("last")
        });
        drop(g.switch(Noisy("first")).unwrap());
        drop(g.switch(Noisy("second")).unwrap());
        check("first second last");
    });
}

#[test]
fn a_handle_may_be_dropped_while_its_greenlet_runs() {
    frame(|| {
        let cell: Rc<RefCell<Option<Number>>> = Rc::default();
        let own = cell.clone();
        let g = Greenlet::new(move |n: i64| {
            drop(own.take());
            n + 1
        });
        cell.replace(Some(g.clone()));
        assert_eq!(g.switch(1).unwrap(), 2);
        assert!(g.is_dead());
    });
}

#[test]
fn a_chain_of_handles_on_stacks_is_unwound_one_in_the_other() {
    frame(|| {
        let mut last = suspended("0");
        for name in ["1", "2", "3"] {
            let inner = last;
            last = Greenlet::new(move |_: i64| {
                let _inner = inner;
                let _noisy = Noisy(name);
                back(0)
            });
            last.switch(0).unwrap();
        }
        drop(last);
        log("after");
        check("3 2 1 0 after");
    });
}

#[test]
fn a_handle_may_be_dropped_by_a_destructor_while_its_stack_unwinds() {
    frame(|| {
        let victim = suspended("victim");
        let error = key_error(|| {
            let _victim = victim;
            raise(KeyError("e"))
        });
        log(error);
        check("victim e");
        assert!(!std::thread::panicking());
    });
}

#[test]
fn a_victim_may_switch_to_its_killer_and_is_killed_again() {
    frame(|| {
        let times = Rc::new(Cell::new(0));
        let count = times.clone();
        let g = Greenlet::new(move |_: i64| {
            while count.get() < 3 {
                drop(raised(|| back(0)));
                count.set(count.get() + 1);
            }
            9
        });
        g.switch(0).unwrap();
        drop(g);
        assert_eq!(times.get(), 3);
    });
}

#[test]
fn a_killer_that_is_itself_killed_leaves_its_wait() {
    apart(|| {
        frame(|| {
            let cell: Rc<RefCell<Option<Number>>> = Rc::default();
            let killers = cell.clone();
            let victim = Greenlet::new(move |_: i64| {
                let _guard = OnDrop(move || {
                    // While `killer` kills it, it switches to main, which kills `killer`.
                    log("victim waits");
                    assert_eq!(main().switch(1).unwrap(), 2);
                    log("victim ends");
                });
                back(0)
            });
            victim.switch(0).unwrap();
            let killer = Greenlet::new(move |_: i64| {
                let _noisy = Noisy("killer unwound");
                drop(victim);
                log("never");
                0
            });
            cell.replace(Some(killer.clone()));
            assert_eq!(killer.switch(0).unwrap(), 1);
            log("kill");
            assert!(matches!(killer.kill(), Err(SwitchError::Exit(_))));
            check("victim waits kill killer unwound");
            drop((killer, killers));
        });
        // The victim is suspended in a destructor that an unwind runs: it is abandoned.
        check("");
    });
}

#[test]
fn an_exit_raised_by_hand_in_a_destructor_of_a_victim_is_not_reported() {
    frame(|| {
        let g = Greenlet::new(|_: i64| {
            let result = catch_unwind(AssertUnwindSafe(|| back(0)));
            assert!(result.is_err());
            GreenletExit::new("mine").raise()
        });
        g.switch(0).unwrap();
        drop(g);
    });
}
