//! Tests `run()`: the tasklets that wait in it, those it wakes, and the effect of its limits.

use std::panic::{self, AssertUnwindSafe};

use fibra::stackless::{self, Run};

use crate::support::{
    DONE_LINE, Noisy, check, in_child, log, ms, name_of, run_virtually, stderr, text_of,
};

#[track_caller]
fn raised<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) else { panic!("it returned") };
    text_of(payload.as_ref())
}

/// S-109: T22.
#[test]
fn the_innermost_run_is_woken_first() {
    fibra::run(|| {
        stackless::spawn(|| {
            stackless::spawn(|| log("B"));
            stackless::run();
            log("A");
        });
        stackless::run();
        log("m");
    });
    check("B A m");
}

/// S-114, S-115: T23.
#[test]
fn an_outer_run_that_is_woken_by_hand_takes_the_inner_ones_with_it() {
    fibra::run(|| {
        for name in ["A", "B", "C"] {
            stackless::spawn(move || {
                // Each one finds the next in the ring; C finds nothing to run.
                stackless::run();
                if name == "C" {
                    stackless::getmain().run().unwrap();
                }
                log(name);
            });
        }
        stackless::run();
        log("m");
        stackless::run();
        log("m");
    });
    check("m C B A m");
}

/// A fiber that was killed in `run()` is removed from the fibers that wait in it.
#[test]
fn a_run_that_is_unwound_is_forgotten() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            let _unwound = Noisy("unwound");
            stackless::spawn(fibra::yield_now);
            stackless::run();
        });
        t.run().unwrap();
        t.fiber().unwrap().kill();
        stackless::run();
        stackless::spawn(|| log("A"));
        stackless::run();
        log("m");
    });
    check("unwound A m");
}

/// S-107: without `threadblock` a `run` does not wait for timers; with it, it does (S-132).
#[test]
fn timers_keep_only_a_run_with_threadblock() {
    run_virtually(|| {
        stackless::spawn(|| {
            fibra::sleep(ms(10));
            log("awake");
        });
        stackless::run();
        log("m1");
        Run::new().threadblock().run();
        log("m2");
        Run::new().threadblock().run();
    });
    check("m1 awake m2");
}

/// S-106, S-166: main out of the ring is woken in place of a deadlock, after the timers.
#[test]
fn a_main_that_has_left_the_ring_goes_on_when_nothing_else_can() {
    run_virtually(|| {
        stackless::spawn(|| {
            fibra::sleep(ms(10));
            log("A");
        });
        stackless::schedule_remove();
        log("m");
        stackless::spawn(|| stackless::getmain().remove().unwrap());
        stackless::schedule();
        log("m");
    });
    check("A m m");
}

/// S-106: only main could continue, and main is blocked.
#[test]
fn the_last_tasklet_cannot_leave_the_ring_while_main_is_blocked() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let answer = channel.clone();
        let t = stackless::spawn(move || {
            let deadlock = raised(stackless::schedule_remove);
            answer.send(deadlock.lines().next().unwrap().to_owned()).unwrap();
        });
        log(channel.recv().unwrap());
        drop(t);
    });
    check("Deadlock: the last runnable tasklet cannot be blocked.");
}

/// S-065 to S-067: the error goes to the caller of `run()`, else to main, wherever that waits.
#[test]
fn an_error_reaches_main_in_the_ring_in_a_wait_and_in_run() {
    fibra::run(|| {
        let fails = || stackless::spawn(|| panic::resume_unwind(Box::new("E")));
        let after = || stackless::spawn(|| log("after"));
        drop((fails(), after()));
        log(raised(stackless::run));
        log(raised(|| fails().run()));
        drop((fails(), after()));
        log(raised(fibra::park));
        stackless::run();
    });
    check("E E after E after");
}

/// An error that comes when fibra's `run` ends goes to no tasklet, and is reported.
#[test]
fn destructors_at_the_end_of_the_run_find_the_facade_closed() {
    fibra::run(|| {
        let handler = Noisy("handler dropped");
        stackless::set_error_handler(Some(std::rc::Rc::new(move |_, _| log(&handler.0))));
        stackless::spawn(|| {
            let late = crate::support::OnDrop(|| {
                let late = Noisy("late handler dropped");
                let handler = std::rc::Rc::new(move |_: &_, _: &_| log(&late.0));
                assert!(stackless::set_error_handler(Some(handler)).is_none());
            });
            stackless::schedule_remove();
            drop(late);
        });
        let t = stackless::getcurrent().next().unwrap();
        stackless::run();
        std::mem::forget(t);
        log("m");
    });
    check("m handler dropped late handler dropped");
}

/// S-124: the round robin of a loop around a `run` with a limit.
#[test]
fn victims_are_inserted_again_and_all_get_their_turns() {
    fibra::run(|| {
        for name in ["A", "B"] {
            stackless::spawn(move || {
                for n in 1..=3 {
                    log(format!("{name}{n}"));
                    stackless::tick();
                }
            });
        }
        while 1 < stackless::getruncount() {
            if let Some(victim) = Run::new().ticks(2).run() {
                log("|");
                victim.insert().unwrap();
            }
        }
    });
    check("A1 A2 | B1 B2 | A3 B3");
}

/// S-097, S-098.
#[test]
fn an_atomic_tasklet_is_interrupted_when_that_ends() {
    fibra::run(|| {
        stackless::spawn(|| {
            let atomic = stackless::atomic();
            (0..9).for_each(|_| stackless::tick());
            log("atomic");
            drop(atomic);
            log("later");
        });
        let victim = Run::new().ticks(3).run().unwrap();
        log("m");
        victim.run().unwrap();
    });
    check("atomic m later");
}

/// S-130: if it were paused in a shield, it could be neither killed nor dropped.
#[test]
fn a_shielded_tasklet_is_interrupted_when_its_shield_ends() {
    fibra::run(|| {
        stackless::spawn(|| {
            fibra::shield(|| {
                (0..9).for_each(|_| stackless::tick());
                log("shielded");
            });
            stackless::tick();
            log("never");
        });
        drop(Run::new().ticks(3).run().unwrap());
        log("m");
    });
    check("shielded m");
}

/// S-069: a kill that an error replaces is as silent as any other kill.
#[test]
fn a_kill_that_is_replaced_by_an_error_is_not_reported() {
    let test = name_of!(a_kill_that_is_replaced_by_an_error_is_not_reported);
    let output = in_child(test, &[], || {
        fibra::run(|| {
            stackless::spawn(|| {
                stackless::getmain().kill_pending().unwrap();
                panic::resume_unwind(Box::new("E"));
            });
            assert_eq!(raised(stackless::run), "E");
        });
    });
    assert_eq!(stderr(&output), DONE_LINE);
}

/// S-207: a tasklet is killed with its last handle, also when guards for it are on its stack.
#[test]
fn guards_do_not_keep_their_tasklet_alive() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            let _unwound = Noisy("unwound");
            let _guards = (stackless::atomic(), stackless::block_trap(true));
            stackless::schedule_remove();
        });
        stackless::run();
        drop(t);
        log("m");
    });
    check("unwound m");
}

/// S-207: an error of a tasklet that dies with its handle is raised at the dropper's next wait.
#[test]
fn dropping_a_handle_does_not_unwind() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            let _ = panic::catch_unwind(stackless::schedule_remove);
            panic::resume_unwind(Box::new("E"));
        });
        stackless::run();
        drop(t);
        log("dropped");
        log(raised(stackless::schedule));
    });
    check("dropped E");
}
