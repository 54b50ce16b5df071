//! Greenlets in fibers that wait, are killed and end: rules G-077 to G-082.

#![allow(clippy::disallowed_methods, reason = "one thread after another, each with its own frame")]

use std::cell::RefCell;
use std::rc::Rc;

use fibra::channel::Channel;
use fibra::greenlet::{self, Greenlet, SwitchError};
use fibra::{JoinError, frame, run, spawn, yield_now};

use crate::support::greenlet::{KeyError, raise, words};
use crate::support::{Noisy, check, log, ms, run_virtually};

type Number = Greenlet<i64>;

fn main() -> Number {
    greenlet::main()
}

fn back(n: i64) -> i64 {
    main().switch(n).unwrap()
}

fn simple() -> i64 {
    let g = Greenlet::new(|n: i64| back(n + 1) * 2);
    assert_eq!(g.switch(1).unwrap(), 2);
    g.switch(21).unwrap()
}

/// Python's `test_threads`.
#[test]
fn g082_each_thread_and_each_fiber_has_its_own() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                assert_eq!(frame(simple), 42);
                run(|| {
                    let fibers: Vec<_> = (0..10).map(|_| spawn(simple)).collect();
                    fibers.into_iter().for_each(|fiber| assert_eq!(fiber.join().unwrap(), 42));
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_wait_in_a_greenlet_parks_the_whole_fiber() {
    run_virtually(|| {
        let other = spawn(|| {
            log("other 1");
            fibra::sleep(ms(15));
            log("other 2");
        });
        let g = Greenlet::new(|n: i64| {
            fibra::sleep(ms(10));
            log("slept");
            let n = back(n + 1);
            fibra::sleep(ms(10));
            n
        });
        assert_eq!(g.switch(1).unwrap(), 2);
        log("main");
        assert_eq!(g.switch(7).unwrap(), 7);
        log("end");
        other.join().unwrap();
        check("other 1 slept main other 2 end");
    });
}

#[test]
fn greenlets_of_two_fibers_take_turns_at_waits() {
    run(|| {
        let worker = |name: &'static str| {
            spawn(move || {
                let g = Greenlet::new(move |_: i64| {
                    for i in 0..2 {
                        log(format!("{name}{i}"));
                        yield_now();
                        back(i);
                    }
                    9
                });
                while g.switch(0).unwrap() != 9 {
                    log(format!("{name} back"));
                }
            })
        };
        let (a, b) = (worker("a"), worker("b"));
        a.join().unwrap();
        b.join().unwrap();
        check("a0 b0 a back a1 b back b1 a back b back");
    });
}

#[test]
fn a_channel_connects_greenlets_of_two_fibers() {
    run(|| {
        let channel = Channel::new();
        let outlet = channel.clone();
        let sender = spawn(move || {
            let g = Greenlet::new(move |n: i64| {
                (0..n).for_each(|i| outlet.send(i).unwrap());
                n
            });
            g.switch(3).unwrap()
        });
        let g = Greenlet::new(move |n: i64| (0..n).map(|_| channel.recv().unwrap()).sum());
        assert_eq!(g.switch(3).unwrap(), 3);
        assert_eq!(sender.join().unwrap(), 3);
    });
}

#[test]
fn g077_g078_a_started_greenlet_belongs_to_its_fiber() {
    run(|| {
        let shared: Rc<RefCell<Vec<Number>>> = Rc::default();
        let keep = shared.clone();
        let owner = spawn(move || {
            let suspended = Greenlet::new(back);
            suspended.switch(0).unwrap();
            let unstarted = Greenlet::new(|n: i64| n);
            keep.borrow_mut().extend([suspended.clone(), unstarted, main()]);
            yield_now();
            assert_eq!(suspended.switch(3).unwrap(), 3, "nothing has happened to it");
        });
        yield_now();
        for g in shared.borrow().iter() {
            assert!(matches!(g.switch(1), Err(SwitchError::Elsewhere(1, _))), "{g:?}");
            match g.throw(KeyError("k")) {
                Err(SwitchError::Elsewhere(payload, _)) => assert!(payload.is::<KeyError>()),
                other => panic!("{other:?}"),
            }
        }
        // The same from a greenlet of this fiber.
        let theirs = shared.borrow()[0].clone();
        let ours = Greenlet::new(move |n: i64| {
            assert!(matches!(theirs.switch(1), Err(SwitchError::Elsewhere(1, _))));
            n
        });
        assert_eq!(ours.switch(1).unwrap(), 1);
        owner.join().unwrap();
    });
}

#[test]
fn g079_g081_when_the_fiber_has_ended_its_greenlets_are_dead() {
    run(|| {
        let (started, m, unstarted) = spawn(|| {
            let g = Greenlet::new(back);
            g.switch(0).unwrap();
            (g, main(), Greenlet::new(|n: i64| n))
        })
        .join()
        .unwrap();
        log(words(&started));
        log(words(&m));
        log(words(&unstarted));
        check("dead (frame exited) dead pending");
        for g in [started, m, unstarted] {
            let error = g.switch(1).unwrap_err();
            assert_eq!(
                error.to_string(),
                "cannot switch to a different fiber (which happens to have ended)"
            );
        }
    });
}

/// Python's `test_unexpected_reparenting`: the parent switches away while the child runs.
#[test]
fn an_unstarted_parent_that_has_moved_to_another_fiber_is_an_error_in_main() {
    run(|| {
        let shared: Rc<RefCell<Option<Number>>> = Rc::default();
        let keep = shared.clone();
        let other = spawn(move || {
            keep.replace(Some(main()));
            yield_now();
        });
        yield_now();
        let theirs = shared.take().unwrap();
        let parent = Greenlet::new(|n: i64| n);
        let moved = parent.clone();
        let child = Greenlet::with_parent(
            move |n: i64| {
                moved.set_parent(&theirs).unwrap();
                n
            },
            &parent,
        );
        let text = crate::support::panic_of(|| child.switch(1));
        assert_eq!(text, "the parent has gone to a different fiber");
        assert!(child.is_dead() && !parent.is_started());
        other.join().unwrap();
    });
}

#[test]
fn a_kill_of_the_fiber_unwinds_the_greenlet_that_waits_and_goes_up_to_main() {
    run(|| {
        let fiber = spawn(|| {
            let _main = Noisy("main");
            let middle = Greenlet::new(|n: i64| {
                let _middle = Noisy("middle");
                let inner = Greenlet::new(|n: i64| {
                    let _inner = Noisy("inner");
                    fibra::park();
                    n
                });
                inner.switch(n).unwrap()
            });
            let aside = Greenlet::new(|n: i64| {
                let _aside = Noisy("aside");
                back(n)
            });
            aside.switch(0).unwrap();
            middle.switch(1).unwrap();
            log("never");
        });
        yield_now();
        fiber.kill();
        assert!(matches!(fiber.join(), Err(JoinError::Killed)));
        // The greenlets that were suspended elsewhere lose their handles on the way.
        check("inner middle aside main");
    });
}

#[test]
fn a_panic_of_a_greenlet_is_the_fibers() {
    run(|| {
        let fiber = spawn(|| {
            let g = Greenlet::new(|_: i64| raise("from a greenlet"));
            g.switch(1).unwrap();
        });
        assert_eq!(crate::support::join_panic(fiber), "from a greenlet");
    });
}

#[test]
fn cancel_scopes_stay_with_the_stack_on_which_they_were_made() {
    run_virtually(|| {
        let g = Greenlet::new(|_: i64| {
            let channel = Channel::<i64>::new();
            let empty = channel.recv_timeout(ms(5)).is_err();
            back(i64::from(empty));
            fibra::shield(|| {
                back(2);
                fibra::sleep(ms(5));
            });
            3
        });
        assert_eq!(g.switch(0).unwrap(), 1);
        fibra::sleep(ms(20));
        assert_eq!(g.switch(0).unwrap(), 2);
        fibra::sleep(ms(20));
        assert_eq!(g.switch(0).unwrap(), 3);
    });
}

#[test]
fn a_nested_frame_is_the_same_frame() {
    frame(|| {
        let g = Greenlet::new(back);
        frame(|| {
            g.switch(1).unwrap();
        });
        assert!(!g.is_dead());
        assert_eq!(g.switch(2).unwrap(), 2);
    });
    run(|| {
        let g = frame(|| {
            let g = Greenlet::new(back);
            g.switch(1).unwrap();
            g
        });
        assert_eq!(g.switch(2).unwrap(), 2);
    });
}

#[test]
fn a_greenlet_may_call_run() {
    frame(|| {
        let outside = Greenlet::new(back);
        outside.switch(1).unwrap();
        let theirs = outside.clone();
        let g = fibra::greenlet::GreenletBuilder::new().stack_size(1 << 20).build(move |n: i64| {
            run(move || {
                assert!(matches!(theirs.switch(1), Err(SwitchError::Elsewhere(1, _))));
                let text = theirs.switch(1).unwrap_err().to_string();
                assert!(text.contains("Expected: the thread's own frame"), "{text}");
                // The handle is dropped here; the greenlet is killed later, in its own frame.
                drop(theirs);
                spawn(simple).join().unwrap()
            }) + n
        });
        let last = outside;
        assert_eq!(g.switch(1).unwrap(), 43);
        assert_eq!(last.switch(5).unwrap(), 5);
    });
}

#[test]
fn the_last_handle_may_go_inside_a_run_on_top() {
    frame(|| {
        let victim = Greenlet::new(|n: i64| {
            let _noisy = Noisy("unwound");
            back(n)
        });
        victim.switch(1).unwrap();
        run(move || drop(victim));
        log("after run");
        drop(main());
        drop(greenlet::current::<i64>());
        check("after run unwound");
    });
}
