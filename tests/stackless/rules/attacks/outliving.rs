//! Tasklets, guards and callbacks that outlive the run, the tasklet or the thread that made them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use fibra::stackless::{self, Channel, Run, Tasklet};

use crate::support::stackless::{floating, logs, paused, quietly, ring, state};
use crate::support::{OnDrop, check, log};

/// A value that calls its closure when the thread ends.
type AtExit = OnDrop<Box<dyn FnMut()>>;

thread_local! {
    static KEPT: RefCell<Vec<Tasklet>> = const { RefCell::new(Vec::new()) };
    static AT_EXIT: RefCell<Option<AtExit>> = const { RefCell::new(None) };
}

#[test]
fn tasklets_in_a_thread_local_outlive_the_run_and_die_with_the_thread() {
    let thread = std::thread::spawn(|| {
        fibra::run(|| {
            let channel = Channel::<i32>::new();
            let blocked = stackless::spawn(move || drop(channel.receive()));
            stackless::run();
            let all = [blocked, floating("F"), paused("P"), logs("S"), stackless::getmain()];
            KEPT.with_borrow_mut(|kept| kept.extend(all));
        });
        KEPT.with_borrow(|kept| {
            for t in kept {
                assert_eq!(state(t), "dead");
                assert!(!t.is_main() || t.thread_id().is_none());
                drop((t.next(), t.prev(), t.fiber(), t.downgrade(), t.clone()));
                log("dead");
            }
        });
        fibra::run(|| {
            KEPT.with_borrow(|kept| {
                for t in kept {
                    drop((t.insert(), t.remove(), t.run(), t.switch(), t.kill(), t.throw("E")));
                }
            });
            assert_eq!(ring(&[]), "m");
        });
        check("dead dead dead dead dead");
    });
    thread.join().unwrap();
}

#[test]
fn a_tasklet_of_an_earlier_run_can_be_bound_again_or_returns_an_error() {
    let old = fibra::run(|| {
        let t = paused("P");
        t.run().unwrap();
        t
    });
    fibra::run(|| match old.bind(|()| log("again")) {
        Ok(bound) => drop(bound.try_setup(()).map(|_| stackless::run())),
        Err(error) => assert!(!error.to_string().is_empty()),
    });
    let seen = crate::support::trace();
    assert!(seen == ["P"] || seen == ["P", "again"], "{seen:?}");
}

#[test]
fn calls_outside_of_a_run_panic_or_refuse() {
    let (t, bound) = fibra::run(|| (paused("P"), stackless::tasklet(|()| log("never"))));
    let mut refusals = 0;
    let calls: Vec<Box<dyn FnOnce()>> = vec![
        Box::new(|| drop(stackless::getcurrent())),
        Box::new(|| drop(stackless::getmain())),
        Box::new(stackless::schedule),
        Box::new(stackless::run),
        Box::new(|| drop(stackless::schedule_remove())),
        Box::new(|| drop(Run::new().ticks(3).run())),
        Box::new(|| drop(logs("never"))),
        Box::new(|| drop(stackless::switch_trapped())),
        Box::new(|| drop(stackless::atomic())),
        Box::new(|| drop(stackless::set_error_handler(None))),
    ];
    let count = calls.len();
    for call in calls {
        let text = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        refusals += usize::from(text.is_err());
    }
    assert_eq!(refusals, count);
    quietly(|| drop(t.run()));
    quietly(|| drop(t.insert()));
    quietly(|| drop(t.kill()));
    quietly(|| drop(bound.try_setup(())));
    drop(t);
    check("");
}

#[test]
fn guards_that_outlive_their_tasklet_or_run_change_nothing_else() {
    let guards = fibra::run(|| {
        let slot = Rc::new(Cell::new(None));
        let kept = slot.clone();
        stackless::spawn(move || {
            kept.set(Some((stackless::atomic(), stackless::block_trap(true))));
        });
        stackless::run();
        // The guards' tasklet is dead, and another tasklet's fiber may stand in its place.
        let t = stackless::spawn(|| {
            stackless::schedule();
            let me = stackless::getcurrent();
            assert!(me.atomic() && me.block_trap());
            log("T");
        });
        t.set_atomic(true);
        t.set_block_trap(true);
        stackless::schedule();
        drop(slot.take());
        stackless::run();
        (stackless::atomic(), stackless::block_trap(true), stackless::switch_trapped())
    });
    fibra::run(move || {
        let me = stackless::getcurrent();
        assert!(!me.atomic() && !me.block_trap());
        assert_eq!(stackless::switch_trap(1), 0);
        me.set_atomic(true);
        quietly(move || drop(guards));
        assert!(me.atomic());
        assert_eq!(stackless::switch_trap(-1), 1, "a guard of another run's scheduler");
        assert_eq!(stackless::switch_trap(0), 0);
    });
    check("T");
}

#[test]
fn forgotten_handles_bounds_and_guards_only_leak() {
    fibra::run(|| {
        std::mem::forget(floating("F"));
        std::mem::forget(paused("P"));
        std::mem::forget(stackless::tasklet(|()| log("never")));
        std::mem::forget(stackless::atomic());
        std::mem::forget(stackless::block_trap(true));
        logs("A");
        stackless::run();
        std::mem::forget(stackless::switch_trapped());
    });
    check("A");
}

#[test]
fn a_thread_local_destructor_that_uses_handles_of_an_ended_run() {
    let thread = std::thread::spawn(|| {
        fibra::run(|| {
            let t = floating("F");
            let weak = t.downgrade();
            AT_EXIT.set(Some(OnDrop(Box::new(move || {
                drop((t.is_alive(), t.next(), t.clone(), weak.upgrade()));
                quietly(|| drop(t.kill()));
                quietly(|| drop(t.bind(|()| ())));
                quietly(|| drop(stackless::getcurrent()));
            }))));
        });
    });
    thread.join().unwrap();
}

#[test]
fn two_schedulers_do_not_know_each_other() {
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                fibra::run(|| {
                    let _trapped = stackless::switch_trapped();
                    stackless::set_schedule_callback(Some(Rc::new(|_, _| log("cb"))));
                    assert_eq!(stackless::switch_trap(0), 1);
                    assert_eq!(stackless::getruncount(), 1);
                    assert!(stackless::getmain().thread_id() == Some(std::thread::current().id()));
                });
            });
        }
    });
}

#[test]
fn a_stale_bound_of_an_earlier_run_is_refused() {
    let bound = fibra::run(|| stackless::tasklet(|()| log("never")));
    let t = (*bound).clone();
    fibra::run(|| {
        assert!(bound.try_setup(()).is_err());
        assert_eq!(state(&t), "dead");
    });
    check("");
}

#[test]
fn a_thousand_tasklets_deep_chain_of_runs_comes_back() {
    fn deeper(depth: u32) {
        if depth != 0 {
            let t = stackless::tasklet(deeper).bind(depth - 1);
            t.run().unwrap();
        }
    }
    fibra::run(|| {
        deeper(1000);
        assert_eq!(stackless::getruncount(), 1);
    });
}
