//! Tests throws: where an error is raised, where it is put off, and that it is never lost.

use std::panic::{self, AssertUnwindSafe};

use fibra::stackless::{self, TaskletExit};

use crate::support::{
    DONE_LINE, Noisy, OnDrop, check, in_child, log, ms, name_of, stderr, text_of,
};

/// Returns the payload that `f` unwinds with.
#[track_caller]
fn raised<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) else { panic!("it returned") };
    if payload.is::<TaskletExit>() { "exit".into() } else { text_of(payload.as_ref()) }
}

/// S-051: a throw ends each kind of wait.
#[test]
fn a_throw_ends_every_kind_of_wait() {
    crate::support::run_virtually(|| {
        let never = fibra::spawn(fibra::park);
        type Wait = Box<dyn FnOnce()>;
        let waits: Vec<(&str, Wait)> = vec![
            ("park", Box::new(fibra::park)),
            ("sleep", Box::new(|| fibra::sleep(ms(1_000_000)))),
            ("join", Box::new(move || drop(never.join()))),
            ("receive", Box::new(|| drop(fibra::channel::Channel::<u32>::new().recv()))),
            ("run", Box::new(stackless::run)),
            ("remove", Box::new(|| drop(stackless::schedule_remove()))),
        ];
        for (name, wait) in waits {
            let t = stackless::spawn(move || log(format!("{name}:{}", raised(wait))));
            stackless::schedule();
            t.throw("E").unwrap();
            assert!(!t.is_alive(), "{name}");
        }
    });
    check("park:E sleep:E join:E receive:E run:E remove:E");
}

/// S-053, S-162: the balance is correct immediately.
#[test]
fn a_pending_throw_takes_the_target_off_its_channel() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::<u32>::new();
        let receiver = channel.clone();
        let t = stackless::spawn(move || log(raised(|| receiver.recv())));
        stackless::schedule();
        assert_eq!(channel.balance(), -1);
        t.kill_pending().unwrap();
        assert_eq!((channel.balance(), t.is_blocked()), (0, false));
        assert!(channel.try_send(1).is_err());
        stackless::schedule();
    });
    check("exit");
}

/// A completed wait returns the value it was given; the throw is raised at the next wait.
#[test]
fn what_was_handed_over_is_not_lost_to_a_throw() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let receiver = channel.clone();
        let t = stackless::spawn(move || {
            log(receiver.recv().unwrap());
            log(raised(|| receiver.recv()));
        });
        stackless::schedule();
        channel.try_send("value").unwrap();
        t.throw("E").unwrap();
        assert_eq!(channel.balance(), 0);
    });
    check("value E");
}

#[test]
fn a_throw_is_not_raised_in_a_shield_and_does_not_end_the_wait_there() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let receiver = channel.clone();
        let t = stackless::spawn(move || {
            fibra::shield(|| log(receiver.recv().unwrap()));
            log(raised(stackless::schedule));
        });
        stackless::schedule();
        t.throw("E").unwrap();
        assert_eq!(channel.balance(), -1);
        channel.send("value").unwrap();
        stackless::schedule();
    });
    check("value E");
}

#[test]
fn a_scope_is_left_before_what_was_thrown_at_its_exit_is_raised() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let receiver = channel.clone();
        let t = stackless::spawn(move || {
            fibra::scope(|s| {
                s.spawn(|| log(receiver.recv().unwrap()));
            });
            log("left");
            log(raised(stackless::schedule));
        });
        stackless::schedule();
        stackless::schedule();
        t.throw("E").unwrap();
        assert!(t.is_blocked(), "the scope waits for its fiber");
        channel.send("value").unwrap();
        stackless::run();
    });
    check("value left E");
}

/// While a fiber unwinds, nothing is raised in another; it is raised once no fiber unwinds.
#[test]
fn a_throw_while_the_thread_unwinds_is_raised_later() {
    fibra::run(|| {
        let t = stackless::spawn(|| log(raised(fibra::park)));
        stackless::schedule();
        let target = t.clone();
        let thrown = raised(move || {
            let _throws = OnDrop(move || {
                target.throw("E").unwrap();
                assert!(target.is_blocked());
                stackless::schedule();
                log("unwinding");
            });
            panic::resume_unwind(Box::new("first"));
        });
        log(thrown);
        // From time to time, the run loop checks whether a fiber still unwinds.
        while t.is_alive() {
            stackless::schedule();
        }
    });
    check("unwinding first E");
}

/// S-054, and the end of a shield.
#[test]
fn what_a_tasklet_throws_at_itself_in_a_shield_waits_for_its_end() {
    fibra::run(|| {
        log(raised(|| stackless::getcurrent().throw("A")));
        log(raised(|| stackless::getcurrent().throw_pending("B")));
        log(raised(|| {
            fibra::shield(|| {
                stackless::getcurrent().throw("C").unwrap();
                stackless::schedule();
                log("-");
            });
            fibra::checkpoint();
        }));
    });
    check("A B - C");
}

/// S-061: a throw, which can be survived once, and fibra's own kill, which cannot.
#[test]
fn a_tasklet_that_survives_kills_is_ended_by_fibras_own() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            let _unwound = Noisy("unwound");
            loop {
                let _ = panic::catch_unwind(|| {
                    stackless::schedule_remove();
                    log("survived");
                });
                fibra::checkpoint();
            }
        });
        stackless::run();
        t.kill().unwrap();
        t.kill().unwrap();
        assert!(t.is_paused());
        t.fiber().unwrap().kill();
        stackless::run();
        assert!(!t.is_alive());
    });
    check("unwound");
}

/// S-056, for a fiber that was not spawned as a tasklet: the throw is raised at its first wait.
#[test]
fn a_plain_fiber_meets_a_throw_at_its_first_wait() {
    fibra::run(|| {
        let fiber = fibra::spawn(|| {
            log("begun");
            fibra::yield_now();
        });
        let seen = stackless::getcurrent().next().unwrap();
        seen.throw_pending("E").unwrap();
        let error = fiber.join().unwrap_err();
        log(text_of(error.into_panic().unwrap().as_ref()));
    });
    check("begun E");
}

/// An error that could not be raised before a tasklet returned becomes the error that it ends with.
#[test]
fn a_throw_that_no_wait_has_raised_is_passed_on_at_the_end() {
    fibra::run(|| {
        let t = stackless::spawn(|| {
            fibra::shield(|| drop(stackless::schedule_remove()));
            log("returned");
        });
        stackless::run();
        log(raised(|| t.throw("E")));
    });
    check("returned E");
}

#[test]
fn what_nothing_can_raise_is_reported() {
    let output = in_child(name_of!(what_nothing_can_raise_is_reported), &[], || {
        fibra::run(|| {
            let main = stackless::getmain();
            fibra::shield(|| main.throw_pending("out of milk").unwrap());
        });
    });
    let text = stderr(&output);
    assert!(
        text.contains("what was thrown at tasklet of fiber 'main' (#1) came too late: "),
        "{text}"
    );
    assert!(text.contains("out of milk") && text.ends_with(DONE_LINE), "{text}");
}

/// A payload that a second throw replaces is dropped by the second thrower.
#[test]
fn a_replaced_throw_is_dropped_once() {
    fibra::run(|| {
        let t = stackless::spawn(|| drop(stackless::schedule_remove()));
        stackless::run();
        t.throw_pending(Noisy("first")).unwrap();
        log("-");
        t.throw_pending("second").unwrap();
        log(raised(stackless::run));
        assert!(!t.is_alive());
    });
    check("- first second");
}
